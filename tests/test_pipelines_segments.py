"""Segments through a whole night: on the list, in the log, explained, and blind to the future."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import small_shop
from night_home import (
    AS_OF_US,
    DAY,
    DAY_US,
    N_BUCKETS,
    contact_rows,
    copy_home,
    make_night_home,
    night,
    read_list,
    table_of,
)

from features.life_cycle import LIFE_CYCLES
from features.value_tier import VALUE_TIERS
from features.warehouse import Warehouse
from pipelines.config import Config
from pipelines.explain import explain
from pipelines.nightly_inputs import build_scorer, load_champions, night_policy, open_warehouse
from pipelines.scored_night import score_customers
from scoring.promotion import BASES, PROMOTIONS
from scoring.segments import Segments, segment_customers

pytestmark = pytest.mark.usefixtures("champions")

FANS, PAYERS = 0, 1


def kind(name: str) -> int:
    """Every third customer buys with discounts only, every third never, the others now and then."""
    return int(name[1:]) % 3


def discounted_events() -> pa.Table:
    table = small_shop.shop_events()
    rng = np.random.default_rng(7)
    discount = [
        0.0 if kind(name) == PAYERS else 2.0 * float(kind(name) == FANS or rng.random() < 0.2)
        for name in table["customer_id"].to_pylist()
    ]
    bought = pc.equal(table["event_type"], "purchase")
    values = pc.if_else(bought, pa.array(discount), pa.scalar(None, pa.float64()))
    place = table.schema.get_field_index("discount")
    return table.set_column(place, table.schema.field(place), values)


def offered_contacts() -> list[dict[str, Any]]:
    """The home's contacts, an early offer to one, and offers to those who pay the full price."""
    rows = [{**row, "offer": "none"} for row in contact_rows()]
    for number in range(500):
        name = f"c{number:05d}"
        for turn in range(4 if kind(name) == PAYERS else 0):
            sent = AS_OF_US - (100 + 30 * turn + number % 9) * DAY_US
            rows.append(contact(f"o{number}-{turn}", name, sent))
    return [*rows, contact("first", "c00002", small_shop.START_US)]


def contact(number: str, name: str, sent: int, arrived: int | None = None) -> dict[str, Any]:
    return {
        "contact_id": number,
        "customer_id": name,
        "sent_at": sent,
        "arrived_at": sent if arrived is None else arrived,
        "channel": "email",
        "offer": "coupon",
    }


@pytest.fixture(scope="module")
def offered(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A shop whose customers take discounts, and get offers, in different ways."""
    return make_night_home(
        tmp_path_factory.mktemp("offered") / "home",
        events=discounted_events(),
        contacts=offered_contacts(),
    )


def segments_of(config: Config) -> tuple[list[str], Segments]:
    policy, warehouse = night_policy(config, DAY), open_warehouse(config)
    scorer = build_scorer(config, warehouse, policy, load_champions(config))
    scored = score_customers(config, scorer)
    found = segment_customers(scored, stages=policy.stages, tier_quantile=0.8)
    return scored.customer_id.to_pylist(), found


def test_customers_are_told_apart_by_how_they_take_discounts(offered: Config) -> None:
    names, found = segments_of(offered)
    told: dict[int, set[str]] = {0: set(), 1: set(), 2: set()}
    basis = found.names(np.arange(len(names)))["promotion_basis"]
    for name, code, based in zip(names, found.promotion.code, basis, strict=True):
        if based == "history":
            told[kind(name)].add(PROMOTIONS[code])
    assert told[FANS] == {"enthusiast"}
    assert "indifferent" in told[PAYERS]
    assert told[PAYERS] <= {"indifferent", "neutral"}
    assert "neutral" in told[2]


def test_offers_go_to_whom_they_move_and_to_who_is_about_to_leave(
    offered: Config, tmp_path: Path
) -> None:
    rows = read_list(night(copy_home(offered, tmp_path / "home"))).to_pylist()
    closed = ("enthusiast", "indifferent")
    assert {row["offer"] for row in rows if row["promotion"] in closed} == {"none"}
    assert any(row["promotion"] in closed for row in rows)
    neutral = [row for row in rows if row["promotion"] == "neutral"]
    assert {row["life_cycle"] for row in neutral if row["offer"] == "coupon"} <= {
        "dormant",
        "at_risk",
    }
    assert "coupon" in {row["offer"] for row in neutral}


def test_everybodys_segments_are_logged(offered: Config, tmp_path: Path) -> None:
    config = copy_home(offered, tmp_path / "home")
    night(config)
    log = Warehouse.open(config.warehouse_path, n_buckets=N_BUCKETS)
    decisions = log_of(log)
    known = {
        "life_cycle": LIFE_CYCLES,
        "value_tier": VALUE_TIERS,
        "promotion": PROMOTIONS,
        "promotion_basis": BASES,
    }
    for name, values in known.items():
        assert set(decisions[name].to_pylist()) <= set(values)
    names, found = segments_of(config)
    told = dict(zip(names, found.names(np.arange(len(names)))["promotion"], strict=True))
    logged = zip(
        decisions["customer_id"].to_pylist(), decisions["promotion"].to_pylist(), strict=True
    )
    assert dict(logged) == told


def log_of(warehouse: Warehouse) -> pa.Table:
    from deltalake import DeltaTable

    return DeltaTable(f"{warehouse.root}/decisions").to_pyarrow_table()


def test_explain_closes_the_offers_that_the_night_closed(offered: Config, tmp_path: Path) -> None:
    config = copy_home(offered, tmp_path / "home")
    rows = read_list(night(config)).to_pylist()
    for wanted, has_coupon in (("enthusiast", False), ("neutral", True)):
        row = next(r for r in rows if r["promotion"] == wanted and r["life_cycle"] == "dormant")
        told = explain(config, row["customer_id"])
        open_offers = {action.offer for action in told.actions if action.allowed}
        assert ("coupon" in open_offers) == has_coupon
        assert "none" in open_offers
        assert (told.promotion, told.life_cycle) == (wanted, "dormant")
        assert told.no_offer_made != has_coupon


def later_events(config: Config) -> None:
    """Purchases, discounts and offers of the past that arrive at the as-of."""
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=N_BUCKETS)
    past = [(f"c{n:05d}", AS_OF_US - (n % 90 + 1) * DAY_US, "purchase", 500.0) for n in range(500)]
    warehouse.append("events", small_shop.events_table(past, arrived=[AS_OF_US] * len(past)))


def later_contacts(config: Config) -> None:
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=N_BUCKETS)
    early = small_shop.START_US - 300 * DAY_US
    rows = [contact(f"late{n}", f"c{n:05d}", early + n, AS_OF_US + n) for n in range(500)]
    changed = [{**row, "offer": "none", "arrived_at": AS_OF_US} for row in offered_contacts()]
    warehouse.append("contacts", table_of("contacts", [*rows, *changed]))


@pytest.mark.parametrize("add", [later_events, later_contacts])
def test_what_arrives_later_moves_nobody(
    offered: Config, tmp_path: Path, add: Callable[[Config], None]
) -> None:
    config = copy_home(offered, tmp_path / "home")
    add(config)
    names, before = segments_of(offered)
    again, after = segments_of(config)
    assert names == again
    rows = np.arange(len(names))
    assert before.names(rows) == after.names(rows)
    assert before.tier_then.tobytes() == after.tier_then.tobytes()
