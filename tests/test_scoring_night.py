"""A night on literal customers: the golden list, and what no night may ever do."""

import os
from dataclasses import replace
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from list_setting import small_setting

from features.local_day import local_midnight_us
from features.stage import Stage
from scoring.arms import GHOST
from scoring.customer_past import no_past
from scoring.decisions import (
    build_decisions,
    channel_block_text,
    count_channel_blocks,
    count_exclusions,
)
from scoring.follow_up import no_follow_ups
from scoring.list_files import render_list_files
from scoring.list_rows import (
    Provenance,
    build_rows,
    list_expiry_us,
)
from scoring.night import EXCLUSIONS, decide_night
from scoring.night_policy import NightPolicy
from scoring.outcomes import LISTED
from scoring.policy import Caps, Channel, Experiment, ListRules, Offer
from scoring.pressure import DAY_US, NEVER, ContactPressure
from scoring.reachability import NO_ZONE, Reachability
from scoring.return_days import ReturnDays
from scoring.scored import ScoredCustomers, join_scored, select_scored

GOLDEN = Path(__file__).parent / "golden" / "recall_list.csv"
UPDATE = "WINBACK_UPDATE_GOLDEN"
DAY = date(2026, 3, 29)
"""The day on which clocks are put forward in Berlin."""

STAGES = (
    Stage("new", "registered", ("signup",), ("visit",), ("buy",), silence_days=3, offers=("gift",)),
    Stage(
        "buyer",
        "has bought",
        ("buy",),
        ("buy",),
        ("buy",),
        silence_days=30,
        channels=("sms", "mail"),
    ),
    Stage("review", "in review", ("ask",), ("ask",), ("buy",)),
)
POLICY = NightPolicy(
    as_of_us=local_midnight_us(DAY, ZoneInfo("Europe/Berlin")),
    day=DAY,
    zone="Europe/Berlin",
    gross_margin=0.4,
    stages=STAGES,
    channels={
        "push": Channel(label="push", cost=0.002, requires=("app",), effect_prior=0.3),
        "sms": Channel(
            label="SMS", cost=0.06, capacity=3, effect_prior=0.5, windows=("19:00-22:00",)
        ),
        "mail": Channel(label="e-mail", cost=0.001, requires=("mail",), effect_prior=0.1),
    },
    offers={
        "none": Offer(label="no offer"),
        "gift": Offer(label="gift", cost_on_return=1.0, effect_prior=0.4, effect_prior_sd=0.2),
    },
    caps=Caps(),
    experiment=Experiment(holdout_share=0.15, ghost_share=0.2, explore_share=0.2, salt="golden"),
    rules=ListRules(at_risk_probability=0.9),
)
PROVENANCE = Provenance(model_version="dormancy-risk/1 natural-return/1", config_digest="abc")


