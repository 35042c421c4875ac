"""The served artefact: a folder of text files whose every byte is checked before use.

Nothing of winback's own classes is pickled, so a bundle outlives any refactoring:
model.txt (LightGBM's text), ladder.json (the other rungs, calibrations, which one serves),
hazards.json (bins of days and their hazards) or effect.json and attrition.json (effects of
contact, chances of losing a channel), features.json (specification and feature manifest),
metrics.json and manifest.json (sizes and SHA-256 of the others, what it is).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from features.errors import ArtifactError, describe
from features.manifest import feature_manifest, manifest_digest
from features.spec import FeatureSpec
from features.stage import Stage
from models.attrition import AttritionModel, attrition_from_json
from models.bundle_folder import (
    folder_fault,
    json_bytes,
    manifest_of,
    read_folder,
    write_folder,
)
from models.contact_effect import ContactEffect, contact_effect_from_json
from models.customer_value import CustomerValue
from models.forest import read_forest
from models.ladder import Ladder, ladder_from_json
from models.return_time import ReturnCurves, ReturnTimeModel, return_time_from_parts

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]

Kind = Literal["dormancy_risk", "natural_return"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""The two models that decide a night; each has a population of its own."""

RETURN_TIME: Literal["return_time"] = "return_time"
CONTACT_EFFECT: Literal["contact_effect"] = "contact_effect"
AnyKind = Literal["dormancy_risk", "natural_return", "return_time", "contact_effect"]
ALL_KINDS: tuple[AnyKind, ...] = get_args(AnyKind)

_PARTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(KINDS, ("features.json", "ladder.json", "metrics.json", "model.txt")),
    RETURN_TIME: ("features.json", "hazards.json", "metrics.json", "model.txt"),
    CONTACT_EFFECT: (
        "attrition.json",
        "effect.json",
        "features.json",
        "metrics.json",
        "model.txt",
    ),
}


