"""The forest of the return-time model: it grows the odds of a return in each bin of days.

A spell is at risk in bin j if nobody had returned before it and all of it was seen; the
log-odds of a return in it are base[j] + sum over k of weight[j, k] * tree sums[k], with
hat-shaped weights on a few anchors over the bins. That is the likelihood of person-period
rows, but the features of a spell are stored and split once instead of once per period.
"""

from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.forest import Forest, ForestSettings, read_forest

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

ANCHORS = 3
"""Tree sums per customer: the odds of a return soon, later and late. On Online Retail II and
CDNOW one (proportional odds) lost to three, and four did not better them."""

NEVER = -1
"""The bin of a return that was not seen."""

_BIN_GROWTH = 1.4


@dataclass(frozen=True, slots=True)
class Spells:
    """Silences that begin at an as-of and end with a return, or were not seen to end.

    Attributes
    ----------
    values : features at the as-of, shape (n, F).
    periods : bins 0 … periods - 1 of each spell count: the return's bin is the last one,
        without a return all bins that were seen to their end; shape (n,).
    returned_in : the bin of the return, NEVER where none was seen; shape (n,).
    """

    values: Float32Array
    periods: Int64Array
    returned_in: Int64Array


@dataclass(frozen=True, slots=True)
class HazardForest:
    """A fitted forest with the log-odds that it starts from, one per bin."""

    forest: Forest
    base: Float64Array

    def log_odds(self, values: Float32Array, *, threads: int = 0) -> Float64Array:
        """Log-odds of a return in each bin given none before, shape (n, n_bins)."""
        weights = anchor_weights(len(self.base))
        sums = self.forest.raw_scores(values, threads=threads)
        if len(values) == 0:
            return np.zeros((0, len(self.base)), dtype=np.float64)
        return np.asarray(self.base + sums.reshape(len(values), weights.shape[1]) @ weights.T)


def log_spaced_days(horizon_days: int) -> Float64Array:
    """Bin edges 0, 1, 2, 3, 5, 7, 10 … to the horizon, each step about 1.4 times the last edge.

    Parameters
    ----------
    horizon_days : whole days, at least 1.
    """
    edges = [0, 1]
    while edges[-1] < horizon_days:
        edges.append(max(edges[-1] + 1, round(edges[-1] * _BIN_GROWTH)))
    edges[-1] = horizon_days
    if len(edges) > 3 and horizon_days - edges[-2] < (edges[-2] - edges[-3]) / 2:
        # A sliver at the end would have few returns of its own.
        del edges[-2]
    return np.array(edges, dtype=np.float64)


def anchor_weights(n_bins: int) -> Float64Array:
    """Hat functions of evenly spaced anchors over the bins, shape (n_bins, n_anchors)."""
    anchors = min(ANCHORS, n_bins)
    if anchors == 1:
        return np.ones((n_bins, 1))
    places = np.linspace(0.0, 1.0, anchors)
    bins = np.linspace(0.0, 1.0, n_bins)
    hats = [np.interp(bins, places, row) for row in np.eye(anchors)]
    return np.stack(hats, axis=1)


def cut_spells(
    values: Float32Array, *, days: Float64Array, returned: BoolArray, edges: Float64Array
) -> Spells:
    """Spells in bins.

    Parameters
    ----------
    values : features, shape (n, F).
    days : days to the return, or for how many days none was seen; shape (n,).
    returned : whether `days` ends with a return, shape (n,).
    edges : bin edges in days, shape (n_bins + 1,).
    """
    n_bins = len(edges) - 1
    place = np.clip(np.searchsorted(edges, days, side="right") - 1, 0, n_bins)
    seen = returned & (place < n_bins)
    return Spells(
        values=values,
        periods=np.where(seen, place + 1, place).astype(np.int64),
        returned_in=np.where(seen, place, NEVER).astype(np.int64),
    )


def count_periods(spells: Spells, n_bins: int) -> tuple[Int64Array, Int64Array]:
    """Spells at risk in each bin and returns in it, each of shape (n_bins,)."""
    ended = np.bincount(spells.periods, minlength=n_bins + 1)
    at_risk = len(spells.periods) - np.cumsum(ended)[:n_bins]
    seen = spells.returned_in[spells.returned_in != NEVER]
    return at_risk, np.bincount(seen, minlength=n_bins)[:n_bins]


def flatten_periods(
    log_odds: Float64Array, spells: Spells
) -> tuple[Float64Array, NDArray[np.int8]]:
    """One entry per spell and bin at risk: its log-odds, and 1 where the return fell."""
    bins = np.arange(log_odds.shape[1])
    at_risk = bins[None, :] < spells.periods[:, None]
    returned = bins[None, :] == spells.returned_in[:, None]
    return log_odds[at_risk], returned[at_risk].astype(np.int8)


