"""The return curve: how likely a silent customer still comes back, by days of silence."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.silence_survival import reached, return_rate, supported_days, survival
from training.definition_counts import CADENCES, CELLS, TIERS, SilenceCounts

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

_BAND = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class ReturnCurve:
    """R(d, H) = 1 - S(d + H) / S(d) for d = 0, 1, ...

    Attributes
    ----------
    name : whose silences these are.
    horizon_days : H.
    silences, returns : how many silences there were, and how many of them ended.
    supported_days : the last day that MIN_AT_RISK silences reached; S is known up to it.
    survival : S(d), share of silences longer than d days; shape (supported_days + 1,).
    reached : silences that lasted d days and were seen to; same shape.
    rate, low, high : R(d, H) with its 95 % band; shape (supported_days - H + 1,), empty
        where the data are shorter than H.
    """

    name: str
    horizon_days: int
    silences: int
    returns: int
    supported_days: int
    survival: Float64Array
    reached: Int64Array
    rate: Float64Array
    low: Float64Array
    high: Float64Array

    def at(self, days: float) -> tuple[float, float, float] | None:
        """R and its band after so many whole days of silence; null beyond the data."""
        day = int(days)
        if day >= len(self.rate):
            return None
        return float(self.rate[day]), float(self.low[day]), float(self.high[day])

    def returned_ever(self) -> Float64Array:
        """R(d, inf) as far as the data reach: 1 - S(supported_days) / S(d); as `survival`."""
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = 1.0 - self.survival[-1] / self.survival
        return np.asarray(np.nan_to_num(shares, nan=0.0))


def return_curves(counts: SilenceCounts, stage: int, *, horizon_days: int) -> list[ReturnCurve]:
    """The curves of one stage: overall, per value tier, per cadence.

    Where only a sample of customers was drawn, the band is narrowed to what all customers
    give: its deviations shrink with the root of the sample's share.

    Parameters
    ----------
    counts : over all buckets.
    stage : position in the ladder.
    horizon_days : H, whole days.
    """
    cells = np.arange(CELLS).reshape(len(TIERS), len(CADENCES))
    groups = [("all", cells.ravel())]
    groups += [(name, cells[tier]) for tier, name in enumerate(TIERS)]
    groups += [(name, cells[:, cadence]) for cadence, name in enumerate(CADENCES)]
    return [
        _curve(name, counts, int(counts.slots[stage]), group, horizon_days)
        for name, group in groups
    ]


def _curve(
    name: str, counts: SilenceCounts, stage: int, cells: Int64Array, horizon_days: int
) -> ReturnCurve:
    ended, still_open = (
        part[stage, cells].sum(axis=0) for part in (counts.ended, counts.still_open)
    )
    supported = supported_days(ended, still_open)
    survivors = survival(ended, still_open)[: supported + 1]
    rate = return_rate(survivors, horizon_days)
    low, high = rate, rate
    if len(rate):
        sample = [p[stage, cells].sum(axis=0) for p in (counts.sample_ended, counts.sample_open)]
        drawn = [p[stage, cells].sum(axis=0) for p in (counts.drawn_ended, counts.drawn_open)]
        share = (sample[0].sum() + sample[1].sum()) / (ended.sum() + still_open.sum())
        point, draws = (
            return_rate(survival(*part)[: supported + 1], horizon_days) for part in (sample, drawn)
        )
        off = np.quantile(draws, _BAND, axis=1) - point
        low, high = np.clip(rate + off * np.sqrt(share), 0.0, 1.0)
    return ReturnCurve(
        name=name,
        horizon_days=horizon_days,
        silences=int(ended.sum() + still_open.sum()),
        returns=int(ended.sum()),
        supported_days=supported,
        survival=survivors,
        reached=reached(ended, still_open)[: supported + 1],
        rate=rate,
        low=low,
        high=high,
    )
