"""The served artefact: a folder of text files whose every byte is checked before use.

Nothing of winback's own classes is pickled, so a bundle outlives any refactoring:
model.txt (LightGBM's text), ladder.json (the other rungs, calibrations, which one serves),
features.json (specification and feature manifest), metrics.json and manifest.json (sizes
and SHA-256 of the others, what it is).
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
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
from models.customer_value import CustomerValue
from models.forest import read_forest
from models.ladder import Ladder, ladder_from_json

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]

BUNDLE_SCHEMA = 2
Kind = Literal["dormancy_risk", "natural_return"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_MANIFEST = "manifest.json"
_PARTS = ("features.json", "ladder.json", "metrics.json", "model.txt")
_RETRAIN = (
    "run `winback train`, which replaces champions that cannot serve, or restore the bundle "
    "from a backup"
)


@dataclass(frozen=True, slots=True)
class Bundle:
    """One calibrated model with all that is needed to use it rightly.

    Attributes
    ----------
    kind : "dormancy_risk" gives P(no return) of the not dormant, "natural_return" gives
        P(return without contact) of the dormant.
    spec : feature specification, attribute vocabulary included.
    stages_digest : `stages_digest` of the ladder that labels and populations came from.
    gap_days, horizon_days : the label window.
    trained_until_us : the training as-of; nothing that arrived at or after it was read.
    ladder : the forecasters and which of them serves.
    metrics : figures of the training report, JSON values only.
    winback_version : the version that wrote it.
    """

    kind: Kind
    spec: FeatureSpec
    stages_digest: str
    gap_days: float
    horizon_days: float
    trained_until_us: int
    ladder: Ladder
    metrics: dict[str, Any]
    winback_version: str

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Column names that `predict` expects, in order."""
        return tuple(feature.name for feature in feature_manifest(self.spec))

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
        self._check_width(values)
        return self.ladder.predict(values, value, threads=threads)

    def contributions(self, values: Float32Array, *, threads: int = 0) -> Float64Array:
        """Each feature's part of the forest's log-odds, shape (n, F).

        The forest explains, whichever rung serves: it was fitted on the same labels.
        """
        self._check_width(values)
        return self.ladder.forest.contributions(values, threads=threads)

    def digest(self) -> str:
        """Hex SHA-256 over all files: equal models have equal digests."""
        return str(_manifest_of(self, _contents(self))["digest"])

    def _check_width(self, values: Float32Array) -> None:
        expected = len(feature_manifest(self.spec))
        if values.ndim != 2 or values.shape[1] != expected:
            raise ArtifactError(
                describe(
                    f"model {self.kind}",
                    f"a feature matrix of shape {values.shape}",
                    expected=f"{expected} feature columns",
                    fix="build the matrix with the bundle's own specification",
                )
            )


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


