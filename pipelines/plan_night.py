"""`winback plan`: what tonight's contacts would bring under other budgets and seats."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import DataError, UsageError, describe
from features.progress import Progress, silent
from pipelines.config import Config
from pipelines.plan_plot import check_plot_place, draw_frontier
from pipelines.scored_night import score_night
from pipelines.step_seconds import StepSeconds
from scoring.choice import Plan
from scoring.contest import Contest
from scoring.night import PreparedNight, prepare_night
from scoring.night_plan import plan_contacts
from scoring.policy import MOST_CONTACTS, MOST_MONEY

SCHEMA_VERSION = 1
_BUDGET_SHARES = (0.25, 0.5, 1.0, 1.5, 2.0)


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What to vary.

    Attributes
    ----------
    budgets : money per night; empty means shares and multiples of what tonight would spend.
    seats : contacts of `channel` per night; empty means as configured.
    channel : whose seats; null means the one whose contacts cost most.
    plot : where to draw the frontier; null for no picture.
    """

    budgets: tuple[float, ...]
    seats: tuple[int, ...]
    channel: str | None
    plot: Path | None


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a night would come to under one budget and one number of seats.

    Attributes
    ----------
    budget : money; null for no limit.
    seats : of the varied channel; null for no limit.
    contacts : expected to be sent.
    spent, spent_high : expected spending, and what it stays below with the configured
        probability; money.
    gain : expected gain of these contacts; money.
    budget_price, seat_price : what one more unit of money, or one more seat, would add.
    gap : share of the best plan's worth that this one may lack.
    """

    budget: float | None
    seats: int | None
    contacts: int
    spent: float
    spent_high: float
    gain: float
    budget_price: float
    seat_price: float
    gap: float


@dataclass(frozen=True, slots=True)
class PlanReport:
    """The frontier of gain against spend, from one scoring.

    Attributes
    ----------
    channel : whose seats were varied.
    evidence : what the effects rest on.
    plot : the picture, if one was asked for.
    """

    day: date
    currency: str
    channel: str
    channel_label: str
    eligible: int
    evidence: tuple[str, ...]
    scenarios: tuple[Scenario, ...]
    plot: Path | None

    def to_json(self) -> dict[str, Any]:
        """A JSON document with a schema version."""
        document = asdict(self)
        document["day"] = self.day.isoformat()
        document["plot"] = None if self.plot is None else str(self.plot)
        return {"schema_version": SCHEMA_VERSION, **document}


def run_plan(
    config: Config,
    request: PlanRequest,
    *,
    as_of: date | None,
    now: datetime,
    progress: Progress = silent,
) -> PlanReport:
    """Score once, then find the best contacts for every budget and number of seats.

    Nothing is written but the picture. Figures are expectations over who turns out a
    control: tonight's list differs from them by chance.

    Raises
    ------
    UsageError : a budget or number of seats makes no sense, or the channel is not known.
    DataError, ArtifactError : as `winback nightly`.
    """
    channel = _channel(config, request)
    if request.plot is not None:
        check_plot_place(request.plot)
    _check_limits("--budget", request.budgets, most=MOST_MONEY)
    _check_limits("--seats", request.seats, most=MOST_CONTACTS)
    ready = score_night(config, as_of=as_of, now=now, steps=StepSeconds(), progress=progress)
    night = prepare_night(
        ready.scored,
        ready.policy,
        effects=ready.effects,
        is_holdout=ready.members,
        threads=config.training.learner.threads,
    )
    place = list(config.channels).index(channel)
    budgets: Sequence[float | None] = request.budgets or _usual_budgets(night, config)
    seats: Sequence[int | None] = request.seats or [config.channels[channel].capacity]
    cases = [(budget, seat) for seat in seats for budget in budgets]
    scenarios = []
    for number, (budget, seat) in enumerate(cases):
        progress("planning", number, len(cases))
        contest = _changed(night.contest, place, budget=budget, seats=seat)
        scenarios.append(_scenario(night, contest, place, budget=budget, seats=seat))
    progress("planning", len(cases), len(cases))
    report = PlanReport(
        day=ready.day,
        currency=config.business.currency,
        channel=channel,
        channel_label=config.channels[channel].label,
        eligible=len(night.eligible),
        evidence=tuple(sorted(set(ready.effects.effect.evidence))),
        scenarios=tuple(scenarios),
        plot=request.plot,
    )
    if request.plot is not None:
        draw_frontier(report, request.plot)
    return report


def _channel(config: Config, request: PlanRequest) -> str:
    if not config.channels:
        raise DataError(
            describe(
                "channels",
                "none is configured",
                expected="at least one channel to plan for",
                fix="add one to winback.toml; `winback init --stdout` shows a full example",
            )
        )
    if request.channel is None:
        return max(config.channels, key=lambda name: config.channels[name].cost)
    if request.channel not in config.channels:
        raise UsageError(
            describe(
                f"--channel {request.channel}",
                "there is no such channel",
                expected=f"one of {', '.join(config.channels)}",
                fix="name a channel of winback.toml",
            )
        )
    return request.channel


def _check_limits(option: str, numbers: Sequence[float], *, most: float) -> None:
    # A comparison, as whole numbers may be too large for NumPy; nan is between no two.
    wrong = [f"{number:g}" for number in numbers if not 0 <= number <= most]
    if wrong:
        raise UsageError(
            describe(
                option,
                f"{len(wrong)} of {len(numbers)} numbers cannot be a limit",
                examples=wrong,
                expected=f"numbers from 0 to {most:,.0f}, separated by commas",
                fix=f"pass for example {option} 50,100",
            )
        )


def _usual_budgets(night: PreparedNight, config: Config) -> list[float | None]:
    """Around the configured budget, or around what a night without one would spend."""
    middle = config.limits.budget
    if middle is None:
        free = replace(night.contest, limits=replace(night.contest.limits, budget=np.inf))
        middle = _expected(free, plan_contacts(free), free.candidates.cost)
    if not middle:
        return [config.limits.budget]
    return [float(f"{share * middle:.3g}") for share in _BUDGET_SHARES]


def _changed(contest: Contest, place: int, *, budget: float | None, seats: int | None) -> Contest:
    capacity = contest.limits.capacity.copy()
    if seats is not None:
        capacity[place] = seats
    limits = replace(contest.limits, capacity=capacity, budget=np.inf if budget is None else budget)
    return replace(contest, limits=limits)


def _scenario(
    night: PreparedNight,
    contest: Contest,
    place: int,
    *,
    budget: float | None,
    seats: int | None,
) -> Scenario:
    plan = plan_contacts(contest)
    spent = _expected(contest, plan, contest.candidates.cost)
    variance = _expected(contest, plan, contest.candidates.variance)
    reserve = contest.limits.sigmas * np.sqrt(variance)
    return Scenario(
        budget=budget,
        seats=seats,
        contacts=round(contest.sent_share * int((plan.action >= 0).sum())),
        spent=round(spent, 2),
        spent_high=round(spent + float(reserve), 2),
        gain=round(_expected(contest, plan, night.offered.gains), 2),
        budget_price=round(plan.prices.budget, 4),
        seat_price=round(float(plan.prices.seats[place]), 4),
        gap=plan.gap,
    )


def _expected(contest: Contest, plan: Plan, amounts: NDArray[np.floating[Any]]) -> float:
    """Sum over the plan's actions, controls left out on average."""
    rows = np.flatnonzero(plan.action >= 0)
    taken = amounts[rows, plan.action[rows].astype(np.int64)]
    return contest.sent_share * float(taken.astype(np.float64).sum())
