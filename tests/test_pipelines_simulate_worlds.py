"""Worlds and logging policies: effects are what the world says, chances are the true ones."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from features.errors import UsageError
from pipelines.cli import app
from pipelines.init import preset_config
from pipelines.simulate import REAL_LIFE, SimulationPlan, WorldPlan, run_simulation
from pipelines.simulate.app import simulate_plan
from pipelines.simulate.business import BUSINESSES
from pipelines.simulate.effects import regions_of
from pipelines.simulate.mood import DIP, TEMPER
from pipelines.simulate.nights import Population
from pipelines.simulate.worlds import POLICIES, WORLDS

END = date(2026, 11, 1)
PLAN = SimulationPlan(preset="retail", customers=6000, days=400, end=END, seed=5)
AS_OF_DAY = 340


def evening(world: str, **settings: float) -> Population:
    plan = replace(PLAN, world=WorldPlan(world=world, policy="randomised", **settings))  # type: ignore[arg-type]
    population = Population(plan, threads=1)
    population.live_until(AS_OF_DAY)
    return population


def dormant(population: Population) -> np.ndarray:
    return population.present() & (population.silent_days() >= 60)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def written(out: Path, plan: SimulationPlan, **how: int) -> dict[str, bytes]:
    truth = out.parent / f"{out.name}-truth"
    run_simulation(
        plan,
        out=out,
        config=preset_config(plan.preset),
        business=BUSINESSES[plan.preset],
        truth=truth,
        **how,  # type: ignore[arg-type]
    )
    return bytes_of(out) | bytes_of(truth)


@pytest.mark.parametrize("world", [name for name in WORLDS if name != "own"])
def test_mean_uplift_is_as_small_as_in_life(world: str) -> None:
    population = evening(world)
    truth = population.one_step()
    rows = dormant(population)
    assert 0.03 < np.nanmean(truth.p0[rows]) < 0.08
    points = 100 * np.nanmean(truth.uplift[rows])
    assert points == 0 if world == "none" else 0.3 < points < 1.5
    assert 0.001 < np.nanmean(truth.leaves[rows]) < 0.02
    negative = np.nanmean(truth.uplift[rows] < -1e-4)
    # In a constant world only orders pulled forward into the days before the window count as lost.
    low, high = {"none": (0, 0), "constant": (0, 0.02)}.get(world, (0.02, 0.3))
    assert low <= negative <= high


@pytest.mark.parametrize("world", ["additive", "regions"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_observables_explain_the_share_that_was_asked_for(world: str, share: float) -> None:
    population = evening(world, learnable_share=share)
    rows, law = dormant(population), population.scene.law
    seen, temper = population.observables()[rows], population.lives.mood[rows, TEMPER]
    if world == "additive":
        known = (seen @ law.weights.T).var(axis=0)
        hidden = (population.scene.contact_habits.effect_spread * temper).var()
    else:
        known = law.regions[regions_of(seen)].var(axis=0)
        hidden = law.spread**2 * temper.var()
    assert np.abs(known / (known + hidden) - share).max() < 0.06


def test_constant_world_moves_everybody_alike() -> None:
    population = evening("constant")
    scene = population.scene
    assert scene.contact_habits.effect_spread == 0
    assert scene.contact_habits.fatigue_weight == 0
    assert len(scene.law.weights) == len(scene.law.regions) == 0


@pytest.mark.parametrize("policy", POLICIES)
def test_assigned_chances_are_the_frequencies(policy: str, tmp_path: Path) -> None:
    world = WorldPlan(world="none", policy=policy)
    summary = simulate_plan(replace(PLAN, world=world), out=tmp_path / "raw", truth=tmp_path / "t")
    if policy == "usual":
        assert summary.assignments_file is None
        chances = pd.read_parquet(tmp_path / "t" / "contact-truth-00000.parquet").propensity
        assert ((chances > 0) & (chances < 0.1)).all()
        return
    rows = pd.read_csv(tmp_path / "raw" / "assignments.csv.gz")
    assert len(rows) == summary.assignments > 10_000
    assert list(rows) == [
        "assignment_id",
        "customer_id",
        "assigned_at",
        "channel",
        "offer",
        "propensity",
        "experiment",
    ]
    assert (rows.channel.isna() == rows.offer.isna()).all()
    assert rows.propensity.between(1e-4, 1).all()
    # Of every action, and of the control: sum of 1/e over those who got it = how many could.
    everybody = rows.groupby(rows.channel.isna()).propensity.agg(lambda e: (1 / e).sum())
    spread = np.sqrt((1 / rows.propensity**2).groupby(rows.channel.isna()).sum())
    assert abs(everybody[True] - len(rows)) < 4 * spread[True]
    truth = pd.read_parquet(tmp_path / "t" / "assignment-truth-00000.parquet")
    truth = truth.set_index("assignment_id").loc[rows.assignment_id]
    assert np.allclose(truth.propensity, rows.propensity)
    contacted = rows.channel.notna().to_numpy()
    active = truth.state.astype(str).eq("active").to_numpy()
    odds = [contacted[who].mean() / (1 - contacted[who].mean()) for who in (active, ~active)]
    if policy in ("randomised", "mixed"):
        weight = np.where(contacted, 1 / rows.propensity, 0)
        assert weight[active].mean() == pytest.approx(weight[~active].mean(), rel=0.2)
    if policy == "confounded":
        assert odds[0] > 2 * odds[1]


def test_assignments_do_not_overlap_and_have_matured(tmp_path: Path) -> None:
    plan = replace(PLAN, world=WorldPlan(world="additive", policy="human"))
    simulate_plan(plan, out=tmp_path)
    rows = pd.read_csv(tmp_path / "assignments.csv.gz", parse_dates=["assigned_at"])
    between = rows.sort_values("assigned_at").groupby("customer_id").assigned_at.diff().dropna()
    assert between.min() >= pd.Timedelta(days=34)
    end = pd.Timestamp(END, tz="Europe/Berlin")
    assert rows.assigned_at.max() <= end - pd.Timedelta(days=34)
    assert (rows.assigned_at.dt.tz_convert("Europe/Berlin").dt.hour == 0).all()


def test_contacts_follow_their_assignment(tmp_path: Path) -> None:
    plan = replace(PLAN, world=WorldPlan(world="regions", policy="randomised"))
    simulate_plan(plan, out=tmp_path)
    assigned = pd.read_csv(tmp_path / "assignments.csv.gz", parse_dates=["assigned_at"])
    contacts = pd.read_csv(tmp_path / "contacts.csv.gz", parse_dates=["sent_at"])
    joined = contacts.merge(assigned, on="customer_id", suffixes=("", "_assigned"))
    after = joined.sent_at - joined.assigned_at
    joined = joined[(after > pd.Timedelta(0)) & (after < pd.Timedelta(days=1.1))]
    assert len(joined) == len(contacts)
    assert (joined.channel == joined.channel_assigned).all()
    assert (joined.offer == joined.offer_assigned).all()
    treated = assigned.channel.notna().sum()
    assert 0.98 < len(contacts) / treated <= 1


@pytest.mark.parametrize("preset", BUSINESSES)
def test_worlds_are_the_same_bytes_for_any_chunk_and_thread(
    preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.simulate.app.PART_CUSTOMERS", 100)
    plan = SimulationPlan(
        preset=preset,
        customers=350,
        days=150,
        end=END,
        seed=3,
        dirt=REAL_LIFE,
        world=WorldPlan(world="additive", policy="mixed"),
    )
    first = written(tmp_path / "a", plan, threads=1)
    assert written(tmp_path / "b", plan, threads=2) == first
    assert written(tmp_path / "c", plan, chunk_customers=7, threads=2) == first
    assert len([name for name in first if name.startswith("events-")]) == 4


def test_offers_are_redeemed_and_pull_orders_forward() -> None:
    population = evening("constant")
    voucher = population.actions.index("sms/voucher_10")
    open_ = dormant(population) & population.reachable()[:, 1]
    offered, left_alone = population.fork(), population.fork()
    for who in (offered, left_alone):
        who.count_from_here()
    offered.night(np.where(open_, voucher, -1))
    left_alone.night()
    for _ in range(29):
        offered.night()
        left_alone.night()
    assert offered.ledger().saved.sum() > 1.5 * left_alone.ledger().saved.sum()
    assert offered.ledger().orders.sum() > left_alone.ledger().orders.sum()
    # Those who would have ordered anyway and redeemed an offer now wait longer for the next.
    sure = open_ & (left_alone.ledger().orders > 0) & (offered.lives.mood[:, DIP] > 0.1)
    sure &= left_alone.lives.mood[:, DIP] == 0
    for who in (offered, left_alone):
        who.count_from_here()
        for _ in range(29):
            who.night()
    assert sure.sum() > 20
    expected = [who.ledger().expected[sure].sum() for who in (offered, left_alone)]
    assert expected[0] < 0.95 * expected[1]


def test_dirt_spoils_as_real_life_does(tmp_path: Path) -> None:
    summary = simulate_plan(replace(PLAN, customers=2000, dirt=REAL_LIFE), out=tmp_path)
    events = pd.read_parquet(summary.events_files[0]).astype({"customer_id": str})
    guests = events.customer_id.str.startswith("g")
    assert 0.003 < guests.mean() < 0.05
    assert 0.005 < events.event_id.duplicated().mean() < 0.015
    known = preset_config("retail").events.types
    assert 0 < (~events.event_type.isin(known)).mean() < 0.002
    records = pd.read_csv(summary.customers_file)
    odd = records.timezone.notna() & ~records.timezone.astype(str).str.contains("/")
    assert 0 < odd.mean() < 0.01
    contacts = pd.read_csv(summary.contacts_file)
    assert 0.01 < contacts.contact_id.duplicated().mean() < 0.03


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"world": "flat"}, "--world: no such world: 'flat'"),
        ({"policy": "luck"}, "--policy: no such policy: 'luck'"),
        ({"learnable_share": 1.5}, "--learnable-share: 1.5 is out of range"),
        ({"gamma": 0.5}, "--gamma: 0.5 is out of range"),
    ],
)
def test_what_is_no_world_is_refused(settings: dict[str, object], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        WorldPlan(**settings)  # type: ignore[arg-type]


def test_command_writes_a_world_and_its_truth(tmp_path: Path) -> None:
    arguments = ["simulate", "--world", "regions", "--policy", "confounded", "--gamma", "5"]
    arguments += ["--customers", "300", "--days", "120", "--end", END.isoformat(), "--dirt"]
    arguments += ["--out", str(tmp_path / "raw"), "--truth", str(tmp_path / "truth"), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["assignments"] > 0
    assert Path(document["assignments_file"]).is_file()
    facts = json.loads((tmp_path / "truth" / "truth.json").read_text())
    assert facts["world"] == {
        "world": "regions",
        "policy": "confounded",
        "learnable_share": 0.7,
        "gamma": 5.0,
    }
    assert facts["dirt"]["guest_share"] > 0
