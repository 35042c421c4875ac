"""What the simulated businesses are like, and that contacts do what the worlds say."""

import math
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.init import preset_config
from pipelines.simulate import SimulationPlan, SimulationSummary, run_simulation
from pipelines.simulate.business import BUSINESSES, Business
from pipelines.simulate.draws import customer_key, day_key, normal, population_uniforms, uniform

END = date(2026, 11, 1)
LADDER = {
    "application_submitted": "application_started",
    "credit_granted": "application_submitted",
    "loan_settled": "loan_drawn",
}


def run(
    preset: str, out: Path, *, business: Business | None = None, customers: int = 2000
) -> SimulationSummary:
    plan = SimulationPlan(preset=preset, customers=customers, days=540, end=END, seed=11)
    return run_simulation(
        plan, out=out, config=preset_config(preset), business=business or BUSINESSES[preset]
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> SimulationSummary:
    return run("retail", tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def events(shop: SimulationSummary) -> pd.DataFrame:
    return pd.read_parquet(shop.events_files[0]).drop_duplicates("event_id")


@pytest.fixture(scope="module")
def contacts(shop: SimulationSummary) -> pd.DataFrame:
    times = ["sent_at", "delivered_at", "opened_at", "clicked_at", "unsubscribed_at"]
    return pd.read_csv(shop.contacts_file, parse_dates=times)


@pytest.fixture(scope="module")
def records(shop: SimulationSummary) -> pd.DataFrame:
    return pd.read_csv(shop.customers_file, parse_dates=["changed_at", "signup_at"])


def orders_of(events: pd.DataFrame) -> pd.DataFrame:
    lines = events[events.event_type == "purchase"]
    return lines.groupby("order_id", observed=True).agg(
        customer_id=("customer_id", "first"), at=("occurred_at", "first"), amount=("amount", "sum")
    )


def test_draws_are_uniform_and_normal() -> None:
    drawn = population_uniforms(3, 0, 20_000, 4)
    assert np.abs(drawn.mean(axis=0) - 0.5).max() < 4 * math.sqrt(1 / 12 / 20_000)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(4)).max() < 4 / math.sqrt(20_000)
    key = np.uint64(customer_key(3, 9))
    days = [np.uint64(day_key(key, day)) for day in range(20_000)]
    normals = np.array([normal(today, 5) for today in days])
    assert abs(normals.mean()) < 4 / math.sqrt(20_000)
    assert abs(normals.std() - 1) < 0.03
    uniforms = np.array([uniform(today, 5) for today in days])
    assert abs(np.corrcoef(uniforms[1:], uniforms[:-1])[0, 1]) < 4 / math.sqrt(20_000)


def test_shop_has_about_a_hundred_events_per_customer_and_is_skewed(events: pd.DataFrame) -> None:
    per_customer = events.groupby("customer_id", observed=True).size()
    assert 50 < per_customer.mean() < 130
    assert per_customer.median() < 0.6 * per_customer.mean()


def test_repeat_rate_and_refunds(events: pd.DataFrame) -> None:
    orders = orders_of(events)
    per_buyer = orders.groupby("customer_id", observed=True).size()
    assert 0.5 < len(per_buyer) / 2000 < 0.8
    assert 0.55 < (per_buyer > 1).mean() < 0.8
    refunds = events[events.event_type == "refund"]
    assert (refunds.amount < 0).all()
    assert set(refunds.order_id) <= set(orders.index)
    assert 0.02 < len(refunds) / len(orders) < 0.1


def test_dormant_buyers_and_their_returns(events: pd.DataFrame) -> None:
    orders = orders_of(events)
    as_of = pd.Timestamp("2026-09-20", tz="UTC")
    last = orders[orders["at"] < as_of].groupby("customer_id", observed=True)["at"].max()
    dormant = last[last < as_of - pd.Timedelta(days=60)].index
    window = orders[
        (orders["at"] >= as_of + pd.Timedelta(days=2))
        & (orders["at"] < as_of + pd.Timedelta(days=32))
    ]
    assert 0.4 < len(dormant) / len(last) < 0.8
    assert 0.03 < np.isin(dormant, window.customer_id).mean() < 0.15


def test_hours_peak_in_the_local_day(events: pd.DataFrame) -> None:
    hour = events.occurred_at.dt.tz_convert("Europe/Berlin").dt.hour
    share = hour.value_counts(normalize=True)
    assert share.reindex([1, 2, 3, 4], fill_value=0).sum() < 0.04
    assert share.idxmax() in range(18, 23)


def test_several_zones_and_some_unknown(records: pd.DataFrame) -> None:
    first = records.drop_duplicates("customer_id")
    assert first.timezone.nunique() == 4
    assert 0.01 < first.timezone.isna().mean() < 0.06
    assert (first.changed_at == first.signup_at).all()


def test_unsubscribing_closes_the_channel(contacts: pd.DataFrame, records: pd.DataFrame) -> None:
    left = contacts[contacts.unsubscribed_at.notna()]
    assert len(left) > 20
    for row in left.itertuples():
        later = contacts[
            (contacts.customer_id == row.customer_id)
            & (contacts.channel == row.channel)
            & (contacts.sent_at > row.unsubscribed_at)
        ]
        assert later.empty
        changes = records[
            (records.customer_id == row.customer_id) & (records.changed_at == row.unsubscribed_at)
        ]
        assert not changes[f"{row.channel}_consent"].any()
        assert len(changes) == 1


def test_contacts_follow_consent_and_pause(contacts: pd.DataFrame, records: pd.DataFrame) -> None:
    first = records.drop_duplicates("customer_id").set_index("customer_id")
    consent = first[["push_consent", "sms_consent", "email_consent", "phone_consent"]]
    allowed = [
        consent.at[row.customer_id, f"{row.channel}_consent"] for row in contacts.itertuples()
    ]
    assert all(allowed)
    assert not contacts.customer_id.isin(first.index[first.do_not_contact]).any()
    pause = contacts.sort_values("sent_at").groupby("customer_id").sent_at.diff().dropna()
    assert pause.min() > pd.Timedelta(days=2)


def test_outcomes_are_in_order(contacts: pd.DataFrame) -> None:
    delivered = contacts[contacts.delivered_at.notna()]
    assert (delivered.delivered_at >= delivered.sent_at).all()
    opened = delivered[delivered.opened_at.notna()]
    assert (opened.opened_at > opened.delivered_at).all()
    clicked = opened[opened.clicked_at.notna()]
    assert len(clicked) > 20
    assert (clicked.clicked_at > clicked.opened_at).all()
    calls = contacts[contacts.channel == "phone"]
    assert calls.outcome.notna().all()
    assert contacts[contacts.channel != "phone"].outcome.isna().all()


def test_click_brings_a_visit(contacts: pd.DataFrame, events: pd.DataFrame) -> None:
    clicked = contacts[contacts.clicked_at.notna()].iloc[:50]
    visits = events[events.event_type == "visit"]
    pairs = set(zip(visits.customer_id.astype(str), visits.occurred_at, strict=True))
    landed = [
        (row.customer_id, row.clicked_at + pd.Timedelta(seconds=5)) in pairs
        for row in clicked.itertuples()
    ]
    assert np.mean(landed) > 0.9  # the rest had not arrived when the files were written


@pytest.mark.parametrize(("preset", "kind"), [("retail", "purchase"), ("lending", "loan_drawn")])
def test_contacts_raise_returns_against_the_same_luck_without_effect(
    preset: str, kind: str, tmp_path: Path
) -> None:
    business = BUSINESSES[preset]
    counts = {}
    for scale in (0.0, 1.0, 2.0):
        habits = business.contacts._replace(effect_scale=scale)
        summary = run(preset, tmp_path / str(scale), business=replace(business, contacts=habits))
        table = pd.read_parquet(summary.events_files[0]).drop_duplicates("event_id")
        counts[scale] = table[table.event_type == kind].customer_id.value_counts()
    gained = counts[1.0].sub(counts[0.0], fill_value=0)
    standard_error = gained.std() * math.sqrt(len(gained))
    assert gained.sum() > 2 * standard_error
    assert counts[0.0].sum() < counts[1.0].sum() < counts[2.0].sum()


def test_without_contacts_the_company_contacts_nobody(tmp_path: Path) -> None:
    business = BUSINESSES["retail"]
    silent = business.contacts._replace(newsletter_rate=0.0, rule_rate=0.0, random_rate=0.0)
    summary = run("retail", tmp_path, business=replace(business, contacts=silent), customers=300)
    assert summary.contacts == 0


def test_lending_ladder_is_climbed_in_order(tmp_path: Path) -> None:
    summary = run("lending", tmp_path)
    table = pd.read_parquet(summary.events_files[0]).drop_duplicates("event_id")
    first = table.groupby(["customer_id", "event_type"], observed=True).occurred_at.min().unstack()
    for step, before in LADDER.items():
        reached = first[first[step].notna()]
        assert (reached[step] > reached[before]).all(), step
    share = first.notna().mean()
    assert share["signup"] > share["application_started"] > share["credit_granted"]
    assert share["credit_granted"] > share["loan_drawn"] * 0.99
    assert 0.15 < share["loan_drawn"] < 0.6
    loans = table[table.event_type == "loan_drawn"]
    assert (loans.amount >= 500).all()
    assert (loans.amount % 100 == 0).all()
    milestones = table[table.event_type.isin([*LADDER, *LADDER.values()])]
    assert not milestones.duplicated(["customer_id", "occurred_at"]).any()
