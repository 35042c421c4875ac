"""The effect of a contact: sums of its parts, its uncertainty, its draws, its file."""

import json
from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from models.contact_effect import (
    ContactEffect,
    EffectPriors,
    assumed_effect,
    contact_effect_from_json,
)
from models.effect_design import EffectDesign, learn_basis
from models.effect_trees import EffectTrees, tree_rows
from models.forest import read_forest

Floats = NDArray[np.float64]
CHANNELS, OFFERS = ("push", "sms"), ("none", "coupon")
PRIORS = EffectPriors(
    mean=np.array([0.1, 0.4, 0.2, 0.5]),
    channel_sd=np.array([0.1, 0.2]),
    offer_sd=np.array([0.0, 0.3]),
    moved=np.array([False, True, False, True]),
)


def customers(n: int, seed: int = 1) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    return rng.normal(-2.5, 0.8, n), rng.normal(size=(n, 3)) * [1.0, 5.0, 0.2] + [0, 3, 1]


def learnt_effect(*, seed: int = 2) -> ContactEffect:
    """An effect that depends on the customer, with any coefficients."""
    rng = np.random.default_rng(seed)
    basis = learn_basis(*customers(500), features=("a", "b", "c"))
    design = EffectDesign(CHANNELS, OFFERS, PRIORS.channel_sd, PRIORS.offer_sd, basis.width)
    root = rng.normal(size=(design.size, design.size)) * 0.02
    return ContactEffect(
        design=design,
        rung="ridge",
        evidence=("uplift", "rules", "uplift", "response"),
        prior_mean=PRIORS.mean,
        basis=basis,
        mean=rng.normal(size=design.size) * 0.1,
        covariance=root @ root.T,
    )


def with_trees(effect: ContactEffect) -> ContactEffect:
    odds, x = customers(400, 3)
    action = np.arange(400) % 4
    rows = tree_rows(odds, x, action, n_offers=2)
    target = 0.02 * (x[:, 0] > 0) + 0.01 * action
    booster = lgb.train(
        {"objective": "regression", "num_leaves": 4, "verbosity": -1, "num_threads": 1},
        lgb.Dataset(rows, target),
        num_boost_round=8,
    )
    trees = EffectTrees(read_forest(booster.model_to_string()), 0.25)
    return replace(effect, rung="stack", trees=trees)


def test_the_assumed_effect_is_the_configuration() -> None:
    effect = assumed_effect(PRIORS, channels=CHANNELS, offers=OFFERS)
    assert effect.actions == ("push/none", "push/coupon", "sms/none", "sms/coupon")
    assert effect.evidence == ("rules", "response", "rules", "response")
    found = effect.shifts(*customers(5))
    assert found.mean == pytest.approx(np.tile(PRIORS.mean, (5, 1)))
    sds = [0.1, np.hypot(0.1, 0.3), 0.2, np.hypot(0.2, 0.3)]
    assert found.sd == pytest.approx(np.tile(sds, (5, 1)))
    assert PRIORS.sd == pytest.approx(sds)


def test_means_are_the_sum_of_their_parts() -> None:
    """delta = prior + channel + offer + action + B(x) (main + by channel + by offer)."""
    effect = learnt_effect()
    assert effect.basis is not None
    odds, x = customers(30, 4)
    width, b = effect.basis.width, effect.mean
    columns = effect.basis.matrix(odds, x)
    channel, offer, single = b[:2], b[2:3], b[3:7]
    main, push, sms, coupon = b[7:].reshape(4, width)
    by_hand = np.c_[
        0.1 + 0.1 * channel[0] + single[0] + columns @ (main + push),
        0.4 + 0.1 * channel[0] + 0.3 * offer[0] + single[1] + columns @ (main + push + coupon),
        0.2 + 0.2 * channel[1] + single[2] + columns @ (main + sms),
        0.5 + 0.2 * channel[1] + 0.3 * offer[0] + single[3] + columns @ (main + sms + coupon),
    ]
    assert effect.means(odds, x) == pytest.approx(by_hand)
    assert effect.shifts(odds, x).mean == pytest.approx(by_hand)
    for action in range(4):
        own = np.c_[np.ones(30), columns] @ effect.design.adder(action) @ b
        assert PRIORS.mean[action] + own == pytest.approx(by_hand[:, action])


def test_sds_agree_with_draws_and_draws_with_means() -> None:
    effect = learnt_effect()
    odds, x = customers(20, 5)
    drawn = effect.draw(np.random.default_rng(1), odds, x, draws=4000)
    found = effect.shifts(odds, x)
    assert drawn.shape == (4000, 20, 4)
    assert drawn.std(axis=0) == pytest.approx(found.sd, rel=0.06)
    error = np.abs(drawn.mean(axis=0) - found.mean) / found.sd
    assert error.max() < 5 / np.sqrt(4000)