def literal_customers(n: int = 40) -> ScoredCustomers:
    """Customers whose every value follows from their number."""
    number = np.arange(n)
    dormant = number % 4 != 0
    return ScoredCustomers(
        customer_id=pa.array([f"{'=' if i == 7 else 'c'}{i:03d}" for i in number]),
        bucket=(number // 10).astype(np.int32),
        stage=np.where(number == 5, -1, number % 7 % 3).astype(np.int16),
        silence_days=number * 2.5,
        dormant=dormant,
        p_dormant=np.where(dormant, np.nan, 0.7 + (number % 5) * 0.06),
        p_natural=np.where(dormant, 0.02 + 0.01 * (number % 9), 0.3 - (number % 5) * 0.06),
        mean_order=np.where(number % 6 == 0, np.nan, 20.0 + number),
        orders=np.where(number % 6 == 0, 0.0, 1.0 + number % 4),
        yearly_spend=number * 11.0,
        yearly_orders=(number % 5).astype(float),
        reach=Reachability(
            do_not_contact=number == 11,
            flag_names=("app", "mail"),
            flags=np.stack([number % 2 == 0, number % 3 != 0], axis=1),
            zones=("America/Sao_Paulo", "Europe/Berlin"),
            zone=(number % 3 - 1).astype(np.int32),
        ),
        pressure=ContactPressure(
            sent=np.stack([number == 13, number == 13, number == 14], axis=1).astype(np.int32) * 4,
            sent_by_channel=np.zeros((n, 3, 3), dtype=np.int32),
            last_sent_us=np.where(number == 17, POLICY.as_of_us - DAY_US, NEVER),
            unsubscribed=np.stack([number == 20, number == 22, number == 22], axis=1),
            unsubscribed_us=np.full(n, NEVER, dtype=np.int64),
            control_until_us=np.full(n, NEVER, dtype=np.int64),
        ),
        days_since_order=np.full(n, np.nan),
        days_since_return=np.full(n, np.nan),
        follow_ups=no_follow_ups(n),
        past=no_past(n, 3),
        last_event_us=1,
        effect_x=np.zeros((n, 0)),
        effect_names=(),
    )


def list_of(scored: ScoredCustomers, policy: NightPolicy = POLICY) -> pa.Table:
    """The list of a night, with a reason for each row."""
    night = decide_night(scored, policy)
    reasons = {row: [f"number {row}"] for row in range(len(scored))}
    returns = {
        row: ReturnDays(20.5 + row, 3.0 + row, None if row % 2 else 90.0 + row)
        for row in range(len(scored))
        if row % 5
    }
    return build_rows(
        scored, night, policy, reasons=reasons, returns=returns, provenance=PROVENANCE
    )


def test_the_golden_list() -> None:
    setting = small_setting(channels=POLICY.channels, stages=POLICY.stages)
    files = render_list_files(list_of(literal_customers()), setting)
    content = next(file.content for file in files if file.name == "recall_list.csv")
    if os.environ.get(UPDATE):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_bytes(content)
    assert content.decode() == GOLDEN.read_text(), f"meant? then run with {UPDATE}=1"


def test_every_customer_is_listed_or_has_a_reason() -> None:
    scored = literal_customers()
    night = decide_night(scored, POLICY)
    table = build_decisions(
        scored, night, POLICY, listed=list_of(scored), list_id="x", provenance=PROVENANCE
    )
    by_id = {row["customer_id"]: row for row in table.to_pylist()}
    found = {name: by_id[name]["exclusion"] for name in ("c005", "c011", "c013", "c014", "c017")}
    assert found == {
        "c005": "no_stage",
        "c011": "do_not_contact",
        "c013": "cap_1d",
        "c014": "cap_30d",
        "c017": "min_pause",
    }
    assert by_id["c022"]["exclusion"] == "no_eligible_channel"
    assert by_id["c022"]["channel_blocks"] == (
        "push=not_in_stage; sms=unsubscribed; mail=unsubscribed"
    )
    assert sum(row["exclusion"] is None for row in by_id.values()) == len(night.listed)
    assert sum(count_exclusions(night).values()) + len(night.listed) == len(scored)


def test_channel_counts_and_texts_agree() -> None:
    night = decide_night(literal_customers(), POLICY)
    counts = count_channel_blocks(night)
    texts = [channel_block_text(night, place) or "" for place in range(len(night.asked))]
    for channel, rules in counts.items():
        for rule, number in rules.items():
            assert sum(f"{channel}={rule}" in text.split("; ") for text in texts) == number


def test_joined_buckets_give_the_list_of_the_whole() -> None:
    scored = literal_customers()
    parts = [select_scored(scored, np.flatnonzero(scored.bucket == b)) for b in range(4)]
    # A bucket knows only the zones of its own customers.
    parts[1] = replace(
        parts[1],
        reach=replace(
            parts[1].reach,
            zones=("Europe/Berlin",),
            zone=np.where(parts[1].reach.zone == 1, 0, NO_ZONE).astype(np.int32),
        ),
    )
    berlin = replace(scored.reach, zone=scored.reach.zone.copy())
    berlin.zone[(scored.bucket == 1) & (scored.reach.zone == 0)] = NO_ZONE
    assert list_of(join_scored(parts)).equals(list_of(replace(scored, reach=berlin)))


def test_value_tiers_split_at_the_quantile() -> None:
    scored = literal_customers(10)
    policy = replace(POLICY, rules=replace(POLICY.rules, tier_quantile=0.8))
    names = decide_night(scored, policy).segments.names(np.arange(10))["value_tier"]
    tiers = [str(name) for name in names]
    assert [tier.startswith("high value") for tier in tiers] == [False] * 8 + [True] * 2
    assert [tier.endswith("high frequency") for tier in tiers] == [n % 5 == 4 for n in range(10)]


def test_rows_expire_at_a_local_midnight_when_clocks_change() -> None:
    assert list_expiry_us(POLICY) - POLICY.as_of_us == 23 * DAY_US // 24


def test_an_only_window_in_a_zone_behind_outlives_the_list() -> None:
    scored = literal_customers()
    table = list_of(scored)
    expiry = list_expiry_us(POLICY)
    for row in table.to_pylist():
        end = row["send_window_end_utc"]
        if end is not None:
            assert row["expires_at"].timestamp() * 1e6 == max(end.timestamp() * 1e6, expiry)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 60),
    st.integers(0, 5),
    st.one_of(st.none(), st.integers(1, 20)),
)
def test_no_night_breaks_a_rule(seed: int, n: int, capacity: int, max_rows: int | None) -> None:
    rng = np.random.default_rng(seed)
    scored = select_scored(literal_customers(), rng.choice(40, size=min(n, 40), replace=False))
    sms = replace(POLICY.channels["sms"], capacity=capacity)
    policy = replace(
        POLICY,
        channels={**POLICY.channels, "sms": sms},
        rules=replace(POLICY.rules, max_rows=max_rows),
        experiment=replace(POLICY.experiment, salt=f"salt-{seed}"),
    )
    night = decide_night(scored, policy)
    places = night.listed
    sent = places[night.draws.arm[places] < GHOST]
    channel = night.choices.action[sent] // len(policy.offers)
    assert (channel == 1).sum() <= capacity
    assert len(places) <= (max_rows or len(scored))
    assert night.allowed[places, night.choices.action[places]].all()
    assert (night.exclusion[night.eligible[places]] == 0).all()
    refused = night.choices.outcome != LISTED
    assert (
        night.exclusion[night.eligible[refused]] > EXCLUSIONS.index("no_eligible_channel")
    ).all()
    build_rows(scored, night, policy, reasons={}, returns={}, provenance=PROVENANCE)


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_times_on_days_when_clocks_change(day: date) -> None:
    policy = replace(POLICY, day=day, as_of_us=local_midnight_us(day, ZoneInfo("Europe/Berlin")))
    for row in list_of(literal_customers(), policy).to_pylist():
        if row["send_at_local"]:
            assert "09:00" <= row["send_at_local"][11:16] < "21:00"
