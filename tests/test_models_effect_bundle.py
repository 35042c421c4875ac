"""The bundle of effects of contact: the same folder of checked text files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_shop import SPEC
from test_models_contact_effect import CHANNELS, customers, learnt_effect, with_trees

from features.errors import ArtifactError
from models.attrition import configured_attrition
from models.bundle import CONTACT_EFFECT, EffectBundle, load_bundle, save_bundle

FILES = ["attrition.json", "effect.json", "features.json", "metrics.json", "model.txt"]


@pytest.fixture(scope="module")
def bundle() -> EffectBundle:
    return EffectBundle(
        spec=SPEC,
        stages_digest="0" * 64,
        gap_days=2.0,
        horizon_days=30.0,
        trained_until_us=1_700_000_000_000_000,
        metrics={"absence": ""},
        winback_version="0.1.0",
        effect=with_trees(learnt_effect()),
        attrition=configured_attrition(CHANNELS, [0.01, 0.002]),
    )


@pytest.fixture
def folder(bundle: EffectBundle, tmp_path: Path) -> Path:
    save_bundle(bundle, tmp_path / "bundle")
    return tmp_path / "bundle"


def test_a_loaded_bundle_is_the_saved_one(bundle: EffectBundle, folder: Path) -> None:
    again = load_bundle(folder)
    assert isinstance(again, EffectBundle)
    assert again.kind == CONTACT_EFFECT
    assert again.digest() == bundle.digest()
    odds, x = customers(40)
    np.testing.assert_array_equal(again.effect.means(odds, x), bundle.effect.means(odds, x))
    assert again.effect.evidence == bundle.effect.evidence
    chance = again.attrition.probability(x, ("a", "b", "c"))
    np.testing.assert_array_equal(chance, bundle.attrition.probability(x, ("a", "b", "c")))


def test_a_bundle_without_trees_is_saved_and_loaded(bundle: EffectBundle, tmp_path: Path) -> None:
    linear = replace(bundle, effect=learnt_effect())
    save_bundle(linear, tmp_path / "linear")
    assert (tmp_path / "linear" / "model.txt").read_bytes() == b""
    again = load_bundle(tmp_path / "linear")
    assert isinstance(again, EffectBundle)
    assert again.effect.trees is None
    assert again.digest() == linear.digest() != bundle.digest()


def test_saving_again_what_was_loaded_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    save_bundle(load_bundle(folder), tmp_path / "again")
    for file in folder.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_the_folder_holds_text_only(folder: Path) -> None:
    names = sorted(file.name for file in folder.iterdir())
    assert names == sorted([*FILES, "manifest.json"])
    for file in folder.iterdir():
        file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_and_a_changed_file_are_named(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    for place in range(0, len(content), max(1, len(content) // 20)):
        changed = bytearray(content)
        changed[place] ^= 1
        (folder / name).write_bytes(bytes(changed))
        with pytest.raises(ArtifactError, match=name):
            load_bundle(folder)
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=rf"{name}.*Fix: run `winback train`"):
        load_bundle(folder)


def test_evidence_and_rung_are_kept_by_name(folder: Path) -> None:
    document = json.loads((folder / "effect.json").read_text())
    assert document["rung"] == "stack"
    assert document["evidence"] == ["uplift", "rules", "uplift", "response"]
    assert document["offers"] == ["none", "coupon"]
