"""One model from panel to bundle: fit, stop, stack, calibrate, judge."""

from dataclasses import asdict, dataclass, replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from features.errors import DataError, describe
from features.manifest import feature_manifest
from features.spec import FeatureSpec
from models.baselines import fit_baselines
from models.bundle import KINDS, Bundle, Kind, installed_version
from models.calibration import Method, choose_method
from models.forest import Forest, ForestSettings, Sample, fit_forest
from models.ladder import FOREST, RUNGS, STACK, Ladder, stacked
from models.purchase_rung import PURCHASE_PROCESS
from training.folds import FoldName, Folds
from training.ladder import FoldReport, ModelReport, judge_fold, trace_curves
from training.level_fit import Level, Levels, Processes
from training.levels import LevelRows
from training.metrics import draw_customers
from training.panel import Panel, PanelRows
from training.plan import TrainingPlan
from training.stack import (
    calibrate_rung,
    choose_rung,
    cross_fitted_losses,
    fit_shift,
    fit_weights,
)

Float64Array = NDArray[np.float64]

FOLDS: tuple[FoldName, ...] = get_args(FoldName)
JUDGED: tuple[FoldName, ...] = ("training", "validation", "test")
REFITTED: tuple[FoldName, ...] = ("training", "between", "validation")
SHIFT_ROWS = 100_000
"""Rows on which it is measured how far a level moves each rung."""

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A bundle ready to be saved, the ladder as it was judged, and the report on it."""

    bundle: Bundle
    judged: Ladder
    report: ModelReport


@dataclass(frozen=True, slots=True)
class Material:
    """What all models of a run are fitted from.

    Attributes
    ----------
    panel, folds : rows and cutoffs.
    levels, processes : level rows, and the purchase processes fitted on them.
    spec : specification the panel was built with.
    stages_digest : `models.bundle.stages_digest` of the ladder of stages.
    """

    panel: Panel
    folds: Folds
    levels: LevelRows
    processes: Processes
    spec: FeatureSpec
    stages_digest: str

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns of the panel's values."""
        return tuple(feature.name for feature in feature_manifest(self.spec))


@dataclass(frozen=True, slots=True)
class FittedLadder:
    """A ladder as of the test cutoff, and what was found on the way.

    Attributes
    ----------
    ladder : knows nothing that arrived at or after the test cutoff.
    level : forecast for the test cutoff.
    method, rows : of calibration, and the validation rows behind it.
    selection : cross-fitted log loss of every rung on the validation fold.
    """

    ladder: Ladder
    level: Level
    method: Method
    rows: int
    selection: dict[str, float]


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
                "or windows.horizon_days, or lower training.min_positives",
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
    served = Levels(kind, material.levels, material.processes, folds, until)
    ladder = replace(fitted.ladder, level=served.forecast(until).value, purchase=served.rung(until))
    bundle = Bundle(
        kind=kind,
        spec=material.spec,
        stages_digest=material.stages_digest,
        gap_days=folds.gap_us / _DAY_US,
        horizon_days=folds.horizon_us / _DAY_US,
        trained_until_us=until,
        ladder=ladder,
        metrics=report.to_json(),
        winback_version=installed_version(),
    )
    return TrainedModel(bundle, fitted.ladder, report)


