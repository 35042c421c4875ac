"""Text files before they are read: encoding, delimiter, header, and cut-off ends."""

import codecs
import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from features.errors import DataError, describe
from features.ingestion_faults import cut_off
from features.ingestion_files import SourceFile

WHITESPACE = " "
"""The delimiter that stands for runs of blanks and tabs."""

_CANDIDATES = (",", ";", "\t", "|")
_HEAD_BYTES = 1 << 20
_CHUNK = 1 << 20
_MARKED_BYTES = 64
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True, slots=True)
class CsvLayout:
    """How to read one CSV file: where it is now, its delimiter and its header."""

    path: Path
    delimiter: str
    quoted: bool
    columns: tuple[str, ...]


def prepare_csv(
    file: SourceFile, *, delimiter: str | None, encoding: str, place: str, stage: Path
) -> CsvLayout:
    """Make a CSV file readable by DuckDB under a harmless name.

    UTF-8 files are linked as they are. Other encodings are rewritten as UTF-8, and runs of
    blanks as single tabs, beside the warehouse.

    Parameters
    ----------
    file : the source.
    delimiter : the configured one; null detects one of , ; tab | or runs of blanks.
    encoding : name of a Python codec.
    place : configuration section, for errors.
    stage : new path without suffix.

    Raises
    ------
    DataError : unknown encoding, bytes that are not of the encoding, no header, two columns
        of one name, a wrong delimiter, or a last line that is cut off.
    """
    codec = find_codec(encoding, place)
    check_marks(file, codec, place)
    head = _head(file, codec)
    sign = _delimiter(head, delimiter, file=file, place=place)
    columns = _header(head, sign, file)
    if not file.ends_with_newline and not file.gzipped:
        _check_last_line(file, codec, sign, columns)
    if sign == WHITESPACE:
        path = stage.with_suffix(".csv")
        _squeeze(file, codec, path)
        return CsvLayout(path, "\t", False, columns)
    return CsvLayout(place_text(file, codec, stage, ".csv"), sign, True, columns)


def rewrite_line_ends(file: SourceFile, *, encoding: str, place: str, stage: Path) -> Path:
    """Copy a text file with every line end as a single newline."""
    path = stage.with_suffix(".lines.csv")
    _transcode(file, find_codec(encoding, place), path, newline=None)
    return path


def place_text(file: SourceFile, codec: str, stage: Path, suffix: str) -> Path:
    """Link a UTF-8 file, or write it as UTF-8, under the path `stage` + `suffix`."""
    if codec in ("utf-8", "ascii"):
        path = stage.with_suffix(suffix + (".gz" if file.gzipped else ""))
        path.symlink_to(file.location.resolve())
        return path
    path = stage.with_suffix(suffix)
    _transcode(file, codec, path, newline="")
    return path


def find_codec(encoding: str, place: str) -> str:
    """The canonical name of a Python text codec.

    Raises
    ------
    DataError : there is none of that name.
    """
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)
    except (LookupError, ValueError) as error:  # the latter for a NUL character
        raise DataError(
            describe(
                f"{place}.encoding",
                f"{encoding!r} is no known text encoding",
                expected='a name such as "utf-8", "latin-1" or "cp1252"',
                fix="correct the key",
            )
        ) from error
    return "utf-8" if name == "utf-8-sig" else name


def check_marks(file: SourceFile, codec: str, place: str) -> None:
    """Make sure that a file does not begin as text of another encoding.

    Raises
    ------
    DataError : it begins with the byte order mark of UTF-16 or UTF-32, or has the NUL bytes
        of one without mark, and the configured encoding is another.
    """
    if codec.startswith(("utf-16", "utf-32")):
        return
    try:
        with open_bytes(file) as stream:
            first = stream.read(_MARKED_BYTES)
    except (OSError, EOFError):
        return  # told where the file is read
    marks = (encoding for mark, encoding in _MARKS.items() if first.startswith(mark))
    encoding = next(marks, None)
    fault = f"the file begins with the byte order mark of {(encoding or '').upper()}"
    if encoding is None and first[1::2].count(0) > len(first) / 4:
        encoding, fault = "utf-16-le", "the file begins like UTF-16 (each second byte is NUL)"
    elif encoding is None and first[::2].count(0) > len(first) / 4:
        encoding, fault = "utf-16-be", "the file begins like UTF-16 (each second byte is NUL)"
    if encoding is not None:
        raise DataError(
            describe(
                file.path,
                fault,
                expected=f"{codec} text, the encoding of [{place}]",
                fix=f'set encoding = "{encoding}" in [{place}] of winback.toml',
            )
        )


def open_bytes(file: SourceFile) -> BinaryIO:
    """Open a file for reading, through gzip if it is gzipped."""
    if file.gzipped:
        return cast(BinaryIO, gzip.open(file.location, "rb"))
    return file.location.open("rb")


