"""One model from panel to bundle: fit, stop, stack, calibrate, judge."""

from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from features.errors import DataError, describe
from models.bundle import KINDS, Bundle, Kind, installed_version
from models.forest import Forest
from models.ladder import Ladder
from training.folds import FoldName, Folds
from training.ladder import FoldReport, ModelReport, judge_fold, trace_curves
from training.ladder_fit import FittedLadder, fit_ladder
from training.level_fit import Levels
from training.material import Material
from training.metrics import draw_customers
from training.panel import Panel
from training.plan import TrainingPlan

Float64Array = NDArray[np.float64]

FOLDS: tuple[FoldName, ...] = get_args(FoldName)
JUDGED: tuple[FoldName, ...] = ("training", "validation", "test")
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A bundle ready to be saved, the ladder as it was judged, and the report on it."""

    bundle: Bundle
    judged: Ladder
    report: ModelReport


def check_counts(panel: Panel, folds: Folds, *, min_positives: int) -> None:
    """Refuse a panel in which a fold has too few rows of either label.

    Raises
    ------
    DataError : names the counts of every fold of every model that has too few.
    """
    lacking: list[str] = []
    for kind in KINDS:
        counts = []
        for name in JUDGED:
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
                "or windows.horizon_days, or lower training.min_positives; history that was "
                "ingested late counts only with `winback ingest events --backfill`",
            )
        )


def fit_model(kind: Kind, material: Material, *, plan: TrainingPlan) -> TrainedModel:
    """Fit one ladder of forecasters and judge it out of time.

    The forest is boosted on the training fold and stopped on the validation fold, where
    the stack's weights and the calibrations are fitted too. Forest and baselines are then
    fitted anew on all cutoffs before the test cutoff, the forest with the rounds found. The
    test fold, later than all of them and purged from them, is only judged. What is served
    is what was judged, but for level and purchase processes, which are brought up to the
    training as-of: they follow from orders alone.

    Parameters
    ----------
    kind : which model.
    material : see `check_counts`.
    plan : learner settings, calibration wish, bootstrap draws.

    References
    ----------
    METHODS.md section 1.5 to 1.7.
    """
    folds = material.folds
    fitted = fit_ladder(kind, material, plan=plan)
    report = _report(kind, fitted, material, plan=plan)
    until = folds.trained_until_us
    levels = Levels(kind, material.levels, material.processes, folds, until)
    bundle = Bundle(
        kind=kind,
        spec=material.spec,
        stages_digest=material.stages_digest,
        gap_days=folds.gap_us / _DAY_US,
        horizon_days=folds.horizon_us / _DAY_US,
        trained_until_us=until,
        ladder=fitted.at(levels, until),
        metrics=report.to_json(),
        winback_version=installed_version(),
    )
    return TrainedModel(bundle, fitted.ladder, report)


def _report(
    kind: Kind, fitted: FittedLadder, material: Material, *, plan: TrainingPlan
) -> ModelReport:
    panel, folds, ladder = material.panel, material.folds, fitted.ladder
    test = panel.fold(kind, "test", folds)
    probabilities = ladder.probabilities(test.values, test.value, threads=plan.learner.threads)
    _, numbered = np.unique(test.customer, return_inverse=True)
    rungs, differences = judge_fold(
        probabilities,
        test.labels,
        shipped=ladder.shipped,
        counts=draw_customers(
            np.asarray(numbered, dtype=np.int64),
            draws=plan.bootstrap_draws,
            rng=np.random.default_rng([plan.learner.seed, KINDS.index(kind)]),
        ),
    )
    reports = [
        FoldReport(
            fold=name,
            days=tuple(cutoff.day for cutoff in folds.of(name)),
            rows=len(rows.labels),
            customers=len(np.unique(rows.customer)),
            positives=int(np.count_nonzero(rows.labels)),
            ladder=rungs if name == "test" else (),
            differences=differences if name == "test" else (),
        )
        for name in FOLDS
        if len(folds.of(name))
        for rows in (panel.fold(kind, name, folds),)
    ]
    return ModelReport(
        kind=kind,
        folds=tuple(reports),
        rounds=ladder.forest.rounds,
        calibration=fitted.method,
        calibration_rows=fitted.rows,
        shipped=ladder.shipped,
        weights=ladder.weights,
        selection=fitted.selection,
        level=fitted.level,
        importance=gain_shares(ladder.forest, material.feature_names),
        curves=trace_curves(probabilities, test.labels, shipped=ladder.shipped),
    )


def gain_shares(forest: Forest, names: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """Each feature's share of the total gain, largest first; ties by name."""
    gains = forest.gains()
    shares = gains / max(float(gains.sum()), 1e-300)
    pairs = zip(names, shares.tolist(), strict=True)
    return tuple(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))
