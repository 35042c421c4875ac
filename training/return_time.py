"""The return-time model of a run: stop, fit, judge out of time, calibrate."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.manifest import feature_manifest
from features.spec import FeatureSpec
from models.bundle import ReturnTimeBundle, installed_version
from models.calibration import Calibration, fit_logistic_line
from models.forest import ForestSettings
from models.hazard_forest import (
    HazardForest,
    Spells,
    count_periods,
    cut_spells,
    fit_hazard_forest,
    flatten_periods,
    log_spaced_days,
)
from models.return_time import ReturnTimeModel
from training.fit import gain_shares
from training.folds import FoldName, Folds
from training.labels import DAY_US
from training.material import Material
from training.panel import Panel
from training.plan import LearnerPlan, TrainingPlan
from training.return_rows import Followed, outcomes_of, return_rows
from training.return_time_judge import ReturnTimeReport, judge_return_time

Float64Array = NDArray[np.float64]

MAX_HORIZON_DAYS = 365
"""Further ahead than a year no shop plans its recalls."""

MAX_FIT_ROWS = 120_000
MAX_STOP_ROWS = 50_000
MAX_JUDGED_ROWS = 100_000
MAX_SEGMENT_ROWS = 500_000
"""Rows above these are sampled by customer hash: a row counts in up to 18 bins."""

MIN_HORIZON_DAYS = 7
MAX_ROUNDS = 200
_FOLLOWED_SHARE = 0.05
_KNOWN: tuple[FoldName, ...] = ("training", "between", "validation")


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why no return-time model was learnt; the other models do not need it."""

    reason: str


@dataclass(frozen=True, slots=True)
class TrainedReturnTime:
    """The model as it serves, the model as it was judged, and the report on it."""

    served: ReturnTimeModel
    judged: ReturnTimeModel
    report: ReturnTimeReport


def train_return_time(
    panel: Panel, folds: Folds, *, spec: FeatureSpec, plan: TrainingPlan
) -> TrainedReturnTime | Skipped:
    """Learn when customers return, and judge it out of time beside Kaplan-Meier by segment.

    The validation cutoffs, followed to the test cutoff, tell how many rounds to boost; the
    forest is then fitted anew on all cutoffs before the test cutoff, with silences as seen
    until then: that they had not ended is knowledge, too. What serves is the forest that was
    judged, with a calibration line fitted on the test cutoff's rows.

    Parameters
    ----------
    panel, folds : of one run.
    spec : specification the panel was built with.
    plan : learner settings, fewest returns per fold, bootstrap draws.

    Returns
    -------
    The model, or why there is none: too few returns, silences followed for less than a week,
    or constant features.

    References
    ----------
    METHODS.md section 1.8 and bar A7.
    """
    model = fit_return_time(panel, folds, spec=spec, plan=plan)
    if isinstance(model, Skipped):
        return model
    rows = return_rows(panel, folds, ("test",), at_most=MAX_JUDGED_ROWS)
    known = return_rows(panel, folds, _KNOWN, at_most=MAX_SEGMENT_ROWS, features=False)
    test = Followed(rows, folds.observed_until_us)
    threads = plan.learner.threads
    line = fit_line(model, test, threads=threads)
    report = judge_return_time(
        model,
        known=Followed(known, folds.test_us),
        test=test,
        line=line,
        draws=plan.bootstrap_draws,
        rng=np.random.default_rng([plan.learner.seed, 2]),
        threads=threads,
    )
    names = tuple(feature.name for feature in feature_manifest(spec))
    report = replace(report, importance=gain_shares(model.forest, names))
    return TrainedReturnTime(replace(model, calibration=line), model, report)


def bundle_return_time(trained: TrainedReturnTime, material: Material) -> ReturnTimeBundle:
    """The model as it is saved and served, with what the run was made of."""
    folds = material.folds
    return ReturnTimeBundle(
        spec=material.spec,
        stages_digest=material.stages_digest,
        gap_days=folds.gap_us / DAY_US,
        horizon_days=folds.horizon_us / DAY_US,
        trained_until_us=folds.trained_until_us,
        metrics=trained.report.to_json(),
        winback_version=installed_version(),
        model=trained.served,
    )