def _head(file: SourceFile, codec: str) -> str:
    try:
        with open_bytes(file) as stream:
            raw = stream.read(_HEAD_BYTES)
    except EOFError as error:
        raise cut_off(file, "its gzip stream ends early") from error
    except (OSError, gzip.BadGzipFile) as error:
        raise _unreadable(file, str(error)) from error
    try:
        text = codecs.getincrementaldecoder(codec)(errors="replace").decode(raw)
    except UnicodeError as error:
        raise _unreadable(file, f"it holds bytes that are not {codec}: {error}") from error
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise _unreadable(file, "it holds only blanks")
    return text


def _delimiter(head: str, configured: str | None, *, file: SourceFile, place: str) -> str:
    detected, count = _detect(head)
    if configured is None:
        return detected
    if configured == "whitespace":
        return WHITESPACE
    if len(configured) != 1 or configured in '"\r\n':
        raise DataError(
            describe(
                f"{place}.delimiter",
                f"{configured!r} is no delimiter",
                expected='one character, or "whitespace" for runs of blanks',
                fix="correct the key, or leave it out: it is detected",
            )
        )
    if len(_split_header(head, configured)) == 1 and count > 1:
        raise DataError(
            describe(
                file.path,
                f"with the delimiter {configured!r} of {place}.delimiter the header is one column",
                expected=f"several; with {_name(detected)} there are {count}",
                fix=f"set {place}.delimiter, or leave it out: it is detected",
            )
        )
    return configured


def _detect(head: str) -> tuple[str, int]:
    counts = {sign: len(_split_header(head, sign)) for sign in _CANDIDATES}
    best = max(_CANDIDATES, key=lambda sign: counts[sign])
    if counts[best] > 1:
        return best, counts[best]
    lines = [line.split() for line in head.splitlines()[:2]]
    if len(lines) == 2 and len(lines[0]) > 1 and len(lines[0]) == len(lines[1]):
        return WHITESPACE, len(lines[0])
    return best, 1


def _split_header(head: str, sign: str) -> list[str]:
    if sign == WHITESPACE:
        return head.splitlines()[0].split()
    return next(csv.reader(io.StringIO(head, newline=""), delimiter=sign), [])


def _header(head: str, sign: str, file: SourceFile) -> tuple[str, ...]:
    columns = tuple(name.strip() for name in _split_header(head, sign))
    blank = [f"column {number}" for number, name in enumerate(columns, 1) if not name]
    lowered = [name.lower() for name in columns]
    repeated = [name for name in columns if name and lowered.count(name.lower()) > 1]
    if blank or repeated:
        raise DataError(
            describe(
                file.path,
                f"the header has {len(blank)} columns without a name and "
                f"{len(repeated)} with a name used twice",
                examples=[*blank, *repeated],
                expected="a first line of unique column names (upper and lower case are the same)",
                fix="correct the header line",
            )
        )
    return columns


def _check_last_line(file: SourceFile, codec: str, sign: str, columns: tuple[str, ...]) -> None:
    with file.location.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - _HEAD_BYTES))
        tail = stream.read().decode(codec, errors="replace")
    lines = tail.splitlines()
    last = next(iter(_rows([lines[-1]], sign)), [])
    if len(lines) > 1 and len(last) < len(columns) and '"' not in lines[-1]:
        raise cut_off(
            file,
            f"its last line has no line end and {len(last)} of {len(columns)} columns",
        )


def _rows(lines: list[str], sign: str) -> Iterator[list[str]]:
    if sign == WHITESPACE:
        return (line.split() for line in lines)
    return csv.reader(lines, delimiter=sign)


def _transcode(file: SourceFile, codec: str, path: Path, *, newline: str | None) -> None:
    try:
        with (
            io.TextIOWrapper(open_bytes(file), encoding=codec, newline=newline) as source,
            path.open("w", encoding="utf-8", newline="\n" if newline is None else "") as target,
        ):
            first = source.read(_CHUNK).removeprefix("\ufeff")
            while first:
                target.write(first)
                first = source.read(_CHUNK)
    except UnicodeError as error:
        raise _unreadable(file, f"it holds bytes that are not {codec}: {error}") from error
    except EOFError as error:
        raise cut_off(file, "its gzip stream ends early") from error


def _squeeze(file: SourceFile, codec: str, path: Path) -> None:
    if codec not in ("utf-8", "ascii"):
        plain = path.with_suffix(".utf8")
        _transcode(file, codec, plain, newline="")
        source: BinaryIO = plain.open("rb")
    else:
        source = open_bytes(file)
    try:
        with source, path.open("wb") as target:
            for line in source:
                cells = line.split()
                if cells:
                    target.write(b"\t".join(cells) + b"\n")
    except EOFError as error:
        raise cut_off(file, "its gzip stream ends early") from error


def _name(sign: str) -> str:
    return {"\t": "a tab", WHITESPACE: "runs of blanks"}.get(sign, repr(sign))


def _unreadable(file: SourceFile, fault: str) -> DataError:
    return DataError(
        describe(
            file.path,
            f"the file cannot be read: {fault}",
            expected="a text file with a header line",
            fix="check the file, and the encoding in the configuration",
        )
    )
