"""Which as-ofs a training run learns from, calibrates on and is judged at."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from features.errors import DataError, describe
from features.local_day import local_midnight_us
from training.labels import DAY_US, window_us

Int64Array = NDArray[np.int64]
FoldName = Literal["training", "validation", "test"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cutoff:
    """One as-of of the panel: local midnight of `day`, which is `as_of_us` in UTC."""

    fold: FoldName
    day: date
    as_of_us: int


@dataclass(frozen=True, slots=True)
class Folds:
    """The cutoffs of a run, earliest first, and the label window that keeps them apart.

    Attributes
    ----------
    cutoffs : training cutoffs, then the validation one, then the test one.
    gap_us, horizon_us : the label window, microseconds.
    observed_until_us : local midnight before which all days are taken to be complete.
    trained_until_us : the training as-of; nothing that arrived at or after it is read.
    """

    cutoffs: tuple[Cutoff, ...]
    gap_us: int
    horizon_us: int
    observed_until_us: int
    trained_until_us: int

    @property
    def as_ofs(self) -> Int64Array:
        """All as-ofs, ascending, shape (n_cutoffs,)."""
        return np.array([cutoff.as_of_us for cutoff in self.cutoffs], dtype=np.int64)

    def of(self, fold: FoldName) -> tuple[Cutoff, ...]:
        """The cutoffs of one fold, earliest first."""
        return tuple(cutoff for cutoff in self.cutoffs if cutoff.fold == fold)


def last_midnight(instant_us: int, timezone: ZoneInfo) -> date:
    """The latest local date that has begun at an instant."""
    return (_EPOCH + timedelta(microseconds=instant_us)).astimezone(timezone).date()


def plan_folds(
    span_us: tuple[int, int],
    *,
    trained_until_us: int,
    timezone: ZoneInfo,
    windows: tuple[float, float],
    step_days: int,
    max_cutoffs: int,
) -> Folds:
    """Lay out test, validation and training cutoffs, each a whole label window apart.

    The test cutoff is the last local midnight whose label window ends before the last
    complete day; a fold's window never reaches the next fold's cutoff (the purge). The
    first training cutoff leaves one window of history before it.

    Parameters
    ----------
    span_us : first and last occurred_at among the events known to this run.
    trained_until_us : the training as-of.
    timezone : of the business; cutoffs are its midnights.
    windows : gap and horizon in days.
    step_days : distance of training cutoffs.
    max_cutoffs : most training cutoffs; the latest are kept.

    Raises
    ------
    DataError : the history is too short; the text names the date to wait for.

    References
    ----------
    METHODS.md section 1.5: a time split gives the verdict, and the purge keeps it honest.
    """
    gap_us, horizon_us = window_us(windows[0]), window_us(windows[1])
    reach = gap_us + horizon_us
    complete = last_midnight(min(span_us[1], trained_until_us), timezone)

    def cutoff(fold: FoldName, day: date) -> Cutoff:
        return Cutoff(fold, day, local_midnight_us(day, timezone))

    def before(later_us: int) -> date:
        return last_midnight(later_us - reach, timezone)

    observed_until_us = local_midnight_us(complete, timezone)
    test = cutoff("test", before(observed_until_us))
    validation = cutoff("validation", before(test.as_of_us))
    latest = cutoff("training", before(validation.as_of_us))
    steps = (timedelta(days=step_days * i) for i in range(max_cutoffs))
    training = [cutoff("training", latest.day - step) for step in steps]
    kept = [one for one in training if one.as_of_us - reach >= span_us[0]]
    if not kept:
        raise _too_short(span_us[0], complete, latest.as_of_us, reach)
    return Folds(
        cutoffs=(*reversed(kept), validation, test),
        gap_us=gap_us,
        horizon_us=horizon_us,
        observed_until_us=observed_until_us,
        trained_until_us=trained_until_us,
    )


def _too_short(first_us: int, complete: date, training_us: int, reach: int) -> DataError:
    missing = -((training_us - reach - first_us) // DAY_US)
    begin = (_EPOCH + timedelta(microseconds=first_us)).date()
    have = (complete - begin).days
    enough = complete + timedelta(days=missing + 1)
    return DataError(
        describe(
            "training",
            f"the events known to it span {have} complete days, {begin} to {complete}, and it "
            f"needs {have + missing}",
            expected=f"four label windows (gap + horizon = {reach / DAY_US:g} days): history, "
            "training, validation and test",
            fix=f"train on {enough} or later, ingest older events, or shorten windows.horizon_days",
        )
    )
