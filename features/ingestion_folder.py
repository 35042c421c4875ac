"""The folder where rows are staged, and what killed ingestions left of theirs."""

import fcntl
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DATABASE = "staging.duckdb"
"""The staging database; a folder without it holds no rows."""

_PREFIX = "winback-ingest-"
_OURS = re.compile(rf"\.?{_PREFIX}[a-z0-9_]{{8}}")
_LOCK = "lock"
_GLOB_SIGNS = frozenset("*?[")


@contextmanager
def staging_folder(root: str, *, dry_run: bool) -> Iterator[Path]:
    """A folder for the time of one ingestion; remains of killed ones are removed first.

    It is beside the warehouse, where there is room for its rows; in the system's temporary
    folder for a dry run, which must leave no trace beside the warehouse, and for a
    warehouse at a URL. A lock on a file in it tells later ingestions that it is in use, and
    ends with the process however that ends.

    Parameters
    ----------
    root : the warehouse.
    dry_run : nothing will be stored.
    """
    parent = Path(root).parent
    hidden = "."
    usable = "://" not in root and parent.is_dir() and not _GLOB_SIGNS & set(str(parent))
    if dry_run or not usable:
        parent, hidden = Path(tempfile.gettempdir()), ""
    _remove_abandoned(parent)
    with tempfile.TemporaryDirectory(prefix=f"{hidden}{_PREFIX}", dir=parent) as name:
        folder = Path(name)
        # Taken before the database is made, so that no folder with rows is ever without it.
        with (folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder


def _remove_abandoned(parent: Path) -> None:
    """Remove staging folders whose process has ended; they hold customers' data."""
    for folder in parent.glob(f"*{_PREFIX}*"):
        if _OURS.fullmatch(folder.name) is None or folder.is_symlink():
            continue
        try:
            if (folder / DATABASE).exists():
                _remove_unused(folder)
        except OSError:
            continue  # in use, another user's, or just removed by another ingestion


def _remove_unused(folder: Path) -> None:
    # "r+" makes no lock file: a folder without one is not ours.
    with (folder / _LOCK).open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # What marks the folder as ours goes last, should this process be killed too.
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name not in (DATABASE, _LOCK):
                path.unlink()
        (folder / DATABASE).unlink()
        shutil.rmtree(folder)
