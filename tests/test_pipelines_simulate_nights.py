"""Nights from outside: the same lives as in the files, paired luck, and true chances."""

import gzip
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.errors import UsageError
from pipelines.init import preset_config
from pipelines.simulate import SimulationPlan, WorldPlan, run_simulation
from pipelines.simulate.business import SHOP
from pipelines.simulate.files import as_csv
from pipelines.simulate.mood import LAST_CONTACT
from pipelines.simulate.nights import Population

END = date(2026, 11, 1)
PLAN = SimulationPlan(preset="retail", customers=1500, days=200, end=END, seed=5)
FORKS = 12


def sorted_rows(columns: Any) -> pd.DataFrame:
    table = pd.DataFrame(columns._asdict())
    return table.sort_values(["customer", "number"]).reset_index(drop=True)


def test_lived_in_pieces_is_lived_at_once(tmp_path: Path) -> None:
    plan = replace(PLAN, world=WorldPlan(world="additive", policy="randomised"))
    whole = Population(plan, threads=1).live_until(plan.days, record=True)
    pieces = Population(plan, threads=2)
    rows = [pieces.live_until(day, record=True) for day in (1, 90, 91, plan.days)]
    assert whole is not None
    assert rows[-1] is not None
    for kind in ("events", "contacts", "assignments"):
        together = pd.concat([sorted_rows(getattr(row, kind)) for row in rows])
        together = together.sort_values(["customer", "number"]).reset_index(drop=True)
        pd.testing.assert_frame_equal(together, sorted_rows(getattr(whole, kind)))
    summary = run_simulation(plan, out=tmp_path, config=preset_config("retail"), business=SHOP)
    tables = pieces.raw_tables(whole)
    file = pd.read_parquet(summary.events_files[0])
    events = tables["events"].to_pandas()
    pd.testing.assert_frame_equal(events, file, check_dtype=False, check_categorical=False)
    assert as_csv(tables["customers"], header=True) == summary.customers_file.read_bytes()
    raw = gzip.decompress(summary.contacts_file.read_bytes())
    assert as_csv(tables["contacts"], header=True) == raw
    last = pieces.raw_tables(rows[-1])["customers"].to_pandas()
    first = tables["customers"].to_pandas().drop_duplicates("customer_id")
    known = last.customer_id.astype(str).map(
        dict(zip(first.customer_id.astype(str), first.signup_at, strict=True))
    )
    assert (last.signup_at == known).all()


def test_nights_without_contacts_are_those_of_a_company_that_contacts_nobody() -> None:
    silent = replace(
        SHOP,
        contacts=SHOP.contacts._replace(newsletter_rate=0.0, rule_rate=0.0, random_rate=0.0),
    )
    whole = Population(PLAN, business=silent, threads=1).live_until(60, record=True)
    nightly = Population(PLAN)
    rows = [nightly.night(record=True) for _ in range(60)]
    together = pd.concat([sorted_rows(row.events) for row in rows if row is not None])
    together = together.sort_values(["customer", "number"]).reset_index(drop=True)
    assert whole is not None
    pd.testing.assert_frame_equal(together, sorted_rows(whole.events))


def test_contacts_from_outside_are_sent_as_told() -> None:
    population = Population(replace(PLAN, world=WorldPlan(world="additive")))
    population.live_until(150)
    sms = population.actions.index("sms/coupon_5")
    is_open = population.reachable()[:, 1]
    rows = population.night(np.full(len(population), sms), record=True)
    assert rows is not None
    contacts = rows.contacts
    assert set(contacts.customer) <= set(np.flatnonzero(is_open))
    assert len(contacts.customer) > 0.95 * is_open.sum()
    assert (contacts.channel == 1).all()
    assert (contacts.offer == 2).all()
    assert np.isnan(contacts.propensity).all()


def test_forks_meet_the_same_luck_unless_given_another() -> None:
    population = Population(PLAN)
    population.live_until(120)
    same, twin, other = population.fork(), population.fork(), population.fork(luck=99)
    for who in (same, twin, other):
        for _ in range(10):
            who.night()
    assert np.array_equal(same.lives.mood, twin.lives.mood)
    assert not np.array_equal(same.lives.mood, other.lives.mood)
    assert population.day == 120


