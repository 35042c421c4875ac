"""The simulator's files: deterministic, within the time span, and fit for ingestion."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import pytest

from features.errors import UsageError
from pipelines.init import PRESETS, preset_config
from pipelines.simulate import SimulationPlan, run_simulation, simulate_app
from pipelines.simulate.business import BUSINESSES

END = date(2026, 3, 31)  # two days after Europe set its clocks forward
FILES = ("events-00000.parquet", "customers.csv", "contacts.csv.gz")


def bytes_of(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


def simulate(out: Path, preset: str = "retail", *, seed: int = 5, chunk: int = 100) -> list[bytes]:
    plan = SimulationPlan(preset=preset, customers=250, days=120, end=END, seed=seed)
    run_simulation(
        plan,
        out=out,
        config=preset_config(preset),
        business=BUSINESSES[preset],
        chunk_customers=chunk,
    )
    return bytes_of(out)


@pytest.mark.parametrize("preset", PRESETS)
def test_equal_arguments_give_equal_bytes_whatever_the_chunk(preset: str, tmp_path: Path) -> None:
    first = simulate(tmp_path / "a", preset)
    assert simulate(tmp_path / "b", preset) == first
    assert simulate(tmp_path / "c", preset, chunk=7) == first
    other_seed = simulate(tmp_path / "d", preset, seed=6)
    assert all(mine != theirs for mine, theirs in zip(first, other_seed, strict=True))


def test_later_customers_do_not_change_earlier_ones(tmp_path: Path) -> None:
    rows = {}
    for customers in (40, 60):
        summary = simulate_app(
            "retail", customers=customers, days=90, end=END, seed=1, out=tmp_path / str(customers)
        )
        table = pd.read_parquet(summary.events_files[0]).astype({"customer_id": str})
        rows[customers] = table[table.customer_id < "c00000040"].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows[40], rows[60])


def test_progress_says_what_is_done_to_the_customers(tmp_path: Path) -> None:
    told: set[str] = set()
    simulate_app(
        "retail",
        customers=20,
        days=30,
        end=date(2026, 1, 1),
        seed=1,
        out=tmp_path,
        progress=lambda task, done, total: told.add(task),
    )
    assert "simulating customers" in told
    assert not any("living" in task for task in told)


def test_summary_counts_the_files(tmp_path: Path) -> None:
    summary = simulate_app("lending", customers=50, days=60, end=END, seed=1, out=tmp_path)
    assert len(pd.read_parquet(summary.events_files[0])) == summary.events
    assert len(pd.read_csv(summary.customers_file)) == summary.customer_rows >= 50 * 0.9
    assert len(pd.read_csv(summary.contacts_file)) == summary.contacts
    assert summary.to_json()["schema_version"] == 1
    assert {file.name for file in tmp_path.iterdir()} == set(FILES)


@pytest.mark.parametrize("preset", PRESETS)
def test_everything_lies_before_the_last_midnight(preset: str, tmp_path: Path) -> None:
    simulate(tmp_path, preset)
    zone = ZoneInfo(preset_config(preset).business.timezone)
    end = datetime(END.year, END.month, END.day, tzinfo=zone).astimezone(UTC)
    database = duckdb.connect()
    times = {
        f"{tmp_path}/events-*.parquet": ["occurred_at", "arrived_at"],
        f"{tmp_path}/customers.csv": ["changed_at", "signup_at"],
        f"{tmp_path}/contacts.csv.gz": [
            "sent_at",
            "delivered_at",
            "opened_at",
            "clicked_at",
            "unsubscribed_at",
        ],
    }
    for file, columns in times.items():
        for column in columns:
            query = f"select epoch(max({column})::timestamptz) from '{file}'"
            latest = database.sql(query).fetchall()[0][0]
            assert latest is None or latest < end.timestamp(), (file, column)


@pytest.mark.parametrize("preset", PRESETS)
def test_columns_are_the_ones_the_preset_maps(preset: str, tmp_path: Path) -> None:
    simulate(tmp_path, preset)
    sources = preset_config(preset).sources
    database = duckdb.connect()

    def columns(file: str) -> set[str]:
        return set(database.sql(f"select * from '{tmp_path}/{file}' limit 0").columns)

    not_columns = {"encoding", "where", "time_format", "delimiter", "flags", "attributes"}

    def mapped(source: object) -> set[str]:
        values = {name: getattr(source, name) for name in source.__dataclass_fields__}  # type: ignore[attr-defined]
        return {v for name, v in values.items() if name not in not_columns and v is not None}

    assert mapped(sources.events) <= columns("events-00000.parquet")
    assert mapped(sources.contacts) == columns("contacts.csv.gz")
    flags_and_attributes = {*sources.customers.flags.values()}
    flags_and_attributes |= {*sources.customers.attributes.values()}
    assert mapped(sources.customers) | flags_and_attributes == columns("customers.csv")


def test_nobody_is_contacted_before_signing_up(tmp_path: Path) -> None:
    simulate(tmp_path)
    signup = pd.read_csv(tmp_path / "customers.csv").groupby("customer_id").signup_at.min()
    contacts = pd.read_csv(tmp_path / "contacts.csv.gz")
    assert (contacts.sent_at > contacts.customer_id.map(signup)).all()


def test_nothing_the_product_reads_tells_a_latent(tmp_path: Path) -> None:
    simulate(tmp_path)
    events = pd.read_parquet(tmp_path / "events-00000.parquet")
    assert list(events.columns) == [
        "event_id",
        "customer_id",
        "occurred_at",
        "arrived_at",
        "event_type",
        "amount",
        "discount",
        "order_id",
        "category",
        "device",
    ]


def test_dirt_repeats_and_delays_a_few_events(tmp_path: Path) -> None:
    plan = SimulationPlan(preset="retail", customers=300, days=200, end=END, seed=2)
    shares = {}
    for name, dirt in (("real", plan.dirt), ("clean", replace(plan.dirt, twice_share=0.0))):
        summary = run_simulation(
            replace(plan, dirt=dirt),
            out=tmp_path / name,
            config=preset_config("retail"),
            business=BUSINESSES["retail"],
        )
        events = pd.read_parquet(summary.events_files[0])
        shares[name] = events.event_id.duplicated().mean()
        delay_hours = (events.arrived_at - events.occurred_at).dt.total_seconds() / 3600
        assert (delay_hours > 0).all()
        assert 0.008 < (delay_hours > 1).mean() < 0.03
    assert shares["clean"] == 0
    assert 0.0005 < shares["real"] < 0.005


def test_new_simulation_replaces_the_files_of_a_larger_one(tmp_path: Path) -> None:
    (tmp_path / "events-00001.parquet").write_bytes(b"stale")
    simulate(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == set(FILES)


@pytest.mark.parametrize(
    ("customers", "days", "named"), [(0, 100, "customers"), (10, 5, "days"), (10, 99_999, "days")]
)
def test_numbers_out_of_range_are_named(
    customers: int, days: int, named: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=f"--{named}: .* out of range"):
        simulate_app("retail", customers=customers, days=days, end=END, seed=1, out=tmp_path)


def test_unknown_preset_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such preset"):
        simulate_app("bank", customers=10, days=90, end=END, seed=1, out=tmp_path / "raw")
    assert not (tmp_path / "raw").exists()
