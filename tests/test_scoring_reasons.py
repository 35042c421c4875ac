"""Reasons: every phrase in every form, and which families are said first."""

import math

import numpy as np
import pytest

from features.manifest import feature_manifest
from features.spec import FeatureSpec
from features.stage import Stage
from scoring.phrases import (
    Facts,
    Phrase,
    money_text,
    say_attribute,
    say_contacts,
    say_discounts,
    say_orders,
    say_presence,
    say_refunds,
    say_silence,
    say_spend,
    say_tenure,
    say_variety,
)
from scoring.reasons import PHRASES, Circumstances, give_reasons, learn_words

NAN = math.nan


def facts(
    silence_days: float = 94.6,
    *,
    order: bool = True,
    entered: bool = True,
    noun: str = "order",
    member: str = "",
    label: str = "",
    tell_unsubscribed: bool = True,
    **values: float,
) -> Facts:
    """Facts of a buyer with the given feature values."""
    return Facts(
        values=values,
        silence_days=silence_days,
        stage_label="registered, no purchase yet",
        entered_with_order=entered,
        returns_with_order=order,
        silent_without_order=entered,
        order=noun,
        currency="EUR",
        member=member,
        member_label=label,
        channel_labels={"email": "e-mail", "sms": "text message"},
        tell_unsubscribed=tell_unsubscribed,
    )


