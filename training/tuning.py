"""Search for learner settings: which trial is best, and whether it beats the present settings."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from features.errors import UsageError, describe
from models.bundle import Kind
from training.ladder import verdict_of
from training.material import Material
from training.metrics import Estimate
from training.plan import TrainingPlan, TreeSettings
from training.tuning_folds import TuningFold, collect_tuning_rows
from training.tuning_trials import Search, State, Trial, new_study

Float64Array = NDArray[np.float64]

_NORMAL_95 = 1.959964


@dataclass(frozen=True, slots=True)
class JudgedOn:
    """One fold that trials were compared on: its validation days, and its numbers of rows."""

    days: tuple[date, ...]
    training_rows: int
    validation_rows: int


@dataclass(frozen=True, slots=True)
class Tuning:
    """What the search for one model's settings found.

    Attributes
    ----------
    kind : which model.
    folds : what the trials were compared on, the run's own validation fold first.
    sampled_share : share of customers the trials saw.
    trials : in order; the first one is of the present settings.
    best : the complete trial with the lowest log loss, the first one left out.
    difference : its log loss minus that of the present settings, with a 95 % interval over
        customers; not corrected for being the best of many.
    used : whether its settings are used from here on.
    """

    kind: Kind
    folds: tuple[JudgedOn, ...]
    sampled_share: float
    trials: tuple[Trial, ...]
    best: Trial | None
    difference: Estimate | None
    used: bool

    @property
    def settings(self) -> TreeSettings:
        """What the model is to be fitted with: the best settings if used, else the present ones."""
        return self.best.settings if self.used and self.best else self.trials[0].settings

    def count(self, state: State) -> int:
        """Number of trials of one state."""
        return sum(trial.state == state for trial in self.trials)


def check_trials(trials: int) -> None:
    """Refuse a number of trials below one.

    Raises
    ------
    UsageError : it is 0 or negative.
    """
    if trials < 1:
        raise UsageError(
            describe(
                "--tune",
                f"{trials} trials",
                expected="at least 1; the first trial is of the present settings",
                fix="pass --tune 30, or leave it out to train with the present settings",
            )
        )


def tune(
    kind: Kind,
    material: Material,
    *,
    plan: TrainingPlan,
    trials: int,
    tell: Callable[[Trial], None] = lambda _: None,
) -> Tuning:
    """Search LightGBM settings for one model on the cutoffs before the test cutoff.

    Settings are proposed by a seeded tree-structured Parzen estimator. A trial whose log
    loss, at equal learning_rate × rounds, is behind three quarters of the complete trials
    is ended. The best settings are used if their log loss is lower than that of the present
    ones with the whole 95 % interval of the paired difference. The same material, plan and
    number of trials give the same result.

    Parameters
    ----------
    kind : which model.
    material : of the training run; see `training.fit.check_counts`.
    plan : present settings, seed, threads, min_positives.
    trials : how many, the present settings included.
    tell : told each trial when it ends.

    Raises
    ------
    UsageError : fewer than one trial.

    References
    ----------
    Bergstra et al. 2011 for the estimator; Golovin et al. 2017 for the median rule.
    """
    check_trials(trials)
    learner = plan.for_model(kind).learner
    rows = collect_tuning_rows(kind, material, min_positives=plan.min_positives)
    search = Search(learner, rows, material.spec)
    done: list[Trial] = []
    best: tuple[Trial, tuple[Float64Array, ...]] | None = None
    present: tuple[Float64Array, ...] | None = None
    with new_study(learner, kind) as study:
        for number in range(trials):
            trial, losses = search.run(study, number)
            done.append(trial)
            tell(trial)
            if trial.log_loss is None:
                continue
            if number == 0:
                present = losses
            elif best is None or trial.log_loss < (best[0].log_loss or 0.0):
                best = trial, losses
    difference = None
    if best is not None and present is not None:
        difference = _paired_difference(rows.folds, best[1], present)
    return Tuning(
        kind=kind,
        folds=tuple(
            JudgedOn(fold.days, len(fold.training.labels), len(fold.validation.labels))
            for fold in rows.folds
        ),
        sampled_share=rows.sampled_share,
        trials=tuple(done),
        best=None if best is None else best[0],
        difference=difference,
        used=difference is not None and verdict_of(difference, lower_is_better=True) == "better",
    )


def _paired_difference(
    folds: tuple[TuningFold, ...],
    best: tuple[Float64Array, ...],
    present: tuple[Float64Array, ...],
) -> Estimate:
    """Mean over folds of best minus present, the interval by standard error over customers."""
    gaps = [one - other for one, other in zip(best, present, strict=True)]
    value = float(np.mean([gap.mean() for gap in gaps]))
    parts = [(gap - gap.mean()) / (len(gap) * len(gaps)) for gap in gaps]
    _, number = np.unique(np.concatenate([fold.customer for fold in folds]), return_inverse=True)
    by_customer = np.bincount(number, weights=np.concatenate(parts))
    error = float(np.sqrt((by_customer**2).sum()))
    return Estimate(value, value - _NORMAL_95 * error, value + _NORMAL_95 * error)
