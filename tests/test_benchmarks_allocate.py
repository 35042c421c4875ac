"""The allocation benchmark's own parts, on sizes that take seconds."""

import numpy as np

from benchmarks.allocate import large_bars, large_shop, random_prices, small_bars, small_nights
from benchmarks.allocate_rivals import SORTS, limits_exceeded, solve_whole, sort_and_admit
from benchmarks.allocate_shops import CHUNK, Sizes, random_night, shop_matrices
from scoring.allocate.usage import total_worth


def test_a_shop_is_the_same_however_large_it_is() -> None:
    value, cost = shop_matrices(1_000, seed=1)
    again, _ = shop_matrices(1_000, seed=1)
    assert value.tobytes() == again.tobytes()
    assert (cost > 0).all()
    assert 0.05 < (value > 0).mean() < 0.8
    assert CHUNK % 1_000 == 0


def test_a_large_shop_holds_its_bars() -> None:
    figures = large_shop(400, again=True)
    bars = large_bars("L2", figures, seconds=60.0, gap=1e-2, memory=4.0)
    assert [bar.name for bar in bars if not bar.holds] == []
    assert len(bars) == 6
    assert figures["tight"]["sorts"].keys() == set(SORTS)


def test_small_nights_and_random_prices_hold_theirs() -> None:
    figures = small_nights(2, seconds=10.0)
    assert figures["nights"] == 2
    assert [bar.name for bar in small_bars(figures) if not bar.holds] == []
    assert random_prices(2, seconds=10.0)["bounds_below"] == 0


def test_sorts_keep_the_limits_and_highs_is_no_worse() -> None:
    for seed in range(8):
        problem = random_night(np.random.default_rng(seed), Sizes(10, 80, 5))
        exact = solve_whole(problem, seconds=10.0)
        for sort in SORTS:
            action = sort_and_admit(problem, sort)
            assert limits_exceeded(problem, action) == 0
            if exact.missed == 0:
                assert total_worth(problem, action) <= exact.worth + 1e-6 * abs(exact.worth)
