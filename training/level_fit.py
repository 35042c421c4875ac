"""Levels fitted and forecast: per-stage purchase processes, offsets of cutoffs, seasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.bundle import Kind
from models.calibration import fit_logistic_line
from models.purchase_counts import collapse_counts
from models.purchase_process import PurchaseProcess, fit_process
from models.purchase_rung import PurchaseRung, StageLine, return_log_odds
from training.folds import Folds
from training.labels import DAY_US
from training.levels import LevelRows, early_us

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
Int8Array = NDArray[np.int8]
BoolArray = NDArray[np.bool_]

YEAR_US = 364 * DAY_US
"""A year in whole weeks, so that weekdays meet."""

DRIFT = 0.5
"""How much of this year's difference from last year is expected to stay.

Estimating it from the few pairs of a second year forecast no better.
"""

_PAIRS = 2.0
_NEAR_US = 10 * DAY_US
OFFSET_PRECISION = 0.25
"""Of the prior on a cutoff's offset: a standard deviation of two."""

Processes = Mapping[int, Mapping[int, PurchaseProcess]]
"""By as-of (us, UTC), then by position of the stage in the ladder."""


@dataclass(frozen=True, slots=True)
class Level:
    """An offset of all log-odds, how it came about, and the offsets seen before.

    Attributes
    ----------
    value : log-odds to add at the as-of.
    rule : "season" (from the level of a year ago), "average" (from the mean level) or
        "none" (no level is known, or none is used).
    seen : shrunken levels by as-of, log-odds.
    """

    value: float
    rule: Literal["season", "average", "none"]
    seen: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class _Offset:
    value: float
    variance: float


def fit_processes(rows: LevelRows) -> Processes:
    """MBG/NBD of every stage at every as-of, on all of its customers, dormant or not.

    No label is needed: a process fitted at an as-of knows what was visible there.
    """
    found: dict[int, dict[int, PurchaseProcess]] = {}
    for as_of in np.unique(rows.as_of).tolist():
        at = rows.take(rows.as_of == as_of)
        found[as_of] = {}
        for stage in np.unique(at.stage).tolist():
            chosen = at.take((at.stage == stage) & (at.age_days >= 0))
            if len(chosen.stage) and chosen.age_days.max() > 0:
                counts = collapse_counts(chosen.repeats, chosen.last_days, chosen.age_days)
                found[as_of][stage] = fit_process(counts, process="mbg_nbd")
    return found


class Levels:
    """The levels of one population at all cutoffs whose windows a model may know.

    Parameters
    ----------
    kind : whose label.
    rows : sampled customers at the level cutoffs.
    processes : from `fit_processes`.
    folds : gap and horizon.
    known_until_us : only cutoffs whose window has ended by then are used, and inside the
        days taken to be complete: where data end early, silence after them is no level.
    """

    def __init__(
        self, kind: Kind, rows: LevelRows, processes: Processes, folds: Folds, known_until_us: int
    ) -> None:
        risk = kind == "dormancy_risk"
        self._sign: Literal[-1, 1] = -1 if risk else 1
        self._rows = rows.take(rows.recalled & (rows.dormant != risk))
        self._processes = processes
        self._folds = folds
        self._until = min(known_until_us, folds.observed_until_us)
        self._lines, offsets = self._measure(early=False)
        self._seen = _shrunken(offsets)
        self._early = _shrunken(self._measure(early=True)[1])

    def rung(self, as_of_us: int, *, plain: bool = False) -> PurchaseRung:
        """MBG/NBD with the parameters of an as-of and the lines of all known cutoffs.

        Parameters
        ----------
        as_of_us : one of the level as-ofs.
        plain : take the processes at their word, without lines, where there is one.
        """
        base = self._lines.get(-1, (0.0, 0.0))[1]
        by_stage = {
            stage: _stage_line(
                self._processes.get(as_of_us, {}).get(stage), line, base=base, plain=plain
            )
            for stage, line in self._lines.items()
            if stage >= 0
        }
        return PurchaseRung(self._sign, self._folds.horizon_us / DAY_US, by_stage, base)

    def at(self, as_of_us: int) -> float:
        """The shrunken level seen at a cutoff, or between its neighbours; 0 if none is known."""
        if not self._seen:
            return 0.0
        times = sorted(self._seen)
        return float(np.interp(as_of_us, times, [self._seen[at] for at in times]))

    def forecast(self, as_of_us: int) -> Level:
        """The level expected at an as-of, from cutoffs whose windows ended before it.

        The anchor is the level of a year ago, or where there is none the mean of all, the
        latest counting most. Early levels, known sooner, tell how far the present lies from
        its own anchor: `DRIFT` of that is expected to stay, or without a year ago as much as
        has stayed so far.
        """
        seen, early = self._seen, self._early
        if not seen:
            return Level(0.0, "none", seen)
        latest = max(early)
        last_year = _near(seen, as_of_us - YEAR_US)
        then = _near(early, latest - YEAR_US)
        if last_year is not None and then is not None:
            return Level(last_year + DRIFT * (early[latest] - then), "season", seen)
        reach = self._folds.gap_us + self._folds.horizon_us
        anchor, usual = (_recent_mean(levels, half_life_us=reach) for levels in (seen, early))
        stays = _persistence(
            {at: value - anchor for at, value in seen.items()},
            {at: value - usual for at, value in early.items()},
            delay_us=as_of_us - latest,
        )
        return Level(anchor + stays * (early[latest] - usual), "average", seen)

    def _measure(self, *, early: bool) -> tuple[dict[int, tuple[float, float]], dict[int, _Offset]]:
        """Lines by stage (-1: all stages, intercept only), then each cutoff's offset."""
        horizon_us = early_us(self._folds) if early else self._folds.horizon_us
        closed = self._rows.as_of + self._folds.gap_us + horizon_us <= self._until
        rows = self._rows.take(closed)
        back = rows.back_early if early else rows.back
        labels = (back if self._sign > 0 else ~back).astype(np.int8)
        if len(labels) == 0:
            return {}, {}
        raw = self._raw(rows, horizon_us / DAY_US)
        lines = {-1: (0.0, _rate_log_odds(labels))}
        score = np.full(len(labels), lines[-1][1])
        for stage in np.unique(rows.stage).tolist():
            chosen = rows.stage == stage
            lines[stage] = _fit_line(raw[chosen], labels[chosen])
            score[chosen] = lines[stage][1] + lines[stage][0] * raw[chosen]
        offsets = {
            as_of: _solve_offset(score[rows.as_of == as_of], labels[rows.as_of == as_of])
            for as_of in np.unique(rows.as_of).tolist()
        }
        return lines, offsets

    def _raw(self, rows: LevelRows, horizon_days: float) -> Float64Array:
        """Log-odds of the label by each cutoff's own processes; 0 where there is none."""
        raw = np.zeros(len(rows.stage))
        for as_of in np.unique(rows.as_of).tolist():
            for stage, process in self._processes.get(as_of, {}).items():
                chosen = np.flatnonzero((rows.as_of == as_of) & (rows.stage == stage))
                if len(chosen):
                    counts = (
                        rows.repeats[chosen],
                        rows.last_days[chosen],
                        rows.age_days[chosen],
                    )
                    raw[chosen] = return_log_odds(process, counts, horizon_days=horizon_days)
        return self._sign * raw


