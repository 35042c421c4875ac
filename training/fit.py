"""One model from panel to bundle: fit, stop, calibrate, judge."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from features.errors import DataError, describe
from features.manifest import feature_manifest
from features.spec import FeatureSpec
from models.baselines import Baseline, fit_baselines
from models.bundle import KINDS, Bundle, Kind, installed_version
from models.calibration import ISOTONIC_POSITIVES, Calibration, choose_method, fit_calibration
from models.forest import Forest, ForestSettings, Sample, fit_forest
from training.folds import FoldName, Folds
from training.ladder import MODEL, FoldReport, ModelReport, judge_fold, trace_curves
from training.panel import Panel, PanelRows
from training.plan import TrainingPlan

Float64Array = NDArray[np.float64]

FOLDS: tuple[FoldName, ...] = get_args(FoldName)
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A bundle ready to be saved, and the report on it."""

    bundle: Bundle
    report: ModelReport


@dataclass(frozen=True, slots=True)
class _Fitted:
    """What gives probabilities: the forest and the baselines, all calibrated alike."""

    forest: Forest
    calibration: Calibration
    calibration_rows: int
    baselines: tuple[tuple[Baseline, Calibration], ...]

    def probabilities(self, rows: PanelRows, *, threads: int) -> dict[str, Float64Array]:
        """By forecaster, baselines first, the model under `MODEL` last."""
        given = {
            baseline.name: calibration.apply(logit(baseline.probabilities(rows.value)))
            for baseline, calibration in self.baselines
        }
        raw = self.forest.raw_scores(rows.values, threads=threads)
        return {**given, MODEL: self.calibration.apply(raw)}


def check_counts(panel: Panel, folds: Folds, *, min_positives: int) -> None:
    """Refuse a panel in which a fold has too few rows of either label.

    Raises
    ------
    DataError : names the counts of every fold of every model that has too few.
    """
    lacking: list[str] = []
    for kind in KINDS:
        counts = []
        for name in FOLDS:
            labels = panel.fold(kind, name, folds).labels
            positives = int(np.count_nonzero(labels))
            counts.append((name, positives, len(labels) - positives))
        if any(min(positives, negatives) < min_positives for _, positives, negatives in counts):
            listed = ", ".join(f"{name} {pos} and {neg}" for name, pos, neg in counts)
            lacking.append(f"{kind} has {listed}")
    if lacking:
        days = ", ".join(f"{cutoff.fold} {cutoff.day}" for cutoff in folds.cutoffs)
        raise DataError(
            describe(
                "training",
                f"too few positives or negatives: {'; '.join(lacking)} (positives and negatives "
                f"per fold; cutoffs: {days})",
                expected=f"at least {min_positives} of each in every fold",
                fix="ingest more customers or a longer history, change the stages' silence_days "
                "or windows.horizon_days, or lower training.min_positives",
            )
        )


def fit_model(
    kind: Kind,
    panel: Panel,
    *,
    spec: FeatureSpec,
    stages_digest: str,
    folds: Folds,
    plan: TrainingPlan,
) -> TrainedModel:
    """Fit one model and judge it out of time beside the baselines.

    The forest is boosted on the training fold and stopped on the validation fold, which
    also calibrates it: two halves of it, by customer hash, if each half has 2,000 rows of
    either label, else the same rows twice. Baselines are fitted and calibrated on the same
    rows, so the comparison is of forecasts, not of calibration data. The test fold, later than
    both and purged from them, is only judged. What was judged is what is served; nothing is
    refitted.

    Parameters
    ----------
    kind : which model.
    panel : all rows; see `check_counts`.
    spec : specification the panel was built with.
    stages_digest : `models.bundle.stages_digest` of the ladder.
    folds : the panel's cutoffs.
    plan : learner settings, calibration wish, bootstrap draws.

    References
    ----------
    METHODS.md section 1.5 to 1.7.
    """
    training = panel.fold(kind, "training", folds)
    validation = panel.fold(kind, "validation", folds)
    stopping, calibrating = split_validation(validation)
    manifest = feature_manifest(spec)
    names = tuple(feature.name for feature in manifest)
    forest = fit_forest(
        Sample(training.values, training.labels),
        validation=Sample(stopping.values, stopping.labels),
        names=names,
        categorical=tuple(f.name for f in manifest if f.kind == "categorical"),
        settings=ForestSettings(**asdict(plan.learner)),
    )
    fitted = _calibrate(forest, training, calibrating, plan=plan)
    test = panel.fold(kind, "test", folds)
    report = _report(kind, fitted, (training, validation, test), names, folds=folds, plan=plan)
    bundle = Bundle(
        kind=kind,
        spec=spec,
        stages_digest=stages_digest,
        gap_days=folds.gap_us / _DAY_US,
        horizon_days=folds.horizon_us / _DAY_US,
        trained_until_us=folds.trained_until_us,
        forest=forest,
        calibration=fitted.calibration,
        metrics=report.to_json(),
        winback_version=installed_version(),
    )
    return TrainedModel(bundle, report)


