"""Slow answers to what the churn-definition lab computes, written another way."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pandas as pd

from features.stage import Stage


@dataclass(frozen=True)
class SlowSilence:
    """One silence as the oracle sees it."""

    customer: str
    stage: int
    days: int
    ended: bool
    earlier: tuple[int, ...]
    spend: float


def local_day(instant_us: int, zone: str) -> int:
    """Number of the local date an instant lies in."""
    moment = datetime.fromtimestamp(instant_us // 1_000_000, tz=UTC)
    return moment.astimezone(ZoneInfo(zone)).toordinal()


def slow_silences(
    events: pd.DataFrame, stages: tuple[Stage, ...], *, as_of_us: int, zone: str
) -> list[SlowSilence]:
    """Every silence of stages with silence_days, from a frame of raw events.

    Parameters
    ----------
    events : customer, occurred_at, arrived_at (us), event_type, amount; in order.
    """
    known = events[(events.occurred_at < as_of_us) & (events.arrived_at < as_of_us)].copy()
    known["day"] = [local_day(t, zone) for t in known.occurred_at]
    last_day = known.day.max()
    found: list[SlowSilence] = []
    for name, rows in known.groupby("customer"):
        orders = rows[(rows.event_type == "purchase") & rows.amount.notna()]
        stage, begun, entered = -1, 0, -1
        gaps: dict[int, list[int]] = {}
        told: list[tuple[int, int, int, bool, tuple[int, ...]]] = []
        for row in rows.itertuples():
            entering = [k for k, s in enumerate(stages) if row.event_type in s.entered_by]
            into = max(entering, default=-1)
            if into < stage and row.occurred_at == entered:
                into = -1
            here = stages[stage] if stage >= 0 else None
            signs = () if here is None else here.entered_by + here.active_on + here.returns_by
            sign = row.event_type in signs
            if not sign and into in (-1, stage):
                continue
            if here is not None and row.day > begun and here.silence_days is not None:
                length = int(row.day - begun)
                earlier = tuple(gaps.get(stage, []))
                told.append((stage, begun, length if sign else length - 1, sign, earlier))
                if sign:
                    gaps.setdefault(stage, []).append(length)
            if into >= 0:
                stage, entered = into, row.occurred_at
            begun = row.day
        if stage >= 0 and stages[stage].silence_days is not None:
            open_days = int(last_day - begun)
            told.append((stage, begun, open_days, False, tuple(gaps.get(stage, []))))
        for at, since, days, ended, earlier in told:
            year = orders.amount[(orders.day <= since) & (orders.day > since - 365)]
            found.append(SlowSilence(str(name), at, days, ended, earlier, float(year.sum())))
    return found


def slow_survival(silences: list[tuple[int, bool]], day: int) -> float:
    """Kaplan-Meier, straight from its definition."""
    left = 1.0
    for j in range(1, day + 1):
        at_risk = sum(1 for days, _ in silences if days >= j)
        ended = sum(1 for days, event in silences if event and days == j)
        left *= 1.0 - ended / at_risk if at_risk else 1.0
    return left


def geometric_mean(values: tuple[int, ...]) -> float:
    """NaN for none."""
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan
