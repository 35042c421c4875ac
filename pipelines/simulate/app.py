"""One command's worth of simulation: a business lived day by day and written to files."""

import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from features.errors import UsageError, describe
from features.progress import Progress, silent
from pipelines.config import Config
from pipelines.init import preset_config
from pipelines.simulate import files
from pipelines.simulate.business import BUSINESSES, Business
from pipelines.simulate.clock import lay_out_calendar
from pipelines.simulate.log import Piece, Rows, allocate_log, join_pieces, written_piece
from pipelines.simulate.names import Naming, naming_of
from pipelines.simulate.plan import SimulationPlan, SimulationSummary
from pipelines.simulate.population import People, gather_people
from pipelines.simulate.scene import Scene
from pipelines.simulate.truth import begin_truth, truth_tables, write_truth
from pipelines.simulate.worlds import set_scene

PART_CUSTOMERS = 50_000
"""Customers per events file: part of the format, so that files never depend on chunks."""
_LEAST_LOG_ROWS = 1 << 18
_THREADS = 2
_ASIDE = ".unfinished"


@dataclass(frozen=True, slots=True)
class _Work:
    """What every part is lived and written with."""

    plan: SimulationPlan
    business: Business
    config: Config
    scene: Scene
    naming: Naming
    aside: Path
    truth: Path | None
    chunk_customers: int
    tell: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class _Part:
    """What is left of a part when its own file is written: rows counted, and CSV lines."""

    events: int
    customer_rows: int
    contacts: int
    assignments: int
    customers_csv: bytes
    contacts_csv: bytes
    assignments_csv: bytes


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
    """Simulate the preset's business in its own ways; see `simulate_plan`.

    Parameters
    ----------
    preset : "retail" or "lending".
    customers, days : how many customers sign up within how many days.
    end : local date in the preset's zone; everything lies before its midnight.
    seed : equal arguments give equal bytes.

    Raises
    ------
    UsageError : unknown preset or a number out of range.
    """
    plan = SimulationPlan(preset=preset, customers=customers, days=days, end=end, seed=seed)
    return simulate_plan(plan, out=out, progress=progress)


def simulate_plan(
    plan: SimulationPlan, *, out: Path, truth: Path | None = None, progress: Progress = silent
) -> SimulationSummary:
    """Simulate a preset's business and write its events, customers and contacts.

    Parameters
    ----------
    out : folder for events-*.parquet, customers.csv, contacts.csv.gz, and where campaigns
        decide assignments.csv.gz; the files of an earlier simulation there are replaced.
    truth : folder for the ground truth, an earlier one is replaced; default: none is written.

    Raises
    ------
    UsageError : unknown preset, or the truth would lie among the raw files.
    """
    config, business = preset_config(plan.preset), BUSINESSES[plan.preset]
    return run_simulation(
        plan, out=out, config=config, business=business, truth=truth, progress=progress
    )


def run_simulation(
    plan: SimulationPlan,
    *,
    out: Path,
    config: Config,
    business: Business,
    truth: Path | None = None,
    chunk_customers: int = 5_000,
    threads: int = _THREADS,
    progress: Progress = silent,
) -> SimulationSummary:
    """As `simulate_plan`, in a business of one's own.

    `chunk_customers` is how many customers are lived per kernel call, `threads` how many
    parts at a time; they change memory, time and progress steps, never the files.
    """
    if truth is not None and (out.resolve() == truth.resolve()):
        raise UsageError(
            describe(
                "simulate --truth",
                "the folder is the one of the raw files",
                expected="a folder apart, which nothing reads that is to be judged",
                fix="pass another folder",
            )
        )
    aside = out / _ASIDE
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    if truth is not None:
        begin_truth(plan.facts(), truth)
    clock = lay_out_calendar(
        plan.end,
        plan.days,
        business_zone=config.business.timezone,
        zones=business.zones,
        season=business.season,
    )
    work = _Work(
        plan=plan,
        business=business,
        config=config,
        scene=set_scene(business, config, clock, plan.world, foreign_rate=plan.dirt.foreign_rate),
        naming=naming_of(config, business),
        aside=aside,
        truth=truth,
        chunk_customers=chunk_customers,
        tell=_counter(plan.customers, progress),
    )
    counts = _write_parts(work, threads)
    events_files = _deliver(aside, out)
    assigned = out / files.ASSIGNMENTS_NAME
    return SimulationSummary(
        events=counts[0],
        customers=plan.customers,
        customer_rows=counts[1],
        contacts=counts[2],
        assignments=counts[3],
        events_files=events_files,
        customers_file=out / files.CUSTOMERS_NAME,
        contacts_file=out / files.CONTACTS_NAME,
        assignments_file=assigned if plan.world.is_campaign else None,
        truth=truth,
    )


