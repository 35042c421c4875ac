"""Trials of learner settings: proposed by a seeded sampler, ended early where hopeless."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from lightgbm.basic import LightGBMError
from numpy.typing import NDArray

from features.manifest import feature_manifest
from features.spec import FeatureSpec
from models.bundle import KINDS, Kind
from models.forest import Forest, ForestSettings, fit_forest
from training.plan import LearnerPlan, TreeSettings, with_settings
from training.tuning_folds import TuningFold, TuningRows

Float64Array = NDArray[np.float64]
State = Literal["complete", "pruned", "failed"]

UNIT = 0.5
"""Trials are compared at equal learning_rate × rounds, every so much of it: ten trees at 0.05."""

_FOLD_STEPS = 100_000
_WARM_UP_STEPS, _WARM_UP_TRIALS, _KEPT_PERCENT = 4, 4, 75.0


@dataclass(frozen=True, slots=True)
class Range:
    """Where a setting is searched; `log` spreads the trials evenly over orders of magnitude."""

    low: float
    high: float
    whole: bool = False
    log: bool = False


SPACE: Mapping[str, Range] = {
    "learning_rate": Range(0.02, 0.15, log=True),
    "num_leaves": Range(4, 64, whole=True, log=True),
    "min_data_in_leaf": Range(20, 1000, whole=True, log=True),
    "feature_fraction": Range(0.1, 1.0),
    "bagging_fraction": Range(0.5, 1.0),
    "lambda_l2": Range(0.1, 200.0, log=True),
}
"""What is searched, besides extra_trees (true or false)."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One fit of all folds.

    Attributes
    ----------
    number : 0 is the trial of the present settings.
    settings : as they were used, and as they can be written into winback.toml.
    state : "pruned" was behind three quarters of the complete trials on the way; "failed" was
        refused by LightGBM or had no finite log loss.
    log_loss : mean over the folds of their validation log loss; complete trials only.
    by_fold, rounds : log loss and best number of trees of each fold that was ended.
    course : (step, log loss so far); a fold that is not begun counts as its base rate.
    fault : why it failed.
    """

    number: int
    settings: TreeSettings
    state: State
    log_loss: float | None
    by_fold: tuple[float, ...]
    rounds: tuple[int, ...]
    course: tuple[tuple[int, float], ...]
    fault: str | None = None


class _Pruned(Exception):  # noqa: N818  a decision, not a fault
    pass


class _Failed(Exception):  # noqa: N818  told in the trial's record
    pass


class Search:
    """Trials of one model on fixed rows."""

    def __init__(self, learner: LearnerPlan, rows: TuningRows, spec: FeatureSpec) -> None:
        self._learner = learner
        self._folds = rows.folds
        manifest = feature_manifest(spec)
        self._names = tuple(feature.name for feature in manifest)
        self._categorical = tuple(f.name for f in manifest if f.kind == "categorical")
        # What each fold loses with nothing but levels and base rate.
        self._start = [float(_row_losses(None, fold).mean()) for fold in self._folds]

    def run(self, study: Any, number: int) -> tuple[Trial, tuple[Float64Array, ...]]:
        """One trial, and its log loss by fold and validation row as far as it came."""
        from optuna.trial import TrialState

        asked = study.ask()
        settings = _suggest(asked)
        if number == 0:
            settings = present_settings(self._learner)
        forest = ForestSettings(**asdict(with_settings(self._learner, settings)))
        losses: list[Float64Array] = []
        rounds: list[int] = []
        course: list[tuple[int, float]] = []
        state: State = "complete"
        fault: str | None = None
        try:
            for position, fold in enumerate(self._folds):
                ended = sum(float(one.mean()) for one in losses)
                watch = _Watch(
                    asked,
                    position,
                    others=ended + sum(self._start[position + 1 :]),
                    folds=len(self._folds),
                    rate=forest.learning_rate,
                    course=course,
                )
                grown = fit_forest(
                    fold.training,
                    validation=fold.validation,
                    names=self._names,
                    categorical=self._categorical,
                    settings=forest,
                    watch=(watch,),
                )
                losses.append(_row_losses(grown, fold, threads=forest.threads))
                rounds.append(grown.rounds)
        except _Pruned:
            state = "pruned"
        except (_Failed, LightGBMError) as error:
            state, fault = "failed", str(error)
        by_fold = tuple(float(one.mean()) for one in losses)
        value = float(np.mean(by_fold)) if state == "complete" else None
        if value is not None:
            study.tell(asked, value)
        else:
            study.tell(asked, state=TrialState.PRUNED if state == "pruned" else TrialState.FAIL)
        found = Trial(number, settings, state, value, by_fold, tuple(rounds), tuple(course), fault)
        return found, tuple(losses)


class _Watch:
    """Tells the study the mean log loss so far of all folds, and ends a hopeless trial.

    Parameters
    ----------
    asked : Optuna's trial.
    position : of the fold that is being fitted.
    others : sum of the losses of the folds that are ended or not begun.
    folds : their number.
    rate : learning rate of the trial.
    course : what was told is added here.
    """

    def __init__(
        self,
        asked: Any,
        position: int,
        *,
        others: float,
        folds: int,
        rate: float,
        course: list[tuple[int, float]],
    ) -> None:
        self._asked, self._position, self._others = asked, position, others
        self._folds, self._rate, self._course = folds, rate, course
        self._last = -1

    def __call__(self, env: Any) -> None:
        """After each round of LightGBM."""
        loss = float(env.evaluation_result_list[0][2])
        if not np.isfinite(loss):
            raise _Failed(f"log loss is not finite after {env.iteration + 1} trees")
        at = int((env.iteration + 1) * self._rate / UNIT)
        if at <= self._last:
            return
        self._last = at
        step, so_far = self._position * _FOLD_STEPS + at, (self._others + loss) / self._folds
        self._course.append((step, so_far))
        self._asked.report(so_far, step)
        if self._asked.should_prune():
            raise _Pruned


def present_settings(learner: LearnerPlan) -> TreeSettings:
    """The part of a learner's settings that is searched."""
    values = asdict(learner)
    return TreeSettings(**{name: values[name] for name in (*SPACE, "extra_trees")})


