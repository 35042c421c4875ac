"""The shop of the night benchmark: exported, ingested, trained on and run for some nights, once."""

import json
import os
import re
import shutil
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.night_data import DAYS, FIRST_DAY, write_exports
from benchmarks.night_process import run_winback
from pipelines.config import CONFIG_NAME
from pipelines.init import write_config

AS_OF = (FIRST_DAY + timedelta(days=DAYS)).date()
"""Local date of the night; its midnight comes before the last events, which it must not see."""

CUSTOMERS_PER_BUCKET = 20_000
PREPARED = "prepared.json"
KEPT = "decisions-before"

CAPACITY = {"push": 0.1, "sms": 0.04, "email": 0.2, "phone": 0.003}
"""Contacts per night and customer of the shop."""

MAX_ROWS = 0.2
MAX_ROWS_EARLIER = 0.01
BUDGET = 0.004
"""Rows of the list tonight and on earlier nights, and money per night, per customer: less than
all contacts that promise a gain would cost, so that tonight's best list has to be found."""

EARLIER_NIGHTS = (4, 3, 1)
"""Days before the night on which there were others: their lists ask for pauses, follow-ups
and control windows tonight."""

SEED = 1


def prepare(
    folder: Path, *, customers: int, events: int, settings: dict[str, int]
) -> dict[str, Any]:
    """Make the shop unless the folder holds it already.

    Parameters
    ----------
    folder : of winback.toml, the warehouse and the models.
    customers, events : how many, the events about.
    settings : of [training].

    Returns
    -------
    What was made, and the seconds that each part took when it was.
    """
    wanted = {
        "customers": customers,
        "events": events,
        "seed": SEED,
        "earlier_nights": list(EARLIER_NIGHTS),
        **settings,
    }
    done = folder / PREPARED
    if done.exists():
        stored: dict[str, Any] = json.loads(done.read_text())
        if stored["wanted"] == wanted:
            return stored
    shutil.rmtree(folder, ignore_errors=True)
    configure(folder, customers=customers, settings=settings)
    exports = folder / "exports"
    exports.mkdir()
    spent = {}
    start = perf_counter()
    rows = write_exports(exports, customers=customers, events=events, seed=SEED)
    spent["exporting"] = perf_counter() - start
    for kind in ("customers", "contacts", "events"):
        files = str(exports / f"{kind}-*.parquet")
        ran, _ = run_winback(["ingest", kind, files, "--config", str(folder), "--backfill"])
        spent[f"ingesting {kind}"] = ran.seconds
    shutil.rmtree(exports)
    ran, _ = run_winback(["train", "--config", str(folder), "--as-of", AS_OF.isoformat(), "--json"])
    spent["training"] = ran.seconds
    spent["earlier nights"] = run_earlier_nights(folder, customers=customers)
    made = {"wanted": wanted, "rows": rows, "preparation_seconds": spent}
    done.write_text(json.dumps(made, indent=2))
    return made


def run_earlier_nights(folder: Path, *, customers: int) -> float:
    """Run the nights before, with short lists that leave enough for tonight; their seconds."""
    file = folder / CONFIG_NAME
    text = file.read_text()
    file.write_text(set_key(text, "list", "max_rows", round(MAX_ROWS_EARLIER * customers)))
    seconds = 0.0
    for days in EARLIER_NIGHTS:
        day = AS_OF - timedelta(days=days)
        ran, _ = run_winback(["nightly", "--config", str(folder), "--as-of", day.isoformat()])
        seconds += ran.seconds
    file.write_text(text)
    keep_decisions(folder)
    return seconds


def keep_decisions(folder: Path) -> None:
    """Set aside what the earlier nights decided."""
    shutil.rmtree(folder / KEPT, ignore_errors=True)
    # Links suffice: a Delta table's files are added to and never changed.
    shutil.copytree(folder / "warehouse" / "decisions", folder / KEPT, copy_function=os.link)


def forget_night(folder: Path) -> None:
    """Take the shop back to where it was before the night."""
    shutil.rmtree(folder / "lists" / AS_OF.isoformat(), ignore_errors=True)
    decisions = folder / "warehouse" / "decisions"
    shutil.rmtree(decisions, ignore_errors=True)
    shutil.copytree(folder / KEPT, decisions, copy_function=os.link)


def configure(folder: Path, *, customers: int, settings: dict[str, int]) -> None:
    """The retail preset at the shop's size: capacities, rows and budget grow with it."""
    file = write_config("retail", folder)
    text = file.read_text()
    text = set_key(text, "storage", "buckets", -(-customers // CUSTOMERS_PER_BUCKET))
    for channel, share in CAPACITY.items():
        text = set_key(text, f"channels.{channel}", "capacity", round(share * customers))
    text = set_key(text, "list", "max_rows", round(MAX_ROWS * customers))
    for name, value in settings.items():
        text = set_key(text, "training", name, value)
    file.write_text(set_budget(text, BUDGET * customers))


def set_budget(text: str, budget: float) -> str:
    """A configuration with this budget, whether or not it had [limits] or a budget."""
    own = f"budget = {budget:.2f}"
    if "\n[limits]" not in text:
        return f"{text}\n[limits]\n{own}\n"
    lines, section = [], ""
    for line in text.splitlines():
        section = line.partition("]")[0] if line.startswith("[") else section
        if not (section == "[limits" and line.startswith("budget =")):
            lines.append(line)
        if line.startswith("[limits]"):
            lines.append(own)
    return "\n".join(lines) + "\n"


def set_key(text: str, section: str, name: str, value: int) -> str:
    """A configuration with one number of one section changed."""
    changed, found = re.subn(
        rf"(?m)(^\[{re.escape(section)}\].*\n(?:(?!\[).*\n)*?{name} = )\d+", rf"\g<1>{value}", text
    )
    if found != 1:
        raise ValueError(f"{found} lines set {name} in [{section}], not one")
    return changed
