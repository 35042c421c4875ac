"""Finding the source files, telling their formats apart, and faults of whole files."""

import glob
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from features.errors import MAX_EXAMPLES, DataError, UsageError, describe
from features.progress import Progress

Format = Literal["csv", "json", "parquet"]

_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".dat": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_GZIP_MAGIC = b"\x1f\x8b"
_PARQUET_MAGIC = b"PAR1"
_OTHER_ARCHIVES = {
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zX": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_GLOB_SIGNS = "*?["


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file to ingest.

    Attributes
    ----------
    location : where it is read.
    path : its name as the user wrote it, for people and tables.
    format, gzipped, ends_with_newline : what its name and its first and last bytes tell.
    digest : SHA-256 of its bytes.
    """

    location: Path
    path: str
    format: Format
    gzipped: bool
    digest: str
    ends_with_newline: bool


def display_name(path: str | Path) -> str:
    """A file name as text that can be shown and stored.

    Names need not be UTF-8. Python stands surrogates for their other bytes, which no
    encoder accepts; here such a byte becomes an escape like \\xff.
    """
    text = os.fspath(path)
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        raw = text.encode("utf-8", "backslashreplace")
    return raw.decode("utf-8", "backslashreplace")


def find_files(paths: Sequence[str]) -> list[Path]:
    """Expand file names and glob patterns; each file once, patterns in name order.

    A name that exists is taken literally even if it holds glob signs.

    Raises
    ------
    UsageError : a name or pattern matches no file, or is a folder; all of them are listed.
    """
    found: dict[Path, Path] = {}
    faults: list[str] = []
    for text in paths:
        path = Path(text)
        if path.is_dir():
            faults.append(f"{display_name(text)} is a folder")
        elif path.exists():
            found.setdefault(path.resolve(), path)
        elif any(sign in text for sign in _GLOB_SIGNS):
            # Path.glob takes no absolute pattern
            matches = [Path(m) for m in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207
            matches = [match for match in matches if match.is_file()]
            if not matches:
                faults.append(f"no file matches {display_name(text)}")
            for match in matches:
                found.setdefault(match.resolve(), match)
        else:
            faults.append(f"{display_name(text)} does not exist")
    if not paths:
        faults.append("no path was given")
    if faults:
        raise UsageError(
            describe(
                "ingest",
                f"{len(faults)} of {max(len(paths), 1)} paths cannot be read",
                examples=faults,
                expected="files or glob patterns that match files",
                fix="check the paths; a folder is given as FOLDER/*.csv",
            )
        )
    return list(found.values())


def inspect_files(paths: Sequence[Path], *, kind: str, progress: Progress) -> list[SourceFile]:
    """Recognise each file and hash its bytes.

    Parameters
    ----------
    paths : existing files.
    kind : goes into the digest: the same bytes may be ingested once per kind.
    progress : called per file.

    Raises
    ------
    DataError : empty files, unknown types or formats; all of them are listed.
    """
    files: list[SourceFile] = []
    faults: list[tuple[str, DataError]] = []
    for done, path in enumerate(paths):
        progress("hashing files", done, len(paths))
        try:
            files.append(_inspect(path, kind))
        except DataError as error:
            faults.append((display_name(path), error))
    progress("hashing files", len(paths), len(paths))
    if faults:
        raise join_faults(faults, total=len(paths))
    return files


def join_faults(faults: Sequence[tuple[str, DataError]], *, total: int) -> DataError:
    """One error of the faults of several files, those of one kind as one line.

    Parameters
    ----------
    faults : names of files with what is wrong with each; at least one.
    total : number of files in all.
    """
    kinds: dict[str, list[str]] = {}
    for path, error in faults:
        kinds.setdefault(str(error).removeprefix(path), []).append(path)
    lines: list[str] = []
    for fault, paths in list(kinds.items())[:MAX_EXAMPLES]:
        if not fault.startswith(": "):  # of the configuration, and the same for every file
            lines.append(fault)
        elif len(paths) == 1:
            lines.append(f"{paths[0]}{fault}")
        else:
            shown = ", ".join(paths[:MAX_EXAMPLES])
            lines.append(f"{len(paths)} of {total} files ({shown}){fault}")
    more = sum(len(paths) for paths in list(kinds.values())[MAX_EXAMPLES:])
    if more:
        lines.append(f"{more} more of {total} files have other faults.")
    return DataError("\n".join(lines))


def _inspect(path: Path, kind: str) -> SourceFile:
    with path.open("rb") as stream:
        head = stream.read(8)
        if not head:
            raise DataError(
                describe(
                    display_name(path),
                    "the file is empty (0 bytes)",
                    expected="a header line and data rows",
                    fix="export it again, or leave it out",
                )
            )
        stream.seek(-1, 2)
        ends_with_newline = stream.read(1) in (b"\n", b"\r")
        stream.seek(0)
        digest = hashlib.file_digest(stream, "sha256")
    digest.update(kind.encode())
    gzipped = head.startswith(_GZIP_MAGIC)
    return SourceFile(
        location=path,
        path=display_name(path),
        format=_format(path, head, gzipped=gzipped),
        gzipped=gzipped,
        digest=digest.hexdigest(),
        ends_with_newline=ends_with_newline,
    )


def _format(path: Path, head: bytes, *, gzipped: bool) -> Format:
    if head.startswith(_PARQUET_MAGIC):
        return "parquet"
    for magic, name in _OTHER_ARCHIVES.items():
        if head.startswith(magic):
            raise _unknown(path, f"is a {name} archive")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".gzip"):
        if not gzipped:
            raise _unknown(path, "is named .gz but holds no gzip data")
        suffixes.pop()
    known = _SUFFIXES.get(suffixes[-1]) if suffixes else None
    if known is None:
        raise _unknown(path, "has a name that tells no known format")
    if known == "parquet":
        raise _unknown(path, "is named as Parquet but does not begin as Parquet")
    return known


def _unknown(path: Path, fault: str) -> DataError:
    return DataError(
        describe(
            display_name(path),
            fault,
            expected="CSV (.csv .tsv .txt .dat), JSON lines (.json .jsonl .ndjson), each plain or "
            "gzipped, or Parquet (.parquet .pq)",
            fix="rename, unpack or export the file again",
        )
    )
