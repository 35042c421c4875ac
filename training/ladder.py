"""The ladder judged: the rung that serves beside every other, and what may be said of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.bundle import Kind
from models.ladder import FOREST
from models.purchase_rung import PURCHASE_PROCESS
from training.folds import FoldName
from training.level_fit import Level
from training.metrics import (
    LOWER_IS_BETTER,
    METRICS,
    CountArray,
    Estimate,
    Judgement,
    equal_mass_bins,
    judge,
)

Float64Array = NDArray[np.float64]
Int8Array = NDArray[np.int8]

VERDICT_METRIC = "log_loss"
COMPARED = ("log_loss", "auc", "average_precision", "brier")

Verdict = Literal["better", "worse", "not proven yet"]


@dataclass(frozen=True, slots=True)
class Rung:
    """One forecaster's figures on one fold, by metric name."""

    name: str
    metrics: dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class Difference:
    """The rung that serves minus another one on the same customers, and what may be said."""

    shipped: str
    baseline: str
    metric: str
    estimate: Estimate
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class FoldReport:
    """One fold judged.

    Attributes
    ----------
    fold : "training", "between", "validation" or "test".
    days : local dates of its cutoffs, earliest first.
    rows, customers, positives : their numbers.
    ladder : all rungs, the simplest first; of the test fold only: whatever the models or
        their calibrations have seen is no evidence.
    differences : the rung that serves minus each other one, of the test fold only.
    """

    fold: FoldName
    days: tuple[date, ...]
    rows: int
    customers: int
    positives: int
    ladder: tuple[Rung, ...]
    differences: tuple[Difference, ...]

    @property
    def base_rate(self) -> float:
        """Share of rows with label 1."""
        return self.positives / self.rows


