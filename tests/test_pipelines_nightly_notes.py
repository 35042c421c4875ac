"""What a night tells its readers: notes, and why nobody is listed."""

from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
import small_shop
from night_home import (
    AS_OF_US,
    CHANNELS,
    DAY,
    N_BUCKETS,
    copy_home,
    customer_rows,
    fit_champions,
    make_night_home,
    night,
    read_list,
    table_of,
)

from features.warehouse import Warehouse
from models.bundle import Bundle
from pipelines.config import Config

pytestmark = pytest.mark.usefixtures("champions")


def test_old_data_and_a_future_as_of_are_noted(shop: Config) -> None:
    notes = night(shop, as_of=date(2025, 12, 5), dry_run=True).summary.notes
    assert "The as-of lies in the future" in notes[0]
    assert "latest known event is 8 days older" in notes[1]
    assert not any("older than" in note for note in night(shop, dry_run=True).summary.notes)


def test_a_list_whose_contacts_were_not_ingested_is_noted_the_next_night(shop: Config) -> None:
    assert not any("No contact of the list" in note for note in night(shop).summary.notes)
    tomorrow = DAY + timedelta(days=1)
    notes = night(shop, as_of=tomorrow, dry_run=True).summary.notes
    assert f"No contact of the list of {DAY} or since had arrived" in notes[0]
    sent = {"contact_id": "k1", "customer_id": "c00001", "channel": "push"}
    times = {"sent_at": AS_OF_US + 1, "arrived_at": AS_OF_US + 2}
    warehouse = Warehouse.open(shop.warehouse_path, n_buckets=N_BUCKETS)
    warehouse.append("contacts", table_of("contacts", [sent | times]))
    notes = night(shop, as_of=tomorrow, dry_run=True).summary.notes
    assert not any("No contact of the list" in note for note in notes)


EMPTY = {
    "no channels": ("", "no_channel_configured"),
    "no capacity": (
        CHANNELS.replace("cost = 0.002", "cost = 0.002\ncapacity = 0")
        .replace("capacity = 40", "capacity = 0")
        .replace("capacity = 5", "capacity = 0"),
        "capacity_full",
    ),
    "nothing gains enough": (CHANNELS + "[list]\nmin_gain = 1e9\n", "gain_below_minimum"),
}


@pytest.mark.parametrize("case", EMPTY)
def test_an_empty_list_is_valid_and_explained(
    case: str, tmp_path: Path, champions: dict[str, Bundle]
) -> None:
    channels, code = EMPTY[case]
    config = make_night_home(tmp_path / "home", channels=channels)
    champions |= fit_champions(config)
    report = night(config)
    assert report.summary.listed == 0
    assert report.summary.exclusions[code] > 100
    assert any("Nobody is listed" in note for note in report.summary.notes)
    assert read_list(report).num_rows == 0
    assert "Nobody is listed" in (report.folder / "report.html").read_text()
    assert not any("control groups" in note for note in report.summary.notes)
    assert night(config).status == "unchanged"


CONSENT_ONLY = CHANNELS.replace("capacity = 5", 'capacity = 5\nrequires = ["email_consent"]')


def test_a_list_without_customer_records_says_what_is_missing_and_gives_way(
    tmp_path: Path, champions: dict[str, Bundle]
) -> None:
    config = make_night_home(tmp_path / "home", channels=CONSENT_ONLY, customers=[])
    champions |= fit_champions(config)
    report = night(config)
    assert report.summary.listed == 0
    assert report.summary.notes[-1] == (
        "Nobody is listed: no customer records were ingested, so no channel has consent. Fix: "
        "`winback ingest customers FILE`, mapped in [sources.customers]; or empty `requires`."
    )
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=N_BUCKETS)
    late = [row | {"arrived_at": AS_OF_US} for row in customer_rows()]
    warehouse.append("customers", table_of("customers", late))
    assert night(config, dry_run=True).summary.notes == report.summary.notes
    warehouse.append("customers", table_of("customers", customer_rows()))
    again = night(config)
    assert again.status == "replaced"
    assert again.summary.listed > 50


def test_zones_are_noted_where_they_matter(home: Config, tmp_path: Path) -> None:
    toml = (home.home / "winback.toml").read_text()
    evenly = toml.replace("explore_share = 0.2", 'explore_share = 0.2\nexploration = "uniform"')
    report = night(copy_home(home, tmp_path / "evenly", toml=evenly), dry_run=True)
    told = "\n".join(report.summary.notes)
    assert report.summary.exploring_cost > 0
    assert "by chance" not in told  # The page tells of trials once, where it tells their cost.
    assert "no known time zone" not in told
    zoned = (
        toml.replace("cost = 0.002", "cost = 0.002\nquiet_hours = []")
        .replace(
            "[sources.customers.flags]",
            '[sources.customers]\ntimezone = "zone"\n[sources.customers.flags]',
        )
        .replace("explore_share = 0.2", "explore_share = 0.0\ncold_explore_share = 0.0")
    )
    report = night(copy_home(home, tmp_path / "home", toml=zoned), dry_run=True)
    told = "\n".join(report.summary.notes)
    assert report.summary.exploring_cost == 0
    assert "listed customers have no known time zone" in told


def test_orders_without_amounts_are_not_called_no_orders(home: Config, tmp_path: Path) -> None:
    events = small_shop.shop_events()
    free = pa.nulls(len(events), pa.float64())
    place = events.schema.get_field_index("amount")
    config = make_night_home(tmp_path / "home", events=events.set_column(place, "amount", free))
    notes = night(config, dry_run=True).summary.notes
    assert any(note.startswith("No order with an amount above 0 is known") for note in notes)
