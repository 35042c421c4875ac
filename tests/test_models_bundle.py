"""The bundle on disk: every byte is checked, nothing is pickled."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_ladder import ladder_of, random_value

from features.errors import ArtifactError
from features.manifest import feature_manifest
from features.spec import FeatureSpec
from features.stage import Stage
from models.bundle import Bundle, load_bundle, save_bundle, stages_digest
from models.bundle_folder import digest_of
from models.forest import ForestSettings, Sample, fit_forest
from models.ladder import RUNGS, STACK

SPEC = FeatureSpec(
    event_types=("visit", "purchase"),
    activity=("visit", "purchase"),
    orders=("purchase",),
    attributes=("city",),
    vocabulary=(("Berlin", "Ulm"),),
)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    rng = np.random.default_rng(1)
    manifest = feature_manifest(SPEC)
    values = rng.normal(size=(400, len(manifest))).astype(np.float32)
    rows = Sample(values, (values[:, 0] > 0).astype(np.int8))
    forest = fit_forest(
        rows,
        validation=rows,
        names=tuple(feature.name for feature in manifest),
        categorical=tuple(f.name for f in manifest if f.kind == "categorical"),
        settings=ForestSettings(max_rounds=5, min_data_in_leaf=5),
    )
    return Bundle(
        kind="dormancy_risk",
        spec=SPEC,
        stages_digest="0" * 64,
        gap_days=2.0,
        horizon_days=30.0,
        trained_until_us=1_700_000_000_000_000,
        ladder=ladder_of(forest, shipped=STACK, level=0.3),
        metrics={"auc": 0.8},
        winback_version="0.1.0",
    )


@pytest.fixture
def folder(bundle: Bundle, tmp_path: Path) -> Path:
    save_bundle(bundle, tmp_path / "bundle")
    return tmp_path / "bundle"


def matrix(n: int) -> np.ndarray:
    rng = np.random.default_rng(2)
    return rng.normal(size=(n, len(feature_manifest(SPEC)))).astype(np.float32)


def test_a_loaded_bundle_is_the_saved_one(bundle: Bundle, folder: Path) -> None:
    again = load_bundle(folder)
    assert replace(again, ladder=bundle.ladder) == bundle
    assert again.digest() == bundle.digest()
    p = again.predict(matrix(50), random_value(50))
    np.testing.assert_array_equal(p, bundle.predict(matrix(50), random_value(50)))
    assert again.contributions(matrix(3)).shape == (3, len(again.feature_names))
    assert (p > 0).all() and (p < 1).all()


@pytest.mark.parametrize("shipped", RUNGS)
def test_whichever_rung_serves_it_is_the_same_after_loading(
    bundle: Bundle, tmp_path: Path, shipped: str
) -> None:
    other = replace(bundle, ladder=replace(bundle.ladder, shipped=shipped))
    save_bundle(other, tmp_path / "other")
    again = load_bundle(tmp_path / "other")
    assert again.ladder.shipped == shipped
    value = random_value(40)
    p = again.predict(matrix(40), value)
    np.testing.assert_array_equal(p, other.predict(matrix(40), value))
    np.testing.assert_allclose(p, other.ladder.probabilities(matrix(40), value)[shipped])


def test_the_folder_holds_text_only(folder: Path) -> None:
    names = sorted(file.name for file in folder.iterdir())
    assert names == [
        "features.json",
        "ladder.json",
        "manifest.json",
        "metrics.json",
        "model.txt",
    ]
    for file in folder.iterdir():
        file.read_text(encoding="utf-8")


def test_saving_twice_gives_the_same_bytes(bundle: Bundle, folder: Path, tmp_path: Path) -> None:
    save_bundle(bundle, tmp_path / "again")
    for file in folder.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_an_existing_folder_is_not_overwritten(bundle: Bundle, folder: Path) -> None:
    with pytest.raises(ArtifactError, match="exists already"):
        save_bundle(bundle, folder)


@pytest.mark.parametrize(
    "name", ["manifest.json", "model.txt", "ladder.json", "features.json", "metrics.json"]
)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=rf"{name}.*Fix: run `winback train`"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "name", ["manifest.json", "model.txt", "ladder.json", "features.json", "metrics.json"]
)
def test_every_changed_byte_is_noticed(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 40)):
        changed = bytearray(whole)
        changed[place] ^= 1
        (folder / name).write_bytes(bytes(changed))
        if name == "manifest.json" and _same_meaning(whole, bytes(changed)):
            continue
        with pytest.raises(ArtifactError):
            load_bundle(folder)


def _same_meaning(whole: bytes, changed: bytes) -> bool:
    """White space in the manifest may differ."""
    try:
        return bool(json.loads(whole) == json.loads(changed))
    except ValueError:
        return False


def test_two_bad_files_are_named_at_once(folder: Path) -> None:
    (folder / "model.txt").unlink()
    (folder / "metrics.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"2 of its 4 files.*metrics.json.*model.txt"):
        load_bundle(folder)


def rewrite(folder: Path, change: Callable[[dict[str, object]], None]) -> None:
    """Change the manifest the way a program that knows the format would."""
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    manifest["digest"] = digest_of(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("schema", [1, 99])
def test_an_unknown_schema_version_is_refused(folder: Path, schema: int) -> None:
    """Schema 1 held one calibrated forest, and is not read any more."""
    rewrite(folder, lambda manifest: manifest.update(schema_version=schema))
    fault = rf"schema version {schema} is not known.*schema version 2.*run `winback train`"
    with pytest.raises(ArtifactError, match=fault):
        load_bundle(folder)


def rewrite_part(folder: Path, name: str, change: Callable[[dict[str, object]], None]) -> None:
    """Change one of the files and let the manifest vouch for it."""
    document = json.loads((folder / name).read_text())
    change(document)
    content = json.dumps(document).encode()
    (folder / name).write_bytes(content)

    def trust(manifest: dict[str, object]) -> None:
        files = manifest["files"]
        assert isinstance(files, dict)
        files[name] = {
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }

    rewrite(folder, trust)


@pytest.mark.parametrize(
    "change", [{"manifest_digest": "f" * 64}, {"spec": {"moods": [], "vocabulary": []}}]
)
def test_features_of_another_winback_are_refused(folder: Path, change: dict[str, object]) -> None:
    rewrite_part(folder, "features.json", lambda features: features.update(change))
    with pytest.raises(ArtifactError, match=r"feature manifest that winback .* does not compute"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"shipped": "oracle"},
        {"calibrations": {}},
        {"weights": {"LightGBM": -0.1, "MBG/NBD": 0.5}},
        {"purchase": None},
        {"baselines": []},
        {"level": None},
    ],
)
def test_a_ladder_that_cannot_serve_is_refused(folder: Path, change: dict[str, object]) -> None:
    rewrite_part(folder, "ladder.json", lambda ladder: ladder.update(change))
    with pytest.raises(ArtifactError, match=r"ladder\.json.*not a ladder of forecasters"):
        load_bundle(folder)


def test_a_matrix_of_another_width_is_refused(bundle: Bundle) -> None:
    with pytest.raises(ArtifactError, match="feature columns"):
        bundle.predict(matrix(3)[:, :-1], random_value(3))


def test_stages_digest_follows_what_models_depend_on() -> None:
    stage = Stage("buyer", "Buyer", ("purchase",), ("purchase",), ("purchase",), 30.0)
    same = Stage("buyer", "Käufer", ("purchase",), ("purchase",), ("purchase",), 30.0, 9.0)
    other = Stage("buyer", "Buyer", ("purchase",), ("purchase",), ("purchase",), 31.0)
    assert stages_digest([stage]) == stages_digest([same]) != stages_digest([other])
