"""How a list folder appears: whole, at once, and never half replaced."""

import ctypes
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import ArtifactError, describe
from scoring.list_files import ListFile

Published = Literal["written", "unchanged", "replaced"]

LIST_FILE = "recall_list.parquet"
LIST_PREFIX = "recall_list"
"""Files of this prefix are the list; the others tell how it was made."""

_LOCK_NAME = ".lock"
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def list_folder(lists: Path, name: str) -> Path:
    """Where the list of this name is, or will be."""
    return lists / name


def compare_list(lists: Path, name: str, files: Sequence[ListFile]) -> list[str]:
    """Names of list files that differ from the published ones; empty if there are none.

    Only the list itself is compared. report.html and manifest.json tell how a list was
    made (table versions, where the models came from), and may differ between two runs
    that give the same list.
    """
    folder = list_folder(lists, name)
    wanted = {file.name: _digest(file.content) for file in files if _is_list(file.name)}
    present = {
        path.name: _digest(path.read_bytes()) for path in folder.iterdir() if _is_list(path.name)
    }
    return sorted(file for file in {*wanted, *present} if wanted.get(file) != present.get(file))


def check_publishable(lists: Path, name: str, files: Sequence[ListFile], *, force: bool) -> None:
    """Refuse a place where no list can be written, and to overwrite another list.

    Makes the folder of lists if need be, so that nothing else is done for a list that
    could not appear. A list of nobody may be overwritten: nothing was sent from it.

    Raises
    ------
    ArtifactError : lists cannot be written there; or the folder exists, its list differs,
        and `force` is false.
    """
    _make_folder(lists)
    folder = list_folder(lists, name)
    if force or not folder.exists() or _is_of_nobody(folder):
        return
    different = compare_list(lists, name, files)
    if different:
        raise ArtifactError(
            describe(
                str(folder),
                f"holds another list: {len(different)} files differ",
                examples=different,
                expected="no list of this night yet, or the same one",
                fix="pass --force to replace it; what was sent already stays sent",
            )
        )


def publish_list(
    lists: Path, name: str, files: Sequence[ListFile], *, force: bool = False
) -> Published:
    """Put a list folder in place in one step.

    The files are written to a hidden folder beside it, flushed, and renamed: a reader
    sees the whole list or none, and a crash leaves nothing visible. An existing folder
    with the same list stays as it is; a different one is exchanged for the new one in
    one step with `force`, and refused without unless it lists nobody.

    Raises
    ------
    ArtifactError : as check_publishable.
    """
    _make_folder(lists)
    target = list_folder(lists, name)
    with _only_writer(lists):
        _restore(target)
        check_publishable(lists, name, files, force=force)
        if target.exists() and not compare_list(lists, name, files):
            return "unchanged"
        aside = lists / f".{name}.partial"
        # Left by a run that was killed; the lock says that nobody is writing it now.
        shutil.rmtree(aside, ignore_errors=True)
        try:
            _write_folder(aside, files)
            if target.exists():
                _exchange(aside, target)
                outcome: Published = "replaced"
            else:
                aside.rename(target)
                outcome = "written"
            _flush(lists)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return outcome


def _is_of_nobody(folder: Path) -> bool:
    """Whether the published list has no rows; a list that cannot be read may have some."""
    try:
        return bool(pq.read_metadata(folder / LIST_FILE).num_rows == 0)
    except (OSError, pa.ArrowInvalid):
        return False


def _make_folder(lists: Path) -> None:
    try:
        lists.mkdir(parents=True, exist_ok=True)
        with (lists / _LOCK_NAME).open("a"):
            pass
    except OSError as error:
        raise ArtifactError(
            describe(
                str(lists),
                f"no list can be written here: {os.strerror(error.errno or 0).lower()}",
                expected="a folder that this user may write to, or a place for one",
                fix="correct storage.lists or the folder's permissions",
            )
        ) from error


def _write_folder(folder: Path, files: Sequence[ListFile]) -> None:
    folder.mkdir()
    for file in files:
        with (folder / file.name).open("wb") as stream:
            stream.write(file.content)
            stream.flush()
            os.fsync(stream.fileno())
    _flush(folder)


def _exchange(new: Path, old: Path) -> None:
    """Swap two folders in one step where the file system can, else in two."""
    libc = ctypes.CDLL(None, use_errno=True)
    with suppress(AttributeError):
        done = libc.renameat2(
            _AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(old), _RENAME_EXCHANGE
        )
        if done == 0:
            return
    replaced = _replaced_folder(old)
    shutil.rmtree(replaced, ignore_errors=True)
    old.rename(replaced)
    try:
        new.rename(old)
    except OSError:
        replaced.rename(old)
        raise
    shutil.rmtree(replaced, ignore_errors=True)


def _restore(target: Path) -> None:
    """Bring back the list that a run killed between two renames had moved aside."""
    replaced = _replaced_folder(target)
    if replaced.exists() and not target.exists():
        replaced.rename(target)


def _replaced_folder(target: Path) -> Path:
    return target.with_name(f".{target.name}.replaced")


@contextmanager
def _only_writer(lists: Path) -> Iterator[None]:
    with (lists / _LOCK_NAME).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_list(name: str) -> bool:
    return name.startswith(LIST_PREFIX)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
