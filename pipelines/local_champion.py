"""The local copy of each champion: what serves while MLflow is away."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from features.errors import ArtifactError, describe
from models.bundle import AnyBundle, AnyKind, load_bundle, save_bundle
from pipelines.config import Config


@dataclass(frozen=True, slots=True)
class LocalCopy:
    """A champion kept beside the configuration, with its registered version and digest."""

    bundle: AnyBundle
    version: str
    digest: str


def keep_copy(config: Config, bundle: AnyBundle, *, version: str) -> None:
    """Make the bundle the local copy in one step: the pointer file is replaced last.

    Parameters
    ----------
    config : names the folder; copies lie in .winback/champions/KIND/ of it.
    bundle : the champion.
    version : its registered version.
    """
    folder, digest = _folder(config, bundle.kind), bundle.digest()
    place = folder / digest[:16]
    if not _is_sound(place):
        # A sound copy of the same bundle may be in use, and stays where it is.
        shutil.rmtree(place, ignore_errors=True)
        save_bundle(bundle, place)
    pointer = folder / ".current.json.partial"
    pointer.write_text(json.dumps({"version": version, "digest": digest}) + "\n")
    pointer.replace(folder / "current.json")
    for other in folder.iterdir():
        if other.is_dir() and other != place:
            shutil.rmtree(other, ignore_errors=True)


def read_copy(config: Config, kind: AnyKind) -> LocalCopy | None:
    """The local copy, checked; None if there is none.

    Raises
    ------
    ArtifactError : it is damaged.
    """
    folder = _folder(config, kind)
    pointer = folder / "current.json"
    if not pointer.is_file():
        return None
    try:
        document = json.loads(pointer.read_text())
        version, digest = str(document["version"]), str(document["digest"])
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            describe(
                str(pointer),
                "it cannot be read",
                expected="version and digest of the local champion",
                fix="make MLflow reachable and run again, or run `winback train`",
            )
        ) from error
    return LocalCopy(load_bundle(folder / digest[:16]), version, digest)


def sound_copy(config: Config, kind: AnyKind) -> LocalCopy | None:
    """The local copy, or None if it is missing or damaged: the registry has a better one."""
    try:
        return read_copy(config, kind)
    except ArtifactError:
        return None


def _is_sound(place: Path) -> bool:
    try:
        load_bundle(place)
    except ArtifactError:
        return False
    return True


def _folder(config: Config, kind: AnyKind) -> Path:
    return config.home / ".winback" / "champions" / kind
