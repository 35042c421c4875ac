"""Written lists: which there are, and one of them read back, whole and unchanged."""

import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import ArtifactError, describe
from pipelines.report.manifest import MANIFEST_NAME
from scoring.list_files import PARQUET_NAME
from scoring.recall_list import SCHEMA, SCHEMA_VERSION

OLDEST_READ = 3
"""Lists of this schema version and later can be read; columns they lack are null."""


@dataclass(frozen=True, slots=True)
class WrittenList:
    """A list as it was written.

    Attributes
    ----------
    table : its rows by rank, in the columns of `scoring.recall_list.SCHEMA`; columns that
        the list's version did not have are null.
    lacking : names of those columns.
    files : names of the files in its folder, the manifest left out.
    """

    day: date
    folder: Path
    table: pa.Table
    schema_version: int
    lacking: tuple[str, ...]
    files: tuple[str, ...]

    @property
    def list_id(self) -> str | None:
        """The list's name; null if nobody is listed."""
        return self.made_with("list_id")

    def made_with(self, column: str) -> str | None:
        """A value that all rows share; null if nobody is listed."""
        return self.table[column][0].as_py() if self.table.num_rows else None

    @property
    def expires_at(self) -> datetime | None:
        """When the last row becomes void; null if nobody is listed."""
        moments = self.table["expires_at"].to_pylist()
        return max(moments, default=None)


def list_days(lists: Path) -> list[date]:
    """Local dates of the lists in a folder, earliest first.

    Raises
    ------
    ArtifactError : the folder cannot be read.
    """
    try:
        names = [entry.name for entry in lists.iterdir() if entry.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(lists, error) from error
    return sorted(day for day in map(_as_day, names) if day is not None)


def choose_day(lists: Path, day: date | None) -> date:
    """The day asked for, or that of the latest list.

    Raises
    ------
    ArtifactError : there is no list of that day, or none at all; names the days there are.
    """
    days = list_days(lists)
    if days and (day is None or day in days):
        return day or days[-1]
    wanted = f"no list of {day}" if day else "no list"
    there = f"; {len(days)} of other days are there, the last ones" if days else ""
    raise ArtifactError(
        describe(
            str(lists),
            f"{wanted}{there}",
            examples=[str(one) for one in days[-3:]],
            expected="a day for which `winback nightly` has written a list",
            fix="pass one of these days" if days else "run `winback nightly` first",
        )
    )


def read_written_list(lists: Path, day: date, *, check_all: bool = False) -> WrittenList:
    """A list read back, if it is what `winback nightly` wrote.

    Parameters
    ----------
    check_all : compare every file of the folder with the manifest, not the list alone.

    Raises
    ------
    ArtifactError : a file is missing, cannot be read or was changed since it was written;
        the manifest is damaged; the list is of a version that cannot be read.
    """
    folder = lists / day.isoformat()
    manifest = _read_manifest(folder)
    version = _known_version(folder, manifest)
    expected: Mapping[str, Any] = manifest["files"]
    checked = sorted(expected) if check_all else [PARQUET_NAME]
    contents = _read_checked(folder, {name: expected[name].get("sha256") for name in checked})
    stored = _parse_table(folder, contents[PARQUET_NAME])
    lacking = tuple(name for name in SCHEMA.names if name not in stored.column_names)
    return WrittenList(
        day=day,
        folder=folder,
        table=_in_present_columns(stored),
        schema_version=version,
        lacking=lacking,
        files=tuple(sorted(expected)),
    )


def _as_day(name: str) -> date | None:
    try:
        return date.fromisoformat(name)
    except ValueError:
        return None


def _read_manifest(folder: Path) -> Mapping[str, Any]:
    place = folder / MANIFEST_NAME
    try:
        document = json.loads(place.read_bytes())
    except FileNotFoundError as error:
        raise _broken(place, "the list's manifest is missing") from error
    except OSError as error:
        raise _unreadable(place, error) from error
    except ValueError as error:
        raise _broken(place, "the list's manifest is not JSON") from error
    files = document.get("files") if isinstance(document, dict) else None
    if (
        not isinstance(files, dict)
        or not all(isinstance(one, dict) for one in files.values())
        or PARQUET_NAME not in files
    ):
        raise _broken(place, f"the list's manifest does not name {PARQUET_NAME}")
    return dict(document)


def _known_version(folder: Path, manifest: Mapping[str, Any]) -> int:
    version = manifest.get("schema_version")
    if isinstance(version, int) and OLDEST_READ <= version <= SCHEMA_VERSION:
        return version
    raise ArtifactError(
        describe(
            str(folder),
            f"the list has schema version {version}",
            expected=f"a version from {OLDEST_READ} to {SCHEMA_VERSION}",
            fix="use the winback that wrote it, or run `winback nightly` for that day again",
        )
    )


def _read_checked(folder: Path, digests: Mapping[str, str | None]) -> dict[str, bytes]:
    """Contents of files, refused if any is missing or is not what the manifest says."""
    contents: dict[str, bytes] = {}
    missing: list[str] = []
    for name in digests:
        try:
            contents[name] = (folder / name).read_bytes()
        except FileNotFoundError:
            missing.append(name)
        except OSError as error:
            raise _unreadable(folder / name, error) from error
    if missing:
        raise _broken(folder, f"half a list: {_files(missing)} missing", missing)
    changed = [
        name
        for name, content in contents.items()
        if hashlib.sha256(content).hexdigest() != digests[name]
    ]
    if changed:
        raise _broken(folder, f"{_files(changed)} not what was written", changed)
    return contents


def _files(names: Sequence[str]) -> str:
    return f"{len(names)} {'file is' if len(names) == 1 else 'files are'}"


def _parse_table(folder: Path, content: bytes) -> pa.Table:
    """The very bytes that were checked: the folder may be exchanged at any time."""
    try:
        return pq.read_table(io.BytesIO(content))
    except pa.ArrowInvalid as error:
        raise _broken(folder / PARQUET_NAME, "not a Parquet file") from error


def _in_present_columns(stored: pa.Table) -> pa.Table:
    columns = [
        stored[field.name].cast(field.type)
        if field.name in stored.column_names
        else pa.nulls(stored.num_rows, field.type)
        for field in SCHEMA
    ]
    return pa.table(columns, names=SCHEMA.names)


def _broken(place: Path, fault: str, examples: Sequence[str] = ()) -> ArtifactError:
    return ArtifactError(
        describe(
            str(place),
            fault,
            examples=examples,
            expected="a whole list as `winback nightly` wrote it",
            fix="run `winback nightly --force` for that day again, and copy lists as whole folders",
        )
    )


def _unreadable(place: Path, error: OSError) -> ArtifactError:
    return ArtifactError(
        describe(
            str(place),
            f"cannot be read: {os.strerror(error.errno or 0).lower()}",
            expected="a folder of lists that this user may read",
            fix="correct storage.lists or the permissions",
        )
    )
