"""One command's worth of simulation: a business lived day by day and written to files."""

import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import UsageError, describe
from features.progress import Progress, silent
from pipelines.config import Config
from pipelines.init import preset_config
from pipelines.simulate import files
from pipelines.simulate.business import BUSINESSES, Business, reach_of
from pipelines.simulate.clock import Clock, lay_out_calendar
from pipelines.simulate.log import (
    CHANGES,
    CONTACTS,
    EVENTS,
    ChangeColumns,
    ContactColumns,
    EventColumns,
    Log,
    allocate_log,
)
from pipelines.simulate.population import People, gather_people

PART_CUSTOMERS = 50_000
"""Customers per events file: part of the format, so that files never depend on chunks."""
_MOST_CUSTOMERS = 50_000_000
_LEAST_LOG_ROWS = 1 << 18
SCHEMA_VERSION = 1
_ASIDE = ".unfinished"


@dataclass(frozen=True, slots=True)
class SimulationPlan:
    """What is simulated. `end` is a local date; everything happens before its midnight."""

    preset: str
    customers: int
    days: int
    end: date
    seed: int
    dirt: files.Dirt = field(default_factory=files.Dirt)

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        limits = {
            "customers": (self.customers, 1, _MOST_CUSTOMERS),
            "days": (self.days, 30, 3650),
            "seed": (self.seed, 0, 2**63 - 1),
        }
        for name, (value, least, most) in limits.items():
            if not least <= value <= most:
                raise UsageError(
                    describe(
                        f"simulate --{name}",
                        f"{value} is out of range",
                        expected=f"{least} to {most}",
                        fix="pass a value in that range",
                    )
                )


@dataclass(frozen=True, slots=True)
class SimulationSummary:
    """What was written, and where: row counts as in the files."""

    events: int
    customers: int
    customer_rows: int
    contacts: int
    events_files: tuple[Path, ...]
    customers_file: Path
    contacts_file: Path

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        plain = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        plain["events_files"] = [str(file) for file in self.events_files]
        plain["customers_file"] = str(self.customers_file)
        plain["contacts_file"] = str(self.contacts_file)
        return plain


def simulate_app(
    preset: str,
    *,
    customers: int,
    days: int,
    end: date,
    seed: int,
    out: Path,
    progress: Progress = silent,
) -> SimulationSummary:
    """Simulate the preset's business and write its events, customers and contacts.

    Parameters
    ----------
    preset : "retail" or "lending".
    customers, days : how many customers sign up within how many days.
    end : local date in the preset's zone; everything lies before its midnight.
    seed : equal arguments give equal bytes.
    out : folder for events-*.parquet, customers.csv and contacts.csv.gz; the files of an
        earlier simulation there are replaced.

    Raises
    ------
    UsageError : unknown preset or a number out of range.
    """
    plan = SimulationPlan(preset=preset, customers=customers, days=days, end=end, seed=seed)
    config = preset_config(preset)
    return run_simulation(
        plan, out=out, config=config, business=BUSINESSES[preset], progress=progress
    )


def run_simulation(
    plan: SimulationPlan,
    *,
    out: Path,
    config: Config,
    business: Business,
    chunk_customers: int = 5_000,
    progress: Progress = silent,
) -> SimulationSummary:
    """As `simulate_app`, in a business of one's own.

    `chunk_customers` is how many customers are lived per kernel call; it changes memory
    and progress steps, never the files.
    """
    clock = lay_out_calendar(
        plan.end,
        plan.days,
        business_zone=config.business.timezone,
        zones=business.zones,
        season=business.season,
    )
    naming = _naming(config, business)
    aside = out / _ASIDE
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    counts = np.zeros(3, dtype=np.int64)
    with ExitStack() as stack:
        customers_sink = stack.enter_context((aside / files.CUSTOMERS_NAME).open("wb"))
        raw_sink = stack.enter_context((aside / files.CONTACTS_NAME).open("wb"))
        contacts_sink = stack.enter_context(files.open_gzip(raw_sink))
        for part, first in enumerate(range(0, plan.customers, PART_CUSTOMERS)):
            people = _people(plan, config, business, first)
            lived = _live_part(plan, config, business, clock, people, chunk_customers, progress)
            events = files.deliver_events(
                lived[0], people, naming, seed=plan.seed, end=clock.end, dirt=plan.dirt
            )
            files.write_events(events, aside / files.EVENTS_PATTERN.replace("*", f"{part:05d}"))
            contacts = files.list_contacts(lived[1], people, naming, end=clock.end)
            files.append_csv(contacts, contacts_sink, header=part == 0)
            records = files.list_customers(lived[2], people, naming, end=clock.end)
            files.append_csv(records, customers_sink, header=part == 0)
            counts += [len(events), len(records), len(contacts)]
    events_files = _deliver(aside, out)
    return SimulationSummary(
        events=int(counts[0]),
        customers=plan.customers,
        customer_rows=int(counts[1]),
        contacts=int(counts[2]),
        events_files=events_files,
        customers_file=out / files.CUSTOMERS_NAME,
        contacts_file=out / files.CONTACTS_NAME,
    )