@contextmanager
def new_study(learner: LearnerPlan, kind: Kind) -> Iterator[Any]:
    """A study in memory whose first trial is of the present settings; Optuna keeps silent."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    seed = np.random.SeedSequence([learner.seed, KINDS.index(kind)]).generate_state(1)[0]
    try:
        study = optuna.create_study(
            storage=None,
            sampler=optuna.samplers.TPESampler(seed=int(seed)),
            # The complete trials are ever better ones: behind their median is no fair bar.
            pruner=optuna.pruners.PercentilePruner(
                _KEPT_PERCENT, n_startup_trials=_WARM_UP_TRIALS, n_warmup_steps=_WARM_UP_STEPS
            ),
        )
        # The sampler knows its ranges only; the trial itself uses the settings as they are.
        study.enqueue_trial(_within_ranges(present_settings(learner)))
        yield study
    finally:
        optuna.logging.set_verbosity(verbosity)


def _within_ranges(settings: TreeSettings) -> dict[str, Any]:
    values = asdict(settings)
    clipped = {name: min(max(values[name], at.low), at.high) for name, at in SPACE.items()}
    return {**clipped, "extra_trees": values["extra_trees"]}


def _suggest(asked: Any) -> TreeSettings:
    """The sampler's next settings, in three digits: shown, used and pasted alike."""
    values: dict[str, Any] = {}
    for name, at in SPACE.items():
        if at.whole:
            values[name] = asked.suggest_int(name, int(at.low), int(at.high), log=at.log)
        else:
            values[name] = float(f"{asked.suggest_float(name, at.low, at.high, log=at.log):.3g}")
    values["extra_trees"] = asked.suggest_categorical("extra_trees", [True, False])
    return TreeSettings(**values)


def _row_losses(forest: Forest | None, fold: TuningFold, *, threads: int = 1) -> Float64Array:
    """Log loss of each validation row, nats, shape (n,)."""
    rows = fold.validation
    margin = np.zeros(len(rows.labels)) if rows.offset is None else rows.offset
    if forest is not None:
        margin = margin + forest.raw_scores(rows.values, threads=threads)
    losses: Float64Array = np.logaddexp(0.0, margin) - rows.labels * margin
    return losses
