"""A first night without any history of contacts: assumptions, marked so, and more exploring."""

import json
from pathlib import Path

import numpy as np
import pytest
from night_home import CHANNELS, DAY, N_BUCKETS, make_night_home, night, read_list
from typer.testing import CliRunner

from features.warehouse import Warehouse
from pipelines.cli import app
from pipelines.config import Config
from scoring.recall_list import check_recall_list

pytestmark = pytest.mark.usefixtures("champions")

SHARES = "holdout_share = 0.1\nghost_share = 0.2\nexplore_share = 0.05\ncold_explore_share = 0.3\n"


def start_shop(home: Path, *, channels: str = CHANNELS) -> Config:
    """A shop that has never contacted anybody: no contact, no earlier list."""
    start, end = channels.index("holdout_share"), channels.index('salt = "test-salt"')
    config = make_night_home(home, channels=channels[:start] + SHARES + channels[end:], contacts=[])
    assert not Warehouse.open(config.warehouse_path, n_buckets=N_BUCKETS).files("contacts")
    return config


@pytest.fixture
def new_shop(tmp_path: Path) -> Config:
    """A shop whose assumptions make contacts pay."""
    return start_shop(tmp_path / "new")


def test_winback_nightly_lists_and_explores_on_assumptions_alone(
    new_shop: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(new_shop.home)
    result = CliRunner().invoke(app, ["nightly", "--as-of", DAY.isoformat(), "--json"])
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["listed"] > 100
    assert summary["by_arm"]["explore"] > summary["by_arm"]["ghost"] > 0


def test_propensities_are_those_of_the_larger_share(new_shop: Config) -> None:
    report = night(new_shop)
    table = read_list(report)
    check_recall_list(table)
    assert set(table["evidence"].to_pylist()) == {"rules"}
    assert "assumptions, not proven yet" in "\n".join(report.summary.notes)
    rows = table.to_pylist()
    explored = np.mean([row["arm"] == "explore" for row in rows if row["arm"] != "holdout"])
    assert explored > 0.2
    # Best action: (1-h)(1-g-e+e*q) with q <= 1; one that is not: (1-h) e q.
    for row in rows:
        if row["arm"] == "contact":
            assert 0.9 * 0.5 <= row["propensity"] <= 0.9 * 0.8
        if row["arm"] == "explore":
            assert 0.9 * 0.3 * 0.01 - 1e-9 <= row["propensity"] <= 0.9 * 0.8
        if row["arm"] == "ghost":
            assert row["propensity"] in (pytest.approx(0.18), pytest.approx(0.9 * 0.2 / 0.5))


def test_where_nothing_is_expected_to_pay_some_are_listed_on_trial(tmp_path: Path) -> None:
    """Contacts are assumed to do harm, but not surely."""
    gloomy = CHANNELS.replace("effect_prior = ", "effect_prior = -0.05 # ")
    report = night(start_shop(tmp_path / "gloomy", channels=gloomy))
    rows = read_list(report).to_pylist()
    assert rows
    assert {row["arm"] for row in rows} <= {"explore", "ghost", "holdout"}
    assert all(row["expected_gain"] <= 0 for row in rows)
    assert all(row["send_at_utc"] is None for row in rows if row["arm"] in ("ghost", "holdout"))
    ghosts = [row["propensity"] for row in rows if row["arm"] == "ghost"]
    assert ghosts == pytest.approx([0.9 * 0.2 / 0.5] * len(ghosts))
