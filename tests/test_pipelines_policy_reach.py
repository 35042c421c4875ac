"""What was open to customers of imported experiments: consent, leaving, told chances."""

from typing import Any

import numpy as np
import pytest
from night_home import AS_OF_US, DAY_US, make_night_home, table_of
from small_log import draw_customers, draw_log
from small_shop import START_US, shop_events

from features.history_sample import customer_hash
from features.warehouse import Warehouse
from pipelines.config import Config
from pipelines.effect_rows import action_prices
from pipelines.policy_reach import closed_to_imported
from training.effect_sample import EffectSample

NAMES = [f"c{number:05d}" for number in range(6)]
TOLD = {"none": 0.5, "push/none": 0.25, "phone/coupon": 0.25}


def record(name: str, *, flags: dict[str, bool], **more: Any) -> dict[str, Any]:
    times = {"changed_at": START_US, "arrived_at": START_US}
    return {"customer_id": name, "do_not_contact": False, "flags": flags, **times, **more}


CUSTOMERS = [
    record(NAMES[0], flags={"app_installed": True, "email_consent": True}),
    record(NAMES[1], flags={"app_installed": False, "email_consent": True}),
    record(NAMES[1], flags={"app_installed": True}, changed_at=AS_OF_US, arrived_at=AS_OF_US),
    record(NAMES[2], flags={"app_installed": True, "email_consent": True}, do_not_contact=True),
    record(NAMES[4], flags={"app_installed": True, "email_consent": True}),
    record(NAMES[5], flags={"app_installed": True, "email_consent": True}),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Six customers, each assigned once, one of them with all probabilities told."""
    left = {
        "contact_id": "k1",
        "customer_id": NAMES[4],
        "sent_at": AS_OF_US - 3 * DAY_US,
        "arrived_at": AS_OF_US - 3 * DAY_US,
        "channel": "email",
        "unsubscribed_at": AS_OF_US - 2 * DAY_US,
    }
    config = make_night_home(
        tmp_path_factory.mktemp("reach") / "home",
        events=shop_events(6),
        customers=CUSTOMERS,
        contacts=[left],
    )
    rows = [
        {
            "assignment_id": name,
            "customer_id": name,
            "assigned_at": AS_OF_US,
            "arrived_at": AS_OF_US,
            "experiment": "e",
            "channel": "push",
            "propensities": list(TOLD.items()) if name == NAMES[5] else None,
        }
        for name in NAMES
    ]
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)
    warehouse.append("assignments", table_of("assignments", rows))
    return config


def sample_of(config: Config, *, as_of_us: int = AS_OF_US) -> EffectSample:
    rng = np.random.default_rng(1)
    drawn = draw_log(draw_customers(len(NAMES), rng), rng)
    return EffectSample(
        **{
            **{name: getattr(drawn, name) for name in drawn.__slots__},
            "cluster": np.array([customer_hash(name) for name in NAMES], dtype=np.uint64),
            "as_of_us": np.full(len(NAMES), as_of_us),
            "actions": action_prices(config).actions,
        }
    )


def open_actions(config: Config, sample: EffectSample) -> list[set[str]]:
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)
    closed = closed_to_imported(sample, np.arange(len(sample)), config, warehouse)
    return [
        {name for name, shut in zip(sample.actions, row, strict=True) if not shut} for row in closed
    ]


def test_channels_need_consent_that_was_known_by_then(shop: Config) -> None:
    found = open_actions(shop, sample_of(shop))
    phone = {"phone/none", "phone/coupon"}
    email, push = {"email/none", "email/coupon"}, {"push/none", "push/coupon"}
    assert found[0] == phone | email | push
    assert found[1] == phone | email
    assert found[2] == set()
    assert found[3] == phone
    assert found[4] == phone | push


def test_told_chances_say_what_was_open(shop: Config) -> None:
    assert open_actions(shop, sample_of(shop))[5] == {"push/none", "phone/coupon"}


def test_later_records_count_for_later_assignments(shop: Config) -> None:
    found = open_actions(shop, sample_of(shop, as_of_us=AS_OF_US + DAY_US))
    assert "push/none" in found[1]
    assert "email/none" not in found[1]


def test_no_imported_rows_ask_nothing(shop: Config) -> None:
    warehouse = Warehouse.open(shop.warehouse_path, n_buckets=shop.storage.buckets)
    none = np.empty(0, dtype=np.int64)
    assert closed_to_imported(sample_of(shop), none, shop, warehouse).shape == (0, 6)
