"""Return times on the list: from whom they come, and a night without such a model."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from night_home import DAY, NOW, digests, night, read_list, serving

from features.errors import ArtifactError
from models.bundle import Bundle
from pipelines import nightly_inputs
from pipelines.config import Config
from pipelines.explain import explain
from pipelines.nightly import run_nightly

COLUMNS = ["next_order_expected", "next_order_low", "next_order_high"]
NAMES = ["list_id", "list_row_id", "model_version"]


@pytest.fixture(autouse=True)
def _models(champions: dict[str, Bundle]) -> None:
    """All three champions serve."""


def test_the_list_says_when_the_next_order_would_come(shop: Config) -> None:
    table = read_list(night(shop))
    dates = table.select(COLUMNS).to_pylist()
    assert all(row["next_order_expected"] is not None for row in dates)
    last = DAY + timedelta(days=120)
    for row in dates:
        assert DAY <= row["next_order_expected"] <= last
        if row["next_order_high"] is not None:
            assert DAY <= row["next_order_low"] <= row["next_order_high"] <= last
    assert len({row["next_order_expected"] for row in dates}) > 5
    assert table["model_version"][0].as_py() == ("dormancy-risk/3 natural-return/3 return-time/3")


def test_the_longest_silent_are_expected_last(shop: Config) -> None:
    table = read_list(night(shop))
    silent = [
        explain(shop, name).silence_days or 0.0 for name in table["customer_id"].to_pylist()[:12]
    ]
    expected = [(one - DAY).days for one in table["next_order_expected"].to_pylist()[:12]]
    assert np.corrcoef(silent, expected)[0, 1] > 0.5


def test_explain_tells_the_same_dates(shop: Config) -> None:
    row = read_list(night(shop)).to_pylist()[0]
    told = explain(shop, row["customer_id"])
    assert [getattr(told, name) for name in COLUMNS] == [row[name] for name in COLUMNS]
    document = told.to_json()
    assert document["next_order_expected"] == row["next_order_expected"].isoformat()


def without_return_time(
    monkeypatch: pytest.MonkeyPatch, champions: dict[str, Any], error: ArtifactError
) -> None:
    others = serving({kind: one for kind, one in champions.items() if kind != "return_time"})

    def champion(config: Config, kind: str) -> tuple[Any, str, str]:
        if kind == "return_time":
            raise error
        return others(config, kind)

    monkeypatch.setattr(nightly_inputs, "champion", champion)


def test_a_night_without_such_a_model_leaves_the_columns_empty_and_says_why(
    shop: Config, champions: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    full = read_list(night(shop))
    without_return_time(monkeypatch, champions, ArtifactError("the registry has no such model"))
    report = night(shop, force=True)
    table = read_list(report)
    assert all(table[name].null_count == table.num_rows for name in COLUMNS)
    assert any(
        note == "The next_order columns are empty: the registry has no such model"
        for note in report.summary.notes
    )
    same = [name for name in full.column_names if name not in {*COLUMNS, *NAMES}]
    assert table.select(same).equals(full.select(same))
    told = explain(shop, table["customer_id"][0].as_py())
    assert told.next_order_expected is None
    assert told.to_json()["next_order_expected"] is None


def test_one_trained_for_another_configuration_does_not_stop_the_night(
    shop: Config, champions: dict[str, Any]
) -> None:
    champions["return_time"] = replace(champions["return_time"], horizon_days=60.0)
    report = night(shop)
    assert read_list(report)["next_order_expected"].null_count == report.summary.listed
    assert any("trained for another configuration" in note for note in report.summary.notes)


def test_one_trained_at_another_time_knows_other_attribute_values(
    shop: Config, champions: dict[str, Any]
) -> None:
    expected = read_list(night(shop))["next_order_expected"]
    spec = champions["return_time"].spec.with_vocabulary((("Aachen", "Berlin", "Ulm"),))
    champions["return_time"] = replace(champions["return_time"], spec=spec)
    found = read_list(night(shop, force=True))["next_order_expected"]
    assert len(found) == len(expected) and found.null_count == 0


def test_a_rerun_gives_the_same_bytes(shop: Config) -> None:
    first = digests(night(shop).folder)
    again = run_nightly(shop, as_of=DAY, now=NOW + timedelta(days=1), force=True)
    assert digests(again.folder) == first


def test_dates_are_dates_in_every_file(shop: Config) -> None:
    report = night(shop)
    table = read_list(report)
    assert table.schema.field("next_order_low").type == pa.date32()
    text = (report.folder / "recall_list.csv").read_text()
    first = table["next_order_expected"][0].as_py()
    assert isinstance(first, date)
    assert first.isoformat() in text.splitlines()[1]
    assert report.to_json()["top_rows"][0]["next_order_expected"] == first.isoformat()
