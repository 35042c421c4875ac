"""The local engine: order, threads, progress and errors that name the bucket."""

import threading
import time

import pytest

from features.errors import DataError
from pipelines.engine import iterate_buckets, map_buckets


def test_results_come_in_bucket_order_whichever_ends_first() -> None:
    def work(bucket: int) -> int:
        time.sleep(0.02 if bucket == 3 else 0.0)
        return bucket * 10

    assert map_buckets(work, [3, 1, 2], threads=2) == [30, 10, 20]


def test_buckets_run_on_threads_of_one_process() -> None:
    meeting = threading.Barrier(2, timeout=10)

    assert map_buckets(lambda bucket: meeting.wait() >= 0, [0, 1], threads=2) == [True, True]


def test_progress_counts_buckets() -> None:
    calls: list[tuple[str, int, int]] = []

    map_buckets(
        lambda bucket: bucket,
        [5, 6],
        threads=1,
        progress=lambda task, done, total: calls.append((task, done, total)),
        task="features",
    )

    assert calls == [("features", 0, 2), ("features", 1, 2), ("features", 2, 2)]


def test_a_named_fault_names_the_bucket_and_keeps_its_class() -> None:
    def work(bucket: int) -> int:
        if bucket == 7:
            raise DataError("events: broken.")
        return bucket

    with pytest.raises(DataError, match=r"^bucket 7: events: broken"):
        map_buckets(work, [6, 7], threads=2)


def test_a_bug_names_the_bucket_in_a_note() -> None:
    def work(bucket: int) -> int:
        return 1 // (bucket - 4)

    with pytest.raises(ZeroDivisionError) as caught:
        map_buckets(work, [4], threads=1)

    assert caught.value.__notes__ == ["while working on bucket 4"]


def test_no_buckets_give_no_results() -> None:
    assert map_buckets(lambda bucket: bucket, [], threads=2) == []


def test_results_can_be_taken_one_by_one() -> None:
    results = iterate_buckets(lambda bucket: bucket, [1, 2, 3], threads=2)

    assert next(results) == 1
    assert list(results) == [2, 3]
