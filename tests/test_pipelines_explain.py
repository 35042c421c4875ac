"""Explanations agree with the list and say why, for the listed and the others."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import small_shop
from night_home import (
    AS_OF_US,
    DAY,
    DAY_US,
    NOW,
    customer_rows,
    fit_champions,
    make_night_home,
    serving,
)
from rich.console import Console

from features.errors import ArtifactError, DataError
from models.bundle import Bundle
from pipelines import nightly_inputs
from pipelines.config import Config, load_config
from pipelines.explain import explain
from pipelines.explain_listed import ListedView
from pipelines.nightly import run_nightly
from pipelines.render_night import render_explanation

LATE = "late-customer"
SILENT = "no-events-customer"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A shop with one customer whose only event is late, and one without events."""
    late = small_shop.events_table([(LATE, AS_OF_US + DAY_US, "purchase", 5.0)])
    record = {
        "customer_id": SILENT,
        "changed_at": 1,
        "arrived_at": 1,
        "flags": {},
        "attributes": {},
    }
    return make_night_home(
        tmp_path_factory.mktemp("explained") / "home",
        events=pa.concat_tables([small_shop.shop_events(), late]),
        customers=[*customer_rows(), record],
    )


@pytest.fixture(autouse=True)
def champions(config: Config, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Bundle]]:
    """Both champions, without MLflow."""
    bundles = dict(fit_champions(config))
    monkeypatch.setattr(nightly_inputs, "champion", serving(bundles))
    yield bundles


@pytest.fixture
def table(config: Config) -> pa.Table:
    """Tonight's list."""
    report = run_nightly(config, as_of=DAY, now=NOW)
    return pq.read_table(report.folder / "recall_list.parquet")


def test_the_listed_are_explained_as_listed(config: Config, table: pa.Table) -> None:
    for row in table.to_pylist()[::40]:
        told = explain(config, row["customer_id"])
        assert told.is_listed
        assert (told.rank, told.arm, told.channel, told.offer) == (
            row["rank"],
            row["arm"],
            row["channel"],
            row["offer"],
        )
        assert f"rank {row['rank']}, arm {row['arm']}" in told.verdict
        assert ("control" in told.verdict) == (row["arm"] in ("ghost", "holdout"))
        assert told.p_return_natural == pytest.approx(row["p_return_natural"], abs=1e-6)
        action = next(
            view
            for view in told.actions
            if (view.channel, view.offer) == (row["channel"], row["offer"])
        )
        assert action.allowed
        assert action.gain == pytest.approx(row["expected_gain"], abs=1e-4)
        assert action.uplift == pytest.approx(row["uplift"], abs=2e-6)
        reasons = [row[f"reason_{place}"] for place in (1, 2, 3) if row[f"reason_{place}"]]
        assert list(told.reasons) == reasons
        assert told.notes == ()
        json.dumps(told.to_json(), allow_nan=False)


def test_the_row_of_the_list_is_told_in_a_line(config: Config, table: pa.Table) -> None:
    for row in table.to_pylist()[::60]:
        told = explain(config, row["customer_id"])
        assert told.row is not None
        assert told.row.send_at_local == row["send_at_local"]
        assert (told.row.send_basis, told.row.evidence) == (row["send_basis"], row["evidence"])
        assert (told.row.uplift, told.row.gain) == (row["uplift"], row["expected_gain"])
        assert told.row.drawn_by_chance or row["arm"] != "explore"
        assert not told.row.drawn_by_chance or row["arm"] in ("explore", "ghost", "holdout")
        assert told.to_json()["row"]["uplift_high"] == row["uplift_high"]
        line = told.row.sentence(DAY, "EUR")
        assert line.startswith("Sent " if row["send_at_local"] else "Not sent; uplift")
        stream = StringIO()
        render_explanation(told, Console(file=stream, width=200, highlight=False, markup=False))
        assert line in stream.getvalue()


def test_the_line_of_a_row_says_all_of_it() -> None:
    row = ListedView(
        send_at_local="2025-11-20T11:09:00+01:00",
        send_basis="own",
        uplift=0.098,
        uplift_low=0.01,
        uplift_high=0.217,
        evidence="rules",
        gain=5.174,
        drawn_by_chance=True,
        on_trial=False,
    )
    assert row.sentence(DAY, "EUR") == (
        "Sent 11:09 (own hours); uplift 9.8 points [1.0, 21.7], rules; gain 5.17 EUR; "
        "drawn by chance."
    )
    trial = replace(row, send_at_local="2025-11-21T00:05:00+01:00", gain=-0.001, on_trial=True)
    told = trial.sentence(DAY, "EUR")
    assert told.startswith("Sent 2025-11-21 00:05 (own hours); ")
    assert told.endswith("gain 0.00 EUR; drawn by chance; would not have been listed otherwise.")


def test_the_not_dormant_are_explained(config: Config, table: pa.Table) -> None:
    listed = set(table["customer_id"].to_pylist())
    told = next(
        told
        for number in range(500)
        if (name := f"c{number:05d}") not in listed
        and (told := explain(config, name)).exclusion == "not_dormant"
    )
    assert told.verdict == "Not listed: is not dormant."
    assert told.silence_days is not None
    assert told.silence_days < 25 == told.dormant_after_days
    assert told.p_dormant is not None
    assert told.p_return_natural == pytest.approx(1 - told.p_dormant, abs=2e-6)
    assert told.model == "dormancy-risk/3"
    assert [view.channel for view in told.channels] == ["push", "email", "phone"]
    assert told.features