def fit_ladder(kind: Kind, material: Material, *, plan: TrainingPlan) -> FittedLadder:
    """Fit all rungs on what the test cutoff knows; see `fit_model`."""
    panel, folds, threads = material.panel, material.folds, plan.learner.threads
    levels = Levels(kind, material.levels, material.processes, folds, folds.test_us)
    training, validation = (
        panel.fold(kind, "training", folds),
        panel.fold(kind, "validation", folds),
    )
    offsets = np.array([levels.at(int(as_of)) for as_of in folds.as_ofs])
    base = base_log_odds(training, offsets)
    settings = ForestSettings(**asdict(plan.for_model(kind).learner))
    first = _boost(
        sample(training, offsets, base),
        sample(validation, offsets, base),
        material.spec,
        settings=settings,
    )
    raw = {
        one.name: logit(one.probabilities(validation.value))
        for one in fit_baselines(training.value, training.labels)
    }
    raw[PURCHASE_PROCESS] = _purchase_log_odds(levels, validation, folds)
    raw[FOREST] = base + first.raw_scores(validation.values, threads=threads)
    labels = validation.labels
    cutoff = np.unique(validation.cutoff, return_inverse=True)[1].astype(np.int64)
    method = choose_method(labels, plan.calibration)
    losses = cross_fitted_losses(raw, labels, cutoff, customers=validation.customer, method=method)
    weights = fit_weights(raw, labels, cutoff)
    raw[STACK] = stacked(raw, weights)
    maps = {name: calibrate_rung(raw[name], labels, cutoff, method=method) for name in RUNGS}
    everything = panel.fold(kind, REFITTED, folds)
    last = _boost(
        sample(everything, offsets, base),
        None,
        material.spec,
        settings=replace(settings, max_rounds=first.rounds),
    )
    level = levels.forecast(folds.test_us)
    ladder = Ladder(
        baselines=fit_baselines(everything.value, everything.labels),
        purchase=levels.rung(folds.test_us),
        forest=last,
        forest_base=base,
        weights=weights,
        calibrations={name: one.calibration for name, one in maps.items()},
        shifts={},
        level=level.value,
        shipped=choose_rung(losses, validation.customer),
    )
    rest = panel.fold(kind, ("training", "between"), folds)
    rest = rest.take(_spread(len(rest.labels)))
    fitted = ladder.log_odds(rest.values, rest.value, threads=threads)
    fitted[PURCHASE_PROCESS] = _purchase_log_odds(levels, rest, folds)
    fitted[STACK] = stacked(fitted, weights)
    shifts = {
        name: fit_shift(
            (raw[name], labels, offsets[validation.cutoff]),
            (fitted[name], rest.labels, offsets[rest.cutoff]),
            slope=one.slope,
        )
        for name, one in maps.items()
    }
    ladder = replace(ladder, shifts=shifts)
    means = {name: float(loss.mean()) for name, loss in losses.items()}
    return FittedLadder(ladder, level, method, len(labels), means)


def _spread(rows: int) -> NDArray[np.int64]:
    """Positions of at most `SHIFT_ROWS` rows, evenly spread over buckets and cutoffs."""
    return np.unique(np.linspace(0, rows - 1, min(rows, SHIFT_ROWS)).astype(np.int64))


def base_log_odds(rows: PanelRows, offsets: Float64Array) -> float:
    """The constant that, with each cutoff's level, makes the mean forecast right."""
    offset, wanted, base = offsets[rows.cutoff], float(rows.labels.mean()), 0.0
    for _ in range(50):
        p = expit(base + offset)
        step = float((p.mean() - wanted) / (p * (1 - p)).mean())
        base -= float(np.clip(step, -1.0, 1.0))
        if abs(step) < 1e-10:
            break
    return base


def sample(rows: PanelRows, offsets: Float64Array, base: float) -> Sample:
    """Rows as the forest learns from them, beside their cutoff's level and the base."""
    return Sample(rows.values, rows.labels, offsets[rows.cutoff] + base)


def _boost(
    training: Sample, validation: Sample | None, spec: FeatureSpec, *, settings: ForestSettings
) -> Forest:
    manifest = feature_manifest(spec)
    return fit_forest(
        training,
        validation=validation,
        names=tuple(feature.name for feature in manifest),
        categorical=tuple(f.name for f in manifest if f.kind == "categorical"),
        settings=settings,
    )


def _purchase_log_odds(levels: Levels, rows: PanelRows, folds: Folds) -> Float64Array:
    """MBG/NBD at each row's own cutoff, with what was visible there."""
    raw = np.empty(len(rows.labels))
    for position in np.unique(rows.cutoff).tolist():
        chosen = rows.cutoff == position
        rung = levels.rung(int(folds.as_ofs[position]))
        raw[chosen] = rung.log_odds(rows.value.take(chosen))
    return raw


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
