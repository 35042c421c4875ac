"""The forest: deterministic, kept as text, contributions that add up."""

import numpy as np
import pytest

from features.errors import ArtifactError
from models.forest import Forest, ForestSettings, Sample, fit_forest, read_forest

SETTINGS = ForestSettings(max_rounds=40, min_data_in_leaf=10, early_stopping_rounds=10)
NAMES = ("recency", "orders", "city", "noise")


def sample(n: int, seed: int) -> Sample:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 4)).astype(np.float32)
    values[:, 2] = rng.integers(0, 5, size=n)
    values[rng.random(n) < 0.1, 1] = np.nan
    logit = -values[:, 0] + (values[:, 2] == 3)
    return Sample(values, (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(np.int8))


def fitted(**changes: int) -> Forest:
    settings = ForestSettings(
        **{
            "max_rounds": 40,
            "min_data_in_leaf": 10,
            "early_stopping_rounds": 10,
            "threads": 1,
            **changes,
        }
    )
    return fit_forest(
        sample(2000, 1),
        validation=sample(800, 2),
        names=NAMES,
        categorical=("city",),
        settings=settings,
    )


def test_same_inputs_give_the_same_text() -> None:
    assert fitted().text == fitted().text


def test_the_seed_matters() -> None:
    assert fitted().text != fitted(seed=1).text


def test_text_gives_the_same_forest_back() -> None:
    forest, rows = fitted(), sample(300, 3).values
    again = read_forest(forest.text)
    assert again.rounds == forest.rounds
    np.testing.assert_array_equal(again.raw_scores(rows), forest.raw_scores(rows))


def test_it_learns_and_stops_before_the_last_round() -> None:
    forest, later = fitted(max_rounds=500), sample(2000, 4)
    scores = forest.raw_scores(later.values)
    assert forest.rounds < 500
    assert scores[later.labels == 1].mean() > scores[later.labels == 0].mean() + 0.5
    assert int(np.argmax(forest.gains())) == 0


def test_contributions_and_a_constant_add_up_to_the_score() -> None:
    forest, rows = fitted(), sample(50, 5).values
    parts = forest.contributions(rows)
    assert parts.shape == (50, 4)
    rest = forest.raw_scores(rows) - parts.sum(axis=1)
    np.testing.assert_allclose(rest, rest[0], atol=1e-6)


def test_no_rows_give_no_scores() -> None:
    empty = np.zeros((0, 4), dtype=np.float32)
    assert fitted().raw_scores(empty).shape == (0,)
    assert fitted().contributions(empty).shape == (0, 4)


def test_a_text_cut_in_half_is_refused() -> None:
    text = fitted().text
    with pytest.raises(ArtifactError, match=r"LightGBM cannot read it.*winback train"):
        read_forest(text[:100])


def offset_sample(n: int, seed: int) -> Sample:
    """One feature that tells, and an offset that shifts everybody of a season."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 4)).astype(np.float32)
    offset = np.where(np.arange(n) % 2 == 0, 2.0, -2.0)
    chance = 1 / (1 + np.exp(-(values[:, 0] + offset)))
    return Sample(values, (rng.random(n) < chance).astype(np.int8), offset)


def test_trees_add_to_the_offset_and_leave_it_out_of_their_scores() -> None:
    """With it they learn what the features tell; a season's level is not among that."""
    settings = ForestSettings(
        max_rounds=150, min_data_in_leaf=20, num_leaves=8, feature_fraction=1.0, threads=1
    )
    training, later = offset_sample(6_000, 1), offset_sample(2_000, 2)
    forest = fit_forest(training, validation=later, names=NAMES, settings=settings)
    scores = forest.raw_scores(later.values)
    chance = 1 / (1 + np.exp(-(scores + later.offset)))  # type: ignore[operator]
    for season in (chance[::2], chance[1::2]):
        assert 0.05 < season.mean() < 0.95
    assert chance[::2].mean() == pytest.approx(later.labels[::2].mean(), abs=0.03)
    assert chance[1::2].mean() == pytest.approx(later.labels[1::2].mean(), abs=0.03)
    assert np.corrcoef(scores, later.values[:, 0])[0, 1] > 0.9
    assert abs(scores.mean()) < 0.2


def test_without_validation_rows_all_rounds_are_boosted() -> None:
    settings = ForestSettings(
        max_rounds=17, min_data_in_leaf=20, feature_fraction=1.0, lambda_l2=0.0, threads=1
    )
    assert fit_forest(sample(800, 1), names=NAMES, settings=settings).rounds == 17


@pytest.mark.parametrize(
    ("rows", "leaf"),
    [(None, 200), (100_000, 200), (12_000, 200), (6_000, 100), (1_500, 25), (300, 20), (0, 20)],
)
def test_a_leaf_needs_no_more_than_a_sixtieth_of_the_rows(rows: int | None, leaf: int) -> None:
    assert ForestSettings(min_data_in_leaf=200).parameters(rows)["min_data_in_leaf"] == leaf


def test_a_smaller_leaf_asked_for_is_kept() -> None:
    assert ForestSettings(min_data_in_leaf=5).parameters(50_000)["min_data_in_leaf"] == 5