def _stage_line(
    process: PurchaseProcess | None, line: tuple[float, float], *, base: float, plain: bool
) -> StageLine:
    if process is None:
        # A line of earlier processes says nothing without one.
        return StageLine(None, 0.0, base if line[0] > 0 else line[1])
    return StageLine(process, *((1.0, 0.0) if plain else line))


def _fit_line(raw: Float64Array, labels: Int8Array) -> tuple[float, float]:
    """Slope and intercept, the slope not below 0; a constant score has none."""
    if np.ptp(raw) > 0:
        slope, intercept = fit_logistic_line(raw, labels)
        if slope > 0:
            return slope, intercept
    return 0.0, _rate_log_odds(labels)


def _rate_log_odds(labels: Int8Array) -> float:
    """Log-odds of the rate with half a row added to either label."""
    positives = float(np.count_nonzero(labels))
    return float(np.log((positives + 0.5) / (len(labels) - positives + 0.5)))


def _solve_offset(score: Float64Array, labels: Int8Array) -> _Offset:
    """The offset that makes the forecasts' sum right, and its variance.

    A normal prior around 0 keeps a cutoff of one label finite, and draws few rows to the
    other cutoffs' level rather than to a rate of one half.
    """
    positives, offset, slope = float(np.count_nonzero(labels)), 0.0, 1.0
    for _ in range(50):
        p = expit(score + offset)
        slope = float((p * (1 - p)).sum()) + OFFSET_PRECISION
        step = (float(p.sum()) - positives + OFFSET_PRECISION * offset) / slope
        offset -= float(np.clip(step, -1, 1))
        if abs(step) < 1e-10:
            break
    return _Offset(offset, 1.0 / slope)


def _shrunken(offsets: Mapping[int, _Offset]) -> dict[int, float]:
    """Offsets drawn to their mean by their own uncertainty (empirical Bayes)."""
    if not offsets:
        return {}
    values = np.array([one.value for one in offsets.values()])
    variances = np.array([one.variance for one in offsets.values()])
    mean = float(np.average(values, weights=1.0 / variances))
    between = max(float(np.mean((values - mean) ** 2 - variances)), 0.0)
    kept = between / (between + variances)
    return dict(zip(offsets, (mean + kept * (values - mean)).tolist(), strict=True))


def _near(seen: Mapping[int, float], as_of_us: int) -> float | None:
    """Mean of the levels within ten days of an instant; None if there is none."""
    found = [value for at, value in seen.items() if abs(at - as_of_us) <= _NEAR_US]
    return float(np.mean(found)) if found else None


def _recent_mean(seen: Mapping[int, float], *, half_life_us: int) -> float:
    """The mean level, a level counting half as much for each window that has passed since."""
    latest = max(seen)
    weights = [0.5 ** ((latest - at) / half_life_us) for at in seen]
    return float(np.average(list(seen.values()), weights=weights))


def _persistence(seen: Mapping[int, float], early: Mapping[int, float], *, delay_us: int) -> float:
    """Which share of an early level was still there this much later, 0 … 1.

    A regression through the origin, drawn to 0 by `_PAIRS` pseudo-pairs; pairs
    closer than the delay overlap and are not independent.
    """
    times = sorted(early)
    values = [early[at] for at in times]
    later = [at for at in seen if times and at - delay_us >= times[0]]
    before = [float(np.interp(at - delay_us, times, values)) for at in later]
    spread = sum(one * one for one in before)
    if spread == 0:
        return 0.0
    independent = 1.0 + (max(later) - min(later)) / delay_us
    slope = sum(one * seen[at] for one, at in zip(before, later, strict=True)) / spread
    return float(np.clip(slope * independent / (independent + _PAIRS), 0.0, 1.0))