def _deliver(aside: Path, out: Path) -> tuple[Path, ...]:
    """Move finished files into place, contacts last; returns the events files."""
    for stale in out.glob(files.EVENTS_PATTERN):
        stale.unlink()
    names = [file.name for file in sorted(aside.glob(files.EVENTS_PATTERN))]
    for name in (*names, files.CUSTOMERS_NAME, files.CONTACTS_NAME):
        (aside / name).replace(out / name)
    aside.rmdir()
    return tuple(out / name for name in names)


def _naming(config: Config, business: Business) -> files.Naming:
    return files.Naming(
        event_types=business.event_types,
        categories=business.categories,
        channels=tuple(config.channels),
        offers=tuple(config.offers),
        zones=business.zones,
        flags=tuple(config.sources.customers.flags),
        costs=tuple(channel.cost for channel in config.channels.values()),
    )


def _people(plan: SimulationPlan, config: Config, business: Business, first: int) -> People:
    return gather_people(
        plan.seed,
        first=first,
        count=min(PART_CUSTOMERS, plan.customers - first),
        days=plan.days,
        zone_shares=business.zone_shares,
        flag_names=tuple(config.sources.customers.flags),
        early_share=business.early_share,
    )


def _live_part(
    plan: SimulationPlan,
    config: Config,
    business: Business,
    clock: Clock,
    people: People,
    chunk_customers: int,
    progress: Progress,
) -> tuple[EventColumns, ContactColumns, ChangeColumns]:
    """All rows of one part's customers, in order of customer, then as they were lived."""
    latents = business.draw_latents(people, business.habits)
    reach = reach_of(business, config)
    rows = max(_LEAST_LOG_ROWS, 2 * (plan.days + 2) * business.most_events_per_day)
    log = allocate_log(rows)
    pieces: list[tuple[EventColumns, ContactColumns, ChangeColumns]] = []
    for start in range(0, len(people), chunk_customers):
        stop = min(start + chunk_customers, len(people))
        at = start
        while at < stop:
            log.cursor[:] = 0
            at = business.kernel(
                log,
                clock,
                reach,
                business.contacts,
                business.habits,
                latents,
                (at, stop),
                plan.seed,
            )
            pieces.append(_filled(log))
        progress("simulating customers", people.first + stop, plan.customers)
    return (
        EventColumns(*_stacked([piece[0] for piece in pieces])),
        ContactColumns(*_stacked([piece[1] for piece in pieces])),
        ChangeColumns(*_stacked([piece[2] for piece in pieces])),
    )


def _filled(log: Log) -> tuple[EventColumns, ContactColumns, ChangeColumns]:
    """Copies of the written rows."""
    ends = log.cursor
    return (
        EventColumns(*_first_rows(log.events, ends[EVENTS])),
        ContactColumns(*_first_rows(log.contacts, ends[CONTACTS])),
        ChangeColumns(*_first_rows(log.changes, ends[CHANGES])),
    )


def _first_rows(columns: Iterable[NDArray[Any]], count: int) -> list[NDArray[Any]]:
    return [column[:count].copy() for column in columns]


def _stacked(pieces: list[Any]) -> list[NDArray[Any]]:
    return [np.concatenate(columns) for columns in zip(*pieces, strict=True)]
