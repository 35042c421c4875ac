"""Silences counted by their length, as they are and with customers drawn anew."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from training.definition_silence import Silences

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
Int32Array = NDArray[np.int32]
UInt8Array = NDArray[np.uint8]
UInt64Array = NDArray[np.uint64]

DRAWS = 200
"""Customer-bootstrap draws behind every band."""

MAX_DAYS = 1096
"""A silence longer than three years counts as still open at three years."""

TIERS = ("low value", "high value")
CADENCES = ("no earlier gap", "fast", "medium", "slow")
CELLS = len(TIERS) * len(CADENCES)
"""Every silence is in one cell: its value tier times its cadence, both known as it begins."""

_POISSON = np.cumsum([np.exp(-1.0) / np.prod(np.arange(1, k + 1)) for k in range(8)])


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where tiers and cadences part, per stage of the ladder.

    Attributes
    ----------
    spend : high value is more than this spent in the 365 days up to the silence's beginning.
    fast_days, slow_days : shape (n_stages,); a customer whose earlier gaps on the stage are
        typically at most `fast_days` is fast, at most `slow_days` medium, else slow.
    """

    spend: float
    fast_days: Float64Array
    slow_days: Float64Array


@dataclass(frozen=True, slots=True)
class SilenceCounts:
    """How many silences ended after so many days, and how many were open that long.

    Attributes
    ----------
    slots : int64, shape (n_stages,): place of each stage along the first axis of the counts,
        -1 for stages that are not counted.
    ended, still_open : int64, shape (n_counted, CELLS, n_days + 1), of all customers.
    drawn_ended, drawn_open : int32, shape (n_counted, CELLS, n_days + 1, DRAWS): the same of
        the sampled customers, each counted as often as a draw says.
    sample_ended, sample_open : as `ended` and `still_open`, of the sampled customers.
    """

    slots: Int64Array
    ended: Int64Array
    still_open: Int64Array
    sample_ended: Int64Array
    sample_open: Int64Array
    drawn_ended: Int32Array
    drawn_open: Int32Array

    @classmethod
    def empty(cls, counted: Sequence[bool], n_days: int) -> "SilenceCounts":
        """Nothing counted yet.

        Parameters
        ----------
        counted : of each stage of the ladder, whether its silences are counted.
        n_days : longer silences are cut, at the latest at MAX_DAYS.
        """
        slots = np.where(counted, np.cumsum(counted) - 1, -1)
        shape = (sum(counted), CELLS, min(n_days, MAX_DAYS) + 1)
        whole = [np.zeros(shape, dtype=np.int64) for _ in range(4)]
        drawn = [np.zeros((*shape, DRAWS), dtype=np.int32) for _ in range(2)]
        return cls(slots, whole[0], whole[1], whole[2], whole[3], drawn[0], drawn[1])

    def add(self, other: "SilenceCounts") -> None:
        """Add another bucket's counts to these, in place."""
        for name in self.__slots__:
            if name != "slots":
                getattr(self, name)[...] += getattr(other, name)


def cells_of(silences: Silences, cuts: Cuts) -> Int64Array:
    """The cell of every silence, from what was known as it began; shape (n_silences,)."""
    typical, stage = silences.typical_days, silences.stage
    cadence = np.zeros(len(stage), dtype=np.int64)
    known = np.isfinite(typical)
    # An exact tie with a cut must not depend on how exp and log round.
    reached = np.round(typical[known], 6)
    cadence[known] = (
        1
        + (reached > cuts.fast_days[stage[known]]).astype(np.int64)
        + (reached > cuts.slow_days[stage[known]]).astype(np.int64)
    )
    return (silences.spend > cuts.spend).astype(np.int64) * len(CADENCES) + cadence


def count_silences(
    silences: Silences, cells: Int64Array, *, keys: UInt64Array, share: float, into: SilenceCounts
) -> None:
    """Count one bucket's silences.

    Bands come from drawing customers, not silences: one customer's gaps resemble each
    other. Draw b counts a customer a Poisson(1) number of times that only their key and b
    decide, so the result does not depend on how customers are split into buckets.

    Parameters
    ----------
    silences : one bucket's, `customer` being a position in `keys`.
    cells : of each silence.
    keys : 64 random-looking bits per customer, shape (n_customers,).
    share : share of customers whose draws are made; those with the lowest keys.
    into : counts to add to.
    """
    limit = np.uint64(min(int(share * 2.0**64), 2**64 - 1))
    sampled = np.flatnonzero(keys <= limit) if share < 1.0 else np.arange(len(keys), dtype=np.int64)
    place = np.full(len(keys), -1, dtype=np.int64)
    place[sampled] = np.arange(len(sampled))
    weights = np.empty((len(sampled), DRAWS), dtype=np.uint8)
    _draw(keys[sampled], _POISSON, weights)
    _count(
        (silences, into.slots[silences.stage], cells, place, weights),
        (into.ended, into.still_open, into.sample_ended, into.sample_open),
        (into.drawn_ended, into.drawn_open),
    )


@njit(nogil=True, cache=True)
def _draw(keys: UInt64Array, poisson: Float64Array, weights: UInt8Array) -> None:
    for i in range(len(keys)):
        for b in range(weights.shape[1]):
            # splitmix64: neighbouring inputs give unrelated outputs.
            z = keys[i] + np.uint64(b + 1) * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z = z ^ (z >> np.uint64(31))
            uniform = np.float64(z >> np.uint64(11)) * 2.0**-53
            times = 0
            while times < len(poisson) - 1 and uniform >= poisson[times]:
                times += 1
            weights[i, b] = times


@njit(nogil=True, cache=True)
def _count(
    rows: tuple[Silences, Int64Array, Int64Array, Int64Array, UInt8Array],
    counts: tuple[Int64Array, Int64Array, Int64Array, Int64Array],
    drawn: tuple[Int32Array, Int32Array],
) -> None:
    silences, slots, cells, place, weights = rows
    ended, still_open, sample_ended, sample_open = counts
    drawn_ended, drawn_open = drawn
    last = ended.shape[2] - 1
    for row in range(len(cells)):
        stage, cell = slots[row], cells[row]
        days = min(silences.days[row], last)
        sampled = place[silences.customer[row]]
        if silences.ended[row] and silences.days[row] <= last:
            ended[stage, cell, days] += 1
            if sampled >= 0:
                sample_ended[stage, cell, days] += 1
                target = drawn_ended[stage, cell, days]
                for b in range(weights.shape[1]):
                    target[b] += weights[sampled, b]
        else:
            still_open[stage, cell, days] += 1
            if sampled >= 0:
                sample_open[stage, cell, days] += 1
                target = drawn_open[stage, cell, days]
                for b in range(weights.shape[1]):
                    target[b] += weights[sampled, b]
