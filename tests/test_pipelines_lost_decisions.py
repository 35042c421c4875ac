"""A list whose decisions are lost stops later nights: they would contact the same again."""

import shutil
from datetime import date
from pathlib import Path

import pytest
from night_home import copy_home, fit_champions, make_night_home, night, serving

from features.errors import ArtifactError
from pipelines import nightly_inputs
from pipelines.config import Config

NEXT = date(2025, 11, 21)


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A home with one list and its decisions."""
    config = make_night_home(tmp_path_factory.mktemp("lost") / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nightly_inputs, "champion", serving(fit_champions(config)))
        night(config)
    return config


@pytest.fixture(autouse=True)
def champions(monkeypatch: pytest.MonkeyPatch, listed: Config) -> None:
    monkeypatch.setattr(nightly_inputs, "champion", serving(fit_champions(listed)))


def _lose(config: Config) -> None:
    shutil.rmtree(Path(config.warehouse_path) / "decisions")


def test_a_lost_partition_stops_the_next_night_and_names_the_day(
    tmp_path: Path, listed: Config
) -> None:
    config = copy_home(listed, tmp_path / "home")
    _lose(config)
    with pytest.raises(ArtifactError, match=r"1 earlier list has no decisions .*2025-11-20"):
        night(config, as_of=NEXT)
    assert not (config.lists_path / NEXT.isoformat()).exists()


def test_the_lost_day_itself_can_be_run_again_and_brings_the_next_night_back(
    tmp_path: Path, listed: Config
) -> None:
    config = copy_home(listed, tmp_path / "home")
    _lose(config)
    assert night(config).status == "unchanged"
    assert night(config, as_of=NEXT).status == "written"


def test_a_list_moved_away_or_out_of_reach_stops_nothing(tmp_path: Path, listed: Config) -> None:
    config = copy_home(listed, tmp_path / "home")
    _lose(config)
    old = config.lists_path / "2025-11-20"
    old.rename(config.lists_path / "2025-09-01")
    assert night(config, as_of=NEXT).status == "written"


def test_a_later_list_and_one_of_nobody_stop_nothing(tmp_path: Path, listed: Config) -> None:
    config = copy_home(listed, tmp_path / "home")
    night(config, as_of=NEXT)
    _lose(config)
    assert night(config).status == "unchanged"
    nobody = copy_home(
        listed,
        tmp_path / "nobody",
        toml=(listed.home / "winback.toml").read_text() + "[list]\nmin_gain = 1e9\n",
    )
    shutil.rmtree(nobody.lists_path)
    _lose(nobody)
    assert not night(nobody).summary.listed
    shutil.rmtree(Path(nobody.warehouse_path) / "decisions", ignore_errors=True)
    assert night(nobody, as_of=NEXT).status == "written"
