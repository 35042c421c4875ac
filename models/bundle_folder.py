"""A bundle on disk: text files, and a manifest that vouches for every byte of them."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from features.errors import ArtifactError, describe

BUNDLE_SCHEMA = 2

MANIFEST = "manifest.json"
_RETRAIN = (
    "run `winback train`, which replaces champions that cannot serve, or restore the bundle "
    "from a backup"
)


def write_folder(folder: Path, contents: Mapping[str, bytes], manifest: dict[str, Any]) -> None:
    """Write files and manifest to a new folder, which appears whole or not at all.

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
    aside = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for name, content in contents.items():
        (aside / name).write_bytes(content)
    (aside / MANIFEST).write_bytes(json_bytes(manifest))
    aside.rename(folder)


def manifest_of(identity: Mapping[str, Any], contents: Mapping[str, bytes]) -> dict[str, Any]:
    """What a bundle is, sizes and SHA-256 of its files, and the digest over all of that."""
    manifest: dict[str, Any] = {
        "schema_version": BUNDLE_SCHEMA,
        **identity,
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in contents.items()
        },
    }
    manifest["digest"] = digest_of(manifest)
    return manifest


def digest_of(manifest: Mapping[str, Any]) -> str:
    """Hex SHA-256 of a manifest, its own digest left out."""
    rest = {key: value for key, value in manifest.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def read_folder(
    folder: Path, parts: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Manifest and files of a bundle, all of it checked.

    Parameters
    ----------
    folder : the bundle.
    parts : by kind, the names of the files that it is made of.

    Raises
    ------
    ArtifactError : a file is missing or has changed, or kind or schema version is unknown.
    """
    manifest = _read_manifest(folder, tuple(parts))
    return manifest, _read_parts(folder, manifest, parts[manifest["kind"]])


def folder_fault(place: Path, fault: str, *, expected: str, fix: str = _RETRAIN) -> ArtifactError:
    """The error of a bundle that cannot serve."""
    return ArtifactError(describe(str(place), fault, expected=expected, fix=fix))


def json_bytes(document: Any) -> bytes:
    """JSON text of one form only: equal documents give equal bytes."""
    text = json.dumps(document, indent=1, sort_keys=True, allow_nan=False)
    return f"{text}\n".encode()


def _read_manifest(folder: Path, kinds: tuple[str, ...]) -> dict[str, Any]:
    file = folder / MANIFEST
    if not file.is_file():
        raise folder_fault(file, "no such file", expected="a bundle's manifest")
    try:
        manifest = json.loads(file.read_bytes())
        found = manifest["schema_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise folder_fault(file, "not a bundle's manifest", expected="a JSON object") from error
    if found != BUNDLE_SCHEMA:
        raise folder_fault(
            file,
            f"bundle schema version {found!r} is not known",
            expected=f"schema version {BUNDLE_SCHEMA}",
            fix="install the winback that wrote it, or run `winback train` with this one, which "
            "replaces champions that cannot serve",
        )
    if manifest.get("digest") != digest_of(manifest) or manifest.get("kind") not in kinds:
        raise folder_fault(
            file, "it was changed after training", expected="its own recorded SHA-256"
        )
    return dict(manifest)


def _read_parts(
    folder: Path, manifest: Mapping[str, Any], names: tuple[str, ...]
) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    faults: list[str] = []
    for name in names:
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
        raise folder_fault(
            folder,
            f"{len(faults)} of its {len(names)} files cannot be trusted: {'; '.join(faults)}",
            expected="every file as its manifest records it",
        )
    return contents