CASES: list[tuple[Phrase, Facts, str | None]] = [
    (say_silence, facts(gap_days_mean=21.4), "silent for 94 days, usually orders every 21"),
    (say_silence, facts(gap_days_mean=1.2), "silent for 94 days, usually orders every day"),
    (say_silence, facts(1.0, gap_days_mean=NAN), "silent for 1 day"),
    (
        say_silence,
        facts(gap_days_mean=21.4, recency_days_activity=12.0),
        "no order for 94 days, usually every 21",
    ),
    (
        say_silence,
        facts(9, entered=False, order=False, gap_days_mean=30, recency_days_activity=9.0),
        "registered, no purchase yet: silent for 9 days",
    ),
    (
        say_silence,
        facts(9, entered=False, order=False, recency_days_activity=1.0),
        "registered, no purchase yet for 9 days",
    ),
    (
        say_silence,
        facts(46, entered=False, noun="loan", gap_days_mean=132, recency_days_activity=46),
        "registered, no purchase yet: silent for 46 days, usually a loan every 132",
    ),
    (say_silence, facts(NAN), None),
    (
        say_presence,
        facts(recency_days_activity=12.9, active_days_90d=3, active_days_365d=9),
        "last seen 12 days ago, active on 3 days in the last 90",
    ),
    (
        say_presence,
        facts(recency_days_activity=0.4, active_days_90d=1),
        "last seen today, active on 1 day in the last 90",
    ),
    (
        say_presence,
        facts(recency_days_activity=100, active_days_365d=2),
        "last seen 100 days ago, active on 2 days in the last 365",
    ),
    (say_presence, facts(recency_days_activity=500), "last seen 500 days ago"),
    (say_presence, facts(recency_days_activity=NAN), None),
    (say_presence, facts(recency_days_activity=94.6, active_days_365d=2), "silent for 94 days"),
    (
        say_spend,
        facts(orders_lifetime=9, order_amount_mean=99.0, spend_365d=1340, orders_365d=8),
        "spent 1\u202f340 EUR in the last 365 days, 168 EUR an order",
    ),
    (
        say_spend,
        facts(
            orders_lifetime=2,
            order_amount_mean=356,
            spend_365d=335,
            orders_365d=1,
            refund_share_365d=NAN,
        ),
        "spent 335 EUR in the last 365 days, 1 order",
    ),
    (
        say_spend,
        facts(
            orders_lifetime=2,
            order_amount_mean=200,
            spend_365d=400,
            orders_365d=2,
            refund_share_365d=0.25,
        ),
        "spent 400 EUR (300 EUR after refunds) in the last 365 days, 200 EUR an order",
    ),
    (
        say_spend,
        facts(orders_lifetime=2, order_amount_mean=4.5, spend_365d=0),
        "no order in the last 365 days, 2 before, 4.50 EUR an order",
    ),
    (say_spend, facts(orders_lifetime=0, order_amount_mean=NAN), "no order yet"),
    (
        say_orders,
        facts(orders_lifetime=20, orders_90d=1, orders_365d=13),
        "orders fell from 4 to 1 a quarter",
    ),
    (
        say_orders,
        facts(orders_lifetime=20, orders_90d=0, orders_365d=6),
        "orders fell from 2 to none a quarter",
    ),
    (
        say_orders,
        facts(orders_lifetime=9, orders_90d=5, orders_365d=8),
        "orders rose from 1 to 5 a quarter",
    ),
    (
        say_orders,
        facts(orders_lifetime=1, orders_90d=1, orders_365d=1),
        "1 order in the last 365 days",
    ),
    (
        say_orders,
        facts(orders_lifetime=7, orders_90d=0, orders_365d=0),
        "no order in the last 365 days, 7 before",
    ),
    (say_orders, facts(orders_lifetime=0), "no order yet"),
    (
        say_orders,
        facts(orders_lifetime=3, orders_365d=3, noun="loan"),
        "loans fell from 1 to none a quarter",
    ),
    (
        say_spend,
        facts(
            orders_lifetime=2, order_amount_mean=9150, spend_365d=18300, orders_365d=2, noun="loan"
        ),
        "loans of 18\u202f300 EUR in the last 365 days, 9\u202f150 EUR a loan",
    ),
    (say_spend, facts(orders_lifetime=0, noun="loan"), "no loan yet"),
    (
        say_contacts,
        facts(
            member="email", label="e-mail", contacts_email_sent_90d=5, contacts_email_opened_90d=3
        ),
        "opened 3 of 5 e-mails in the last 90 days",
    ),
    (
        say_contacts,
        facts(
            member="email",
            label="e-mail",
            contacts_email_sent_90d=5,
            contacts_email_opened_90d=3,
            contacts_email_clicked_90d=1,
        ),
        "clicked 1 of 5 e-mails in the last 90 days",
    ),
    (
        say_contacts,
        facts(member="phone", label="phone call", contacts_phone_sent_90d=1),
        "no reaction to 1 phone call in the last 90 days",
    ),
    (
        say_contacts,
        facts(member="sms", label="SMS", contacts_sms_sent_90d=2),
        "no reaction to 2 SMS in the last 90 days",
    ),
    (say_contacts, facts(member="any", label="contact"), "no contact in the last 90 days"),
    (
        say_contacts,
        facts(member="any", label="contact", contacts_any_unsubscribed=1),
        "unsubscribed from a channel no longer configured",
    ),
    (
        say_contacts,
        facts(
            member="any",
            label="contact",
            contacts_any_unsubscribed=1,
            contacts_email_unsubscribed=1,
            contacts_sms_unsubscribed=1,
        ),
        "unsubscribed from e-mail and text messages",
    ),
    (
        say_contacts,
        facts(
            member="any",
            label="contact",
            tell_unsubscribed=False,
            contacts_any_unsubscribed=1,
            contacts_any_sent_90d=4,
        ),
        "no reaction to 4 contacts in the last 90 days",
    ),
    (
        say_contacts,
        facts(member="email", label="e-mail", contacts_email_unsubscribed=1),
        "unsubscribed from e-mail",
    ),
    (
        say_refunds,
        facts(refunds_365d=2, refund_share_365d=0.123),
        "2 refunds in the last 365 days, 12 % of the money spent",
    ),
    (say_refunds, facts(refunds_365d=1, refund_share_365d=NAN), "1 refund in the last 365 days"),
    (say_refunds, facts(refunds_365d=0), "no refund in the last 365 days"),
    (
        say_discounts,
        facts(discount_share_365d=0.14),
        "got 14 % off on average in the last 365 days",
    ),
    (say_discounts, facts(discount_share_365d=0.001), "paid full price in the last 365 days"),
    (say_discounts, facts(discount_share_365d=NAN), None),
    (say_tenure, facts(tenure_days=0.5), "new today"),
    (say_tenure, facts(tenure_days=1.2), "known for 1 day"),
    (say_tenure, facts(tenure_days=100.0, tenure_days_signup=430.0), "known for 14 months"),
    (say_tenure, facts(tenure_days=731.0, tenure_days_signup=NAN), "known for 2 years"),
    (say_tenure, facts(), None),
    (say_variety, facts(categories_365d=1), "interested in 1 category in the last 365 days"),
    (
        say_variety,
        facts(categories_365d=0, categories_lifetime=4),
        "interested in 4 categories so far",
    ),
    (say_variety, facts(), None),
    (say_attribute, facts(member="city_tier", label="2"), "city tier: 2"),
    (say_attribute, facts(member="city_tier", label=""), None),
]


@pytest.mark.parametrize(("phrase", "known", "expected"), CASES)
def test_phrases(phrase: Phrase, known: Facts, expected: str | None) -> None:
    assert phrase(known) == expected


def test_every_family_is_tested() -> None:
    assert {phrase for phrase, _, _ in CASES} == set(PHRASES.values())


def test_money() -> None:
    assert money_text(1234567.8, "USD") == "1\u202f234\u202f568 USD"
    assert money_text(3.0, "EUR") == "3.00 EUR"


SPEC = FeatureSpec(
    event_types=("signup", "visit", "purchase", "refund"),
    activity=("signup", "visit", "purchase"),
    orders=("purchase",),
    refunds=("refund",),
    channels=("email", "email_vip"),
    attributes=("city",),
    vocabulary=(("Berlin", "Ulm"),),
)
WORDS = learn_words(SPEC, channel_labels={"email": "e-mail", "email_vip": "personal letter"})
STAGES = (
    Stage("buyer", "has bought", ("purchase",), ("purchase",), ("purchase",), silence_days=30.0),
)


