"""Shops that cannot be learnt from, and odd ones that can: what `winback train` says of them."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from ingest_home import ingest_text, rules_of, stored, with_rules
from small_shop import DAY_US, START_US, TOML, events_table, make_home, shop_events

from features.bucket import bucket_of
from features.contract import TABLES
from features.errors import DataError
from features.warehouse import Warehouse
from models.bundle import KINDS
from pipelines.config import Config, load_config
from pipelines.nightly import run_nightly
from pipelines.registry import champion
from pipelines.tracking import check_reachable
from pipelines.train import TrainReport, run_train

NOW = datetime(2025, 11, 27, 8, tzinfo=UTC)
N_TYPES = 100_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database: making one takes seconds."""
    home = tmp_path_factory.mktemp("store")
    check_reachable(make_home(home, events_table([])))
    return home / "mlflow.db"


def bought(customer: int, day: float, amount: float = 10.0) -> tuple[str, int, str, float]:
    return f"c{customer:05d}", START_US + round(day * DAY_US), "purchase", amount


def edited(config: Config, old: str, new: str) -> Config:
    toml = config.home / "winback.toml"
    text = toml.read_text()
    assert old in text
    toml.write_text(text.replace(old, new))
    return load_config(config.home)


def refusal(config: Config) -> str:
    """What training says; it must say where, what was expected and what to do."""
    with pytest.raises(DataError) as caught:
        run_train(config, now=NOW)
    text = str(caught.value)
    assert text.startswith("training") and "Fix: " in text
    assert "c0000" not in text
    return text


def test_one_purchase_per_customer_only(tmp_path: Path, store: Path) -> None:
    """Nobody ever returned, so there is nothing to tell returns by."""
    rows = [bought(customer, customer % 320) for customer in range(600)]
    text = refusal(make_home(tmp_path, events_table(rows), store=store))
    assert "too few positives or negatives" in text
    assert "natural_return has training 0 and" in text
    assert "and 0, validation" in text  # dormancy risk: everybody stays away
    assert "at least 20 of each in every fold" in text


def test_all_customers_dormant(tmp_path: Path, store: Path) -> None:
    """All bought in January, and one customer in November: at every cutoff all are asleep."""
    rows = [bought(customer, customer % 30) for customer in range(300)] + [bought(999, 325)]
    text = refusal(make_home(tmp_path, events_table(rows), store=store))
    assert "dormancy_risk has training 0 and 0" in text


def test_no_customer_dormant(tmp_path: Path, store: Path) -> None:
    """Everybody buys every week: no row of the dormant at all."""
    rows = [
        bought(customer, customer % 7 + 7 * week) for customer in range(40) for week in range(47)
    ]
    text = refusal(make_home(tmp_path, events_table(rows), store=store))
    assert "natural_return has training 0 and 0, validation 0 and 0, test 0 and 0" in text


def test_a_single_month_of_data(tmp_path: Path, store: Path) -> None:
    table = shop_events(200)
    last_month = pc.greater_equal(
        table.column("occurred_at").cast(pa.int64()), START_US + 300 * DAY_US
    )
    text = refusal(make_home(tmp_path, table.filter(last_month), store=store))
    assert "span 29 complete days, 2025-10-28 to 2025-11-26, and it needs 129" in text
    assert "train on 2026-03-07 or later" in text


def test_a_horizon_longer_than_the_history(tmp_path: Path, store: Path) -> None:
    config = make_home(tmp_path, shop_events(200), store=store)
    text = refusal(edited(config, "horizon_days = 30", "horizon_days = 400"))
    assert "four label windows (gap + horizon = 402 days)" in text
    assert "or later, ingest older events, or shorten windows.horizon_days" in text


def customers_table(cities: list[str | None]) -> pa.Table:
    """A record of each customer from the beginning on."""
    names = [f"c{number:05d}" for number in range(len(cities))]
    rows = [
        {
            "bucket": bucket_of(name, n_buckets=3),
            "customer_id": name,
            "changed_at": START_US,
            "arrived_at": START_US,
            "attributes": {"country": "DE"} | ({} if city is None else {"city": city}),
        }
        for name, city in zip(names, cities, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=TABLES["customers"].schema)


@pytest.fixture(scope="module")
def odd_shop(
    tmp_path_factory: pytest.TempPathFactory, store: Path
) -> tuple[Config, TrainReport, Warehouse]:
    """All prices are 0, one attribute is the same for all, few have a known city."""
    table = shop_events(600)
    free = pc.if_else(pc.is_null(table.column("amount")), None, pa.scalar(0.0))
    amount = table.schema.get_field_index("amount")
    table = table.set_column(amount, table.schema.field(amount), free.cast(pa.float64()))
    config = make_home(tmp_path_factory.mktemp("odd"), table, store=store)
    with (config.home / "winback.toml").open("a") as toml:
        toml.write('[sources.customers.attributes]\ncity = "city"\ncountry = "country"\n')
    config = load_config(config.home)
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=3)
    cities = [("Ulm", "Bonn", None)[number % 3] for number in range(600)]
    warehouse.append("customers", customers_table(cities))
    return config, run_train(config, now=NOW, audit=False), warehouse


