"""The truth benchmark: futures obey the data, likelihoods sum to one, figures are what they say."""

from datetime import timedelta
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import simulator as benchmark
from benchmarks.simulator_diary import NOTHING, ORDERED, VISITED, Diary
from benchmarks.simulator_observer import GONE_AT, STATES, weigh
from benchmarks.simulator_truth import know_states
from benchmarks.simulator_world import DAYS, END, SEED, Truth, ask, find_truth, gather
from pipelines.init import preset_config
from pipelines.simulate import SimulationPlan, run_simulation
from pipelines.simulate.business import SHOP
from pipelines.simulate.clock import lay_out_calendar
from pipelines.simulate.log import allocate_log
from pipelines.simulate.scene import Scene
from pipelines.simulate.shoppers import shopper_at
from pipelines.simulate.worlds import WorldPlan, set_scene

CUSTOMERS = 60
CONFIG = preset_config("retail")
AS_OF = END - timedelta(days=35)


@pytest.fixture(scope="module")
def shop() -> Scene:
    clock = lay_out_calendar(
        END, DAYS, business_zone=CONFIG.business.timezone, zones=SHOP.zones, season=SHOP.season
    )
    return set_scene(SHOP, CONFIG, clock, WorldPlan())


def diary_of(seen: tuple[int, ...], *, app: bool, left: int) -> Diary:
    days = len(seen)
    return Diary(
        seen=np.array(seen, dtype=np.int64),
        contact=np.full(days, -1, dtype=np.int64),
        app=app,
        left=left,
        known=np.linspace(0.0, 0.5, days),
        own=np.linspace(0.0, 0.2, days),
        fatigue=np.zeros(days),
        evening=(0.0, 0.0),
    )


@pytest.mark.parametrize("app", [False, True])
def test_all_diaries_together_have_likelihood_one(shop: Scene, app: bool) -> None:
    people = gather(CONFIG, SEED, 8)
    shoppers = SHOP.draw_latents(people, SHOP.habits)
    contacts = allocate_log(1).contacts
    belief = np.empty(STATES)
    for position in range(8):
        me = shopper_at(shoppers, position)
        total = 0.0
        for seen in product((NOTHING, VISITED, ORDERED), repeat=5):
            for left in (-1, *range(5)) if app else (-1,):
                diary = diary_of(seen, app=app, left=left)
                likelihood = weigh(diary, contacts, shop, me, 0.3, -np.inf, belief)
                total += np.exp(likelihood)
                if np.isfinite(likelihood):
                    assert belief.sum() == pytest.approx(1.0)
                    assert left < 0 or belief[GONE_AT] == pytest.approx(1.0)
        assert total == pytest.approx(1.0, abs=1e-9)


def test_a_hopeless_likeness_is_given_up(shop: Scene) -> None:
    shoppers = SHOP.draw_latents(gather(CONFIG, SEED, 1), SHOP.habits)
    diary = diary_of((ORDERED,) * 6, app=False, left=-1)
    arguments = (diary, allocate_log(1).contacts, shop, shopper_at(shoppers, 0), 0.0)
    belief = np.empty(STATES)
    whole = weigh(*arguments, -np.inf, belief)
    assert weigh(*arguments, whole - 1.0, belief) == whole
    assert weigh(*arguments, whole + 1.0, belief) == -np.inf


def test_with_their_own_luck_futures_are_what_happens(shop: Scene, tmp_path: Path) -> None:
    plan = SimulationPlan(preset="retail", customers=CUSTOMERS, days=DAYS, end=END, seed=SEED)
    run_simulation(plan, out=tmp_path, config=CONFIG, business=SHOP)
    events = pd.read_parquet(tmp_path / "events-00000.parquet")
    bought = events[events.event_type == "purchase"]
    question = ask(CONFIG, AS_OF, 1)._replace(first_seed=SEED)
    inside = bought.occurred_at.between(
        pd.Timestamp(question.begin, unit="s", tz="UTC"),
        pd.Timestamp(question.end, unit="s", tz="UTC"),
        inclusive="left",
    )
    expected = {int(name[1:]) for name in bought[inside].customer_id.astype(str)}

    people = gather(CONFIG, SEED, CUSTOMERS)
    present = np.flatnonzero(people.signup_day < question.as_of_day)
    returned = know_states(shop, SHOP.draw_latents(people, SHOP.habits), present, question)

    assert len(expected) > 5
    assert set(present[returned == 1.0].tolist()) == expected & set(present.tolist())


def test_both_truths_of_a_few_customers() -> None:
    people = gather(CONFIG, SEED, CUSTOMERS)
    present = np.flatnonzero(people.signup_day < DAYS - 60)[:30]

    truth = find_truth(CONFIG, AS_OF, present, (CUSTOMERS, 300, 40))

    assert truth.lost.dtype == np.bool_
    for share in (truth.histories, truth.states):
        assert share.min() >= 0.0
        assert share.max() <= 1.0
        assert np.corrcoef(share, truth.lost)[0, 1] > 0.2
    assert np.corrcoef(truth.histories, truth.states)[0, 1] > 0.5
    assert truth.carried.min() >= 1.0 - 1e-9


def test_figures_say_how_far_the_model_is_below_both_truths() -> None:
    rng = np.random.default_rng(3)
    states = rng.random(4000)
    lost = rng.random(4000) < states
    blurred = np.clip(states + 0.2 * rng.standard_normal(4000), 0.01, 0.99)
    truth = Truth(lost=lost, histories=blurred, states=states, carried=np.full(4000, 100.0))
    rows = benchmark.AtRisk(
        number=np.arange(4000), stage=np.ones(4000, dtype=np.int16), model=blurred
    )

    figures = benchmark.measure(rows, truth, CONFIG)

    gaps = figures["auc_gaps"]
    assert gaps["histories_minus_model"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert gaps["states_minus_model"] == gaps["states_minus_histories"]
    gap = gaps["states_minus_model"]
    assert gap["low"] < gap["value"] < gap["high"]
    assert gap["value"] == pytest.approx(figures["auc"]["states"] - figures["auc"]["model"])
    assert figures["expected_auc"]["states"] == pytest.approx(5 / 6, abs=0.01)
    assert figures["bar_given_hidden_states"]["within_reach"] is False
    assert list(figures["by_stage"]) == ["buyer"]
