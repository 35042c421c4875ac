"""Leaks planted into a shop, and how many of them the audit names; and sound shops it accuses.

The simulated shop is written once. Every canary changes its raw files, or the code, and goes
through ingestion and `winback audit`; sound are the simulated shop and lending app, and
CDNOW and Online Retail II if the folder WINBACK_DATA (default ../shared/data) holds them.

Example: python -m benchmarks.leak_canaries --customers 4000 --json
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb

import features.matrix
from benchmarks.report import Bar, document, publish
from features.kernels.feature import DAY_US
from features.kernels.series import gather_details
from pipelines.audit import AuditReport, run_audit
from pipelines.config import Config, load_config
from pipelines.ingest import run_ingest
from pipelines.init import write_config
from pipelines.simulate import simulate_app

EXAMPLES = Path(__file__).parent.parent / "examples"
REAL = {"cdnow": "CDNOW_master.txt", "online_retail_II": "online_retail_II.parquet"}
END, DAYS, SEED = date(2026, 11, 20), 730, 11
NOW = datetime(2026, 11, 21, tzinfo=UTC)
MAX_NAMED = 5
PACKAGES = ("numba", "numpy", "lightgbm", "duckdb")

_GAPS = """
    SELECT *, date_diff('second', occurred_at, lead(occurred_at) OVER (
        PARTITION BY customer_id, event_type ORDER BY occurred_at)) / 86400.0 AS gap
    FROM events
"""
_LAST = (
    "(SELECT customer_id, max(occurred_at) AS last_at FROM events WHERE event_type = 'purchase' "
)


@dataclass(frozen=True, slots=True)
class Canary:
    """One planted leak.

    Attributes
    ----------
    name : what was planted.
    events : SQL that gives the changed events; None leaves them.
    customers : SQL that gives the changed customers; None leaves them.
    settings : pairs of old and new text in winback.toml.
    code : a context in which the audit runs.
    """

    name: str
    events: str | None = None
    customers: str | None = None
    settings: tuple[tuple[str, str], ...] = ()
    code: Callable[[], AbstractContextManager[Any]] = nullcontext


def _peeking_kernel() -> AbstractContextManager[Any]:
    def peeks(chunk: Any, as_of: int, *rest: Any) -> None:
        gather_details(chunk, as_of + 3 * DAY_US, *rest)

    return patch.object(features.matrix, "gather_details", peeks)


def _corrected(when: str) -> str:
    """Order amounts replaced by the days until the next order, once that is known."""
    return (
        f"SELECT * EXCLUDE (amount, gap), CASE WHEN event_type = 'purchase' AND {when} "
        f"THEN coalesce(gap, 0.01) ELSE amount END AS amount FROM ({_GAPS})"
    )


_STATUS = (
    "SELECT c.*{without}, CASE WHEN p.last_at > TIMESTAMPTZ '2026-09-20' THEN 'active' "
    "ELSE 'asleep' END AS status "
    f"FROM customers c LEFT JOIN {_LAST} GROUP BY 1) p USING (customer_id)"
)
_WITH_STATUS = ('city_tier = "city_tier"', 'city_tier = "city_tier"\nstatus = "status"')
_UNDATED = ('changed_at = "changed_at"', '# changed_at = "changed_at"')
CANARIES = (
    Canary("a kernel that reads three days of the future", code=_peeking_kernel),
    Canary(
        "an event written after the outcome and dated back",
        events="SELECT * FROM events UNION ALL BY NAME SELECT 'x' || customer_id AS event_id, "
        "customer_id, last_at + INTERVAL 1 HOUR AS occurred_at, occurred_at AS arrived_at, "
        f"'closed' AS event_type FROM {_LAST} GROUP BY 1) WHERE last_at < TIMESTAMPTZ '2026-09-20'",
        settings=(('"refund"]  # all', '"refund", "closed"]  # all'),),
    ),
    Canary("order amounts corrected once the next order is known", events=_corrected("true")),
    Canary(
        "order amounts corrected for old orders only",
        events=_corrected("occurred_at < TIMESTAMPTZ '2026-08-01'"),
    ),
    Canary(
        "a status of today in undated records",
        customers=_STATUS.format(without=" EXCLUDE (changed_at)")
        + " QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY changed_at DESC) = 1",
        settings=(_WITH_STATUS, _UNDATED),
    ),
    Canary(
        "a status of today joined to all dated versions",
        customers=_STATUS.format(without=""),
        settings=(_WITH_STATUS,),
    ),
)


def main() -> int:
    """Parse the command line, measure, print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.leak_canaries", description=__doc__)
    parser.add_argument("--customers", type=int, default=4000, help="of the simulated shops")
    parser.add_argument("--json", action="store_true", help="print the JSON document")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="winback-benchmark-") as folder:
        sound = audit_sound(Path(folder), customers=options.customers)
        planted = {one.name: audit_canary(one, Path(folder)) for one in CANARIES}
    caught = sum(bool(found["failed"]) for found in planted.values())
    accused = sum(bool(found["failed"] or found["warnings"]) for found in sound.values())
    report = document(
        "leak_canaries",
        figures={"customers": options.customers, "sound": sound, "planted": planted},
        bars=[
            Bar("planted leaks not named", len(planted) - caught, 0, "at most"),
            Bar("sound shops accused or warned", accused, 0, "at most"),
        ],
        packages=PACKAGES,
    )
    return publish(report, as_json=options.json)