@pytest.mark.parametrize("world", ["additive", "regions"])
def test_futures_agree_with_the_one_step_truth(world: str) -> None:
    """Share of forks with an order in the window, against the chances worked out."""
    plan = SimulationPlan(
        preset="retail",
        customers=6000,
        days=300,
        end=END,
        seed=5,
        world=WorldPlan(world=world, policy="randomised"),
    )
    population = Population(plan)
    population.live_until(250)
    truth = population.one_step()
    action = population.actions.index("sms/coupon_5")
    who = population.present() & population.reachable()[:, 1]
    changed, natural = np.zeros(len(population)), np.zeros(len(population))
    for future in range(FORKS):
        ordered = []
        for actions in (None, np.where(who, action, -1)):
            fork = population.fork(luck=1000 + future)
            fork.night(actions)
            fork.night()
            fork.count_from_here()
            for _ in range(30):
                fork.night()
            ordered.append(fork.ledger().orders > 0)
        natural += ordered[0] / FORKS
        changed += (ordered[1] * 1.0 - ordered[0]) / FORKS
    for drawn, known in ((natural, truth.p0), (changed, truth.uplift[:, action])):
        gap = drawn[who] - known[who]
        assert abs(gap.mean()) < 3 * gap.std() / np.sqrt(who.sum())
    strong = who & (truth.uplift[:, action] > np.nanquantile(truth.uplift[who, action], 0.8))
    gap = changed[strong] - truth.uplift[strong, action]
    assert abs(gap.mean()) < 3 * gap.std() / np.sqrt(strong.sum())


def test_truth_is_unknown_for_those_who_cannot_be_contacted() -> None:
    population = Population(PLAN)
    population.live_until(100)
    truth = population.one_step()
    present = population.present()
    assert np.isnan(truth.p0[~present]).all()
    assert ((truth.p0[present] >= 0) & (truth.p0[present] <= 1)).all()
    per_channel = truth.uplift.reshape(len(population), 4, 4)
    assert np.array_equal(~np.isnan(per_channel[:, :, 0]), population.reachable())


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda p: p.live_until(5), "day 5 cannot be lived to from day 10"),
        (lambda p: p.live_until(500), "at most 200"),
        (lambda p: p.night(np.zeros(3)), r"actions of shape \(3,\)"),
        (lambda p: p.night(np.full(1500, 16)), "from 16 to 16"),
    ],
)
def test_impossible_nights_are_refused(call: Any, named: str) -> None:
    population = Population(PLAN)
    population.live_until(10)
    with pytest.raises(UsageError, match=named):
        call(population)


def test_lenders_cannot_be_lived_night_by_night() -> None:
    with pytest.raises(UsageError, match="'lending' cannot be lived"):
        Population(replace(PLAN, preset="lending"))


def test_usual_contacts_are_as_likely_as_the_truth_says() -> None:
    """Over many fates of one night: sum of 1/chance = how often the contact was possible."""
    population = Population(PLAN)
    population.live_until(150)
    rested = 150 - population.lives.mood[:, LAST_CONTACT] >= 3
    possible = rested[:, None] & population.reachable()
    news = population.naming.channels.index("email")
    old_enough = population.silent_days() >= 10
    counted = {}
    fates = 150
    for fate in range(fates):
        rows = population.fork(luck=fate).live_until(151, record=True)
        assert rows is not None
        contacts = rows.contacts
        for channel in range(4):
            mine = (contacts.channel == channel) & old_enough[contacts.customer]
            counted.setdefault(channel, []).append((1 / contacts.propensity[mine]).sum() / 4)
    for channel, sums in counted.items():
        expected = (possible[:, channel] & old_enough).sum()
        error = np.std(sums) / np.sqrt(fates)
        assert abs(np.mean(sums) - expected) < 4 * error + 0.01 * expected, channel
    assert len(counted[news]) == fates
