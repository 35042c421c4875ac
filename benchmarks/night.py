"""A night of a million customers end to end: from the command's start to the files it leaves.

A synthetic shop is exported, ingested, trained on and run for three earlier nights first;
none of that is timed against a bar, and it leaves the kernels compiled. `winback nightly` then
runs in a process of its own, so that its seconds hold the start of Python and its peak memory
is that of a night alone, and once more to show that a rerun leaves every byte as it is.
Effects of contacts are the preset's assumptions. Limits grow with the shop: 10 % of the
customers by push, 4 % by text message, 20 % by e-mail, 0.3 % by phone, 20 % listed at most, and
0.004 EUR a customer for contacts and offers, which is what binds.

Example: python -m benchmarks.night --customers 1000000 --events 50000000 --json
"""

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.night_process import Spent, run_winback
from benchmarks.night_shop import AS_OF, forget_night, prepare
from benchmarks.report import Bar, document, publish

MOST_SECONDS = 90
MOST_GB = 6
PACKAGES = ("deltalake", "duckdb", "lightgbm", "mlflow", "numba", "numpy", "pyarrow", "xlsxwriter")


def main() -> int:
    """Parse the command line, measure, print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.night", description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=50_000_000)
    parser.add_argument("--max-rows", type=int, default=700_000, help="training.max_rows")
    parser.add_argument("--cutoffs", type=int, default=8, help="training.max_cutoffs")
    parser.add_argument("--work", type=Path, help="keep the shop here, and use it if it is there")
    parser.add_argument("--json", action="store_true", help="print the JSON document")
    options = parser.parse_args()
    if options.work:
        return run(options, options.work)
    with tempfile.TemporaryDirectory(prefix="winback-benchmark-") as folder:
        return run(options, Path(folder))


def run(options: argparse.Namespace, folder: Path) -> int:
    """Prepare what is missing, run the night twice and publish."""
    figures = prepare(
        folder,
        customers=options.customers,
        events=options.events,
        settings={"max_rows": options.max_rows, "max_cutoffs": options.cutoffs},
    )
    figures |= measure_night(folder)
    report = document(
        "night",
        figures=figures,
        bars=[
            Bar("seconds of `winback nightly`", figures["seconds"], MOST_SECONDS, "at most"),
            Bar("peak memory of `winback nightly`, GB", figures["peak_gb"], MOST_GB, "at most"),
            Bar("files that a rerun changed", figures["changed_by_rerun"], 0, "at most"),
        ],
        packages=PACKAGES,
    )
    return publish(report, as_json=options.json)


def measure_night(folder: Path) -> dict[str, Any]:
    """Run the night of a shop as if it had never run, then once more."""
    lists = folder / "lists" / AS_OF.isoformat()
    forget_night(folder)
    first, told = _night(folder)
    before = digests(lists)
    second, again = _night(folder)
    after = digests(lists)
    return {
        "as_of": AS_OF.isoformat(),
        "seconds": first.seconds,
        "processor_seconds": first.processor_seconds,
        "peak_gb": first.peak_gb,
        "seconds_by_step": told["seconds"],
        "scored": told["scored"],
        "dormant": told["dormant"],
        "eligible": told["eligible"],
        "listed": told["listed"],
        "by_channel": {name: sum(arms.values()) for name, arms in told["by_channel"].items()},
        "follow_ups": told["follow_ups"],
        "limits_that_bind": [one for one in told["prices"] if one["price"] > 0],
        "gap": told["gap"],
        "models": [f"{one['kind']}/{one['version']}" for one in told["models"]],
        "status": told["status"],
        "rerun_status": again["status"],
        "rerun_seconds": second.seconds,
        "changed_by_rerun": sum(before.get(name) != after.get(name) for name in {*before, *after}),
        "file_mb": {
            path.name: round(path.stat().st_size / 1e6, 1) for path in sorted(lists.iterdir())
        },
    }


def _night(folder: Path) -> tuple[Spent, dict[str, Any]]:
    command = ["nightly", "--config", str(folder), "--as-of", AS_OF.isoformat(), "--json"]
    spent, output = run_winback(command)
    told: dict[str, Any] = json.loads(output)
    return spent, told


def digests(lists: Path) -> dict[str, str]:
    """SHA-256 of every file of a list folder, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in lists.iterdir()}


if __name__ == "__main__":
    sys.exit(main())
