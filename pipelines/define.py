"""`winback define`: what the stored events say about after how many silent days to act."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from features.errors import UsageError, describe
from features.history_reader import HistoryReader
from features.history_sample import customer_hashes
from features.local_day import local_midnight_us
from features.progress import Progress, silent
from features.warehouse import Warehouse
from pipelines.config import Config
from pipelines.definition_json import definition_json
from pipelines.definition_notes import definition_notes
from pipelines.empty_days import EmptyDays, find_empty_days
from pipelines.engine import iterate_buckets
from pipelines.observation import known_events, training_date
from training.definition import Definition, DefinitionPlan, Proposer, define
from training.definition_counts import Cuts, SilenceCounts, cells_of, count_silences
from training.definition_lifecycle import MONTH_DAYS
from training.definition_silence import Calendar
from training.definition_snapshot import AsOfs, Snapshot, find_cuts, join_snapshots, observe
from training.definition_walk import walk

REPORT_SCHEMA = 1

DRAWN_CUSTOMERS = 200_000
"""Above so many customers the bands come from a sample of this size."""


@dataclass(frozen=True, slots=True)
class Written:
    """One window put into winback.toml; days of silence."""

    stage: str
    old_days: float
    new_days: float
    opinion: str


@dataclass(frozen=True, slots=True)
class DefinitionReport:
    """What `winback define` found.

    Attributes
    ----------
    business, timezone : of the configuration.
    as_of : local date; only what had occurred and arrived before its midnight was read.
    first_day, last_day : local dates of the first and the last event known then.
    events : events known then.
    empty_days : days without any event.
    drawn_share : share of customers that the bands were drawn from.
    inputs : Delta version of the tables.
    definition : curves, windows and states.
    notes : what a reader should know first.
    written : what was put into winback.toml.
    page : the page that was written.
    """

    business: str
    timezone: str
    as_of: date
    first_day: date
    last_day: date
    events: int
    empty_days: EmptyDays
    drawn_share: float
    inputs: dict[str, int]
    definition: Definition
    notes: tuple[str, ...]
    written: tuple[Written, ...] = ()
    page: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON object; its layout is named by schema_version."""
        return {
            "schema_version": REPORT_SCHEMA,
            "business": self.business,
            "timezone": self.timezone,
            "as_of": self.as_of.isoformat(),
            "first_day": self.first_day.isoformat(),
            "last_day": self.last_day.isoformat(),
            "events": self.events,
            "empty_days": self.empty_days.to_json(),
            "drawn_share": self.drawn_share,
            "inputs": self.inputs,
            **definition_json(self.definition),
            "notes": list(self.notes),
            "written": [
                {
                    "stage": one.stage,
                    "old_days": one.old_days,
                    "new_days": one.new_days,
                    "opinion": one.opinion,
                }
                for one in self.written
            ],
            "page": self.page,
        }

    def with_written(self, written: tuple[Written, ...]) -> "DefinitionReport":
        """The same report after windows were put into winback.toml."""
        return replace(self, written=written)

    def with_page(self, page: str) -> "DefinitionReport":
        """The same report after its page was written."""
        return replace(self, page=page)