@dataclass(frozen=True, slots=True)
class Origin:
    """What every bundle says of its training.

    Attributes
    ----------
    spec : feature specification, attribute vocabulary included.
    stages_digest : `stages_digest` of the ladder that labels and populations came from.
    gap_days, horizon_days : the label window.
    trained_until_us : the training as-of; nothing that arrived at or after it was read.
    metrics : figures of the training report, JSON values only.
    winback_version : the version that wrote it.
    """

    spec: FeatureSpec
    stages_digest: str
    gap_days: float
    horizon_days: float
    trained_until_us: int
    metrics: dict[str, Any]
    winback_version: str

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the feature columns that the model reads, in order."""
        return tuple(feature.name for feature in feature_manifest(self.spec))


@dataclass(frozen=True, slots=True)
class Bundle(Origin):
    """One calibrated model with all that is needed to use it rightly.

    Attributes
    ----------
    kind : "dormancy_risk" gives P(no return) of the not dormant, "natural_return" gives
        P(return without contact) of the dormant.
    ladder : the forecasters and which of them serves.
    """

    kind: Kind
    ladder: Ladder

    def predict(
        self, values: Float32Array, value: CustomerValue, *, threads: int = 0
    ) -> Float64Array:
        """Calibrated probabilities of label 1, strictly between 0 and 1, shape (n,).

        Parameters
        ----------
        values : feature matrix rows, shape (n, F), columns as in `feature_names`.
        value : what the rungs below the forest read of the same rows.
        threads : LightGBM threads; 0 is its default.

        Raises
        ------
        ArtifactError : the matrix has another number of columns.
        """
        _check_width(self.kind, self.spec, values)
        return self.ladder.predict(values, value, threads=threads)

    def contributions(self, values: Float32Array, *, threads: int = 0) -> Float64Array:
        """Each feature's part of the forest's log-odds, shape (n, F).

        The forest explains, whichever rung serves: it was fitted on the same labels.
        """
        _check_width(self.kind, self.spec, values)
        return self.ladder.forest.contributions(values, threads=threads)

    def digest(self) -> str:
        """Hex SHA-256 over all files: equal models have equal digests."""
        return str(_manifest(self)["digest"])


@dataclass(frozen=True, slots=True)
class ReturnTimeBundle(Origin):
    """The model that says when a customer will be back, dormant or not."""

    model: ReturnTimeModel

    @property
    def kind(self) -> Literal["return_time"]:
        """Always "return_time"."""
        return RETURN_TIME

    def curves(self, values: Float32Array, *, threads: int = 0) -> ReturnCurves:
        """Survival curves of feature rows; see `ReturnTimeModel.curves`.

        Raises
        ------
        ArtifactError : the matrix has another number of columns.
        """
        _check_width(self.kind, self.spec, values)
        return self.model.curves(values, threads=threads)

    def digest(self) -> str:
        """Hex SHA-256 over all files: equal models have equal digests."""
        return str(_manifest(self)["digest"])


@dataclass(frozen=True, slots=True)
class EffectBundle(Origin):
    """What contacts change, and how likely they lose the channel."""

    effect: ContactEffect
    attrition: AttritionModel

    @property
    def kind(self) -> Literal["contact_effect"]:
        """Always "contact_effect"."""
        return CONTACT_EFFECT

    def digest(self) -> str:
        """Hex SHA-256 over all files: equal models have equal digests."""
        return str(_manifest(self)["digest"])


AnyBundle = Bundle | ReturnTimeBundle | EffectBundle


def stages_digest(stages: Sequence[Stage]) -> str:
    """Hex SHA-256 of what the ladder says about stages, dormancy and return.

    Labels for people, channels, offers and money do not change a model and are left out.
    """
    parts = [
        [
            stage.name,
            list(stage.entered_by),
            list(stage.active_on),
            list(stage.returns_by),
            stage.silence_days,
        ]
        for stage in stages
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def installed_version() -> str:
    """The version of winback that is running."""
    return version("winback")


def save_bundle(bundle: AnyBundle, folder: Path) -> None:
    """Write the bundle to a new folder, which appears whole or not at all.

    Raises
    ------
    ArtifactError : the folder exists.
    """
    write_folder(folder, _contents(bundle), _manifest(bundle))


def load_bundle(folder: Path) -> AnyBundle:
    """Read a bundle and check all of it.

    Raises
    ------
    ArtifactError : a file is missing or has changed, the schema version is unknown, or
        the features were computed by another manifest than this winback's.
    """
    manifest, contents = read_folder(folder, _PARTS)
    features = json.loads(contents["features.json"])
    try:
        spec = _spec_from_json(features["spec"])
    except (KeyError, TypeError) as error:
        raise _unknown_features(folder, manifest, found="fields of another winback") from error
    if features["manifest_digest"] != manifest_digest(spec):
        raise _unknown_features(
            folder,
            manifest,
            found=f"{str(features['manifest_digest'])[:12]}, not {manifest_digest(spec)[:12]}",
        )
    origin: dict[str, Any] = {
        "spec": spec,
        "stages_digest": manifest["stages_digest"],
        "gap_days": float(manifest["gap_days"]),
        "horizon_days": float(manifest["horizon_days"]),
        "trained_until_us": int(manifest["trained_until_us"]),
        "metrics": json.loads(contents["metrics.json"]),
        "winback_version": str(manifest["winback_version"]),
    }
    if manifest["kind"] == RETURN_TIME:
        return ReturnTimeBundle(**origin, model=return_time_from_parts(contents))
    text = contents["model.txt"].decode("utf-8")
    if manifest["kind"] == CONTACT_EFFECT:
        return EffectBundle(
            **origin,
            effect=contact_effect_from_json(json.loads(contents["effect.json"]), text),
            attrition=attrition_from_json(json.loads(contents["attrition.json"])),
        )
    forest = read_forest(text)
    ladder = ladder_from_json(json.loads(contents["ladder.json"]), forest)
    return Bundle(**origin, kind=manifest["kind"], ladder=ladder)


def _check_width(kind: AnyKind, spec: FeatureSpec, values: Float32Array) -> None:
    expected = len(feature_manifest(spec))
    if values.ndim != 2 or values.shape[1] != expected:
        raise ArtifactError(
            describe(
                f"model {kind}",
                f"a feature matrix of shape {values.shape}",
                expected=f"{expected} feature columns",
                fix="build the matrix with the bundle's own specification",
            )
        )


def _contents(bundle: AnyBundle) -> dict[str, bytes]:
    features = {
        "spec": asdict(bundle.spec),
        "manifest_digest": manifest_digest(bundle.spec),
        "features": [asdict(feature) for feature in feature_manifest(bundle.spec)],
    }
    common = {
        "features.json": json_bytes(features),
        "metrics.json": json_bytes(bundle.metrics),
    }
    if isinstance(bundle, ReturnTimeBundle):
        return {**common, **bundle.model.to_parts()}
    if isinstance(bundle, EffectBundle):
        return {
            **common,
            "attrition.json": json_bytes(bundle.attrition.to_json()),
            "effect.json": json_bytes(bundle.effect.to_json()),
            "model.txt": bundle.effect.trees_text.encode("utf-8"),
        }
    return {
        **common,
        "ladder.json": json_bytes(bundle.ladder.to_json()),
        "model.txt": bundle.ladder.forest.text.encode("utf-8"),
    }


def _manifest(bundle: AnyBundle) -> dict[str, Any]:
    identity = {
        "kind": bundle.kind,
        "stages_digest": bundle.stages_digest,
        "gap_days": bundle.gap_days,
        "horizon_days": bundle.horizon_days,
        "trained_until_us": bundle.trained_until_us,
        "winback_version": bundle.winback_version,
    }
    return manifest_of(identity, _contents(bundle))


def _spec_from_json(document: dict[str, Any]) -> FeatureSpec:
    plain = {key: tuple(value) for key, value in document.items() if key != "vocabulary"}
    return FeatureSpec(**plain, vocabulary=tuple(tuple(v) for v in document["vocabulary"]))


def _unknown_features(folder: Path, manifest: Mapping[str, Any], *, found: str) -> ArtifactError:
    """The fault of features that this winback does not compute."""
    return folder_fault(
        folder / "features.json",
        f"trained by winback {manifest['winback_version']} on a feature manifest that "
        f"winback {installed_version()} does not compute ({found})",
        expected="the features of this version",
        fix="run `winback train` with this version, which replaces champions that cannot serve, "
        "or install the version named above",
    )
