"""The night benchmark in small: its shop can be ingested, its figures say what happened."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import night, night_shop
from benchmarks.night_data import CHUNK, DAYS, FIRST_DAY, draw_shoppers, write_exports
from benchmarks.night_process import Spent, run_winback
from benchmarks.night_shop import AS_OF, KEPT, configure, forget_night, set_budget, set_key
from features.contract import KINDS
from features.warehouse import Warehouse
from pipelines.config import load_config
from pipelines.ingest import run_ingest

CUSTOMERS, EVENTS = 250, 12_000
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_the_shop_can_be_ingested_as_it_is(tmp_path: Path) -> None:
    rows = write_exports(tmp_path, customers=CUSTOMERS, events=EVENTS, seed=3)
    configure(tmp_path / "shop", customers=CUSTOMERS, settings={"max_rows": 5000})
    config = load_config(tmp_path / "shop")
    for kind in (kind for kind in KINDS if kind in rows):
        summary = run_ingest(config, kind, [str(tmp_path / f"{kind}-*.parquet")], now=NOW)
        assert (summary.accepted, summary.rejected) == (rows[kind], 0)
    assert rows["customers"] == CUSTOMERS
    assert rows["events"] == pytest.approx(EVENTS, rel=0.15)
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)
    events = pa.Table.from_batches(warehouse.dataset("events").to_batches())
    assert set(config.events.types) == set(events["event_type"].to_pylist())
    assert events["amount"].null_count < len(events)
    last = warehouse.table_stats("events").last
    assert last is not None
    assert FIRST_DAY + timedelta(days=DAYS - 2) < last < FIRST_DAY + timedelta(days=DAYS)


def test_equal_seeds_give_equal_exports(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        (tmp_path / name).mkdir()
        write_exports(tmp_path / name, customers=60, events=1500, seed=seed)
    for kind in ("events", "customers", "contacts"):
        one, same, other = (
            pq.read_table(tmp_path / name / f"{kind}-0000.parquet")
            for name in ("one", "same", "other")
        )
        assert one.equals(same)
        assert not one.equals(other)


def test_chunks_hold_everybody_once() -> None:
    shoppers = draw_shoppers(CHUNK + 5, events=40 * CHUNK, seed=1)
    chunks = list(shoppers.chunks())
    assert [len(chunk) for chunk in chunks] == [CHUNK, 5]
    ids = [chunk.ids(range(len(chunk))).to_pylist() for chunk in chunks]  # type: ignore[arg-type]
    assert len({*ids[0], *ids[1]}) == CHUNK + 5


def test_limits_grow_with_the_shop(tmp_path: Path) -> None:
    configure(tmp_path, customers=100_000, settings={"max_rows": 7000, "max_cutoffs": 3})
    config = load_config(tmp_path)
    assert config.channels["push"].capacity == 10_000
    assert config.channels["phone"].capacity == 300
    assert config.list.max_rows == 20_000
    assert config.limits.budget == 400
    assert (config.training.max_rows, config.training.max_cutoffs) == (7000, 3)
    assert config.storage.buckets == 5


@pytest.mark.parametrize(
    "text",
    [
        "a = 1\n",
        "a = 1\n[limits]  # of a night\n# budget = 4\ncaution = 0.0\n\n[list]\nbudget = 9\n",
        "a = 1\n[limits]\nbudget = 3.0\n\n[list]\nbudget = 9\n",
    ],
)
def test_a_budget_is_set_once_and_in_its_section(text: str) -> None:
    lines = set_budget(text, 5.0).splitlines()
    assert lines[lines.index("budget = 5.00") - 1].startswith("[limits]")
    assert "budget = 3.0" not in lines
    assert ("budget = 9" in lines) == ("budget = 9" in text)


def test_a_key_that_is_not_there_is_told() -> None:
    assert set_key("[a]\nx = 1\n[b]\nx = 2\n", "b", "x", 7) == "[a]\nx = 1\n[b]\nx = 7\n"
    with pytest.raises(ValueError, match=r"0 lines set y in \[b\]"):
        set_key("[a]\ny = 1\n[b]\nx = 2\n", "b", "y", 7)


def test_a_command_tells_what_it_took() -> None:
    spent, output = run_winback(["--help"])
    assert "nightly" in output
    assert spent.seconds > 0
    assert 0.01 < spent.peak_gb < 2


def test_the_night_is_run_twice_from_the_same_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decisions = tmp_path / "warehouse" / "decisions"
    (tmp_path / KEPT).mkdir()
    (tmp_path / KEPT / "before").write_text("kept")
    decisions.mkdir(parents=True)
    (decisions / "stale").write_text("of an earlier measurement")
    calls: list[list[str]] = []

    def pretend(arguments: list[str]) -> tuple[Spent, str]:
        folder = tmp_path / "lists" / AS_OF.isoformat()
        if not calls:
            assert sorted(path.name for path in decisions.iterdir()) == ["before"]
            assert not folder.exists()
            folder.mkdir(parents=True)
        calls.append(arguments)
        (folder / "recall_list.csv").write_text("the same")
        (folder / "report.html").write_text(f"run {len(calls)}")
        told = {
            "seconds": {"deciding": 1.0},
            "models": [{"kind": "dormancy_risk", "version": "1"}],
            "status": "written" if len(calls) == 1 else "unchanged",
            **dict.fromkeys(("scored", "dormant", "eligible", "listed", "follow_ups", "gap"), 7),
            "by_channel": {"push": {"contact": 4, "ghost": 3}},
            "prices": [{"name": "a", "price": 0.0}, {"name": "b", "price": 1.5}],
        }
        return Spent(3.0 * len(calls), 5.0, 1.5), json.dumps(told)

    monkeypatch.setattr(night, "run_winback", pretend)
    figures = night.measure_night(tmp_path)
    assert (figures["seconds"], figures["rerun_seconds"]) == (3.0, 6.0)
    assert figures["changed_by_rerun"] == 1
    assert figures["rerun_status"] == "unchanged"
    assert figures["by_channel"] == {"push": 7}
    assert [one["name"] for one in figures["limits_that_bind"]] == ["b"]
    assert all("--as-of" in arguments for arguments in calls)
    forget_night(tmp_path)
    assert not (tmp_path / "lists" / AS_OF.isoformat()).exists()


def test_a_prepared_shop_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[str] = []

    def pretend(arguments: list[str]) -> tuple[Spent, str]:
        commands.append(arguments[0])
        (tmp_path / "warehouse" / "decisions").mkdir(parents=True, exist_ok=True)
        return Spent(1.0, 1.0, 0.1), ""

    monkeypatch.setattr(night_shop, "run_winback", pretend)
    asked = {"customers": 50, "events": 900, "settings": {"max_rows": 100}}
    first = night_shop.prepare(tmp_path, **asked)  # type: ignore[arg-type]
    assert commands == [*["ingest"] * 3, "train", *["nightly"] * 3]
    assert night_shop.prepare(tmp_path, **asked) == first  # type: ignore[arg-type]
    assert len(commands) == 7
    night_shop.prepare(tmp_path, **{**asked, "customers": 60})  # type: ignore[arg-type]
    assert len(commands) == 14
