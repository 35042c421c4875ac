"""Staging folders of killed ingestions are removed, those in use and others' are not."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from ingest_home import ingest_text

from features.ingestion_folder import DATABASE, staging_folder

TEXT = "customer_id,occurred_at,event_type,amount\n1,2026-01-01,visit,\n"
CHILD = """
import sys, time
from pathlib import Path
from features.ingestion_folder import DATABASE, staging_folder
with staging_folder(sys.argv[1], dry_run=False) as folder:
    (folder / DATABASE).write_text("customers")
    (folder / "spill").mkdir()
    (folder / "spill" / "rows").write_text("customers")
    (folder / "source-0.csv").symlink_to(sys.argv[2])
    print(folder, flush=True)
    time.sleep(60)
"""


def remains(home: Path) -> list[str]:
    return sorted(path.name for path in home.glob(".winback-ingest-*"))


def test_the_staging_folder_of_a_killed_ingestion_is_removed_by_the_next(tmp_path: Path) -> None:
    source = tmp_path / "source.csv"
    source.write_text(TEXT)
    root = str(tmp_path / "warehouse")
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, root, str(source)], stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        folder = Path(child.stdout.readline().strip())
        ingest_text(tmp_path, TEXT)
        assert remains(tmp_path) == [folder.name]  # its process lives
        child.send_signal(signal.SIGKILL)
    assert remains(tmp_path) == [folder.name]
    ingest_text(tmp_path, TEXT + "2,2026-01-01,visit,\n", name="b.csv")
    assert remains(tmp_path) == []
    assert source.read_text() == TEXT


def test_folders_that_only_look_like_staging_are_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / ".winback-ingest-mynotes1"
    mine.mkdir()
    (mine / "letter.txt").write_text("x")
    unlocked = tmp_path / ".winback-ingest-abcdefgh"
    unlocked.mkdir()
    (unlocked / DATABASE).write_text("x")
    link = tmp_path / ".winback-ingest-linkedto"
    link.symlink_to(unlocked)
    ingest_text(tmp_path, TEXT)
    assert remains(tmp_path) == sorted([mine.name, unlocked.name, link.name])
    assert (unlocked / DATABASE).exists()


def test_a_dry_run_leaves_remains_beside_the_warehouse_and_clears_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    for parent, name in (
        (tmp_path, ".winback-ingest-12345678"),
        (temporary, "winback-ingest-87654321"),
    ):
        (parent / name).mkdir(parents=True)
        for file in (DATABASE, "lock"):
            (parent / name / file).write_text("x")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with staging_folder(str(tmp_path / "warehouse"), dry_run=True) as folder:
        assert folder.parent == temporary
    assert remains(tmp_path) == [".winback-ingest-12345678"]
    assert list(temporary.iterdir()) == []
