"""The simulator's benchmark in small: the plain shop's law, paired luck, telling shops apart."""

from dataclasses import replace
from datetime import date

import numpy as np

from benchmarks.worlds import SHOP_OF_ORDERS, measure_pairing, true_gain
from benchmarks.worlds_cdnow import tell_apart
from benchmarks.worlds_orders import Orders, read_orders
from pipelines.init import preset_config
from pipelines.simulate import SimulationPlan, WorldPlan
from pipelines.simulate.nights import Population
from pipelines.simulate.plain import PlainShop

END = date(2026, 11, 1)
PLAN = SimulationPlan(
    preset="retail",
    customers=3000,
    days=300,
    end=END,
    seed=5,
    world=WorldPlan(world="constant"),
)


def plain(shop: PlainShop = SHOP_OF_ORDERS) -> Population:
    return Population(PLAN, business=shop.business(), threads=1)


def test_one_step_is_the_formula_where_there_is_one() -> None:
    """Poisson orders while alive: P(order) = 1 - exp(-λ Σ exp(effect that day))."""
    population = plain()
    population.live_until(200)
    truth = population.one_step(gap_days=0, horizon_days=30)
    alive = population.present() & (population.lives.course[:, 0] == 0)
    gone = population.present() & ~alive
    assert gone.sum() > 300
    rate = population.shoppers.rate[alive]
    assert np.allclose(truth.p0[alive], -np.expm1(-30 * rate), atol=1e-12)
    assert np.all(truth.p0[gone] == 0)
    reach, action = population.scene.reach, population.actions.index("sms/none")
    felt = np.exp(reach.effect[1] * np.exp(-np.arange(1, 30) / 10.0))
    reached = -np.expm1(-rate * (1 + felt.sum()))
    uplift = reach.delivered[1] * (reached - truth.p0[alive])
    known = truth.uplift[alive, action]
    is_open = ~np.isnan(known)
    assert is_open.sum() > 500
    assert np.allclose(known[is_open], uplift[is_open], atol=1e-12)


def test_plain_customers_sign_up_with_an_order_and_leave_at_one() -> None:
    orders = read_orders(plain())
    population = plain(PlainShop(r=0.6, alpha=30.0, a=50.0, b=0.01, leaves_at_first=True))
    first = np.full(PLAN.customers, 10_000)
    np.minimum.at(first, orders.customer, orders.day)
    assert np.array_equal(first, population.shoppers.signup_day)
    count = np.bincount(orders.customer)
    assert count.min() == 1
    assert count.max() > 5
    once = np.bincount(read_orders(population).customer)
    assert (once == 1).mean() > 0.99


def test_season_blocks_move_demand() -> None:
    shop = PlainShop(r=0.6, alpha=30.0, a=0.01, b=50.0)
    quiet = replace(shop, season=replace(shop.season, blocks=(1.0, 0.0)))
    days = [read_orders(plain(one)).day for one in (shop, quiet)]
    late = [np.mean(day >= 150) for day in days]
    assert late[1] < 0.8 * late[0]


def test_equal_shops_cannot_be_told_apart_but_different_ones_can() -> None:
    one = read_orders(plain())
    two = read_orders(plain().fork(luck=9))
    assert abs(tell_apart(one, two, PLAN.days, cents=True) - 0.5) < 0.04
    rich = Orders(two.customer, two.day, two.amount * 4)
    assert tell_apart(one, rich, PLAN.days, cents=False) > 0.65


def test_paired_luck_is_sharper() -> None:
    figures, bars = measure_pairing(4000)
    assert figures["share_of_independent"] < 0.5
    profit = figures["profit_per_dormant_customer"]
    assert profit["oracle"] > profit["nobody"]
    assert len(bars) == 2


def test_true_gain_charges_discounts_on_all_returns() -> None:
    population = plain()
    population.live_until(200)
    truth = population.one_step()
    gain = true_gain(truth, preset_config("retail"))
    named = dict(zip(population.actions, gain.T, strict=True))
    shown = ~np.isnan(named["sms/none"]) & (truth.p0 > 0.2)
    dearer = named["sms/voucher_10"] - named["sms/none"]
    assert (dearer[shown] < 0).all()
    assert shown.sum() > 10


def test_in_the_world_without_effects_the_truth_is_zero() -> None:
    population = Population(
        SimulationPlan(
            preset="retail",
            customers=2000,
            days=300,
            end=END,
            seed=5,
            world=WorldPlan(world="none", policy="randomised"),
        )
    )
    population.live_until(200)
    uplift = population.one_step().uplift
    assert np.nanmax(np.abs(uplift)) == 0
