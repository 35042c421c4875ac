"""Natural return from windows without contact, made fair to those who return early.

P(return without contact) must not be learnt from windows with one. To leave those out is not
enough: who returns on day 3 had three days in which a contact could come first, who does not
return had all of them, so the windows that stay hold too many returns (immortal time). Windows
that stay are therefore thinned: each is kept with the probability that it would have been
uncontacted to its very end, given that it was until its return. After that every window has
stayed with the same probability whatever its outcome, and models need no weights.

How likely a window is to stay uncontacted is estimated by Kaplan-Meier, with contacts as the
events, among customers of like stage, silence and spend at about the same time.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.history import NO_TIME
from training.folds import FoldName, Folds
from training.panel import Panel, PanelRows, label_knowledge

BoolArray = NDArray[np.bool_]
Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
UInt64Array = NDArray[np.uint64]

Windows = Literal["uncontacted", "all"]
JUDGED: tuple[FoldName, ...] = ("training", "validation", "test")

MAX_SILENCE_BINS, MAX_SPEND_BINS = 16, 4
BIN_ROWS = 500
"""Fewest rows per bin of silence or spend; a Kaplan-Meier curve of fewer is too rough."""
CELL_ROWS = 200
"""A bin has curves of its own at the cutoffs at which it has so many rows."""

_SALT = np.uint64(0x77696E6261636B31)


@dataclass(frozen=True, slots=True)
class Followed:
    """How n windows went; times are us since the as-of.

    Attributes
    ----------
    contact : the first contact, NO_TIME where there was none; shape (n,).
    back : the first return, NO_TIME where there was none; shape (n,).
    length : of the windows.
    """

    contact: Int64Array
    back: Int64Array
    length: int

    @property
    def over(self) -> Int64Array:
        """When no contact could come any more: at the return, else at the end; shape (n,)."""
        return np.minimum(self.back, self.length)

    @property
    def contacted(self) -> BoolArray:
        """A contact came first, shape (n,)."""
        return self.contact < self.over


@dataclass(frozen=True, slots=True)
class WindowChoice:
    """Which windows natural return is learnt from, and why.

    Attributes
    ----------
    rows : dormant rows of the panel.
    contacted : of them, those with a contact in the window before any return.
    thinned : uncontacted rows left out so that early returns do not count too much.
    lacking : folds that would have kept too few rows, in words; with any, all windows stay.
    """

    rows: int
    contacted: int
    thinned: int
    lacking: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """What a reader should know of it."""
        if not self.lacking:
            return (
                f"Natural return is learnt from windows without contact: of {self.rows:,} rows "
                f"{self.contacted:,} with a contact before any return are left out, and "
                f"{self.thinned:,} that returned early, so that they count for their share."
            )
        return (
            f"Natural return is learnt from all windows, though {self.contacted:,} of "
            f"{self.rows:,} rows have a contact before any return: too few would be left "
            f"({'; '.join(self.lacking)}). Its probabilities hold some effect of contacts."
        )


def use_uncontacted(
    panel: Panel, folds: Folds, *, windows: Windows, min_positives: int
) -> tuple[Panel, WindowChoice | None]:
    """Keep the uncontacted windows of the natural-return population, thinned.

    Where a judged fold would keep too few of either label, all windows stay.

    Parameters
    ----------
    panel : all rows of a run.
    folds : of the run.
    windows : "all" leaves the panel as it is.
    min_positives : fewest positives (and negatives) a judged fold may keep.

    Returns
    -------
    The panel, its exclusions counted, and what was chosen; null where there was no choice:
    no window has a contact, or all windows were asked for.
    """
    rows = panel.rows["natural_return"]
    followed = follow_windows(rows, folds)
    if windows == "all" or not followed.contacted.any():
        return panel, None
    stays = ~followed.contacted
    kept = stays & thin_windows(followed, strata_of(rows, folds), window_draws(rows, folds))
    choice = WindowChoice(len(kept), int((~stays).sum()), int((stays & ~kept).sum()))
    thinned = replace(
        panel,
        rows={**panel.rows, "natural_return": rows.take(kept)},
        excluded=replace(panel.excluded, contacted=choice.contacted, thinned=choice.thinned),
    )
    after = _label_counts(thinned, folds)
    lacking = [
        f"{after[name][0]:,} returns and {after[name][1]:,} others in the {name} fold, "
        f"{min_positives:,} of each are needed"
        for name in JUDGED
        if min(after[name]) < min_positives
    ]
    if lacking:
        return panel, replace(choice, thinned=0, lacking=tuple(lacking))
    return thinned, choice


def follow_windows(rows: PanelRows, folds: Folds) -> Followed:
    """The label windows of panel rows from their as-ofs on, the gap included."""
    as_of = folds.as_ofs[rows.cutoff]

    def since(instants: Int64Array) -> Int64Array:
        return np.where(instants == NO_TIME, NO_TIME, instants - as_of)

    length = folds.gap_us + folds.horizon_us
    return Followed(since(rows.contact_us), since(rows.return_us), length)


def thin_windows(followed: Followed, stratum: Int64Array, draw: Float64Array) -> BoolArray:
    """Which windows stay after thinning, if they were not contacted; shape (n,).

    A window that ended with a return at T is kept with probability G(H) / G(T), where G(t)
    is the probability of no contact before t in its stratum and H the window's length; one
    without a return has T = H.

    Parameters
    ----------
    followed : n windows, the contacted ones among them.
    stratum : windows of like contact times, shape (n,).
    draw : in [0, 1), shape (n,).

    References
    ----------
    Robins and Finkelstein 2000: inverse probability of censoring, here as thinning.
    """
    seen_until, contacted = np.minimum(followed.contact, followed.over), followed.contacted
    chance = np.zeros(len(draw))
    order = np.argsort(stratum, kind="stable")
    borders = np.flatnonzero(np.diff(stratum[order])) + 1
    for rows in np.split(order, borders):
        chance[rows] = _chance_to_stay(seen_until[rows], contacted[rows])
    return np.asarray(draw < chance)


def _chance_to_stay(seen_until: Int64Array, contacted: BoolArray) -> Float64Array:
    """G(H) / G(T) of the windows of one stratum, shape (n,); of no meaning for the contacted."""
    times, events = np.unique(seen_until[contacted], return_counts=True)
    at_risk = len(seen_until) - np.searchsorted(np.sort(seen_until), times, side="left")
    uncontacted = np.cumprod(np.concatenate(([1.0], 1.0 - events / at_risk)))
    before = uncontacted[np.searchsorted(times, seen_until, side="left")]
    # Who is seen after the last contact has the same probability as at the end, even if 0.
    share = np.divide(uncontacted[-1], before, out=np.ones(len(before)), where=before > 0.0)
    return np.asarray(share)


def strata_of(rows: PanelRows, folds: Folds) -> Int64Array:
    """Rows whose contacts come at like times: numbers of strata, shape (n,).

    Rows are cut by stage, into bins of silence, these into bins of spend, and by cutoff where
    a bin has `CELL_ROWS` there. Rows whose outcomes the test cutoff knew are kept apart from
    those judged later, so that what arrived since cannot touch them.
    """
    known_us = label_knowledge(folds.as_ofs[rows.cutoff], folds)
    group = np.unique(
        np.stack([known_us, rows.value.stage.astype(np.int64)]), axis=1, return_inverse=True
    )[1]
    group = _refined(group.reshape(-1), rows.value.silence_days, MAX_SILENCE_BINS)
    group = _refined(group, rows.value.spend, MAX_SPEND_BINS)
    n_cutoffs = len(folds.cutoffs)
    cell = group * (n_cutoffs + 1) + 1 + rows.cutoff
    _, where, sizes = np.unique(cell, return_inverse=True, return_counts=True)
    small = sizes[where.reshape(-1)] < CELL_ROWS
    return np.where(small, group * (n_cutoffs + 1), cell)


def _refined(group: Int64Array, values: Float64Array, most: int) -> Int64Array:
    """Each group halved at quantiles of `values`, as often as leaves enough rows in each part."""
    parts = np.zeros(len(group), dtype=np.int64)
    order = np.argsort(group, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        bins = most
        while bins > 1 and bins * BIN_ROWS > len(rows):
            bins //= 2
        if bins > 1:
            own = np.nan_to_num(values[rows])
            edges = np.quantile(own, np.arange(1, bins) / bins)
            parts[rows] = np.searchsorted(edges, own, side="right")
    return np.asarray(group * most + parts)


def window_draws(rows: PanelRows, folds: Folds) -> Float64Array:
    """A number in [0, 1) for each row, by customer and cutoff alone; shape (n,)."""
    as_of = folds.as_ofs[rows.cutoff].astype(np.uint64)
    mixed = _mixed(rows.customer ^ _mixed(as_of ^ _SALT))
    return np.asarray((mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def _mixed(words: UInt64Array) -> UInt64Array:
    """The output function of the generator SplitMix64: every bit in changes each bit out."""
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(words ^ (words >> np.uint64(31)))


def _label_counts(panel: Panel, folds: Folds) -> dict[FoldName, tuple[int, int]]:
    counts: dict[FoldName, tuple[int, int]] = {}
    for name in JUDGED:
        labels = panel.fold("natural_return", name, folds).labels
        returns = int(np.count_nonzero(labels))
        counts[name] = (returns, len(labels) - returns)
    return counts