def save_bundle(bundle: Bundle, folder: Path) -> None:
    """Write the bundle to a new folder, which appears whole or not at all.

    Raises
    ------
    ArtifactError : the folder exists.
    """
    if folder.exists():
        raise ArtifactError(
            describe(
                str(folder),
                "this bundle folder exists already",
                expected="a new folder",
                fix="remove it or choose another",
            )
        )
    contents = _contents(bundle)
    manifest = _manifest_of(bundle, contents)
    aside = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for name, content in contents.items():
        (aside / name).write_bytes(content)
    (aside / _MANIFEST).write_bytes(_json_bytes(manifest))
    aside.rename(folder)


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle and check all of it.

    Raises
    ------
    ArtifactError : a file is missing or has changed, the schema version is unknown, or
        the features were computed by another manifest than this winback's.
    """
    manifest = _read_manifest(folder)
    contents = _read_parts(folder, manifest)
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
    return Bundle(
        kind=manifest["kind"],
        spec=spec,
        stages_digest=manifest["stages_digest"],
        gap_days=float(manifest["gap_days"]),
        horizon_days=float(manifest["horizon_days"]),
        trained_until_us=int(manifest["trained_until_us"]),
        ladder=ladder_from_json(
            json.loads(contents["ladder.json"]),
            read_forest(contents["model.txt"].decode("utf-8")),
        ),
        metrics=json.loads(contents["metrics.json"]),
        winback_version=str(manifest["winback_version"]),
    )


def _contents(bundle: Bundle) -> dict[str, bytes]:
    features = {
        "spec": asdict(bundle.spec),
        "manifest_digest": manifest_digest(bundle.spec),
        "features": [asdict(feature) for feature in feature_manifest(bundle.spec)],
    }
    return {
        "features.json": _json_bytes(features),
        "ladder.json": _json_bytes(bundle.ladder.to_json()),
        "metrics.json": _json_bytes(bundle.metrics),
        "model.txt": bundle.ladder.forest.text.encode("utf-8"),
    }


def _manifest_of(bundle: Bundle, contents: dict[str, bytes]) -> dict[str, Any]:
    manifest: dict[str, Any] = {
        "schema_version": BUNDLE_SCHEMA,
        "kind": bundle.kind,
        "stages_digest": bundle.stages_digest,
        "gap_days": bundle.gap_days,
        "horizon_days": bundle.horizon_days,
        "trained_until_us": bundle.trained_until_us,
        "winback_version": bundle.winback_version,
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in contents.items()
        },
    }
    manifest["digest"] = _digest_of(manifest)
    return manifest


def _digest_of(manifest: dict[str, Any]) -> str:
    rest = {key: value for key, value in manifest.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _read_manifest(folder: Path) -> dict[str, Any]:
    file = folder / _MANIFEST
    if not file.is_file():
        raise _fault(file, "no such file", expected="a bundle's manifest")
    try:
        manifest = json.loads(file.read_bytes())
        found = manifest["schema_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise _fault(file, "not a bundle's manifest", expected="a JSON object") from error
    if found != BUNDLE_SCHEMA:
        raise _fault(
            file,
            f"bundle schema version {found!r} is not known",
            expected=f"schema version {BUNDLE_SCHEMA}",
            fix="install the winback that wrote it, or run `winback train` with this one, which "
            "replaces champions that cannot serve",
        )
    if manifest.get("digest") != _digest_of(manifest) or manifest.get("kind") not in KINDS:
        raise _fault(file, "it was changed after training", expected="its own recorded SHA-256")
    return dict(manifest)


def _read_parts(folder: Path, manifest: dict[str, Any]) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    faults: list[str] = []
    for name in _PARTS:
        file, recorded = folder / name, manifest["files"].get(name)
        if recorded is None or not file.is_file():
            faults.append(f"{name} is missing")
            continue
        contents[name] = file.read_bytes()
        size = len(contents[name])
        if size != recorded["bytes"]:
            faults.append(f"{name} has {size} bytes, not {recorded['bytes']}")
        elif hashlib.sha256(contents[name]).hexdigest() != recorded["sha256"]:
            faults.append(f"{name} was changed after training")
    if faults:
        raise _fault(
            folder,
            f"{len(faults)} of its {len(_PARTS)} files cannot be trusted: {'; '.join(faults)}",
            expected="every file as its manifest records it",
        )
    return contents


def _spec_from_json(document: dict[str, Any]) -> FeatureSpec:
    plain = {key: tuple(value) for key, value in document.items() if key != "vocabulary"}
    return FeatureSpec(**plain, vocabulary=tuple(tuple(v) for v in document["vocabulary"]))


def _fault(place: Path, fault: str, *, expected: str, fix: str = _RETRAIN) -> ArtifactError:
    return ArtifactError(describe(str(place), fault, expected=expected, fix=fix))


def _unknown_features(folder: Path, manifest: dict[str, Any], *, found: str) -> ArtifactError:
    """The fault of features that this winback does not compute."""
    return _fault(
        folder / "features.json",
        f"trained by winback {manifest['winback_version']} on a feature manifest that "
        f"winback {installed_version()} does not compute ({found})",
        expected="the features of this version",
        fix="run `winback train` with this version, which replaces champions that cannot serve, "
        "or install the version named above",
    )


def _json_bytes(document: Any) -> bytes:
    text = json.dumps(document, indent=1, sort_keys=True, allow_nan=False)
    return f"{text}\n".encode()
