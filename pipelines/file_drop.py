"""Files put where other programs watch: each appears whole, in one step."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from features.errors import ArtifactError, describe


def drop_files(files: Mapping[Path, bytes]) -> None:
    """Write files under hidden names beside their places, then rename them all.

    Nothing is renamed before all of them are written and flushed, so a full disk leaves the
    places as they were. Files that are there already are replaced.

    Raises
    ------
    ArtifactError : a place cannot be written to.
    """
    hidden = {place: place.with_name(f".{place.name}.partial") for place in files}
    try:
        for place, content in files.items():
            place.parent.mkdir(exist_ok=True)
            with hidden[place].open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        for place, written in hidden.items():
            written.replace(place)
        for folder in {place.parent for place in files}:
            _flush(folder)
    except OSError as error:
        raise ArtifactError(
            describe(
                str(error.filename or next(iter(files)).parent),
                f"cannot be written: {os.strerror(error.errno or 0).lower()}",
                expected="a folder that this user may write to, or a place for one",
                fix="correct --to or the folder's permissions",
            )
        ) from error
    finally:
        for written in hidden.values():
            with suppress(OSError):
                written.unlink(missing_ok=True)


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