def test_closed_channels_are_told_by_their_rule(config: Config, table: pa.Table) -> None:
    for row in table.to_pylist():
        told = explain(config, row["customer_id"])
        closed = [view for view in told.channels if not view.is_open]
        if closed:
            assert closed[0].meaning is not None
            assert closed[0].gain is None
            return
    pytest.fail("no customer with a closed channel")


def test_do_not_contact_is_told_with_the_channels(config: Config, table: pa.Table) -> None:
    told = explain(config, "c00023")
    assert told.exclusion == "do_not_contact"
    assert told.meaning == "is marked do-not-contact"
    assert len(told.channels) == 3


def test_somebody_without_an_event_before_the_as_of(config: Config, table: pa.Table) -> None:
    told = explain(config, LATE)
    assert not told.is_scored
    assert f"when the list of {DAY} was made, no event of this customer" in told.verdict
    assert told.to_json()["listed"] is False


def test_somebody_without_any_event(config: Config, table: pa.Table) -> None:
    assert "has no events, only customers" in explain(config, SILENT).verdict


def test_an_unknown_customer_is_an_error_that_does_not_repeat_the_id(
    config: Config, table: pa.Table
) -> None:
    with pytest.raises(DataError, match="in none of the tables") as caught:
        explain(config, "nobody-of-that-name")
    assert "nobody-of-that-name" not in str(caught.value)


def test_a_day_without_a_list_is_an_error(config: Config, table: pa.Table) -> None:
    with pytest.raises(ArtifactError, match=r"no list of 2025-11-19 was written"):
        explain(config, "c00001", as_of=DAY - timedelta(days=1))


def test_before_the_first_night(config: Config, tmp_path: Path) -> None:
    shutil.copytree(config.home, tmp_path / "home")
    shutil.rmtree(tmp_path / "home" / "warehouse" / "decisions", ignore_errors=True)
    with pytest.raises(ArtifactError, match="no list was written yet"):
        explain(load_config(tmp_path / "home"), "c00001")


def test_the_latest_list_is_the_default(config: Config, tmp_path: Path) -> None:
    shutil.copytree(config.home, tmp_path / "home")
    copy = load_config(tmp_path / "home")
    run_nightly(copy, as_of=DAY - timedelta(days=3), now=NOW)
    assert explain(copy, "c00001").day == DAY
    assert explain(copy, "c00001", as_of=DAY - timedelta(days=3)).day == DAY - timedelta(days=3)


def test_other_champions_are_noted(
    config: Config, table: pa.Table, monkeypatch: pytest.MonkeyPatch, champions: dict[str, Bundle]
) -> None:
    monkeypatch.setattr(nightly_inputs, "champion", serving(champions, version="4"))
    told = explain(config, table["customer_id"][0].as_py())
    assert "made with dormancy-risk/3 natural-return/3" in told.notes[0]


def test_an_offer_taken_out_of_the_configuration_is_still_explained(
    config: Config, table: pa.Table
) -> None:
    listed = next(row for row in table.to_pylist() if row["offer"] == "coupon")
    changed = replace(config, offers={"none": config.offers["none"]}, digest="0" * 64)
    told = explain(changed, listed["customer_id"])
    assert told.offer == "coupon"
    assert "with coupon" in told.verdict
    assert "winback.toml has changed since the list was made" in told.notes[0]


def test_who_was_outbid_is_not_told_of_changes(config: Config, tmp_path: Path) -> None:
    shutil.copytree(config.home, tmp_path / "home")
    copy = load_config(tmp_path / "home")
    channels = {name: replace(channel, capacity=1) for name, channel in copy.channels.items()}
    few = replace(copy, channels=channels)
    run_nightly(few, as_of=DAY, now=NOW, force=True)
    told = [explain(few, f"c{number:05d}") for number in range(1, 60)]
    outbid = [one for one in told if one.exclusion == "outbid"]
    assert outbid
    assert {one.notes for one in outbid} == {()}


def test_changed_rules_are_noted(config: Config, table: pa.Table) -> None:
    changed = replace(config, caps=replace(config.caps, max_per_30d=0))
    told = explain(changed, table["customer_id"][0].as_py())
    assert "would now give cap_30d" in told.notes[0]


def test_gains_say_what_caution_takes_off(config: Config, table: pa.Table) -> None:
    customer = table["customer_id"][0].as_py()
    calm = explain(config, customer)
    assert all(one.cautious_gain == one.gain for one in calm.actions)
    wary = explain(replace(config, limits=replace(config.limits, caution=0.5)), customer)
    assert all(one.cautious_gain < one.gain for one in wary.actions)
    stream = StringIO()
    render_explanation(wary, Console(file=stream, width=160, highlight=False, markup=False))
    assert "cautious gain" in stream.getvalue()
    assert "The cautious gain, after taking off 0.5 standard errors, is" in stream.getvalue()


def test_who_gains_too_little_is_told_where_the_minimum_is_set(
    config: Config, tmp_path: Path
) -> None:
    shutil.copytree(config.home, tmp_path / "home")
    copy = load_config(tmp_path / "home")
    wary = replace(
        copy,
        list=replace(copy.list, min_gain=1e9),
        limits=replace(copy.limits, caution=0.5),
    )
    run_nightly(wary, as_of=DAY, now=NOW, force=True)
    told = (explain(wary, f"c{number:05d}") for number in range(1, 100))
    low = next(one for one in told if one.exclusion == "gain_below_minimum")
    assert low.verdict == (
        "Not listed: no allowed contact gains more than the minimum after taking off 0.5 "
        "standard errors [list.min_gain]."
    )
