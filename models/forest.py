"""The boosted forest behind both models: fitted deterministically, kept as LightGBM's own text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from features.errors import ArtifactError, describe
from models.tree_scores import score_tables
from models.tree_shap import shap_tables

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]
Int8Array = NDArray[np.int8]

_LEAVES, _SMALLEST_LEAF = 60, 20

_ROWS_FOR_TABLES = 500
"""Below so many rows LightGBM is done before tables would be made."""


@dataclass(frozen=True, slots=True)
class ForestSettings:
    """LightGBM settings; the names are LightGBM's where it has one."""

    learning_rate: float = 0.05
    num_leaves: int = 8
    min_data_in_leaf: int = 200
    feature_fraction: float = 0.3
    bagging_fraction: float = 0.5
    lambda_l2: float = 20.0
    extra_trees: bool = True
    max_rounds: int = 1000
    early_stopping_rounds: int = 40
    threads: int = 2
    seed: int = 20260101

    def parameters(self, rows: int | None = None) -> dict[str, Any]:
        """LightGBM's parameters for so many rows, with every source of chance seeded.

        A leaf never needs more than a sixtieth of the rows, or small shops would get stumps.
        """
        leaf = self.min_data_in_leaf
        if rows is not None:
            leaf = min(leaf, max(rows // _LEAVES, _SMALLEST_LEAF))
        return {
            "objective": "binary",
            "metric": "binary_logloss",
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_data_in_leaf": leaf,
            "feature_fraction": self.feature_fraction,
            "bagging_fraction": self.bagging_fraction,
            "bagging_freq": 1,
            "lambda_l2": self.lambda_l2,
            "extra_trees": self.extra_trees,
            "max_bin": 255,
            "num_threads": self.threads,
            "seed": self.seed,
            "deterministic": True,
            "force_col_wise": True,
            "verbosity": -1,
        }


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows to learn from.

    Attributes
    ----------
    values : shape (n, F), NaN is missing.
    labels : 0 or 1, shape (n,).
    offset : log-odds known beside the features, which the trees add to, shape (n,); None: 0.
    """

    values: Float32Array
    labels: Int8Array
    offset: Float64Array | None = None


@dataclass(frozen=True, slots=True)
class Forest:
    """A fitted forest.

    Attributes
    ----------
    booster : LightGBM's booster, cut at its best round.
    rounds : trees it holds.
    text : LightGBM's own text form; `read_forest` gives the same forest back.
    """

    booster: Any
    rounds: int
    text: str

    def raw_scores(self, values: NDArray[np.floating], *, threads: int = 0) -> Float64Array:
        """Log-odds before calibration, shape (n,), or (n, k) for k trees per round.

        Read off tables where trees are small and rows are worth making tables for, else left
        to LightGBM, which takes some ten times as long for the same sums to the bit.
        `threads` = 0 uses its default.
        """
        if len(values) == 0:
            return np.zeros(0, dtype=np.float64)
        tables = score_tables(self.text) if len(values) >= _ROWS_FOR_TABLES else None
        if tables is not None:
            return tables.raw_scores(values)
        scores = self.booster.predict(values, raw_score=True, num_threads=threads)
        return np.asarray(scores, dtype=np.float64)

    def contributions(self, values: Float32Array, *, threads: int = 0) -> Float64Array:
        """Each feature's part of the log-odds (tree SHAP), shape (n, F), bias left out.

        Read off tables where the forest's fit into memory, else left to LightGBM, which
        takes some fifty times as long for the same values.
        """
        if len(values) == 0:
            return np.zeros((0, values.shape[1]), dtype=np.float64)
        tables = shap_tables(self.text)
        if tables is not None:
            return tables.contributions(values)
        parts = self.booster.predict(values, pred_contrib=True, num_threads=threads)
        return np.asarray(parts, dtype=np.float64)[:, :-1]

    def gains(self) -> Float64Array:
        """Total split gain of each feature, in column order, shape (F,)."""
        return np.asarray(self.booster.feature_importance("gain"), dtype=np.float64)


def fit_forest(
    training: Sample,
    *,
    validation: Sample | None = None,
    names: tuple[str, ...],
    categorical: tuple[str, ...] = (),
    settings: ForestSettings,
    watch: Sequence[Callable[[Any], None]] = (),
) -> Forest:
    """Boost trees until log loss on the later `validation` rows stops falling.

    Without validation rows all `settings.max_rounds` are boosted. The same inputs and
    settings give the same text, byte for byte.

    Parameters
    ----------
    training, validation : rows of an earlier and of a later fold.
    names : column names of `values`, in order.
    categorical : the columns that hold codes, not quantities.
    settings : learner settings.
    watch : further LightGBM callbacks, which may stop a hopeless fit.

    References
    ----------
    METHODS.md section 1: no class weights and no resampling, which would spoil calibration.
    """
    parameters = settings.parameters(len(training.labels))
    fitting = lgb.Dataset(
        training.values,
        label=training.labels,
        init_score=training.offset,
        feature_name=list(names),
        categorical_feature=list(categorical),
        params=parameters,
        free_raw_data=True,
    )
    stopping: dict[str, Any] = {}
    if validation is not None:
        later = lgb.Dataset(
            validation.values,
            label=validation.labels,
            init_score=validation.offset,
            reference=fitting,
        )
        early = lgb.early_stopping(settings.early_stopping_rounds, verbose=False)
        stopping = {"valid_sets": [later], "callbacks": [early, *watch]}
    booster = lgb.train(parameters, fitting, num_boost_round=settings.max_rounds, **stopping)
    rounds = max(1, int(booster.best_iteration)) if stopping else None
    # Read back from text, so the forest just judged is the very one that is served.
    return read_forest(booster.model_to_string(num_iteration=rounds))


def read_forest(text: str) -> Forest:
    """The forest of LightGBM's text form.

    Raises
    ------
    ArtifactError : the text is not a LightGBM model.
    """
    try:
        booster = lgb.Booster(model_str=text)
    except lgb.basic.LightGBMError as error:
        raise ArtifactError(
            describe(
                "model.txt",
                f"LightGBM cannot read it: {error}",
                expected="a model in LightGBM's text form",
                fix="run `winback train`, which replaces champions that cannot serve, or restore "
                "the bundle from a backup",
            )
        ) from error
    return Forest(booster=booster, rounds=int(booster.num_trees()), text=text)
