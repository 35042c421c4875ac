"""At which dates in the past a backtest trains, and from which history."""

from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from features.errors import DataError, UsageError, describe
from features.local_day import local_midnight_us
from pipelines.config import Config
from pipelines.observation import RunDates, first_known_us
from training.folds import Folds, folds_before, last_midnight
from training.labels import DAY_US, window_us

MAX_DAYS = 3650
"""Longest horizon, as in the configuration, and longest step."""

YEARS = range(1990, 2200)
"""No event is stored that is older."""


@dataclass(frozen=True, slots=True)
class BacktestPlan:
    """Which origins to judge.

    Attributes
    ----------
    origins : how many, the latest first.
    step_days : days between them.
    last_origin : local date of the latest; None: the latest whose outcomes are known.
    horizon_days : another label window than the configuration's; None: that one.
    """

    origins: int = 6
    step_days: int = 28
    last_origin: date | None = None
    horizon_days: float | None = None

    def check(self) -> None:
        """Refuse numbers that make no sense.

        Raises
        ------
        UsageError : too small or too large a number, or such a date.
        """
        horizon = 1.0 if self.horizon_days is None else self.horizon_days
        limits = (
            ("--origins", self.origins, self.origins >= 1, "at least one origin"),
            ("--step-days", self.step_days, 1 <= self.step_days <= MAX_DAYS, f"1 to {MAX_DAYS}"),
            ("--horizon", horizon, 1 <= horizon <= MAX_DAYS, f"1 to {MAX_DAYS} days"),
        )
        faults = [
            (option, f"{value:g}", expected)
            for option, value, holds, expected in limits
            if not holds
        ]
        if self.last_origin is not None and self.last_origin.year not in YEARS:
            years = f"a date from {YEARS[0]} to {YEARS[-1]}"
            faults.append(("--last-origin", self.last_origin.isoformat(), years))
        for option, value, expected in faults:
            raise UsageError(
                describe(
                    option,
                    f"{value} makes no sense here",
                    expected=expected,
                    fix="see docs/backtest.md for what it means",
                )
            )


@dataclass(frozen=True, slots=True)
class Origin:
    """One training in the past.

    Attributes
    ----------
    folds : its cutoffs; the test cutoff is the origin.
    first_us : first occurred_at among the events known there (us, UTC).
    """

    folds: Folds
    first_us: int

    @property
    def day(self) -> date:
        """Local date at whose midnight the training stands."""
        return self.folds.of("test")[0].day


def lay_out(
    config: Config, dates: RunDates, plan: BacktestPlan, *, version: int
) -> tuple[Origin, ...]:
    """The origins, earliest first.

    Parameters
    ----------
    config : the configuration, with the backtest's label window.
    dates : what the whole run knows.
    plan : the origins wanted.
    version : Delta version of the events table.

    Raises
    ------
    DataError : the last origin's outcomes are not fully observed, or the history known at
        one of the origins is too short.
    """
    timezone = ZoneInfo(config.business.timezone)
    last = plan.last_origin or dates.folds.of("test")[0].day
    _require_observed(config, last, dates.folds.observed_until_us, timezone)

    def folds_at(step: int, first_us: int) -> Folds | None:
        origin = last - timedelta(days=plan.step_days * step)
        if origin <= dates.known.first_day:
            return None
        try:
            return folds_before(
                origin,
                first_us=first_us,
                observed_until_us=dates.folds.observed_until_us,
                trained_until_us=dates.until_us,
                timezone=timezone,
                windows=(config.windows.gap_days, config.windows.horizon_days),
                step_days=config.training.step_days,
                most=(config.training.max_cutoffs, config.training.validation_cutoffs),
            )
        except DataError:
            return None

    candidates: list[Folds] = []
    while len(candidates) < plan.origins:
        folds = folds_at(len(candidates), dates.first_us)
        if folds is None:
            break
        candidates.append(folds)
    # What was filled in later begins earlier than what was known at the origin.
    firsts = first_known_us(config, [folds.test_us for folds in candidates], version=version)
    origins: list[Origin] = []
    for step, first_us in enumerate(firsts):
        folds = None if first_us is None else folds_at(step, first_us)
        if folds is None or first_us is None:
            break
        origins.append(Origin(folds, first_us))
    if len(origins) < plan.origins:
        fitting = len(origins)
        first = firsts[fitting] if fitting < len(firsts) else dates.first_us
        raise _too_early(config, last, first, fitting=fitting, plan=plan)
    return tuple(origins[::-1])


def _require_observed(
    config: Config, last: date, observed_until_us: int, timezone: ZoneInfo
) -> None:
    reach = window_us(config.windows.gap_days) + window_us(config.windows.horizon_days)
    ends_us = local_midnight_us(last, timezone) + reach
    if ends_us <= observed_until_us:
        return
    # The first midnight at or after the window's end must be complete: a day of events later.
    complete = last_midnight(ends_us, timezone)
    if local_midnight_us(complete, timezone) < ends_us:
        complete += timedelta(days=1)
    raise DataError(
        describe(
            f"backtest from {last}",
            "its label window is not fully observed: days are complete up to "
            f"{last_midnight(observed_until_us, timezone)}",
            expected="an origin whose outcomes are all known",
            fix=f"wait for {complete + timedelta(days=1)} and ingest until then, or choose an "
            "earlier --last-origin",
        )
    )


def _too_early(
    config: Config, last: date, first_us: int | None, *, fitting: int, plan: BacktestPlan
) -> DataError:
    origin = last - timedelta(days=plan.step_days * fitting)
    windows = window_us(config.windows.gap_days) + window_us(config.windows.horizon_days)
    begins = "no event was known there"
    if first_us is not None:
        timezone = ZoneInfo(config.business.timezone)
        begins = f"the events known there begin on {last_midnight(first_us, timezone)}"
    return DataError(
        describe(
            f"backtest from {origin}",
            f"{begins}, so {fitting} of {plan.origins} origins fit",
            expected=f"three label windows ({3 * windows / DAY_US:g} days) before every origin: "
            "history, training and validation",
            fix=f"use --origins {fitting}, or a smaller --step-days or --horizon"
            if fitting
            else "ingest older events, or use a later --last-origin or a smaller --horizon",
        )
    )
