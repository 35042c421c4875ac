"""A list folder appears whole or not at all, and is never half replaced."""

import io
import os
import threading
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import ArtifactError
from scoring import publishing
from scoring.list_files import ListFile
from scoring.publishing import check_publishable, publish_list

FILES = [
    ListFile("recall_list.csv", b"a"),
    ListFile("recall_list_sms.csv", b"b"),
    ListFile("report.html", b"made one way"),
    ListFile("manifest.json", b"{}"),
]
OTHER = [ListFile("recall_list.csv", b"c"), *FILES[1:]]
NAME = "2025-11-20"


def visible(lists: Path) -> dict[str, bytes]:
    """What a reader of the lists folder sees."""
    return {
        str(path.relative_to(lists)): path.read_bytes()
        for path in sorted(lists.rglob("*"))
        if path.is_file() and not path.relative_to(lists).parts[0].startswith(".")
    }


def hidden(lists: Path) -> list[str]:
    """Hidden leftovers; the lock file always stays."""
    return sorted(path.name for path in lists.glob(".*") if path.name != ".lock")


def test_a_new_list_appears_whole(tmp_path: Path) -> None:
    lists = tmp_path / "deep" / "lists"
    assert publish_list(lists, NAME, FILES) == "written"
    assert visible(lists) == {f"{NAME}/{file.name}": file.content for file in FILES}
    assert hidden(lists) == []


def test_the_folder_is_readable_like_any_other(tmp_path: Path) -> None:
    publish_list(tmp_path, NAME, FILES)
    (tmp_path / "plain").mkdir()
    assert (tmp_path / NAME).stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_the_same_list_again_is_left_alone(tmp_path: Path) -> None:
    publish_list(tmp_path, NAME, FILES)
    before = (tmp_path / NAME).stat().st_ino
    told_otherwise = [*FILES[:2], ListFile("report.html", b"other"), FILES[3]]
    assert publish_list(tmp_path, NAME, told_otherwise) == "unchanged"
    assert (tmp_path / NAME).stat().st_ino == before
    assert visible(tmp_path)[f"{NAME}/report.html"] == b"made one way"


def parquet_of(rows: int) -> ListFile:
    """A list file of so many rows."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"rank": range(rows)}), sink)
    return ListFile("recall_list.parquet", sink.getvalue())


def test_a_list_of_nobody_is_replaced_without_force(tmp_path: Path) -> None:
    publish_list(tmp_path, NAME, [parquet_of(0), *FILES])
    assert publish_list(tmp_path, NAME, [parquet_of(0), *FILES]) == "unchanged"
    assert publish_list(tmp_path, NAME, [parquet_of(2), *OTHER]) == "replaced"
    assert visible(tmp_path)[f"{NAME}/recall_list.csv"] == b"c"
    with pytest.raises(ArtifactError, match="--force"):
        publish_list(tmp_path, NAME, [parquet_of(3), *OTHER])


def test_a_list_that_cannot_be_read_is_not_taken_for_empty(tmp_path: Path) -> None:
    publish_list(tmp_path, NAME, [ListFile("recall_list.parquet", b"torn"), *FILES])
    with pytest.raises(ArtifactError, match="--force"):
        publish_list(tmp_path, NAME, [parquet_of(2), *FILES])


def test_another_list_is_refused_by_name_of_its_files(tmp_path: Path) -> None:
    publish_list(tmp_path, NAME, FILES)
    changed = [OTHER[0], ListFile("recall_list_push.csv", b"p"), *FILES[2:]]
    with pytest.raises(
        ArtifactError,
        match=r"3 files differ \(recall_list.csv, recall_list_push.csv, recall_list_sms.csv\)",
    ) as caught:
        publish_list(tmp_path, NAME, changed)
    assert "--force" in str(caught.value)
    assert visible(tmp_path)[f"{NAME}/recall_list.csv"] == b"a"


@pytest.mark.parametrize("exchange", [True, False])
def test_force_replaces_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    if not exchange:
        monkeypatch.setattr(publishing.ctypes, "CDLL", lambda *_, **__: object())
    publish_list(tmp_path, NAME, FILES)
    fewer = [OTHER[0], *FILES[2:]]
    assert publish_list(tmp_path, NAME, fewer, force=True) == "replaced"
    assert visible(tmp_path) == {f"{NAME}/{file.name}": file.content for file in fewer}
    assert hidden(tmp_path) == []


class Crash(BaseException):
    """As if the process was killed."""


@pytest.mark.parametrize("at", range(1, 8))
def test_a_crash_at_any_flush_leaves_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    calls = 0
    real = os.fsync

    def failing(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            raise Crash
        real(handle)

    monkeypatch.setattr(publishing.os, "fsync", failing)
    with suppress(Crash):
        publish_list(tmp_path, NAME, FILES)
    whole = {f"{NAME}/{file.name}": file.content for file in FILES}
    assert visible(tmp_path) in ({}, whole)
    monkeypatch.setattr(publishing.os, "fsync", real)
    publish_list(tmp_path, NAME, FILES)
    assert visible(tmp_path) == whole
    assert hidden(tmp_path) == []


def test_leftovers_of_a_killed_run_are_swept(tmp_path: Path) -> None:
    leftover = tmp_path / f".{NAME}.partial"
    leftover.mkdir(parents=True)
    (leftover / "recall_list.csv").write_bytes(b"half")
    assert publish_list(tmp_path, NAME, FILES) == "written"
    assert hidden(tmp_path) == []


def test_a_list_moved_aside_by_a_killed_run_comes_back(tmp_path: Path) -> None:
    publish_list(tmp_path, NAME, FILES)
    (tmp_path / NAME).rename(tmp_path / f".{NAME}.replaced")
    assert publish_list(tmp_path, NAME, FILES) == "unchanged"
    assert visible(tmp_path)[f"{NAME}/recall_list.csv"] == b"a"


def test_a_reader_never_sees_a_mixture_while_lists_are_replaced(tmp_path: Path) -> None:
    def of(content: bytes) -> list[ListFile]:
        return [ListFile(f"recall_list_{part}.csv", content) for part in range(3)]

    publish_list(tmp_path, NAME, of(b"0"))
    seen: set[bytes] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            folder = os.open(tmp_path / NAME, os.O_RDONLY)
            with suppress(FileNotFoundError):
                handle = os.open("recall_list_0.csv", os.O_RDONLY, dir_fd=folder)
                seen.add(os.read(handle, 10))
                os.close(handle)
            os.close(folder)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(20):
        publish_list(tmp_path, NAME, of(str(number % 2).encode()), force=True)
    stop.set()
    reader.join()
    assert seen <= {b"0", b"1"}


def test_a_place_for_lists_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """It was found only after the night's decisions had been stored."""
    place = tmp_path / "lists"
    place.write_text("", encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"no list can be written here: file exists"):
        check_publishable(place, NAME, FILES, force=True)
    with pytest.raises(ArtifactError, match=r"storage\.lists"):
        publish_list(place, NAME, FILES)
