"""The bundle of a return-time model: the same folder of checked text files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_shop import SPEC

from features.errors import ArtifactError
from features.manifest import feature_manifest
from models.bundle import ReturnTimeBundle, load_bundle, save_bundle
from models.calibration import Calibration
from models.forest import ForestSettings
from models.hazard_forest import cut_spells, fit_hazard_forest, log_spaced_days
from models.return_time import ReturnTimeModel

NAMES = tuple(feature.name for feature in feature_manifest(SPEC))


def matrix(n: int) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(n, len(NAMES))).astype(np.float32)


@pytest.fixture(scope="module")
def bundle() -> ReturnTimeBundle:
    edges = log_spaced_days(60)
    values = matrix(400)
    days = np.random.default_rng(3).exponential(np.where(values[:, 0] > 0, 5.0, 40.0))
    spells = cut_spells(values, days=days, returned=np.ones(400, bool), edges=edges)
    hazards = fit_hazard_forest(
        spells,
        n_bins=len(edges) - 1,
        names=NAMES,
        settings=ForestSettings(max_rounds=5, min_data_in_leaf=20, threads=1),
    )
    assert hazards is not None
    return ReturnTimeBundle(
        spec=SPEC,
        stages_digest="0" * 64,
        gap_days=2.0,
        horizon_days=30.0,
        trained_until_us=1_700_000_000_000_000,
        metrics={"kind": "return_time"},
        winback_version="0.1.0",
        model=ReturnTimeModel(hazards, edges, Calibration("platt", slope=1.1, intercept=0.2)),
    )


@pytest.fixture
def folder(bundle: ReturnTimeBundle, tmp_path: Path) -> Path:
    save_bundle(bundle, tmp_path / "bundle")
    return tmp_path / "bundle"


def test_a_loaded_bundle_is_the_saved_one(bundle: ReturnTimeBundle, folder: Path) -> None:
    again = load_bundle(folder)
    assert isinstance(again, ReturnTimeBundle)
    assert again.kind == "return_time"
    assert again.digest() == bundle.digest()
    assert replace(again, model=bundle.model) == bundle
    assert again.curves(matrix(9)).survival.tobytes() == bundle.curves(matrix(9)).survival.tobytes()


def test_the_folder_holds_text_only(folder: Path) -> None:
    assert sorted(file.name for file in folder.iterdir()) == [
        "features.json",
        "hazards.json",
        "manifest.json",
        "metrics.json",
        "model.txt",
    ]
    for file in folder.iterdir():
        file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["features.json", "hazards.json", "metrics.json", "model.txt"])
def test_a_missing_and_a_changed_file_are_named(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-2] + b"x\n")
    with pytest.raises(ArtifactError, match=rf"1 of its 4 files.*{name} was changed"):
        load_bundle(folder)
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=rf"{name} is missing"):
        load_bundle(folder)


def test_a_matrix_of_another_width_is_refused(bundle: ReturnTimeBundle) -> None:
    with pytest.raises(ArtifactError, match=r"model return_time.*feature columns"):
        bundle.curves(matrix(3)[:, :-1])
