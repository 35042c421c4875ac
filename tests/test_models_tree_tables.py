"""Scores and contributions read off tables are LightGBM's, whatever the trees split by."""

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from numpy.typing import NDArray

from models import tree_shap
from models.forest import read_forest
from models.tree_scores import score_tables
from models.tree_shap import shap_tables
from models.tree_splits import BLOCK_ROWS, SMALL_NODES

Floats = NDArray[np.float32]


def rows_of(seed: int, n: int) -> Floats:
    """Two numbers with gaps, one with many zeros, two category codes, one constant."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 6)).astype(np.float32)
    values[rng.random(n) < 0.2, 0] = np.nan
    values[rng.random(n) < 0.5, 2] = 0.0
    values[:, 3] = rng.integers(-1, 7, n)
    values[:, 4] = rng.integers(0, 90, n)
    values[rng.random(n) < 0.1, 4] = np.nan
    values[:, 5] = 1.0
    return values


def booster(seed: int = 1, *, n: int = 3000, rounds: int = 25, **settings: Any) -> Any:
    """A forest that needs all of these columns."""
    values = rows_of(seed, n)
    rng = np.random.default_rng(seed + 1)
    score = np.nan_to_num(values[:, 0]) * values[:, 1] + (values[:, 2] == 0)
    score += np.isin(values[:, 3], (0, 2, 5)) + np.nan_to_num(values[:, 4]) % 7 / 3
    labels = rng.random(n) < 1 / (1 + np.exp(2.0 - score))
    parameters = {
        "objective": "binary",
        "verbosity": -1,
        "min_data_in_leaf": 5,
        "learning_rate": 0.3,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "num_threads": 1,
        "seed": seed,
        **settings,
    }
    data = lgb.Dataset(values, label=labels, categorical_feature=[3, 4], params=parameters)
    return lgb.train(parameters, data, num_boost_round=rounds)


def strange_rows(seed: int, n: int) -> Floats:
    """Rows with categories that were never seen, and without an end."""
    rows = rows_of(seed, n)
    rows[:5, 3] = (-3.0, 40.0, 1e9, np.nan, 2.5)
    rows[:2, 0] = (np.inf, -np.inf)
    return rows


def compare(fitted: Any, seed: int = 9, n: int = BLOCK_ROWS + 37) -> None:
    """Both ways give the same contributions for rows that training never saw."""
    rows = strange_rows(seed, n)
    tables = shap_tables(fitted.model_to_string())
    assert tables is not None
    expected = np.asarray(fitted.predict(rows, pred_contrib=True, num_threads=1))[:, :-1]
    np.testing.assert_allclose(tables.contributions(rows), expected, atol=1e-12)


SMALL: list[dict[str, Any]] = [
    {"num_leaves": 2},
    {"num_leaves": 8},
    {"num_leaves": 8, "extra_trees": True, "max_bin": 16},
    {"num_leaves": SMALL_NODES + 1},
    {"num_leaves": 8, "zero_as_missing": True},
    {"num_leaves": 8, "use_missing": False},
    {"num_leaves": 8, "min_data_in_leaf": 2900},
]
LARGE: list[dict[str, Any]] = [
    {"num_leaves": SMALL_NODES + 2},
    {"num_leaves": 24, "max_depth": 7},
]


@pytest.mark.parametrize("settings", SMALL)
def test_tables_give_lightgbms_scores_to_the_bit(settings: dict[str, Any]) -> None:
    fitted, rows = booster(**settings), strange_rows(9, BLOCK_ROWS + 37)
    tables = score_tables(fitted.model_to_string())
    assert tables is not None
    expected = np.asarray(fitted.predict(rows, raw_score=True, num_threads=1))
    np.testing.assert_array_equal(tables.raw_scores(rows), expected)
    wide = rows.astype(np.float64)
    expected = np.asarray(fitted.predict(wide, raw_score=True, num_threads=1))
    np.testing.assert_array_equal(tables.raw_scores(wide), expected)


def test_each_tree_of_a_round_has_a_sum_of_its_own() -> None:
    fitted = booster(objective="multiclass", num_class=2, num_leaves=8)
    rows, tables = strange_rows(3, 60), score_tables(fitted.model_to_string())
    assert tables is not None
    scores = tables.raw_scores(rows)
    assert scores.shape == (60, 2)
    np.testing.assert_array_equal(scores, fitted.predict(rows, raw_score=True, num_threads=1))


@pytest.mark.parametrize(
    "settings", [*LARGE, {"boosting": "rf", "num_leaves": 8}, {"linear_tree": True}]
)
def test_forests_that_tables_do_not_serve_are_left_to_lightgbm(settings: dict[str, Any]) -> None:
    fitted, rows = booster(rounds=3, **settings), rows_of(4, 600)
    text = fitted.model_to_string()
    assert score_tables(text) is None
    expected = np.asarray(fitted.predict(rows, raw_score=True, num_threads=1))
    np.testing.assert_allclose(read_forest(text).raw_scores(rows, threads=1), expected)


def test_few_rows_and_many_get_the_same_scores() -> None:
    forest, rows = read_forest(booster(num_leaves=8).model_to_string()), strange_rows(5, 600)
    alone = np.concatenate(
        [forest.raw_scores(rows[start : start + 50]) for start in range(0, 600, 50)]
    )
    np.testing.assert_array_equal(forest.raw_scores(rows), alone)


@pytest.mark.parametrize("settings", [*SMALL, *LARGE])
def test_tables_give_lightgbms_contributions(settings: dict[str, Any]) -> None:
    compare(booster(**settings))


def test_small_and_large_trees_may_stand_side_by_side() -> None:
    # Leaves of so many rows leave some of the trees small.
    fitted = booster(num_leaves=14, min_data_in_leaf=200, rounds=40)
    leaves = {tree["num_leaves"] for tree in fitted.dump_model()["tree_info"]}
    assert min(leaves) <= SMALL_NODES + 1 < max(leaves)
    compare(fitted)


def test_trees_that_never_split_say_nothing() -> None:
    fitted = booster(num_leaves=8, min_data_in_leaf=2900)
    tables = shap_tables(fitted.model_to_string())
    assert tables is not None
    assert not tables.contributions(rows_of(2, 10)).any()


@pytest.mark.parametrize("limit", ["MOST_FEATURES", "MOST_ENTRIES"])
def test_a_forest_of_too_large_tables_is_left_to_lightgbm(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = booster(seed=5, num_leaves=24).model_to_string()
    monkeypatch.setattr(tree_shap, limit, 3)
    shap_tables.cache_clear()
    forest, rows = read_forest(text), rows_of(6, 40)
    assert shap_tables(text) is None
    walked = forest.contributions(rows, threads=1)
    monkeypatch.undo()
    shap_tables.cache_clear()
    np.testing.assert_allclose(forest.contributions(rows, threads=1), walked, atol=1e-12)


def test_more_splits_than_a_word_has_bits_are_left_to_lightgbm() -> None:
    fitted = booster(num_leaves=80, min_data_in_leaf=2, rounds=1)
    assert fitted.dump_model()["tree_info"][0]["num_leaves"] > 65
    assert shap_tables(fitted.model_to_string()) is None


def test_a_rows_parts_do_not_depend_on_the_others() -> None:
    tables = shap_tables(booster(num_leaves=8).model_to_string())
    assert tables is not None
    rows = rows_of(7, 50)
    alone = np.concatenate([tables.contributions(rows[place : place + 1]) for place in range(50)])
    np.testing.assert_array_equal(tables.contributions(rows), alone)
