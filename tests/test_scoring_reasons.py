"""Reasons: which families of features are said, and in which order."""

import math

import numpy as np

from features.manifest import feature_manifest
from features.spec import FeatureSpec
from features.stage import Stage
from scoring.reasons import PHRASES, Circumstances, Wording, give_reasons, learn_words

NAN = math.nan

SPEC = FeatureSpec(
    event_types=("signup", "visit", "purchase", "refund"),
    activity=("signup", "visit", "purchase"),
    orders=("purchase",),
    refunds=("refund",),
    channels=("email", "email_vip"),
    attributes=("city",),
    vocabulary=(("Berlin", "Ulm"),),
)
WORDING = Wording(
    language="en",
    channel_labels={"email": "e-mail", "email_vip": "personal letter"},
    order_name="order",
    currency="EUR",
)
WORDS = learn_words(SPEC, channel_labels=WORDING.channel_labels)
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
        wording=WORDING,
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
        wording=WORDING,
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
