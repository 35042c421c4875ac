"""After how many silent days a customer counts as dormant: the proposals."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.silence_survival import MIN_AT_RISK, lost_day
from training.definition_curve import ReturnCurve

Float64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

Source = Literal["return rule", "D-curve", "configured"]

_ALL_RETURNS = 0.99
_LATE_SHARE = 0.1
"""If more of the returns fall in the last third of the data, the data are too short to tell who
never returns."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """One answer to "after how many silent days is a customer dormant?".

    Attributes
    ----------
    source : where it comes from.
    window_days : the answer; null if there is none.
    earliest_days, latest_days : where the curve's 95 % band crosses the limit; of the return
        rule only, and null where the band never does.
    reason : why there is no answer; null if there is one.
    rises_to : of the return rule, the highest chance of a return after a longer silence, if it
        is above the limit again; else null.
    """

    source: Source
    window_days: float | None
    earliest_days: int | None = None
    latest_days: int | None = None
    reason: str | None = None
    rises_to: float | None = None


@dataclass(frozen=True, slots=True)
class CostCurve:
    """The D-curve: J(d) = R(d, inf) + late_cost * d / scale_days, for d = 0, 1, ...

    Attributes
    ----------
    late_cost : what waiting `scale_days` costs, in false alarms.
    scale_days : the day by which 99 % of the returns seen had happened.
    false_alarm : R(d, inf), the chance that a customer declared dormant returns anyway.
    waiting : late_cost * d / scale_days.
    """

    late_cost: float
    scale_days: int
    false_alarm: tuple[float, ...]
    waiting: tuple[float, ...]


def propose_by_rule(curve: ReturnCurve, q: float) -> Opinion:
    """The first day d >= 1 with R(d, H) <= q.

    Parameters
    ----------
    curve : of all silences of the stage.
    q : largest chance of return that still counts as dormant, 0 < q < 1.

    References
    ----------
    METHODS.md section 1.1.
    """
    reason = _no_rule(curve, q)
    if reason is not None:
        return Opinion("return rule", None, reason=reason)
    day = _first(curve.rate <= q) or 0
    highest = float(curve.rate[day:].max())
    return Opinion(
        "return rule",
        float(day),
        earliest_days=_first(curve.low <= q),
        latest_days=_first(curve.high <= q),
        rises_to=highest if highest > q else None,
    )


def _no_rule(curve: ReturnCurve, q: float) -> str | None:
    horizon = curve.horizon_days
    if curve.returns == 0:
        return _no_returns(curve)
    if not len(curve.rate):
        return (
            f"the horizon of {horizon} days is longer than the data: {MIN_AT_RISK} silences or "
            f"more are followed for {curve.supported_days} days only"
        )
    if curve.rate[0] <= q:
        return (
            f"already on the day after an event only {100 * curve.rate[0]:.1f} % return within "
            f"{horizon} days: no silence tells those who do"
        )
    if curve.rate.min() > q:
        return (
            f"after {len(curve.rate) - 1} days of silence, as far as the data reach, still "
            f"{100 * curve.rate[-1]:.1f} % return within {horizon} days"
        )
    return None


def _no_returns(curve: ReturnCurve) -> str:
    return (
        f"none of {curve.silences} silences ended with a return"
        if curve.silences
        else "no customer has ever been silent on this stage"
    )


def _first(reached: BoolArray) -> int | None:
    """The first day from 1 on that a condition holds."""
    days = np.flatnonzero(reached[1:])
    return int(days[0]) + 1 if len(days) else None


def propose_by_cost(curve: ReturnCurve, late_cost: float) -> tuple[Opinion, CostCurve | None]:
    """The day on which false alarms and waiting together cost least.

    J(d) = c_false R(d, inf) + c_late d / scale, in units of c_false, the cost of
    contacting one customer who would have returned anyway. The scale is the day by which
    99 % of the returns seen had happened, so that both errors run over the same range:
    declare everybody dormant at once, or wait until next to nobody is declared wrongly.

    Parameters
    ----------
    curve : of all silences of the stage.
    late_cost : c_late / c_false.

    References
    ----------
    METHODS.md section 1.2; engineering.indeedblog.com/blog/2020/01/defining-churn.
    """
    if curve.returns == 0 or curve.supported_days == 0:
        return Opinion("D-curve", None, reason=_no_returns(curve)), None
    share = _returns_by_day(curve)
    if not levels_off(curve):
        last_third = 1.0 - share[curve.supported_days * 2 // 3]
        reason = (
            f"returns go on until the data end: {100 * last_third:.0f} % of them fall in the last "
            f"third of {curve.supported_days} days, so who never returns is not known"
        )
        return Opinion("D-curve", None, reason=reason), None
    scale = max(int(np.argmax(share >= _ALL_RETURNS)), 1)
    false_alarm = curve.returned_ever()
    waiting = late_cost * np.arange(len(false_alarm)) / scale
    cost = CostCurve(late_cost, scale, tuple(false_alarm.tolist()), tuple(waiting.tolist()))
    best = int(np.argmin(false_alarm + waiting))
    if best == 0:
        reason = "every day of waiting costs more than the false alarms it avoids"
        return Opinion("D-curve", None, reason=reason), cost
    return Opinion("D-curve", float(best)), cost


def _returns_by_day(curve: ReturnCurve) -> Float64Array:
    """Share of all returns that had happened by each day of silence."""
    gone = 1.0 - curve.survival[-1]
    if gone <= 0.0:
        return np.ones(len(curve.survival))
    return np.asarray((1.0 - curve.survival) / gone)


def levels_off(curve: ReturnCurve) -> bool:
    """Whether the data reach so far that "does not return in them" means "never"."""
    late = 1.0 - _returns_by_day(curve)[curve.supported_days * 2 // 3]
    return bool(curve.returns > 0 and late <= _LATE_SHARE)


def lost_after(curve: ReturnCurve) -> int | None:
    """The first day on which next to nobody returns; null where the data do not reach it."""
    return lost_day(curve.rate) if curve.returns else None
