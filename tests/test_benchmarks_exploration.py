"""The benchmark of exploration: paired shops, and ratios of summed regrets."""

import numpy as np
import pytest

from benchmarks import exploration_shop
from benchmarks.exploration import (
    EXPLORING,
    LIMITS,
    cases_of,
    compare,
    compare_cases,
    nights_covered,
)
from benchmarks.exploration_nights import ASSUMED, Case, Played, play
from benchmarks.exploration_shop import GREEDY, Shop, draw_customers, draw_shift
from benchmarks.uplift_world import incremental_profit
from scoring.contest import contest_for_seats, sent_share
from scoring.night_plan import plan_contacts


def test_policies_meet_the_same_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exploration_shop, "NIGHTS", 9)
    cases = [Case("wrong", EXPLORING), Case("wrong", GREEDY)]
    played = play(3, cases)
    assert played == play(3, cases)
    exploring, greedy = (played[case] for case in cases)
    assert exploring.oracle == greedy.oracle
    assert exploring.regret != greedy.regret
    assert greedy.regret > 0
    assert greedy.judged == 3


def test_what_else_is_played_in_a_shop_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exploration_shop, "NIGHTS", 9)
    cases = [Case("right", GREEDY), Case("right", EXPLORING)]
    together = play(4, cases)
    assert together == {case: play(4, [case])[case] for case in cases}


def test_a_week_is_planned_once_and_as_every_night_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exploration_shop, "NIGHTS", 7)
    planned = []

    def plan(contest):  # type: ignore[no-untyped-def]
        planned.append(plan_contacts(contest))
        return planned[-1]

    monkeypatch.setattr(exploration_shop, "plan_contacts", plan)
    shop = Shop(5)
    assert len(planned) == 2
    for night in range(7):
        world, draws = shop.world(night), shop.draws(GREEDY, night)
        contest = contest_for_seats(
            incremental_profit(world.p0, world.p, world.order_value),
            allowed=np.ones(world.p.shape, dtype=np.bool_),
            tie=draws.tie,
            limits=exploration_shop.LIMITS,
            sent_share=sent_share(GREEDY),
        )
        again = plan_contacts(contest)
        assert (again.action == planned[night // 5].action).all()
        assert (again.prices.seats == planned[night // 5].prices.seats).all()
    arms = [shop.draws(GREEDY, night).arm for night in (0, 1)]
    assert (arms[0] != arms[1]).any()


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


def test_cases_with_a_bar_are_played_in_every_shop() -> None:
    played = [cases_of(seed, 8) for seed in range(8)]
    for assumed in LIMITS:
        assert all(Case(assumed, each) in shop for shop in played for each in (EXPLORING, GREEDY))
    assert [len(shop) for shop in played] == [9, 9, *[4] * 6]


def test_a_case_is_compared_in_the_shops_that_play_it() -> None:
    gloomy, greedy = Case("gloomy", EXPLORING), Case("gloomy", GREEDY)
    barred = {Case(a, e): Played(9.0, 3.0, 3, 4) for a in LIMITS for e in (EXPLORING, GREEDY)}
    first = {gloomy: Played(9.0, 1.0, 0, 1), greedy: Played(9.0, 2.0, 0, 1)}
    figures = compare_cases([barred | first, barred], gloomy)
    assert figures["seeds"] == 1
    assert figures["ratio"] == 0.5
    assert nights_covered([barred | first, barred]) == 0.75
