"""`winback demo`: the main job end to end on a simulated business."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from features.contract import Kind
from features.errors import UsageError, describe
from features.ingestion_summary import IngestSummary
from features.progress import Progress, silent
from pipelines.config import CONFIG_NAME, load_config
from pipelines.ingest import run_ingest
from pipelines.init import preset_config, write_config
from pipelines.nightly import NightlyReport, run_nightly
from pipelines.simulate import SimulationPlan, SimulationSummary, run_simulation
from pipelines.simulate.business import BUSINESSES
from pipelines.simulate.files import CONTACTS_NAME, CUSTOMERS_NAME, EVENTS_PATTERN
from pipelines.train import TrainReport, run_train
from scoring.language import Language

SCHEMA_VERSION = 1
_PLAN_NAME = "demo.json"
_RAW_NAME = "raw"
LEAST_CUSTOMERS = {"retail": 2_000, "lending": 5_000}
"""By preset: borrowers come back more rarely, and each fold needs `training.min_positives`."""

_DELIVERIES: dict[Kind, str] = {
    "customers": CUSTOMERS_NAME,
    "events": EVENTS_PATTERN,
    "contacts": CONTACTS_NAME,
}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What the demo did and where its results lie.

    Attributes
    ----------
    folder : holds winback.toml, raw files, warehouse, models and lists.
    simulation : null if the raw files of an earlier demo were used again.
    ingests : customers, events, contacts.
    seconds : (step, seconds it took), in order.
    notes : what a reader should know, one sentence each.
    """

    preset: str
    folder: Path
    end: date
    simulation: SimulationSummary | None
    ingests: tuple[IngestSummary, ...]
    training: TrainReport
    night: NightlyReport
    seconds: tuple[tuple[str, float], ...]
    notes: tuple[str, ...]

    @property
    def list_file(self) -> Path:
        """The recall list as CSV."""
        return self.night.folder / "recall_list.csv"

    @property
    def report_file(self) -> Path:
        """The night's report for people."""
        return self.night.folder / "report.html"

    def to_json(self) -> dict[str, Any]:
        """A JSON document with a schema version."""
        return {
            "schema_version": SCHEMA_VERSION,
            "preset": self.preset,
            "folder": str(self.folder),
            "end": self.end.isoformat(),
            "simulation": None if self.simulation is None else self.simulation.to_json(),
            "ingests": [ingest.to_json() for ingest in self.ingests],
            "training": self.training.to_json(),
            "night": self.night.to_json(),
            "list_file": str(self.list_file),
            "report_file": str(self.report_file),
            "seconds": {step: round(seconds, 2) for step, seconds in self.seconds},
            "notes": list(self.notes),
        }


@dataclass(slots=True)
class _Stopwatch:
    """Seconds per step."""

    seconds: list[tuple[str, float]] = field(default_factory=list)

    def time(self, step: str, work: Callable[[], _T]) -> _T:
        start = time.perf_counter()
        result = work()
        self.seconds.append((step, time.perf_counter() - start))
        return result


def check_demo_size(preset: str, customers: int) -> None:
    """Refuse a business too small to train on, before it is simulated.

    Raises
    ------
    UsageError : too few of its customers would fall dormant, or stay, in some fold.
    """
    least = LEAST_CUSTOMERS.get(preset, 0)
    if customers < least:
        raise UsageError(
            describe(
                f"--customers {customers}",
                f"too few to train on with the preset {preset}",
                expected=f"at least {least:,}",
                fix=f"pass --customers {least} or more",
            )
        )


def run_demo(
    preset: str,
    *,
    folder: Path,
    customers: int,
    days: int,
    seed: int,
    now: datetime,
    language: Language = "en",
    progress: Progress = silent,
) -> DemoReport:
    """Write a configuration, simulate, ingest, train, and score last midnight.

    A demo with the same arguments on the same day uses the folder again: nothing is
    ingested twice. Another demo in a used folder gets a folder of its own inside.

    Parameters
    ----------
    preset : "retail" or "lending".
    folder : where everything is written.
    customers, days, seed : the simulated business, see `simulate_app`.
    now : the present instant; the history ends at its last local midnight.
    language : that of the preset's labels, the list's reasons and the report.

    Raises
    ------
    UsageError : unknown preset, or the folder holds a winback.toml that no demo wrote.
    """
    zone = ZoneInfo(preset_config(preset).business.timezone)
    end = now.astimezone(zone).date()
    plan = SimulationPlan(preset=preset, customers=customers, days=days, end=end, seed=seed)
    home, notes = choose_home(folder, plan, language=language)
    if not (home / CONFIG_NAME).exists():
        write_config(preset, home, language=language)
    facts = {**plan.facts(), "language": language}
    (home / _PLAN_NAME).write_text(json.dumps(facts, indent=2) + "\n")
    config = load_config(home)
    raw = home / _RAW_NAME
    watch = _Stopwatch()
    simulation = None
    if (raw / CONTACTS_NAME).exists():  # the last file of a delivery
        notes.append("The raw files of the earlier demo are used again.")
    else:
        simulation = watch.time("simulate", lambda: _simulate(plan, raw, progress))
    ingests = []
    for kind, pattern in _DELIVERIES.items():
        paths = [str(raw / pattern)]

        def ingest(kind: Kind = kind, paths: list[str] = paths) -> IngestSummary:
            return run_ingest(config, kind, paths, now=now, progress=progress)

        ingests.append(watch.time(f"ingest {kind}", ingest))
    training = watch.time("train", lambda: run_train(config, as_of=end, now=now, progress=progress))
    night = watch.time(
        "nightly",
        lambda: run_nightly(config, as_of=end, now=now, force=True, progress=progress),
    )
    notes.append(
        "All customers are simulated; effects of contacts on the list are assumptions of the "
        "preset until contacts of your own are measured."
    )
    return DemoReport(
        preset=preset,
        folder=home,
        end=end,
        simulation=simulation,
        ingests=tuple(ingests),
        training=training,
        night=night,
        seconds=tuple(watch.seconds),
        notes=tuple(notes),
    )


def _simulate(plan: SimulationPlan, raw: Path, progress: Progress) -> SimulationSummary:
    return run_simulation(
        plan,
        out=raw,
        config=preset_config(plan.preset),
        business=BUSINESSES[plan.preset],
        progress=progress,
    )


def choose_home(
    folder: Path, plan: SimulationPlan, *, language: Language = "en"
) -> tuple[Path, list[str]]:
    """The folder itself, or one inside it if another demo lives there."""
    written = folder / _PLAN_NAME
    if not written.exists():
        if (folder / CONFIG_NAME).exists():
            raise UsageError(
                describe(
                    str(folder),
                    f"holds a {CONFIG_NAME} that no demo wrote",
                    expected="a new folder, or one of an earlier demo",
                    fix="pass --folder with another place",
                )
            )
        return folder, []
    # Demos of earlier versions knew no other language.
    if {"language": "en", **json.loads(written.read_text())} == plan.facts() | {
        "language": language
    }:
        return folder, ["The folder of an earlier demo with the same arguments is used again."]
    name = f"{plan.preset}-{plan.end}-{plan.customers}x{plan.days}-seed{plan.seed}"
    name += "" if language == "en" else f"-{language}"
    note = f"{folder} holds another demo, so this one works in {folder / name}."
    return folder / name, [note]