@pytest.mark.parametrize("kind", ["assumed", "stack"])
def test_the_sd_of_one_action_each_is_that_of_all_shifts(kind: str) -> None:
    effect = assumed_effect(PRIORS, channels=CHANNELS, offers=OFFERS)
    if kind == "stack":
        effect = with_trees(learnt_effect())
    odds, x = customers(40, 11)
    action = np.random.default_rng(2).integers(0, 4, 40)
    own = effect.shifts(odds, x).sd[np.arange(40), action]
    assert effect.sd_of(odds, x, action) == pytest.approx(own, rel=1e-9)
    assert effect.sd_of(odds[:0], x[:0], action[:0]).shape == (0,)


def test_draws_are_reproducible_and_the_same_worlds_for_every_block() -> None:
    effect = with_trees(learnt_effect())
    odds, x = customers(20, 6)
    whole = effect.draw(np.random.default_rng(9), odds, x, draws=15)
    again = effect.draw(np.random.default_rng(9), odds, x, draws=15)
    np.testing.assert_array_equal(whole, again)
    parts = [
        effect.draw(np.random.default_rng(9), odds[rows], x[rows], draws=15)
        for rows in (slice(0, 7), slice(7, 20))
    ]
    assert np.concatenate(parts, axis=1) == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize("kind", ["assumed", "ridge", "stack"])
def test_draws_are_those_of_one_world_after_the_other(kind: str) -> None:
    effect = assumed_effect(PRIORS, channels=CHANNELS, offers=OFFERS)
    if kind != "assumed":
        effect = learnt_effect() if kind == "ridge" else with_trees(learnt_effect())
    odds, x = customers(12, 10)
    rng = np.random.default_rng(3)
    root = np.linalg.cholesky(effect.covariance + 1e-12 * np.eye(len(effect.mean)))
    drawn = effect.draw(np.random.default_rng(3), odds, x, draws=5)
    mean = replace(effect, trees=None).means(odds, x)
    for world in drawn:
        own = effect.mean + root @ rng.standard_normal(len(effect.mean))
        plain = replace(effect, mean=own, trees=None).means(odds, x)
        assert world == pytest.approx(plain + effect.means(odds, x) - mean, abs=1e-9)


def test_trees_are_mixed_in_probability() -> None:
    linear = learnt_effect()
    mixed = with_trees(linear)
    assert mixed.trees is not None
    odds, x = customers(25, 7)
    own = mixed.means(odds, x)
    for action in range(4):
        rows = tree_rows(odds, x, np.full(25, action), n_offers=2)
        effect = mixed.trees.forest.booster.predict(rows, num_threads=1)
        expected = 0.75 * expit(odds + linear.means(odds, x)[:, action]) + 0.25 * (
            expit(odds) + np.asarray(effect)
        )
        assert expit(odds + own[:, action]) == pytest.approx(np.clip(expected, 1e-4, 0.999))
    np.testing.assert_array_equal(mixed.shifts(odds, x).sd, linear.shifts(odds, x).sd)


@pytest.mark.parametrize("kind", ["assumed", "ridge", "stack"])
def test_the_file_is_read_as_it_was_written(kind: str) -> None:
    effect = assumed_effect(PRIORS, channels=CHANNELS, offers=OFFERS)
    if kind != "assumed":
        effect = learnt_effect() if kind == "ridge" else with_trees(learnt_effect())
    text = json.dumps(effect.to_json())
    again = contact_effect_from_json(json.loads(text), effect.trees_text)
    assert (again.rung, again.evidence, again.actions) == (
        effect.rung,
        effect.evidence,
        effect.actions,
    )
    odds, x = customers(30, 8)
    np.testing.assert_array_equal(again.means(odds, x), effect.means(odds, x))
    assert again.shifts(odds, x).sd == pytest.approx(effect.shifts(odds, x).sd, rel=1e-6)
    assert json.dumps(again.to_json()) == text
    assert again.trees_text == effect.trees_text
    assert np.isfinite(again.draw(np.random.default_rng(1), odds, x, draws=3)).all()


def test_far_customers_are_cut_off() -> None:
    effect = learnt_effect()
    odds, x = customers(1, 9)
    far = x + 1e9
    farther = x + 1e12
    np.testing.assert_array_equal(effect.means(odds, far), effect.means(odds, farther))


def test_a_feature_that_never_varied_changes_nothing() -> None:
    odds, x = customers(100)
    # The mean of equal numbers is not always that number: log(31) differs by rounding.
    for value in (7.0, np.log1p(30.0), 1e9 / 3.0):
        x[:, 1] = value
        basis = learn_basis(odds, x, features=("a", "b", "c"))
        columns = basis.matrix(odds, x)
        assert columns[:, 1] == pytest.approx(np.zeros(100), abs=1e-6)
        assert np.isfinite(columns).all()
