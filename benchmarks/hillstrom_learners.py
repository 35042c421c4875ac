"""Learners of scikit-uplift and causalml on the splits of `benchmarks.hillstrom`.

Both are optional (extra "bench"): a package that is not installed is named with the reason
and its columns are missing. scikit-uplift 0.5.1 and causalml 0.18.0 install beside all versions
of constraints.txt (causalml brings XGBoost with a GPU library of 350 MB, which is not used).

They get the features and trees of benchmarks/meta_learners.py and learn profit directly, each
e-mail against no e-mail. The T-learner of all three is the same to eight digits, a check of ours.
"""

import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMRegressor
from numpy.typing import NDArray

from benchmarks.meta_learners import EFFECT_ROUNDS, OUTCOME_ROUNDS, Trial
from training.effect_sample import NO_CONTACT

Float64Array = NDArray[np.float64]
Learner = Callable[[Trial, Float64Array], Float64Array]
"""Learns from a trial; gives each action's effect on the outcome for new rows, (n_new, A)."""

PACKAGES = ("scikit-uplift", "causalml")
_MODULES = {"scikit-uplift": "sklift.models", "causalml": "causalml.inference.meta"}


def find_learners() -> tuple[dict[str, Learner], dict[str, str]]:
    """The learners of the installed packages, and for the others why they are missing."""
    found: dict[str, Learner] = {}
    missing: dict[str, str] = {}
    for package in PACKAGES:
        try:
            module = import_module(_MODULES[package])
        except ImportError as error:
            missing[package] = f"{type(error).__name__}: {error}. Fix: pip install winback[bench]"
            continue
        of = _scikit_uplift if package == "scikit-uplift" else _causalml
        found |= {f"{package} {name}": learner for name, learner in of(module).items()}
    return found, missing


def installed_versions() -> dict[str, str | None]:
    """Versions of the compared packages; None where not installed."""

    def find(package: str) -> str | None:
        try:
            return version(package)
        except PackageNotFoundError:
            return None

    return {package: find(package) for package in PACKAGES}


def _scikit_uplift(models: Any) -> dict[str, Learner]:
    """One binary comparison per e-mail: the package knows one treatment only."""

    def against_control(build: Callable[[], Any]) -> Learner:
        def learn(trial: Trial, new: Float64Array) -> Float64Array:
            effects = []
            for action in range(len(trial.actions)):
                pair = trial.take((trial.action == action) | (trial.action == NO_CONTACT))
                treated = (pair.action == action).astype(np.int64)
                model = build().fit(_table(pair.rows), pair.outcome, treated)
                effects.append(np.asarray(model.predict(_table(new)), dtype=np.float64))
            return np.column_stack(effects)

        return learn

    return {
        "SoloModel": against_control(lambda: models.SoloModel(_outcome_trees())),
        "TwoModels": against_control(
            lambda: models.TwoModels(_outcome_trees(), _outcome_trees(), method="vanilla")
        ),
    }


def _causalml(meta: Any) -> dict[str, Learner]:
    """Several treatments at once, with the known propensities where the learner takes them."""

    def of(build: Callable[[], Any], *, takes_propensity: bool) -> Learner:
        def learn(trial: Trial, new: Float64Array) -> Float64Array:
            treatment = np.array([f"{code}" for code in trial.action])
            known: dict[str, Any] = {}
            later: dict[str, Any] = {}
            if takes_propensity:
                # It works on pairs of an arm and the control, so: the arm's share of the pair.
                names = [f"{code}" for code in range(len(trial.actions))]
                known["p"] = {name: np.full(len(treatment), 0.5) for name in names}
                later["p"] = {name: np.full(len(new), 0.5) for name in names}
            model = build()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(X=trial.rows, treatment=treatment, y=trial.outcome, **known)
                effects = model.predict(X=new, **later)
            return np.asarray(effects, dtype=np.float64).reshape(len(new), len(trial.actions))

        return learn

    control = f"{NO_CONTACT}"
    return {
        "S": of(
            lambda: meta.BaseSRegressor(_outcome_trees(), control_name=control),
            takes_propensity=False,
        ),
        "T": of(
            lambda: meta.BaseTRegressor(_outcome_trees(), control_name=control),
            takes_propensity=False,
        ),
        "X": of(
            lambda: meta.BaseXRegressor(
                control_outcome_learner=_outcome_trees(),
                treatment_outcome_learner=_outcome_trees(),
                control_effect_learner=_effect_trees(),
                treatment_effect_learner=_effect_trees(),
                control_name=control,
            ),
            takes_propensity=True,
        ),
        "R": of(
            lambda: meta.BaseRRegressor(
                outcome_learner=_outcome_trees(),
                effect_learner=_effect_trees(),
                control_name=control,
                n_fold=3,
                cv_n_jobs=1,
                random_state=0,
            ),
            takes_propensity=True,
        ),
        "DR": of(
            lambda: meta.BaseDRRegressor(
                control_outcome_learner=_outcome_trees(),
                treatment_outcome_learner=_outcome_trees(),
                treatment_effect_learner=_effect_trees(),
                control_name=control,
            ),
            takes_propensity=True,
        ),
    }


def _table(rows: Float64Array) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[f"x{column}" for column in range(rows.shape[1])])


def _outcome_trees() -> LGBMRegressor:
    return _trees(OUTCOME_ROUNDS)


def _effect_trees() -> LGBMRegressor:
    return _trees(EFFECT_ROUNDS)


def _trees(rounds: int) -> LGBMRegressor:
    return LGBMRegressor(
        n_estimators=rounds,
        learning_rate=0.05,
        num_leaves=8,
        min_child_samples=100,
        reg_lambda=10.0,
        n_jobs=1,
        force_row_wise=True,
        deterministic=True,
        random_state=0,
        verbosity=-1,
    )