def audit_sound(folder: Path, *, customers: int) -> dict[str, Any]:
    """Audit shops without a leak; the simulated retail shop's raw files stay in `folder`."""
    found = {}
    for preset in ("retail", "lending"):
        raw = folder / f"{preset}-raw"
        simulate_app(preset, customers=customers, days=DAYS, end=END, seed=SEED, out=raw)
        config = _home(folder / preset, preset, ())
        found[preset] = _audited(config, raw)
    data = Path(os.environ.get("WINBACK_DATA", "../shared/data"))
    for name, file in REAL.items():
        if not (data / name / file).is_file():
            sys.stderr.write(f"benchmarks.leak_canaries: no {name}/{file} in {data}, left out\n")
            continue
        (folder / name).mkdir()
        shutil.copy(EXAMPLES / name / "winback.toml", folder / name)
        config = load_config(folder / name)
        run_ingest(config, "events", [str(data / name / file)], now=NOW)
        found[name] = _summary(run_audit(config, now=NOW))
    return found


def audit_canary(canary: Canary, folder: Path) -> dict[str, Any]:
    """Plant one leak into the retail shop's files and audit it."""
    home = folder / canary.name.replace(" ", "_")
    config = _home(home, "retail", canary.settings)
    raw, planted = folder / "retail-raw", home / "raw"
    planted.mkdir()
    shutil.copy(raw / "contacts.csv.gz", planted)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE VIEW events AS FROM '{raw}/events*.parquet'")
        connection.execute(f"CREATE VIEW customers AS FROM '{raw}/customers.csv'")
        for query, file in (
            (canary.events or "FROM events", "events.parquet"),
            (canary.customers or "FROM customers", "customers.csv"),
        ):
            connection.execute(f"COPY ({query}) TO '{planted / file}'")
    with canary.code():
        return _audited(config, planted)


def _home(home: Path, preset: str, settings: tuple[tuple[str, str], ...]) -> Config:
    home.mkdir()
    file = write_config(preset, home)
    text = file.read_text()
    for old, new in settings:
        if text.count(old) != 1:
            raise ValueError(f"{text.count(old)} places in the preset read {old!r}, not one")
        text = text.replace(old, new)
    file.write_text(text)
    return load_config(home)


def _audited(config: Config, raw: Path) -> dict[str, Any]:
    for kind, pattern in (
        ("events", "events*.parquet"),
        ("customers", "customers.csv"),
        ("contacts", "contacts.csv.gz"),
    ):
        run_ingest(config, kind, [str(raw / pattern)], now=NOW)  # type: ignore[arg-type]
    return _summary(run_audit(config, now=NOW))


def _summary(report: AuditReport) -> dict[str, Any]:
    """The names of checks that failed or warned, and what they named."""
    named = sorted({name for check in report.audit.of("failed") for name in check.named})
    return {
        "failed": [check.title for check in report.audit.of("failed")],
        "warnings": [check.title for check in report.audit.of("warning")],
        "named": named[:MAX_NAMED],
        "named_in_all": len(named),
        "whole_model_auc": {
            str(check.subject): check.figures.get("auc_time")
            for check in report.audit.checks
            if check.name == "whole_model_auc"
        },
        "seconds": round(report.seconds, 2),
    }


if __name__ == "__main__":
    sys.exit(main())