def run_define(
    config: Config,
    *,
    as_of: date | None = None,
    q: float = 0.10,
    horizon_days: int = 90,
    late_cost: float = 1.0,
    opinion: Proposer = "return rule",
    now: datetime,
    progress: Progress = silent,
) -> DefinitionReport:
    """Read all events known before the as-of and say what dormant could mean.

    Parameters
    ----------
    config : the configuration.
    as_of : local date; null as in `winback train`.
    q : chance of return at or below which a customer counts as dormant.
    horizon_days : days within which a return counts.
    late_cost : the D-curve's cost of waiting, in false alarms.
    opinion : whose window the life cycle goes by.
    now : the present instant, for "today".
    progress : told what is being done.

    Raises
    ------
    UsageError : q, horizon or cost make no sense.
    ArtifactError : no warehouse.
    DataError : no event was known before the as-of.
    """
    _check_numbers(q, horizon_days, late_cost)
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=config.storage.buckets)
    inputs = warehouse.versions()
    timezone = ZoneInfo(config.business.timezone)
    until = training_date(config, as_of, now=now, version=inputs["events"])
    until_us = local_midnight_us(until, timezone)
    known = known_events(config, until=until, until_us=until_us, version=inputs["events"])
    first, last = known.first_day, known.last_day
    days = _calendar(first, last, until, timezone)
    as_ofs = AsOfs(
        now=until_us,
        month_ago=_earlier(until, MONTH_DAYS, first, timezone),
        horizon_ago=_earlier(until, horizon_days, first, timezone),
    )
    plan = DefinitionPlan(q, horizon_days, late_cost, opinion, config.list.tier_quantile)
    reading = _Reading(config, warehouse, inputs, progress)
    snapshot = reading.observe(as_ofs, days)
    cuts = find_cuts(snapshot, len(config.stages), tier_quantile=plan.tier_quantile)
    share = min(1.0, DRAWN_CUSTOMERS / max(int(snapshot.now.seen.sum()), 1))
    counts = reading.count(until_us, days, cuts=cuts, share=share)
    definition = define(
        config.stages,
        snapshot,
        counts,
        plan=plan,
        cuts=cuts,
        capacities=[_capacity(config, position) for position in range(len(config.stages))],
    )
    empty = find_empty_days(known.per_day, first, until)
    return DefinitionReport(
        business=config.business.name,
        timezone=config.business.timezone,
        as_of=until,
        first_day=first,
        last_day=last,
        events=int(snapshot.events_per_day.sum()),
        empty_days=empty,
        drawn_share=share,
        inputs=inputs,
        definition=definition,
        notes=definition_notes(definition, empty, as_of=until, first_day=first, share=share),
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """Both passes over the buckets."""

    config: Config
    warehouse: Warehouse
    inputs: dict[str, int]
    progress: Progress

    def _reader(self) -> HistoryReader:
        # Attributes of customers say nothing here and cost time to read.
        spec = replace(self.config.feature_spec(), attributes=(), vocabulary=())
        return HistoryReader(self.warehouse, spec=spec, versions=self.inputs)

    def observe(self, as_ofs: AsOfs, days: Calendar) -> Snapshot:
        """The first pass: where customers stand."""
        reader, stages = self._reader(), self.config.stages

        def of_bucket(bucket: int) -> Snapshot:
            history = reader.read(bucket)
            return observe(history, spec=reader.spec, stages=stages, as_ofs=as_ofs, days=days)

        parts = iterate_buckets(
            of_bucket,
            range(self.warehouse.n_buckets),
            threads=self.config.training.learner.threads,
            progress=self.progress,
            task="reading customers",
        )
        return join_snapshots(list(parts))

    def count(self, until_us: int, days: Calendar, *, cuts: Cuts, share: float) -> SilenceCounts:
        """The second pass: silences by length, tier and cadence."""
        reader, stages = self._reader(), self.config.stages
        n_days = len(days.midnights) - 1
        counted = [stage.silence_days is not None for stage in stages]

        def of_bucket(bucket: int) -> SilenceCounts:
            history = reader.read(bucket)
            silences, *_ = walk(
                history, spec=reader.spec, stages=stages, as_of_us=until_us, days=days
            )
            counts = SilenceCounts.empty(counted, n_days)
            cells = cells_of(silences, cuts)
            count_silences(silences, cells, keys=customer_hashes(history), share=share, into=counts)
            return counts

        total = SilenceCounts.empty(counted, n_days)
        parts = iterate_buckets(
            of_bucket,
            range(self.warehouse.n_buckets),
            threads=self.config.training.learner.threads,
            progress=self.progress,
            task="counting silences",
        )
        for part in parts:
            total.add(part)
        return total


def _calendar(first: date, last: date, until: date, timezone: ZoneInfo) -> Calendar:
    dates = [first + timedelta(days=day) for day in range((until - first).days + 1)]
    midnights = np.array([local_midnight_us(day, timezone) for day in dates], dtype=np.int64)
    return Calendar(midnights, last_day=(last - first).days)


def _earlier(until: date, days: int, first: date, timezone: ZoneInfo) -> int | None:
    """The midnight so many days before, if it is later than the first day's."""
    if (until - first).days <= days:
        return None
    return local_midnight_us(until - timedelta(days=days), timezone)


def _capacity(config: Config, position: int) -> int | None:
    """Contacts per night of all channels that the stage may use; null if one has no limit."""
    names = config.stages[position].channels or tuple(config.channels)
    capacities = [config.channels[name].capacity for name in names]
    if any(capacity is None for capacity in capacities):
        return None
    return sum(capacity for capacity in capacities if capacity is not None)


def _check_numbers(q: float, horizon_days: int, late_cost: float) -> None:
    limits = (
        ("--q", q, 0.0 < q < 1.0, "a share above 0 and below 1, such as 0.10"),
        ("--horizon", horizon_days, 1 <= horizon_days <= 1000, "1 to 1000 days, such as 90"),
        ("--late-cost", late_cost, 0.0 < late_cost < np.inf, "a number above 0, such as 1"),
    )
    for option, value, holds, expected in limits:
        if not holds:
            raise UsageError(
                describe(
                    option,
                    f"{value:g} makes no sense here",
                    expected=expected,
                    fix="see docs/definition.md for what it means",
                )
            )
