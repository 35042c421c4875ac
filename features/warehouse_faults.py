"""What can be wrong with the place of a warehouse, as errors."""

from collections.abc import Sequence
from pathlib import Path

from features.contract import TABLES
from features.errors import ArtifactError, DataError, describe


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
