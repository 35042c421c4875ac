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
FoldName = Literal["training", "between", "validation", "test"]
MIN_TRAINING = 3
"""Training cutoffs below which a run rather does with one validation cutoff less."""

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
    cutoffs : training cutoffs, those between (purged from the fit that validation
        judges, used again by the last fit), validation cutoffs, the test cutoff.
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

    @property
    def test_us(self) -> int:
        """The test cutoff's as-of: what the judged models may know at most."""
        return self.of("test")[0].as_of_us

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
    most: tuple[int, int],
) -> Folds:
    """Lay out test, validation and training cutoffs, whole label windows apart.

    The test cutoff is the last local midnight whose label window ends before the last
    complete day. No window of a fold reaches the first cutoff of the next (the purge), and
    one window of history lies before the first cutoff.

    Parameters
    ----------
    span_us : first and last occurred_at among the events known to this run.
    trained_until_us : the training as-of.
    timezone : of the business; cutoffs are its midnights.
    windows : gap and horizon in days.
    step_days : distance of cutoffs within a fold.
    most : most training and most validation cutoffs; the latest are kept.

    Raises
    ------
    DataError : the history is too short; the text names the date to wait for.

    References
    ----------
    METHODS.md section 1.5: a time split gives the verdict, and the purge keeps it honest.
    """
    reach = window_us(windows[0]) + window_us(windows[1])
    complete = last_midnight(min(span_us[1], trained_until_us), timezone)
    observed_until_us = local_midnight_us(complete, timezone)
    test = last_midnight(observed_until_us - reach, timezone)
    return folds_before(
        test,
        first_us=span_us[0],
        observed_until_us=observed_until_us,
        trained_until_us=trained_until_us,
        timezone=timezone,
        windows=windows,
        step_days=step_days,
        most=most,
    )


def folds_before(
    test: date,
    *,
    first_us: int,
    observed_until_us: int,
    trained_until_us: int,
    timezone: ZoneInfo,
    windows: tuple[float, float],
    step_days: int,
    most: tuple[int, int],
) -> Folds:
    """Lay out validation and training cutoffs before a given test cutoff.

    Parameters
    ----------
    test : local date of the test cutoff.
    first_us : first occurred_at among the events known to this run.
    observed_until_us : local midnight before which all days are taken to be complete.
    trained_until_us, timezone, windows, step_days, most : as in `plan_folds`.

    Raises
    ------
    DataError : the history before the test cutoff is too short.
    """
    gap_us, horizon_us = window_us(windows[0]), window_us(windows[1])
    reach = gap_us + horizon_us

    def midnight(day: date) -> int:
        return local_midnight_us(day, timezone)

    def steps_back(latest: date, at_most: int) -> list[date]:
        days = [latest - timedelta(days=step_days * i) for i in range(at_most)]
        return [day for day in days if midnight(day) - reach >= first_us][::-1]

    def before(later_us: int) -> date:
        return last_midnight(later_us - reach, timezone)

    validation: list[date] = []
    training: list[date] = []
    for wanted in range(most[1], 0, -1):
        validation = steps_back(before(midnight(test)), wanted)
        if not validation:
            break
        training = steps_back(before(midnight(validation[0])), most[0])
        if len(training) >= min(MIN_TRAINING, most[0]):
            break
    if not training:
        last = before(midnight(before(midnight(test))))
        raise _too_short(
            first_us, last_midnight(observed_until_us, timezone), midnight(last), reach
        )
    first_between = training[-1] + timedelta(days=1)
    between = [day for day in steps_back(validation[0], 1000) if first_between <= day][:-1]
    named: list[tuple[FoldName, date]] = [
        *(("training", day) for day in training),
        *(("between", day) for day in between),
        *(("validation", day) for day in validation),
        ("test", test),
    ]
    return Folds(
        cutoffs=tuple(Cutoff(fold, day, midnight(day)) for fold, day in named),
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