def fit_return_time(
    panel: Panel, folds: Folds, *, spec: FeatureSpec, plan: TrainingPlan
) -> ReturnTimeModel | Skipped:
    """Learn hazards from all that was known at the test cutoff; not calibrated yet.

    Parameters
    ----------
    panel, folds, spec, plan : as of `train_return_time`.
    """
    settings = _settings(plan.learner)
    training = Followed(
        return_rows(panel, folds, ("training",), at_most=MAX_FIT_ROWS),
        folds.of("validation")[0].as_of_us,
    )
    horizon = choose_horizon(outcomes_of(training).followed_days)
    if horizon < MIN_HORIZON_DAYS:
        return Skipped(
            f"most silences were followed for {horizon} days only, and a return curve needs "
            f"{MIN_HORIZON_DAYS}"
        )
    edges = log_spaced_days(horizon)
    validation = return_rows(panel, folds, ("validation",), at_most=MAX_STOP_ROWS)
    fitting = _spells(training, edges)
    stopping = _spells(Followed(validation, folds.test_us), edges)
    reason = _too_few((fitting, stopping), n_bins=len(edges) - 1, at_least=plan.min_positives)
    if reason is not None:
        return Skipped(reason)
    first = _boost(fitting, stopping, edges, spec, settings=settings)
    if first is None:
        return Skipped("all features are constant, so nothing tells customers apart")
    rounds = first.forest.rounds // int(first.forest.booster.num_model_per_iteration())
    del fitting, stopping, training, validation
    known = Followed(return_rows(panel, folds, _KNOWN, at_most=MAX_FIT_ROWS), folds.test_us)
    edges = log_spaced_days(choose_horizon(outcomes_of(known).followed_days))
    settings = replace(settings, max_rounds=rounds)
    last = _boost(_spells(known, edges), None, edges, spec, settings=settings) or first
    return ReturnTimeModel(last, edges, Calibration("platt"))


def fit_line(model: ReturnTimeModel, later: Followed, *, threads: int = 0) -> Calibration:
    """The calibration line on the log-odds of the hazards, the same for all bins.

    It mends the level and the spread, not the shape over the days.

    Parameters
    ----------
    model : whose forest was fitted on what was known before the rows' as-of.
    later : the rows.
    threads : LightGBM threads.
    """
    spells = _spells(later, model.edges_days)
    log_odds, returned = flatten_periods(
        model.hazards.log_odds(later.rows.values, threads=threads), spells
    )
    if len(returned) == 0 or returned.min() == returned.max():
        return Calibration("platt")
    slope, intercept = fit_logistic_line(log_odds, returned)
    if slope <= 0.0:
        # Worse than chance on the later fold: keep its level only.
        rate = float(returned.mean())
        return Calibration("platt", slope=0.0, intercept=float(np.log(rate) - np.log1p(-rate)))
    return Calibration("platt", slope=slope, intercept=intercept)


def choose_horizon(followed_days: Float64Array) -> int:
    """Whole days that at least a twentieth of the rows was followed for; a year at most."""
    if len(followed_days) == 0:
        return 0
    reached = float(np.quantile(followed_days, 1.0 - _FOLLOWED_SHARE, method="lower"))
    return min(int(reached), MAX_HORIZON_DAYS)


def _spells(followed: Followed, edges: Float64Array) -> Spells:
    seen = outcomes_of(followed)
    return cut_spells(followed.rows.values, days=seen.days, returned=seen.returned, edges=edges)


def _settings(learner: LearnerPlan) -> ForestSettings:
    """Steps twice those of the other models: a round grows a tree per anchor."""
    settings = ForestSettings(**asdict(learner))
    return replace(
        settings,
        learning_rate=min(2.0 * settings.learning_rate, 1.0),
        max_rounds=min(settings.max_rounds, MAX_ROUNDS),
        early_stopping_rounds=max(settings.early_stopping_rounds // 2, 5),
    )


def _boost(
    training: Spells,
    validation: Spells | None,
    edges: Float64Array,
    spec: FeatureSpec,
    *,
    settings: ForestSettings,
) -> HazardForest | None:
    manifest = feature_manifest(spec)
    return fit_hazard_forest(
        training,
        validation=validation,
        n_bins=len(edges) - 1,
        names=tuple(feature.name for feature in manifest),
        categorical=tuple(feature.name for feature in manifest if feature.kind == "categorical"),
        settings=settings,
    )


def _too_few(folds: Sequence[Spells], *, n_bins: int, at_least: int) -> str | None:
    counts = [int(count_periods(spells, n_bins)[1].sum()) for spells in folds]
    if min(counts) >= at_least:
        return None
    return (
        f"{counts[0]} returns in training and {counts[1]} in validation, and a return curve "
        f"needs {at_least} in each"
    )