def _counter(customers: int, progress: Progress) -> Callable[[int], None]:
    """Tell of customers lived, whichever thread lived them."""
    lock, lived = Lock(), [0]

    def tell(count: int) -> None:
        with lock:
            lived[0] += count
            progress("simulating customers", lived[0], customers)

    return tell


def _write_parts(work: _Work, threads: int) -> list[int]:
    """Live and write all parts; returns counts of rows: events, customers, contacts, assigned."""
    counts = np.zeros(4, dtype=np.int64)
    with ExitStack() as stack:
        customers = stack.enter_context((work.aside / files.CUSTOMERS_NAME).open("wb"))
        raw = stack.enter_context((work.aside / files.CONTACTS_NAME).open("wb"))
        contacts = stack.enter_context(files.open_gzip(raw))
        assignments: Any = None
        if work.plan.world.is_campaign:
            raw = stack.enter_context((work.aside / files.ASSIGNMENTS_NAME).open("wb"))
            assignments = stack.enter_context(files.open_gzip(raw))
        for part in _live_parts(work, threads):
            customers.write(part.customers_csv)
            contacts.write(part.contacts_csv)
            if assignments is not None:
                assignments.write(part.assignments_csv)
            counts += [part.events, part.customer_rows, part.contacts, part.assignments]
    return [int(count) for count in counts]


def _live_parts(work: _Work, threads: int) -> Iterator[_Part]:
    """The parts in order, a few at a time: never more in memory than threads, and one."""
    firsts = range(0, work.plan.customers, PART_CUSTOMERS)
    if threads == 1 or len(firsts) == 1:
        yield from (_live_part(work, first) for first in firsts)
        return
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[Future[_Part]] = deque()
        try:
            for first in firsts:
                if len(ahead) == threads:
                    yield ahead.popleft().result()
                ahead.append(pool.submit(_live_part, work, first))
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


def _live_part(work: _Work, first: int) -> _Part:
    """Live one part's customers and write its events; the other rows come back as lines."""
    plan, naming = work.plan, work.naming
    people = gather_people(
        plan.seed,
        first=first,
        count=min(PART_CUSTOMERS, plan.customers - first),
        days=plan.days,
        zone_shares=work.business.zone_shares,
        flag_names=tuple(work.config.sources.customers.flags),
        early_share=work.business.early_share,
    )
    latents = work.business.draw_latents(people, work.business.habits)
    rows = _live(work, people, latents)
    part, has_header = first // PART_CUSTOMERS, first == 0
    if work.truth is not None:
        write_truth(truth_tables(rows, people, latents, naming), work.truth, part)
    delivery = files.Delivery(plan.seed, work.scene.clock.end, plan.dirt)
    contacts = files.list_contacts(rows.contacts, people, naming, delivery)
    records = files.list_customers(rows.changes, people, naming, delivery)
    assigned = files.list_assignments(
        rows.assignments, people, naming, experiment=plan.world.policy
    )
    events = files.deliver_events(rows.events, people, naming, delivery)
    files.write_events(events, work.aside / files.EVENTS_PATTERN.replace("*", f"{part:05d}"))
    return _Part(
        events=len(events),
        customer_rows=len(records),
        contacts=len(contacts),
        assignments=len(assigned),
        customers_csv=files.as_csv(records, header=has_header),
        contacts_csv=files.as_csv(contacts, header=has_header),
        assignments_csv=files.as_csv(assigned, header=has_header),
    )


def _live(work: _Work, people: People, latents: Any) -> Rows:
    """All rows of one part's customers, in order of customer, then as they were lived."""
    plan, kernel = work.plan, work.business.kernel
    rows = max(_LEAST_LOG_ROWS, 2 * (plan.days + 2) * work.business.most_events_per_day)
    log = allocate_log(rows)
    pieces: list[Piece] = []
    for start in range(0, len(people), work.chunk_customers):
        stop = min(start + work.chunk_customers, len(people))
        at = start
        while at < stop:
            log.cursor[:] = 0
            at = kernel(log, work.scene, latents, (at, stop), plan.seed)
            pieces.append(written_piece(log))
        work.tell(stop - start)
    return join_pieces(pieces)


def _deliver(aside: Path, out: Path) -> tuple[Path, ...]:
    """Move finished files into place, contacts last; returns the events files."""
    for stale in [*out.glob(files.EVENTS_PATTERN), out / files.ASSIGNMENTS_NAME]:
        stale.unlink(missing_ok=True)
    names = [file.name for file in sorted(aside.glob(files.EVENTS_PATTERN))]
    last = [files.ASSIGNMENTS_NAME, files.CUSTOMERS_NAME, files.CONTACTS_NAME]
    for name in (*names, *last):
        if (aside / name).exists():
            (aside / name).replace(out / name)
    aside.rmdir()
    return tuple(out / name for name in names)
