"""The local engine: one function over all buckets, on threads, results in bucket order."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from joblib import Parallel, delayed

from features.errors import WinbackError
from features.progress import Progress, silent

Result = TypeVar("Result")


def map_buckets(
    function: Callable[[int], Result],
    buckets: Sequence[int],
    *,
    threads: int,
    progress: Progress = silent,
    task: str = "buckets",
) -> list[Result]:
    """Call `function` with every bucket and return the results in the order of `buckets`.

    Threads suffice because the work is done by Arrow and numba, which release the lock.

    Parameters
    ----------
    function : takes a bucket's number.
    buckets : numbers to work on.
    threads : how many buckets are in work at once.
    progress : told after each bucket, under the name `task`.

    Raises
    ------
    Whatever `function` raises, naming the bucket; buckets not yet started are skipped.
    """
    return list(iterate_buckets(function, buckets, threads=threads, progress=progress, task=task))


def iterate_buckets(
    function: Callable[[int], Result],
    buckets: Sequence[int],
    *,
    threads: int,
    progress: Progress = silent,
    task: str = "buckets",
) -> Iterator[Result]:
    """As `map_buckets`, but hand out each result as soon as its turn comes.

    For results that are folded and dropped, so that not all are in memory at once.
    """
    progress(task, 0, len(buckets))
    parallel = Parallel(n_jobs=threads, backend="threading", return_as="generator")
    results = parallel(delayed(_call)(function, bucket) for bucket in buckets)
    for done, result in enumerate(results, start=1):
        progress(task, done, len(buckets))
        yield result


def _call(function: Callable[[int], Result], bucket: int) -> Result:
    try:
        return function(bucket)
    except WinbackError as error:
        raise type(error)(f"bucket {bucket}: {error}") from error
    except Exception as error:
        error.add_note(f"while working on bucket {bucket}")
        raise