def test_prices_all_zero_and_constant_attributes_are_learnt_from_all_the_same(
    odd_shop: tuple[Config, TrainReport, Warehouse],
) -> None:
    _, report, _ = odd_shop
    assert [model.kind for model in report.models] == list(KINDS)
    for model in report.models:
        figures = next(rung for rung in model.test.ladder if rung.name == model.shipped).metrics
        assert all(np.isfinite(one.value) for one in figures.values())
        assert figures["auc"].value > 0.55
        shares = dict(model.importance)
        assert shares["spend_lifetime"] == 0.0 and shares["attribute_country"] == 0.0


def test_a_category_unseen_in_training_is_scored_as_missing(
    odd_shop: tuple[Config, TrainReport, Warehouse],
) -> None:
    config, _, warehouse = odd_shop
    bundle = champion(config, "dormancy_risk")[0]
    assert ("Bonn", "Ulm") in bundle.spec.vocabulary
    day = date(2025, 11, 26)
    before = run_nightly(config, as_of=day, now=NOW, dry_run=True)
    moved = customers_table(["Atlantis"] * 600)
    later = pa.array([START_US + DAY_US] * 600, pa.timestamp("us", tz="UTC"))
    for name in ("changed_at", "arrived_at"):
        place = moved.schema.get_field_index(name)
        moved = moved.set_column(place, moved.schema.field(place), later)
    warehouse.append("customers", moved)
    after = run_nightly(config, as_of=day, now=NOW, dry_run=True)
    assert after.summary.scored == before.summary.scored > 100


def test_a_hundred_thousand_event_types_in_the_configuration(tmp_path: Path) -> None:
    names = ", ".join(f'"type {number}"' for number in range(N_TYPES))
    (tmp_path / "winback.toml").write_text(
        TOML.replace('types = ["visit", "purchase"]', f'types = ["visit", "purchase", {names}]')
    )
    with pytest.raises(DataError, match=r"events\.types.*200") as caught:
        load_config(tmp_path)
    assert len(str(caught.value)) < 2_000


def many_types() -> str:
    """A stream in which every row has an event type of its own, and one order."""
    lines = ["customer_id,occurred_at,event_type,amount", "c1,2026-01-01,order,5"]
    lines += [f"c{number % 50},2026-01-02,type {number}," for number in range(N_TYPES)]
    return "\n".join(lines)


def test_a_stream_of_a_hundred_thousand_event_types_is_rejected_by_rule(tmp_path: Path) -> None:
    summary = ingest_text(tmp_path, many_types())
    assert rules_of(summary) == {"event_type_unknown": N_TYPES}
    assert [row["event_type"] for row in stored(tmp_path)] == ["order"]


def test_too_many_rejects_end_the_run_with_a_few_examples(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="event_type_unknown") as caught:
        ingest_text(tmp_path, many_types(), max_reject_share=0.01)
    text = str(caught.value)
    assert len(text) < 2_000 and text.count("type ") < 10 and "unknown" in text


def test_a_stream_of_a_hundred_thousand_event_types_can_be_ignored(tmp_path: Path) -> None:
    summary = ingest_text(tmp_path, many_types(), rules=with_rules(unknown="ignore"))
    assert (summary.accepted, summary.ignored, summary.rejected) == (1, N_TYPES, 0)


def test_a_stream_of_a_hundred_thousand_event_types_can_be_stored_as_one(tmp_path: Path) -> None:
    rules = with_rules(unknown="map", unknown_as="visit")
    summary = ingest_text(tmp_path, many_types(), rules=rules)
    # Rows that are the same once their types are one are repeats: 50 customers, one instant.
    assert summary.accepted + summary.duplicate == N_TYPES + 1
    assert {row["event_type"] for row in stored(tmp_path)} == {"order", "visit"}
