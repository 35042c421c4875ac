"""What can be wrong with the place of a warehouse, as errors."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deltalake.exceptions import DeltaError

from features.contract import TABLES
from features.errors import ArtifactError, DataError, describe

_TERMINAL_CODE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_LONGEST_CAUSE = 240


@contextmanager
def reaching(root: str) -> Iterator[None]:
    """Name the warehouse where the store behind it fails while tables are looked up.

    Raises
    ------
    ArtifactError : the store cannot be reached, or refuses to be read.
    """
    try:
        yield
    except (DeltaError, OSError) as error:
        raise ArtifactError(
            describe(
                _CREDENTIALS.sub("", root),
                f"cannot be reached: {cause_of(error)}",
                expected="a place for tables that this user may read",
                fix="correct storage.warehouse, its permissions, or the store's credentials",
            )
        ) from error


@contextmanager
def changing(root: str, name: str) -> Iterator[None]:
    """Name the table where the store behind it refuses a change.

    Raises
    ------
    ArtifactError : no permission, no room left, or another process changed the table.
    """
    try:
        yield
    except (DeltaError, OSError) as error:
        raise ArtifactError(
            describe(
                f"{_CREDENTIALS.sub('', root)}, table {name}",
                f"cannot be written: {cause_of(error)}",
                expected="a place that this user may write to, with room left",
                fix="correct the permissions, free some space, or run the command again if "
                "another process was writing",
            )
        ) from error


def cause_of(error: Exception) -> str:
    """What the store said, on one line, without colours, credentials and the full stop."""
    plain = _CREDENTIALS.sub("", _TERMINAL_CODE.sub("", str(error)))
    text = " ".join(plain.split()).rstrip(".") or type(error).__name__
    return text if len(text) <= _LONGEST_CAUSE else f"{text[:_LONGEST_CAUSE]}…"


def check_new_place(root: str) -> None:
    """Make sure that a warehouse can be made at `root`.

    Raises
    ------
    ArtifactError : there is a file, or a folder that holds something else.
    """
    folder = Path(root)
    if "://" not in root and folder.exists() and (folder.is_file() or any(folder.iterdir())):
        raise ArtifactError(
            describe(
                root,
                "is not a winback warehouse, and is not empty",
                expected="a warehouse, an empty folder or no folder",
                fix="set storage.warehouse to another place",
            )
        )


def absent(root: str) -> ArtifactError:
    """The error for a place without a warehouse."""
    return ArtifactError(
        describe(
            root,
            "no warehouse here",
            expected="the tables that `winback ingest` makes",
            fix="run `winback ingest events PATH`, or correct storage.warehouse",
        )
    )


def check_buckets(root: str, name: str, stored: str | None, n_buckets: int) -> None:
    """Make sure that a table was made by winback, with as many buckets as configured.

    `stored` is the number in the table's configuration, null in a foreign table.

    Raises
    ------
    ArtifactError : it is a foreign table.
    DataError : it has another number of buckets.
    """
    if stored is None:
        raise ArtifactError(
            describe(
                f"{root}, table {name}",
                "a Delta table that winback did not make",
                expected="tables made by `winback ingest`",
                fix="set storage.warehouse to another place",
            )
        )
    if stored != str(n_buckets):
        raise DataError(
            describe(
                "storage.buckets",
                f"is {n_buckets}, but the warehouse {root} was made with {stored}",
                expected=f"{stored}: the number is fixed when a warehouse is made",
                fix=f"set storage.buckets = {stored}, or ingest into a new warehouse",
            )
        )


def incomplete(root: str, missing: Sequence[str]) -> ArtifactError:
    """The error for a warehouse that lacks tables."""
    return ArtifactError(
        describe(
            root,
            f"no table {', '.join(missing)}",
            expected=f"the tables {', '.join(TABLES)}",
            fix="run `winback ingest`, which makes missing tables",
        )
    )