def reasons(contributions: dict[str, float], values: dict[str, float]) -> list[str]:
    """Reasons of one customer; features not named contribute nothing and are missing."""
    names = [feature.name for feature in feature_manifest(SPEC)]
    parts = np.array([[contributions.get(name, 0.0) for name in names]])
    row = np.array([[values.get(name, NAN) for name in names]], dtype=np.float32)
    around = Circumstances(
        stage=np.array([0], dtype=np.int16),
        silence_days=np.array([94.0]),
        stages=STAGES,
        orders=("purchase",),
        order_name="order",
        currency="EUR",
    )
    return give_reasons(parts, row, words=WORDS, circumstances=around)[0]


def test_every_feature_has_a_family() -> None:
    families = {
        name: tuple(PHRASES)[place] for name, place in zip(WORDS.names, WORDS.family, strict=True)
    }
    assert families["recency_days_type_purchase"] == "silence"
    assert families["recency_days_type_visit"] == "presence"
    assert families["trend_active_days_30d_90d"] == "presence"
    assert families["order_amount_sd"] == "spend"
    assert set(families.values()) == set(PHRASES)


def test_channels_of_similar_names_are_told_apart() -> None:
    member = dict(zip(WORDS.names, WORDS.member, strict=True))
    assert WORDS.members[member["contacts_email_sent_7d"]] == ("contacts", "email")
    assert WORDS.members[member["contacts_email_vip_sent_7d"]] == ("contacts", "email_vip")


def test_families_are_ranked_by_summed_absolute_contributions() -> None:
    said = reasons(
        {
            "overdue_ratio": -0.3,
            "gap_days_mean": 0.3,
            "spend_365d": 0.5,
            "tenure_days": 0.1,
            "refunds_365d": 0.05,
        },
        {
            "gap_days_mean": 21.0,
            "orders_lifetime": 3,
            "order_amount_mean": 42.0,
            "spend_365d": 126.0,
            "orders_365d": 3,
            "tenure_days": 40.0,
            "refunds_365d": 0.0,
        },
    )
    assert said == [
        "silent for 94 days, usually orders every 21",
        "spent 126 EUR in the last 365 days, 42 EUR an order",
        "known for 40 days",
    ]


def test_a_family_with_nothing_to_say_is_passed_over() -> None:
    said = reasons({"discount_share_365d": 0.9, "tenure_days": 0.1}, {"tenure_days": 40.0})
    assert said == ["known for 40 days"]


def test_silence_comes_first_where_only_an_order_ends_it() -> None:
    said = reasons(
        {"recency_days_activity": 0.9, "overdue_ratio": 0.1, "tenure_days": 0.5},
        {"recency_days_activity": 9.0, "tenure_days": 200.0, "gap_days_mean": 27.0},
    )
    assert said == [
        "no order for 94 days, usually every 27",
        "last seen 9 days ago",
        "known for 6 months",
    ]


def test_one_silence_is_not_said_twice() -> None:
    said = reasons(
        {"recency_days_activity": 0.5, "overdue_ratio": 0.4, "tenure_days": 0.1},
        {"recency_days_activity": 94.0, "tenure_days": 200.0},
    )
    assert said == ["silent for 94 days", "known for 6 months"]


def test_the_strongest_channel_of_the_family_is_named() -> None:
    said = reasons(
        {"contacts_email_sent_7d": 0.1, "contacts_email_vip_opened_90d": 0.2},
        {
            "contacts_email_vip_sent_90d": 4,
            "contacts_email_vip_opened_90d": 1,
            "contacts_email_sent_90d": 9,
        },
    )
    assert said == ["opened 1 of 4 personal letters in the last 90 days"]


def test_attributes_are_said_by_their_value() -> None:
    assert reasons({"attribute_city": 0.4}, {"attribute_city": 1.0}) == ["city: Ulm"]
    assert reasons({"attribute_city": 0.4}, {}) == []


def test_nothing_contributed_nothing_said() -> None:
    assert reasons({}, {"tenure_days": 40.0}) == []


def test_no_nan_ever_reaches_a_text() -> None:
    rng = np.random.default_rng(3)
    names = [feature.name for feature in feature_manifest(SPEC)]
    values = np.where(
        rng.random((300, len(names))) < 0.5, np.nan, rng.integers(0, 2, (300, len(names)))
    )
    around = Circumstances(
        stage=np.zeros(300, dtype=np.int16),
        silence_days=np.where(rng.random(300) < 0.2, np.nan, 40.0),
        stages=STAGES,
        orders=("purchase",),
        order_name="order",
        currency="EUR",
    )
    said = give_reasons(
        rng.normal(size=values.shape),
        values.astype(np.float32),
        words=WORDS,
        circumstances=around,
        limit=10,
    )
    texts = [text for row in said for text in row]
    assert texts
    assert not any("nan" in text.lower().split() for text in texts)
