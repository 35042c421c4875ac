"""What stands beside an assignment: its night's decisions, and values that rules may read."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from night_home import CHANNELS, N_BUCKETS, copy_home, table_of
from small_log import draw_customers, draw_log
from small_shop import BUSINESS

from features.history_sample import customer_hash
from features.local_day import local_midnight_us
from features.warehouse import Warehouse
from models.effect_features import LONG_AGO_DAYS
from pipelines.config import Config
from pipelines.effect_rows import action_prices
from pipelines.policy_rows import NOT_LISTED, PolicyRows, join_nights, outcome_known_on
from scoring.decisions import PARTITION, TABLE_NAME
from training.assignment_counts import AssignmentCounts
from training.assignment_rows import EffectRows
from training.effect_sample import NO_CONTACT

NIGHT = date(2025, 9, 20)
NAMES = [f"c{number:05d}" for number in range(5)]
DECIDED: list[dict[str, Any]] = [
    {"channel_blocks": None, "recommended_action": "email/none", "best_gain": 0.5},
    {"channel_blocks": "push=unsubscribed; phone=no_consent_or_unreachable:x"},
    {"recommended_action": "none", "best_gain": -0.1},
    {"recommended_action": "fax/none", "best_gain": 0.3},
]


def effect_rows(config: Config) -> EffectRows:
    rng = np.random.default_rng(1)
    drawn = draw_log(draw_customers(len(NAMES), rng), rng)
    sample = replace(
        drawn,
        x=np.array([[np.log1p(LONG_AGO_DAYS), 0.25, np.log1p(k)] for k in range(len(NAMES))]),
        feature_names=("recency_days_order", "discount_share_lifetime", "orders_365d"),
        log_odds0=np.zeros(len(NAMES)),
        cluster=np.array([customer_hash(name) for name in NAMES], dtype=np.uint64),
        as_of_us=np.full(len(NAMES), local_midnight_us(NIGHT, ZoneInfo("Europe/Berlin"))),
        actions=action_prices(config).actions,
    )
    return EffectRows(
        sample=sample,
        unknown=sample.take(np.zeros(0, dtype=np.int64)),
        counts=AssignmentCounts(),
        stage=np.zeros(len(NAMES), dtype=np.int16),
        silence_days=np.arange(len(NAMES), dtype=np.float64),
    )


def join(config: Config, *, columns: tuple[str, ...] = ("recommended_action",)) -> PolicyRows:
    """Rows of which the last one is of an experiment."""
    base = dict.fromkeys(("channel_blocks", "best_gain", *columns))
    rows = [
        {
            "as_of": NIGHT.isoformat(),
            "customer_id": name,
            "bucket": 0,
            "arm": "contact",
            **base,
            **{key: value for key, value in decided.items() if key in base},
        }
        for name, decided in zip(NAMES, DECIDED, strict=False)
    ]
    types = {"bucket": pa.int32(), "best_gain": pa.float64()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in rows[0]])
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=N_BUCKETS)
    table = pa.Table.from_pylist(rows, schema=schema)
    warehouse.replace_partition(TABLE_NAME, table, column=PARTITION, value=str(NIGHT))
    at = local_midnight_us(NIGHT, ZoneInfo("Europe/Berlin"))
    imported = {"assignment_id": "a", "customer_id": NAMES[-1], "experiment": "e"}
    times = {"assigned_at": at, "arrived_at": at}
    warehouse.append("assignments", table_of("assignments", [{**imported, **times}]))
    return join_nights(effect_rows(config), config, warehouse)


def test_recommendations_are_those_of_the_night(shop: Config) -> None:
    rows = join(shop)
    assert rows.recommended.tolist() == [2, NOT_LISTED, NO_CONTACT, NOT_LISTED, NOT_LISTED]
    np.testing.assert_array_equal(rows.gain, [0.5, np.nan, -0.1, np.nan, np.nan])
    assert set(rows.day) == {NIGHT}


def test_nights_of_earlier_versions_recommend_nothing(shop: Config) -> None:
    assert set(join(shop, columns=()).recommended.tolist()) == {NOT_LISTED}


def test_closed_channels_turn_into_no_contact(shop: Config) -> None:
    rows = join(shop)
    assert rows.sample.actions[:4] == ("push/none", "push/coupon", "email/none", "email/coupon")
    assert rows.closed[1].tolist() == [True, True, False, False, True, True]
    push = np.zeros(len(rows), dtype=np.int16)
    assert rows.without_closed(push).tolist()[:3] == [0, NO_CONTACT, 0]
    assert push.tolist() == [0] * 5


def test_offers_that_the_stage_does_not_make_are_closed(home: Config, tmp_path: Path) -> None:
    toml = BUSINESS.replace("silence_days = 25", 'silence_days = 25\noffers = ["none"]') + CHANNELS
    rows = join(copy_home(home, tmp_path / "home", toml=toml))
    assert rows.closed[0].tolist() == [False, True] * 3


def test_rules_read_days_and_counts_not_their_logarithms(shop: Config) -> None:
    columns = join(shop).columns
    assert columns["recency_days_order"] == pytest.approx(LONG_AGO_DAYS)
    assert columns["orders_365d"] == pytest.approx(np.arange(5))
    assert columns["discount_share_lifetime"] == pytest.approx(0.25)
    assert columns["p_return_natural"] == pytest.approx(0.5)
    assert set(columns["stage"]) == {"buyer"}
    assert columns["silence_days"].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_chosen_rows_keep_all_that_is_known_of_them(shop: Config) -> None:
    rows = join(shop)
    some = rows.take(np.array([True, False, True, False, False]))
    assert len(some) == 2
    assert some.recommended.tolist() == [2, NO_CONTACT]
    assert some.columns["silence_days"].tolist() == [0.0, 2.0]


def test_the_date_to_wait_for_covers_the_whole_window(shop: Config) -> None:
    assert outcome_known_on(date(2025, 11, 20), shop) == date(2025, 12, 22)
