"""What time the stored events cover, and which of it a training run may know."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from features.arrow_columns import time_values
from features.errors import DataError, describe
from features.history_reader import read_columns
from features.local_day import local_midnight_us
from features.warehouse import Warehouse
from pipelines.config import Config
from pipelines.empty_days import DayCounts, training_notes
from pipelines.engine import map_buckets
from training.folds import Folds, last_midnight, plan_folds

Int64Array = NDArray[np.int64]
Found = TypeVar("Found")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Times:
    """Events of one bucket: how many, and when the known ones happened."""

    stored: int
    first_stored_us: int | None
    span_us: tuple[int, int] | None
    days: DayCounts | None


@dataclass(frozen=True, slots=True)
class KnownEvents:
    """When the events happened that were known at an as-of.

    Attributes
    ----------
    span_us : first and last occurred_at, us, UTC.
    first_day : local date of the first.
    per_day : how many, of each local day from `first_day` to the day of the last.
    """

    span_us: tuple[int, int]
    first_day: date
    per_day: Int64Array

    @property
    def last_day(self) -> date:
        """Local date of the last event."""
        return self.first_day + timedelta(days=len(self.per_day) - 1)

    def notes(self, *, as_of: date, folds: Iterable[Folds]) -> tuple[str, ...]:
        """What a reader should know about days without events."""
        cutoffs = [cutoff.day for one in folds for cutoff in one.cutoffs]
        return training_notes(self.per_day, self.first_day, as_of=as_of, cutoffs=cutoffs)


@dataclass(frozen=True, slots=True)
class RunDates:
    """What a training run may know, and which cutoffs follow from it.

    Attributes
    ----------
    until, until_us : the training as-of, as local date and as its midnight (us, UTC).
    known : the events known before it.
    folds : the cutoffs.
    """

    until: date
    until_us: int
    known: KnownEvents
    folds: Folds

    @property
    def first_us(self) -> int:
        """First occurred_at among the known events (us, UTC)."""
        return self.known.span_us[0]


def plan_run(config: Config, as_of: date | None, *, now: datetime, version: int) -> RunDates:
    """Lay out a training run.

    Parameters
    ----------
    config : the configuration.
    as_of : local date of the training; null as in `training_date`.
    now : the present instant.
    version : Delta version of the events table.

    Raises
    ------
    DataError : no event is known before the as-of, or the history is too short.
    """
    plan, timezone = config.training, ZoneInfo(config.business.timezone)
    until = training_date(config, as_of, now=now, version=version)
    until_us = local_midnight_us(until, timezone)
    known = known_events(config, until=until, until_us=until_us, version=version)
    folds = plan_folds(
        known.span_us,
        trained_until_us=until_us,
        timezone=timezone,
        windows=(config.windows.gap_days, config.windows.horizon_days),
        step_days=plan.step_days,
        most=(plan.max_cutoffs, plan.validation_cutoffs),
    )
    return RunDates(until, until_us, known, folds)


def training_date(config: Config, as_of: date | None, *, now: datetime, version: int) -> date:
    """The local date whose midnight is the training as-of; it has begun already.

    The date asked for, else that of the configuration, else the day after the last
    arrival but not later than today: old data then give the same run on any later day.

    Parameters
    ----------
    config : the configuration.
    as_of : the date asked for.
    now : the present instant.
    version : Delta version of the events table.

    Raises
    ------
    DataError : the date is later than today: what arrives until then is not known, and the
        model would claim to have seen it.
    """
    timezone = ZoneInfo(config.business.timezone)
    today = now.astimezone(timezone).date()
    if as_of is None and config.training.as_of is not None:
        as_of = date.fromisoformat(config.training.as_of)
    if as_of is not None:
        if as_of > today:
            raise _not_begun(as_of, today)
        return as_of
    arrivals = _over_times(config, version, lambda _, arrived: arrived.max(initial=-1))
    last = int(max(arrivals))
    return today if last < 0 else min(today, last_midnight(last, timezone) + timedelta(days=1))


def known_events(config: Config, *, until: date, until_us: int, version: int) -> KnownEvents:
    """When the events known before the as-of happened.

    Parameters
    ----------
    config : the configuration.
    until, until_us : the training as-of as local date and as instant.
    version : Delta version of the events table.

    Raises
    ------
    DataError : no event had occurred and arrived before it.
    """

    timezone = ZoneInfo(config.business.timezone)

    def times(occurred_at: Int64Array, arrived_at: Int64Array) -> _Times:
        known = occurred_at[(occurred_at < until_us) & (arrived_at < until_us)]
        return _Times(
            stored=len(occurred_at),
            first_stored_us=int(occurred_at.min()) if len(occurred_at) else None,
            span_us=(int(known.min()), int(known.max())) if len(known) else None,
            days=DayCounts.of(known, timezone) if len(known) else None,
        )

    found = _over_times(config, version, times)
    spans = [one.span_us for one in found if one.span_us is not None]
    if not spans:
        raise _nothing_known(until, found)
    days = DayCounts.joined([one.days for one in found if one.days is not None])
    return KnownEvents(
        span_us=(min(span[0] for span in spans), max(span[1] for span in spans)),
        first_day=days.first,
        per_day=days.per_day,
    )


def first_known_us(
    config: Config, as_ofs_us: Sequence[int], *, version: int
) -> tuple[int | None, ...]:
    """First occurred_at among the events known at each of several as-ofs (us, UTC).

    Parameters
    ----------
    config : the configuration.
    as_ofs_us : instants (us, UTC).
    version : Delta version of the events table.

    Returns
    -------
    One per as-of; None where no event had occurred and arrived.
    """
    none = np.iinfo(np.int64).max

    def first(occurred_at: Int64Array, arrived_at: Int64Array) -> list[int]:
        known_from = np.maximum(occurred_at, arrived_at)
        return [int(occurred_at.min(where=known_from < as_of, initial=none)) for as_of in as_ofs_us]

    firsts = [min(of_as_of) for of_as_of in zip(*_over_times(config, version, first), strict=True)]
    return tuple(None if one == none else one for one in firsts)


def _over_times(
    config: Config, version: int, function: Callable[[Int64Array, Int64Array], Found]
) -> list[Found]:
    """Call `function` with occurred_at and arrived_at of every bucket's events."""
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)

    def of_bucket(bucket: int) -> Found:
        files = warehouse.files("events", bucket=bucket, version=version)
        table = read_columns("events", files, columns=("occurred_at", "arrived_at"))
        return function(time_values(table["occurred_at"]), time_values(table["arrived_at"]))

    return map_buckets(
        of_bucket, range(warehouse.n_buckets), threads=config.training.learner.threads
    )


def _not_begun(until: date, today: date) -> DataError:
    return DataError(
        describe(
            f"training as of {until}",
            "that day has not begun, so what will have arrived before it is not known",
            expected=f"a date not after {today}",
            fix="choose an earlier date with --as-of or training.as_of, or give none",
        )
    )


def _nothing_known(until: date, found: list[_Times]) -> DataError:
    stored = sum(one.stored for one in found)
    begin = min((s.first_stored_us for s in found if s.first_stored_us is not None), default=None)
    first = "" if begin is None else f"; the first one is of {_utc_date(begin)}"
    return DataError(
        describe(
            f"training as of {until}",
            f"none of the {stored} stored events had happened and arrived before it{first}",
            expected="events before the training as-of",
            fix="run `winback ingest events PATH`, or choose a later --as-of",
        )
    )


def _utc_date(instant_us: int) -> date:
    return (_EPOCH + timedelta(microseconds=instant_us)).date()
