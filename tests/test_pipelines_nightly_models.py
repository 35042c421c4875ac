"""Which models score a night: noted, served from the local copy, or refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from night_home import (
    AS_OF_US,
    DAY_US,
    copy_home,
    digests,
    night,
    read_list,
    serving,
)

from features.errors import ArtifactError
from models.baselines import RECENCY_RULE
from models.bundle import KINDS, Bundle
from models.ladder import RUNGS
from pipelines import nightly_inputs
from pipelines.config import Config

pytestmark = pytest.mark.usefixtures("champions")


def test_a_model_that_saw_later_data_is_noted_not_refused(
    shop: Config, champions: dict[str, Bundle]
) -> None:
    champions["dormancy_risk"] = replace(
        champions["dormancy_risk"], trained_until_us=AS_OF_US + DAY_US
    )
    report = night(shop)
    note = report.summary.notes[0]
    assert "saw data after this as-of (dormancy risk, trained until 2025-11-21)" in note
    assert "figures are optimistic" in (report.folder / "report.html").read_text()
    assert note in json.loads((report.folder / "manifest.json").read_text())["notes"]


def test_the_local_champion_serves_when_mlflow_is_away_and_says_so(
    shop: Config, champions: dict[str, Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = digests(night(shop).folder)
    monkeypatch.setattr(nightly_inputs, "champion", serving(champions, source="local copy"))
    report = night(shop)
    assert report.status == "unchanged"
    assert "MLflow was unreachable: the last local champion was used" in report.summary.notes[0]
    assert digests(report.folder) == expected
    shutil.rmtree(report.folder)
    again = night(shop)
    assert "MLflow was unreachable" in (again.folder / "report.html").read_text()
    assert "MLflow was unreachable" in (again.folder / "manifest.json").read_text()


def test_a_lost_store_is_not_told_as_an_unreachable_one(
    shop: Config, champions: dict[str, Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "local copy, store lost"
    monkeypatch.setattr(nightly_inputs, "champion", serving(champions, source=source))
    note = night(shop, dry_run=True).summary.notes[0]
    assert note.startswith("MLflow has lost its registered models (train again): the last local")
    assert "dormancy risk version 3, natural return version 3 and return time" in note


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gap_days": 3.0}, r"windows.gap_days \(trained with 3\)"),
        ({"horizon_days": 14.0}, "windows.horizon_days"),
        ({"stages_digest": "0" * 64}, "stages"),
    ],
)
def test_a_model_of_another_configuration_is_refused(
    shop: Config, champions: dict[str, Bundle], change: dict[str, Any], words: str
) -> None:
    champions["natural_return"] = replace(champions["natural_return"], **change)
    with pytest.raises(ArtifactError, match=f"natural_return.*{words}.*winback train"):
        night(shop)


def test_a_new_channel_needs_training_and_says_so(home: Config, tmp_path: Path) -> None:
    extra = '[channels.letter]\nlabel = "letter"\ncost = 1.0\n'
    toml = (home.home / "winback.toml").read_text() + extra
    config = copy_home(home, tmp_path / "home", toml=toml)
    with pytest.raises(ArtifactError, match="different: channels"):
        night(config)


def test_models_of_different_vocabularies_both_serve(
    shop: Config, champions: dict[str, Bundle]
) -> None:
    spec = champions["dormancy_risk"].spec.with_vocabulary((("Aachen", "Berlin", "Ulm"),))
    expected = read_list(night(shop))
    champions["dormancy_risk"] = replace(champions["dormancy_risk"], spec=spec)
    assert read_list(night(shop, force=True)).num_rows == expected.num_rows


def change_ladders(champions: dict[str, Bundle], **changes: Any) -> None:
    for kind in KINDS:
        bundle = champions[kind]
        champions[kind] = replace(bundle, ladder=replace(bundle.ladder, **changes))


@pytest.mark.parametrize("rung", RUNGS)
def test_any_rung_of_the_ladder_can_serve_a_night(
    shop: Config, champions: dict[str, Bundle], rung: str
) -> None:
    """A rule that beat the forest serves; the forest still gives the reasons."""
    change_ladders(champions, shipped=rung)
    table = read_list(night(shop))
    assert table.num_rows > 20
    natural = table["p_return_natural"].to_numpy()
    assert np.isfinite(natural).all() and (natural > 0).all() and (natural < 1).all()
    assert all(reason for reason in table["reason_1"].to_pylist())


def test_the_list_follows_the_rung_that_serves(shop: Config, champions: dict[str, Bundle]) -> None:
    def natural() -> np.ndarray:
        return np.asarray(read_list(night(shop, force=True))["p_return_natural"].to_numpy())

    by_forest = natural()
    change_ladders(champions, shipped=RECENCY_RULE)
    by_rule = natural()
    assert len(by_rule) != len(by_forest) or np.abs(by_rule - by_forest).max() > 0.01
    change_ladders(champions, level=1.0)
    moved = natural()
    assert len(moved) != len(by_rule) or np.abs(moved - by_rule).max() > 0.01