def _calibrate(
    forest: Forest, training: PanelRows, rows: PanelRows, *, plan: TrainingPlan
) -> _Fitted:
    """Fit the baselines, then calibrate them on the very rows that calibrate the forest.

    When base rates move between folds the later calibration is worth more than the model;
    a baseline without it would lose for the wrong reason.
    """
    method = choose_method(rows.labels, plan.calibration)
    baselines = []
    for one in fit_baselines(training.value, training.labels):
        raw = logit(one.probabilities(rows.value))
        baselines.append((one, fit_calibration(raw, rows.labels, method=method)))
    raw = forest.raw_scores(rows.values, threads=plan.learner.threads)
    calibration = fit_calibration(raw, rows.labels, method=method)
    return _Fitted(forest, calibration, len(rows.labels), tuple(baselines))


def split_validation(rows: PanelRows) -> tuple[PanelRows, PanelRows]:
    """Rows that stop the boosting and rows that calibrate.

    Disjoint halves by customer hash if both allow an isotonic calibration, else all rows
    twice: with few rows a better calibration is worth more than its full independence
    of one chosen number of rounds.
    """
    first = (rows.customer >> np.uint64(8)) % np.uint64(2) == 0
    halves = rows.take(first), rows.take(~first)
    for half in halves:
        positives = int(np.count_nonzero(half.labels))
        if min(positives, len(half.labels) - positives) < ISOTONIC_POSITIVES:
            return rows, rows
    return halves


def _report(
    kind: Kind,
    fitted: _Fitted,
    parts: Sequence[PanelRows],
    names: tuple[str, ...],
    *,
    folds: Folds,
    plan: TrainingPlan,
) -> ModelReport:
    reports = []
    for position, (name, rows) in enumerate(zip(FOLDS, parts, strict=True)):
        probabilities = fitted.probabilities(rows, threads=plan.learner.threads)
        customers, numbered = np.unique(rows.customer, return_inverse=True)
        # The fit has seen the training labels: an interval there would mean nothing.
        draws = 0 if name == "training" else plan.bootstrap_draws
        ladder, differences = judge_fold(
            probabilities,
            rows.labels,
            customers=np.asarray(numbered, dtype=np.int64),
            draws=draws,
            rng=np.random.default_rng([plan.learner.seed, KINDS.index(kind), position]),
        )
        reports.append(
            FoldReport(
                fold=name,
                days=tuple(cutoff.day for cutoff in folds.of(name)),
                rows=len(rows.labels),
                customers=len(customers),
                positives=int(np.count_nonzero(rows.labels)),
                in_sample=name != "test",
                ladder=ladder,
                differences=differences if name == "test" else (),
            )
        )
    return ModelReport(
        kind=kind,
        folds=tuple(reports),
        rounds=fitted.forest.rounds,
        calibration=fitted.calibration.method,
        calibration_rows=fitted.calibration_rows,
        importance=_importance(fitted.forest, names),
        curves=trace_curves(probabilities, parts[-1].labels),
    )


def _importance(forest: Forest, names: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """Each feature's share of the total gain, largest first; ties by name."""
    gains = forest.gains()
    shares = gains / max(float(gains.sum()), 1e-300)
    pairs = zip(names, shares.tolist(), strict=True)
    return tuple(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))
