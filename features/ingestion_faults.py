"""Faults of whole source files, as errors."""

from pathlib import Path

import duckdb

from features.errors import DataError, describe
from features.ingestion_files import SourceFile

MAX_UNREADABLE = 1_000_000
"""More lines than this that cannot be read are a fault of the file, whatever share they are."""


def too_many_unreadable(file: SourceFile) -> DataError:
    """The error for a file of which very many lines cannot be read."""
    return DataError(
        describe(
            file.path,
            f"at least {MAX_UNREADABLE:,} lines cannot be read",
            expected=f"{file.format} with the delimiter and encoding that are configured",
            fix="check delimiter and encoding in the configuration, or export the file again",
        )
    )


def cut_off(file: SourceFile, fault: str) -> DataError:
    """The error for a file that ends too early."""
    return DataError(
        describe(
            file.path,
            f"the file seems to be cut off: {fault}",
            expected="a complete file",
            fix="copy or export it again",
        )
    )


def unreadable(file: SourceFile, error: duckdb.Error, *, read: Path) -> DataError:
    """The error for a file that DuckDB cannot read; only the first line, which holds no data.

    `read` is where DuckDB found the file; the message names it as the user did.
    """
    first = str(error).splitlines()[0].replace(str(read), file.path)
    if "GZIP" in first:
        return cut_off(file, "its gzip stream ends early")
    if "magic bytes" in first or "too small" in first:
        return cut_off(file, "its end is missing")
    return DataError(
        describe(
            file.path,
            f"the file cannot be read: {first}",
            expected=f"a complete {file.format} file",
            fix="check it, or export it again",
        )
    )


def no_rows(file: SourceFile) -> DataError:
    """The error for a file without data rows."""
    return DataError(
        describe(
            file.path,
            "the file holds no data rows",
            expected="at least one row after the header",
            fix="export it again, or leave it out",
        )
    )