def fit_hazard_forest(
    training: Spells,
    *,
    validation: Spells | None = None,
    n_bins: int,
    names: tuple[str, ...],
    categorical: tuple[str, ...] = (),
    settings: ForestSettings,
) -> HazardForest | None:
    """Boost on `training` until the loss per period of the later `validation` stops falling.

    Without validation spells all `settings.max_rounds` are boosted. The same inputs and
    settings give the same text, byte for byte.

    Parameters
    ----------
    training, validation : spells of earlier and of later as-ofs.
    n_bins : number of bins.
    names : column names of `values`, in order.
    categorical : the columns that hold codes, not quantities.
    settings : learner settings; a round grows one tree per anchor.

    Returns
    -------
    None if all features are constant: there is nothing to tell customers apart by.

    References
    ----------
    METHODS.md section 1.8. Singer and Willett 1993: discrete-time survival as logistic
    regression of periods.
    """
    at_risk, returns = count_periods(training, n_bins)
    rate = (returns + 0.5) / (at_risk + 1.0)
    base = np.log(rate) - np.log1p(-rate)
    weights = anchor_weights(n_bins)
    reading = {**settings.parameters(len(training.values)), "feature_pre_filter": False}
    growing = {
        **reading,
        "objective": _PeriodLoss(training, base, weights).gradients,
        "num_class": weights.shape[1],
        "metric": "None",
    }
    fitting = lgb.Dataset(
        training.values,
        label=np.zeros(len(training.values)),
        feature_name=list(names),
        categorical_feature=list(categorical),
        params=reading,
        free_raw_data=True,
    ).construct()
    if all(fitting.feature_num_bin(column) < 2 for column in range(len(names))):
        return None
    stopping: dict[str, Any] = {}
    if validation is not None:
        later = lgb.Dataset(
            validation.values, label=np.zeros(len(validation.values)), reference=fitting
        )
        stopping = {
            "valid_sets": [later],
            "feval": _PeriodLoss(validation, base, weights).evaluate,
            "callbacks": [lgb.early_stopping(settings.early_stopping_rounds, verbose=False)],
        }
    booster = lgb.train(growing, fitting, num_boost_round=settings.max_rounds, **stopping)
    rounds = max(1, int(booster.best_iteration)) if stopping else None
    # Read back from text, so the forest just judged is the very one that is served.
    return HazardForest(read_forest(booster.model_to_string(num_iteration=rounds)), base)


class _PeriodLoss:
    """Negative log-likelihood of the periods of some spells, as LightGBM asks for it."""

    def __init__(self, spells: Spells, base: Float64Array, weights: Float64Array) -> None:
        self._spells = (spells.periods, spells.returned_in)
        self._shape = (base, weights)
        self._n = (len(spells.periods), weights.shape[1])

    def gradients(self, sums: Float64Array, _: Any) -> tuple[Float64Array, Float64Array]:
        """First derivative by each tree sum, and the second one by all sums of a row at once.

        Trees of all anchors step together, so a curvature that knew its own anchor only
        would let them overshoot.
        """
        slope, curvature = np.zeros(self._n), np.zeros(self._n)
        scores = np.ascontiguousarray(sums).reshape(self._n)
        _add_gradients(scores, self._shape, self._spells, (slope, curvature))
        if self._n[1] == 1:
            return slope[:, 0], curvature[:, 0]
        return slope, curvature

    def evaluate(self, sums: Float64Array, _: Any) -> tuple[str, float, bool]:
        """Loss per period; lower is better."""
        loss = np.zeros(self._n[0])
        _add_losses(np.ascontiguousarray(sums).reshape(self._n), self._shape, self._spells, loss)
        return "period_loss", float(loss.sum() / max(self._spells[0].sum(), 1)), False


@njit(cache=True, nogil=True)
def _add_gradients(
    sums: Float64Array,
    shape: tuple[Float64Array, Float64Array],
    spells: tuple[Int64Array, Int64Array],
    out: tuple[Float64Array, Float64Array],
) -> None:
    base, weights = shape
    periods, returned_in = spells
    slope, curvature = out
    n_anchors = weights.shape[1]
    for row in range(len(periods)):
        for place in range(periods[row]):
            score = base[place]
            for k in range(n_anchors):
                score += weights[place, k] * sums[row, k]
            hazard = 1.0 / (1.0 + np.exp(-score))
            surprise = hazard - (1.0 if returned_in[row] == place else 0.0)
            spread = hazard * (1.0 - hazard)
            for k in range(n_anchors):
                slope[row, k] += weights[place, k] * surprise
                curvature[row, k] += weights[place, k] * spread


@njit(cache=True, nogil=True)
def _add_losses(
    sums: Float64Array,
    shape: tuple[Float64Array, Float64Array],
    spells: tuple[Int64Array, Int64Array],
    loss: Float64Array,
) -> None:
    base, weights = shape
    periods, returned_in = spells
    for row in range(len(periods)):
        for place in range(periods[row]):
            score = base[place]
            for k in range(weights.shape[1]):
                score += weights[place, k] * sums[row, k]
            # log(1 + e^s) - y s, written so that large scores of either sign stay finite
            loss[row] += max(score, 0.0) + np.log1p(np.exp(-abs(score)))
            if returned_in[row] == place:
                loss[row] -= score