@dataclass(frozen=True, slots=True)
class Curves:
    """What the plots show, in numbers: the test fold only, no customer in it.

    Attributes
    ----------
    predicted, observed : mean probability and rate of label 1 of equal-mass bins.
    shares : share of customers contacted, 0 … 1.
    captured : by forecaster, share of all positives within each of `shares`.
    """

    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    shares: tuple[float, ...]
    captured: dict[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class ModelReport:
    """All that training found out about one model.

    Attributes
    ----------
    kind : which model.
    folds : earliest first.
    rounds : trees of the forest.
    calibration, calibration_rows : the method, and the validation rows it was fitted on.
    shipped : the rung that serves.
    weights : of forest and purchase process in the stack.
    selection : cross-fitted log loss of every rung on the validation fold.
    level : the prior shift expected at the test cutoff.
    importance : features' shares of the forest's gain, largest first.
    curves : calibration and captured share on the test fold.
    """

    kind: Kind
    folds: tuple[FoldReport, ...]
    rounds: int
    calibration: str
    calibration_rows: int
    shipped: str
    weights: tuple[float, float]
    selection: dict[str, float]
    level: Level
    importance: tuple[tuple[str, float], ...]
    curves: Curves

    @property
    def test(self) -> FoldReport:
        """The out-of-time fold: the verdict."""
        return next(fold for fold in self.folds if fold.fold == "test")

    @property
    def verdicts(self) -> tuple[str, ...]:
        """One sentence per baseline, by log loss on the test fold."""
        return tuple(
            verdict_text(difference)
            for difference in self.test.differences
            if difference.metric == VERDICT_METRIC
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON object: figures only, no clock and no customer."""
        return {
            "kind": self.kind,
            "rounds": self.rounds,
            "calibration": self.calibration,
            "calibration_rows": self.calibration_rows,
            "shipped": self.shipped,
            "stack_weights": {FOREST: self.weights[0], PURCHASE_PROCESS: self.weights[1]},
            "validation_log_loss": self.selection,
            "level": {"value": self.level.value, "rule": self.level.rule},
            "folds": [_fold_json(fold) for fold in self.folds],
            "verdicts": list(self.verdicts),
            "importance": [{"feature": name, "gain_share": g} for name, g in self.importance],
            "calibration_curve": {
                "predicted": list(self.curves.predicted),
                "observed": list(self.curves.observed),
            },
        }


def judge_fold(
    probabilities: dict[str, Float64Array],
    labels: Int8Array,
    *,
    shipped: str,
    counts: CountArray,
) -> tuple[tuple[Rung, ...], tuple[Difference, ...]]:
    """Measure every forecaster on the same rows and the same resampled customers.

    Parameters
    ----------
    probabilities : by rung, each of shape (n,).
    labels : 0 or 1, shape (n,); both occur.
    shipped : the rung that the others are compared with.
    counts : of `draw_customers`; no draws give neither intervals nor differences.

    References
    ----------
    METHODS.md section 1: paired differences on resampled customers.
    """
    judged = {name: judge(p, labels, counts=counts) for name, p in probabilities.items()}
    ladder = tuple(
        Rung(name, {metric: one.estimate(metric) for metric in METRICS})
        for name, one in judged.items()
    )
    if len(counts) == 0:
        return ladder, ()
    differences = tuple(
        _difference((shipped, name), metric, judged[shipped], one)
        for name, one in judged.items()
        if name != shipped
        for metric in COMPARED
    )
    return ladder, differences


def verdict_of(estimate: Estimate, *, lower_is_better: bool) -> Verdict:
    """What a difference's 95 % interval allows to say."""
    if estimate.low is None or estimate.high is None or estimate.low <= 0.0 <= estimate.high:
        return "not proven yet"
    return "better" if (estimate.high < 0.0) == lower_is_better else "worse"


def verdict_text(difference: Difference) -> str:
    """The verdict as a sentence with its figures."""
    estimate = difference.estimate
    figures = f"log loss {estimate.value:+.4f}"
    if estimate.low is not None and estimate.high is not None:
        figures += f", 95 % interval {estimate.low:+.4f} to {estimate.high:+.4f}"
    says = {
        "better": f"better than the {difference.baseline}",
        "worse": f"worse than the {difference.baseline}",
        "not proven yet": f"not proven yet to be better than the {difference.baseline}",
    }
    return f"{difference.shipped}: {says[difference.verdict]} ({figures})"


def trace_curves(
    probabilities: dict[str, Float64Array], labels: Int8Array, *, shipped: str
) -> Curves:
    """Calibration of the rung that serves and captured share of every rung."""
    p = probabilities[shipped]
    bins = equal_mass_bins(p)
    filled = np.flatnonzero(np.bincount(bins))
    rows = np.bincount(bins)[filled]
    shares = np.linspace(0.0, 1.0, 51)
    return Curves(
        predicted=tuple((np.bincount(bins, weights=p)[filled] / rows).tolist()),
        observed=tuple((np.bincount(bins, weights=labels)[filled] / rows).tolist()),
        shares=tuple(shares.tolist()),
        captured={name: _captured(q, labels, shares) for name, q in probabilities.items()},
    )


def _captured(p: Float64Array, labels: Int8Array, shares: Float64Array) -> tuple[float, ...]:
    """Straight lines between tie groups: rows tied at a border count in proportion."""
    _, group = np.unique(-p, return_inverse=True)
    rows = np.concatenate(([0], np.cumsum(np.bincount(group)))) / len(p)
    found = np.concatenate(([0.0], np.cumsum(np.bincount(group, weights=labels))))
    return tuple(np.interp(shares, rows, found / found[-1]).tolist())


def _difference(
    names: tuple[str, str], metric: str, model: Judgement, baseline: Judgement
) -> Difference:
    estimate = model.minus(baseline, metric)
    lower = metric in LOWER_IS_BETTER
    return Difference(*names, metric, estimate, verdict_of(estimate, lower_is_better=lower))


def _fold_json(fold: FoldReport) -> dict[str, Any]:
    return {
        "fold": fold.fold,
        "days": [day.isoformat() for day in fold.days],
        "rows": fold.rows,
        "customers": fold.customers,
        "positives": fold.positives,
        "base_rate": fold.base_rate,
        **judged_json(fold.ladder, fold.differences),
    }


def judged_json(rungs: Sequence[Rung], differences: Sequence[Difference]) -> dict[str, Any]:
    """Rungs and differences as JSON."""
    return {
        "ladder": [
            {
                "name": rung.name,
                "metrics": {name: estimate_json(one) for name, one in rung.metrics.items()},
            }
            for rung in rungs
        ],
        "differences": [
            {
                "baseline": one.baseline,
                "metric": one.metric,
                "estimate": estimate_json(one.estimate),
                "verdict": one.verdict,
            }
            for one in differences
        ],
    }


def estimate_json(estimate: Estimate) -> dict[str, float | None]:
    """A figure with its interval as JSON."""
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
