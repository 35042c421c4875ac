"""Random customers under random rules, and the night decided for them; no warehouse."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.active_hours import ActiveHours
from features.coupon_history import CouponHistory
from features.kernels.hours import HourGrid
from features.life_cycle import LIFE_CYCLES
from features.local_day import local_midnight_us
from features.stage import Stage
from features.value_tier import VALUE_TIERS
from scoring.customer_past import no_past
from scoring.eligibility import asked_flags
from scoring.follow_up import NO_FOLLOW_UP, RunningFollowUps
from scoring.list_rows import Provenance, build_rows
from scoring.night import Night, decide_night
from scoring.night_policy import NightPolicy
from scoring.policy import (
    Caps,
    Channel,
    Experiment,
    FollowUp,
    ListRules,
    NightLimits,
    Offer,
    SegmentLimit,
    Waiting,
)
from scoring.pressure import DAY_US, NEVER, ContactPressure
from scoring.promotion import PROMOTIONS
from scoring.reachability import NO_ZONE, Reachability
from scoring.scored import ScoredCustomers
from scoring.waiting import Ahead, LookAhead

CHANNELS = ("push", "sms", "email", "phone")
OFFERS = ("none", "coupon", "gift")
FLAGS = ("app", "mail", "tel")
COMPLAINTS = ("angry", "ticket")
ZONES = sorted(zone for zone in available_timezones() if "/" in zone)
CLOCKS_CHANGE = (date(2026, 3, 8), date(2026, 3, 29), date(2026, 10, 25), date(2026, 11, 1))


@dataclass(frozen=True, slots=True)
class RandomNight:
    """A decided night, and the list that was built from it."""

    seed: int
    scored: ScoredCustomers
    policy: NightPolicy
    night: Night
    table: pa.Table


def random_night(seed: int) -> RandomNight:
    """The night of a seed: up to 120 customers, up to 4 channels, every rule at some time."""
    rng = np.random.default_rng(seed)
    policy = _random_policy(rng)
    scored = _random_customers(rng, policy)
    night = decide_night(scored, policy, ahead=_random_prospects(seed, scored))
    table = build_rows(
        scored,
        night,
        policy,
        reasons={},
        returns={},
        provenance=Provenance(model_version="m/1", config_digest="0"),
    )
    return RandomNight(seed, scored, policy, night, table)


def _some(rng: np.random.Generator, names: tuple[str, ...], *, least: int = 0) -> tuple[str, ...]:
    """Some of the names, in random order."""
    many = rng.integers(least, len(names) + 1)
    return tuple(rng.permutation(np.array(names, dtype=object))[:many].tolist())


def _at_times(rng: np.random.Generator, share: float, low: int, high: int) -> int | None:
    """An integer below `high`, or nothing."""
    drawn = int(rng.integers(low, high))
    return drawn if rng.random() < share else None


def _span(rng: np.random.Generator) -> str:
    """A span of local time, perhaps past midnight, not empty."""
    start = int(rng.integers(0, 96)) * 15
    end = (start + int(rng.integers(2, 60)) * 15) % 1440
    return f"{start // 60:02d}:{start % 60:02d}-{end // 60:02d}:{end % 60:02d}"


def _random_policy(rng: np.random.Generator) -> NightPolicy:
    day = date(2026, 1, 1) + timedelta(days=int(rng.integers(0, 365)))
    if rng.random() < 0.4:
        day = CLOCKS_CHANGE[rng.integers(len(CLOCKS_CHANGE))] - timedelta(days=int(rng.integers(2)))
    zone = str(rng.choice(ZONES))
    channels = {name: _random_channel(rng, name) for name in CHANNELS[: rng.integers(1, 5)]}
    offers = {name: _random_offer(rng, name) for name in OFFERS[: rng.integers(1, 4)]}
    stages = tuple(
        Stage(
            name=f"stage{number}",
            label=f"stage {number}",
            entered_by=(f"e{number}",),
            active_on=(f"e{number}",),
            returns_by=("order",),
            silence_days=None if number and rng.random() < 0.2 else 20.0,
            return_value=float(rng.uniform(5, 200)) if rng.random() < 0.3 else None,
            channels=_some(rng, tuple(channels)),
            offers=_some(rng, tuple(offers)),
        )
        for number in range(rng.integers(1, 4))
    )
    return NightPolicy(
        as_of_us=local_midnight_us(day, ZoneInfo(zone)),
        day=day,
        zone=zone,
        gross_margin=float(rng.uniform(0.1, 1)),
        stages=stages,
        channels=channels,
        offers=offers,
        caps=Caps(
            max_per_1d=int(rng.choice([0, 1, 2], p=[0.05, 0.75, 0.2])),
            max_per_7d=int(rng.choice([0, 1, 2, 4], p=[0.05, 0.15, 0.5, 0.3])),
            max_per_30d=int(rng.choice([0, 1, 4, 8], p=[0.05, 0.15, 0.5, 0.3])),
            min_pause_days=float(rng.uniform(0, 4)),
            recent_order_days=float(rng.uniform(0, 10)),
            complaint_flags=_some(rng, COMPLAINTS),
        ),
        experiment=Experiment(
            holdout_share=float(rng.uniform(0, 0.2)),
            ghost_share=float(rng.uniform(0, 0.3)),
            explore_share=float(rng.uniform(0, 0.3)),
            cold_explore_share=float(rng.uniform(0, 0.3)),
            exploration="uniform" if rng.random() < 0.3 else "thompson",
            explore_time_share=float(rng.random()),
            salt=f"salt-{rng.integers(10**9)}",
        ),
        rules=ListRules(
            at_risk_probability=None if rng.random() < 0.5 else float(rng.uniform(0.5, 1)),
            max_rows=_at_times(rng, 0.2, 1, 60),
            valid_days=int(rng.integers(1, 4)),
            min_gain=float(rng.choice([0.0, 0.0, 0.05, -0.5])),
        ),
        limits=NightLimits(
            budget=float(rng.lognormal(1, 1.5)) if rng.random() < 0.5 else None,
            budget_quantile=float(rng.uniform(0.5, 0.99)),
            caution=float(rng.choice([0.0, 0.0, 1.0])),
            segments=tuple(_random_limit(rng, n, stages) for n in range(rng.choice([0, 0, 1, 3]))),
        ),
        follow_up=FollowUp(after_days=int(rng.integers(1, 8)), max_steps=int(rng.integers(0, 4))),
        waiting=Waiting(days=int(rng.choice([0, 7]))),
    )


def _random_channel(rng: np.random.Generator, name: str) -> Channel:
    return Channel(
        label=name,
        cost=float(rng.choice([0.0, 0.01, 0.1, 2.0])),
        capacity=_at_times(rng, 0.6, 0, 12),
        requires=_some(rng, FLAGS) if rng.random() < 0.5 else (),
        windows=tuple(_span(rng) for _ in range(rng.integers(1, 3))),
        quiet_hours=tuple(_span(rng) for _ in range(rng.choice([0, 1, 1, 2]))),
        send_hours=(_span(rng),) if rng.random() < 0.3 else None,
        seats_per_hour=_at_times(rng, 0.3, 1, 6),
        max_per_1d=_at_times(rng, 0.2, 0, 5),
        max_per_7d=_at_times(rng, 0.2, 0, 6),
        max_per_30d=_at_times(rng, 0.2, 0, 8),
        effect_prior=float(rng.normal(0.6, 0.4)),
        effect_prior_sd=float(rng.uniform(0, 0.3)),
        unsubscribe_share=float(rng.uniform(0, 0.02)),
        channel_value=float(rng.uniform(0, 5)),
    )


def _random_offer(rng: np.random.Generator, name: str) -> Offer:
    if name == "none":
        return Offer(label="no offer")
    return Offer(
        label=name,
        cost_on_return=float(rng.uniform(0, 10)) if rng.random() < 0.5 else 0.0,
        discount=float(rng.uniform(0, 0.3)) if rng.random() < 0.5 else 0.0,
        effect_prior=float(rng.uniform(0, 0.8)),
        effect_prior_sd=float(rng.uniform(0, 0.3)),
    )


def _random_limit(rng: np.random.Generator, number: int, stages: tuple[Stage, ...]) -> SegmentLimit:
    kinds = {
        "stage": tuple(stage.name for stage in stages),
        "life_cycle": LIFE_CYCLES,
        "value_tier": VALUE_TIERS,
        "promotion": PROMOTIONS,
    }
    chosen = _some(rng, tuple(kinds))[:2]
    least = _at_times(rng, 0.4, 0, 10)
    low = float(rng.uniform(0, 0.4)) if rng.random() < 0.3 else None
    return SegmentLimit(
        name=f"segment {number}",
        **{kind: _some(rng, kinds[kind], least=1) for kind in chosen},
        min_contacts=least,
        max_contacts=None if rng.random() < 0.5 else (least or 0) + int(rng.integers(0, 20)),
        min_share=low,
        max_share=float(rng.uniform(low or 0.0, 1)) if rng.random() < 0.3 else None,
    )


def _random_customers(rng: np.random.Generator, policy: NightPolicy) -> ScoredCustomers:
    n, n_stages = int(rng.integers(1, 121)), len(policy.stages)
    stage = rng.integers(-1 if rng.random() < 0.2 else 0, n_stages, n).astype(np.int16)
    recalled = np.array([*(s.silence_days is not None for s in policy.stages), False])[stage]
    silence = rng.exponential(rng.choice([30, 100]), n)
    dormant = recalled & (silence >= 20)
    flag_names = asked_flags(policy.channels, policy.caps)
    likely = np.array([0.03 if name in COMPLAINTS else 0.9 for name in flag_names])
    zones = tuple(sorted({str(zone) for zone in rng.choice(ZONES, rng.integers(1, 6))}))
    base = no_past(n, n_stages)
    coupons = CouponHistory(*(rng.poisson(1.5, n).astype(np.int16) for _ in range(4)))
    # Orders as fractions, as money and days are: ties among customers are for other tests.
    orders = rng.poisson(3, n).astype(np.float64)
    return ScoredCustomers(
        customer_id=pa.array([f"c{number:04d}" for number in range(n)]),
        bucket=np.zeros(n, dtype=np.int32),
        stage=stage,
        silence_days=np.where(stage < 0, np.nan, silence),
        dormant=dormant,
        p_dormant=np.where(recalled & ~dormant, rng.random(n), np.nan),
        p_natural=np.where(recalled, rng.beta(1, 12, n), np.nan),
        mean_order=np.where(orders > 0, rng.lognormal(3.5, 0.8, n), np.nan),
        orders=orders,
        yearly_spend=rng.lognormal(4, 1, n) * (orders > 0),
        yearly_orders=np.minimum(orders, rng.poisson(2, n)),
        reach=Reachability(
            do_not_contact=rng.random(n) < 0.05,
            flag_names=flag_names,
            flags=rng.random((n, len(flag_names))) < likely,
            zones=zones,
            zone=rng.integers(NO_ZONE, len(zones), n).astype(np.int32),
        ),
        pressure=_random_pressure(rng, n, policy),
        days_since_order=np.where(orders > 0, rng.exponential(60, n), np.nan),
        days_since_return=np.where(orders > 0, rng.exponential(60, n), np.nan),
        follow_ups=_random_follow_ups(rng, n, policy),
        past=replace(base, coupons=coupons),
        last_event_us=policy.as_of_us - 1,
        effect_x=np.zeros((n, 0)),
        effect_names=(),
        active=_random_hours(rng, n, zones, policy) if rng.random() < 0.5 else None,
    )


def _random_prospects(seed: int, scored: ScoredCustomers) -> LookAhead:
    """Some become likelier to return within days, most less likely."""
    rng = np.random.default_rng([seed, 7])
    later = np.clip(scored.p_natural * rng.lognormal(-0.2, 0.5, len(scored)), 0.001, 0.999)

    def ahead(positions: NDArray[np.int64]) -> Ahead:
        return Ahead(
            p_natural=later[positions],
            effect_x=scored.effect_x[positions],
            p_return=1 - (1 - scored.p_natural[positions]) ** (7 / 30),
        )

    return ahead


def _random_pressure(rng: np.random.Generator, n: int, policy: NightPolicy) -> ContactPressure:
    n_channels = len(policy.channels)
    month = rng.poisson(rng.choice([0.05, 0.3]), (n, n_channels))
    week = rng.binomial(month, 0.3)
    lately = rng.binomial(week, 0.2)
    by_channel = np.stack([lately, week, month], axis=2).astype(np.int32)
    sent = by_channel.sum(axis=1).astype(np.int32)
    ago = np.select(
        [sent[:, k] > 0 for k in range(3)], [rng.random(n), rng.random(n) * 6 + 1, 20.0]
    )
    last = policy.as_of_us - (ago * DAY_US).astype(np.int64)
    unsubscribed = rng.random((n, n_channels)) < 0.05
    held_until = policy.as_of_us + rng.integers(-30, 30, n) * DAY_US
    return ContactPressure(
        sent=sent,
        sent_by_channel=by_channel,
        last_sent_us=np.where(sent[:, 2] > 0, last, NEVER),
        unsubscribed=unsubscribed,
        unsubscribed_us=np.where(unsubscribed.any(axis=1), policy.as_of_us - 50 * DAY_US, NEVER),
        control_until_us=np.where(rng.random(n) < 0.1, held_until, NEVER),
    )


def _random_follow_ups(rng: np.random.Generator, n: int, policy: NightPolicy) -> RunningFollowUps:
    has = rng.random(n) < rng.choice([0.0, 0.1, 0.6])
    many = int(has.sum())
    return RunningFollowUps(
        place=np.where(has, np.cumsum(has) - 1, NO_FOLLOW_UP).astype(np.int32),
        channel=rng.integers(-1, len(policy.channels), many),
        due_us=policy.as_of_us + rng.integers(-3, 3, many) * DAY_US,
        step=rng.integers(1, 4, many),
        row_ids=tuple(f"earlier/{number}" for number in range(many)),
    )


def _random_hours(
    rng: np.random.Generator, n: int, zones: tuple[str, ...], policy: NightPolicy
) -> ActiveHours:
    shape = (len(policy.channels), 24)
    sends = rng.poisson(3, shape).astype(np.float64)
    busy = np.flatnonzero(rng.random(n) < 0.1)
    return ActiveHours(
        hours=(rng.poisson(0.2, (n, 24)) * rng.random((n, 1))).astype(np.float16),
        busy=busy.astype(np.int64),
        busy_days=rng.poisson(1.0, (len(busy), 2, 24)).astype(np.float16),
        week=rng.poisson(5.0, (7, 24)).astype(np.float64),
        contacts=HourGrid(sends, sends * 0.1, sends * 0.3),
        zones=tuple((zone, int(rng.integers(1, 200))) for zone in zones),
    )
