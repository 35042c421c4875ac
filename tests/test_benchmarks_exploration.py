"""The benchmark of exploration: paired shops, and ratios of summed regrets."""

import numpy as np
import pytest

from benchmarks import exploration_nights
from benchmarks.exploration import EXPLORING, compare
from benchmarks.exploration_nights import (
    ASSUMED,
    GREEDY,
    Played,
    draw_customers,
    draw_shift,
    play,
)


def test_policies_meet_the_same_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exploration_nights, "NIGHTS", 9)
    exploring, again = play("wrong", 3, EXPLORING), play("wrong", 3, EXPLORING)
    greedy = play("wrong", 3, GREEDY)
    assert exploring == again
    assert exploring.oracle == greedy.oracle
    assert exploring.regret != greedy.regret
    assert greedy.regret > 0
    assert greedy.judged == 3


def test_the_truth_is_drawn_from_what_the_right_world_assumes() -> None:
    shifts = np.array([draw_shift(seed) for seed in range(400)]).reshape(400, 4, 2)
    assert shifts[:, :, 0].mean(axis=0) == pytest.approx(ASSUMED["right"], abs=0.03)
    world = draw_customers(shifts[0].ravel(), seed=0, night=0)
    assert (draw_customers(shifts[0].ravel(), seed=0, night=0).p == world.p).all()
    assert (draw_customers(shifts[0].ravel(), seed=0, night=1).p0 != world.p0).any()


def test_the_ratio_is_of_sums_and_pairs_stay_together() -> None:
    mine = [Played(100.0, regret, 0, 0) for regret in (10.0, 20.0)]
    theirs = [Played(100.0, 2 * shop.regret, 0, 0) for shop in mine]
    figures = compare(mine, theirs)
    assert figures["ratio"] == 0.5
    assert figures["interval"] == [0.5, 0.5]
    assert figures["regret_exploring"] == 0.15
    assert figures["regret_greedy"] == 0.3
