"""Features: our kernels against decoding alone, DuckDB SQL and Polars, in one run.

Example: python -m benchmarks.features --customers 1000000 --events 50000000 --json
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import features_duckdb, features_polars
from benchmarks.features_data import SPEC, as_ofs, generate_warehouse
from benchmarks.report import Bar, Ratio, Timing, document, publish, ratio, time_rounds
from features.history_reader import HistoryReader
from features.manifest import feature_manifest
from features.matrix import FeatureMatrix, build_matrix
from features.warehouse import Warehouse
from pipelines.engine import iterate_buckets, map_buckets

THREADS = 2
SEVERAL = 6
EVENTS_PER_BUCKET = 800_000
RELATIVE_TOLERANCE = 1e-4
ABSOLUTE_TOLERANCE = 1e-4
"""Values are float32 sums of float64 terms added in different orders."""

PACKAGES = ("numba", "numpy", "pyarrow", "deltalake", "duckdb", "polars")


def main() -> int:
    """Parse the command line, measure, print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.features", description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=5, help="every path runs once a round")
    parser.add_argument("--folder", type=Path, help="keep the generated warehouse here")
    parser.add_argument("--json", action="store_true", help="print the JSON document")
    parser.add_argument("--memory-of", type=int, metavar="AS_OFS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        print(json.dumps(measure_memory(options.folder, options.memory_of)))
        return 0
    if options.folder:
        return run(options, options.folder)
    with tempfile.TemporaryDirectory(prefix="winback-benchmark-") as folder:
        return run(options, Path(folder))


def run(options: argparse.Namespace, folder: Path) -> int:
    """Generate what is missing, measure everything and publish."""
    buckets = -(-options.events // EVENTS_PER_BUCKET)
    if Warehouse.exists(str(folder / "warehouse")):
        warehouse = open_warehouse(folder)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        warehouse = generate_warehouse(
            folder, customers=options.customers, events=options.events, buckets=buckets
        )
    timings = time_everything(warehouse, rounds=options.rounds)
    ratios = compare_times(timings)
    differences = compare_values(warehouse)
    memory = {count: run_memory(folder, count) for count in (1, SEVERAL)}
    report = document(
        "features",
        figures=figures(warehouse, timings, ratios, differences, memory),
        bars=bars(ratios, differences, memory),
        packages=PACKAGES,
    )
    return publish(report, as_json=options.json)


def open_warehouse(folder: Path) -> Warehouse:
    """Open a generated warehouse, whatever its number of buckets."""
    root = folder / "warehouse"
    buckets = len(list((root / "events").glob("bucket=*")))
    return Warehouse.open(str(root), n_buckets=buckets)


def build_all(warehouse: Warehouse, count: int) -> list[FeatureMatrix]:
    """From the warehouse to all matrices at one as-of, kept in memory."""
    reader = HistoryReader(warehouse, spec=SPEC)
    instants = as_ofs(count)
    return map_buckets(
        lambda bucket: build_matrix(reader.read(bucket), spec=SPEC, as_ofs=instants),
        range(warehouse.n_buckets),
        threads=THREADS,
    )


def fold_all(warehouse: Warehouse, count: int) -> int:
    """From the warehouse to matrices at several as-ofs, each dropped once counted."""
    reader = HistoryReader(warehouse, spec=SPEC)
    instants = as_ofs(count)
    rows = iterate_buckets(
        lambda bucket: len(build_matrix(reader.read(bucket), spec=SPEC, as_ofs=instants).values),
        range(warehouse.n_buckets),
        threads=THREADS,
    )
    return sum(rows)


def decode_all(warehouse: Warehouse) -> int:
    """Decode the same columns of the same files and do nothing with them."""
    reader = HistoryReader(warehouse, spec=SPEC)
    rows = iterate_buckets(
        lambda bucket: sum(
            len(reader.read_table(name, bucket)) for name in ("events", "contacts", "customers")
        ),
        range(warehouse.n_buckets),
        threads=THREADS,
    )
    return sum(rows)


def run_duckdb(warehouse: Warehouse) -> Any:
    """The features in DuckDB, as an Arrow table."""
    query = features_duckdb.query(warehouse.files("events"), as_of_us=int(as_ofs(1)[0]))
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {THREADS}; SET TimeZone = 'UTC'")
        return connection.sql(query).to_arrow_table()


def run_polars(warehouse: Warehouse) -> Any:
    """The features in Polars, as an Arrow table."""
    files = warehouse.files("events")
    return features_polars.compute(files, as_of_us=int(as_ofs(1)[0])).to_arrow()


def time_everything(warehouse: Warehouse, *, rounds: int) -> dict[str, Timing]:
    """Time each path; a first, untimed round compiles and warms the file cache."""
    paths: dict[str, Callable[[], object]] = {
        "decode": lambda: decode_all(warehouse),
        "ours": lambda: build_all(warehouse, 1),
        "ours_six": lambda: fold_all(warehouse, SEVERAL),
        "ours_one_folded": lambda: fold_all(warehouse, 1),
        "duckdb": lambda: run_duckdb(warehouse),
        "polars": lambda: run_polars(warehouse),
    }
    for path in paths.values():
        path()
    return time_rounds(paths, rounds=rounds)


def compare_values(warehouse: Warehouse) -> dict[str, dict[str, float]]:
    """Largest differences between our matrix and either engine, over all customers."""
    matrices = build_all(warehouse, 1)
    customers = pa.concat_arrays([matrix.customers.take(matrix.customer) for matrix in matrices])
    order = pc.sort_indices(customers)
    results = {}
    for engine, path in (("duckdb", run_duckdb), ("polars", run_polars)):
        table = path(warehouse).sort_by("customer_id")
        same = pc.equal(table["customer_id"].cast(pa.string()), customers.take(order))
        if len(table) != len(customers) or not pc.all(same).as_py():
            results[engine] = {"features": 0, "max_absolute": np.inf, "max_excess": np.inf}
            continue
        results[engine] = largest_differences(matrices, order.to_numpy(), table)
    return results


def largest_differences(matrices: list[FeatureMatrix], order: Any, table: Any) -> dict[str, float]:
    """Over all compared columns; excess is the difference ÷ what the tolerance allows."""
    absolute = excess = 0.0
    names = [name for name in table.column_names if name != "customer_id"]
    for name in names:
        ours = np.concatenate([matrix.column(name) for matrix in matrices])[order]
        theirs = table[name].fill_null(np.nan).to_numpy()
        if not np.array_equal(np.isnan(ours), np.isnan(theirs)):
            return {"features": len(names), "max_absolute": np.inf, "max_excess": np.inf}
        difference = np.abs(ours.astype(float) - theirs)
        allowed = ABSOLUTE_TOLERANCE + RELATIVE_TOLERANCE * np.abs(theirs)
        absolute = max(absolute, float(np.nanmax(difference, initial=0.0)))
        excess = max(excess, float(np.nanmax(difference / allowed, initial=0.0)))
    return {"features": len(names), "max_absolute": absolute, "max_excess": excess}


def run_memory(folder: Path, count: int) -> float:
    """Peak memory in GB of a process that does nothing but our path."""
    command = [sys.executable, "-m", "benchmarks.features", "--memory-of", str(count)]
    process = subprocess.run(
        [*command, "--folder", str(folder)], capture_output=True, text=True, check=True
    )
    return float(json.loads(process.stdout)["peak_gb"])


def measure_memory(folder: Path, count: int) -> dict[str, float]:
    """Run our path once in this process and read its peak resident memory."""
    warehouse = open_warehouse(folder)
    kept = build_all(warehouse, 1) if count == 1 else fold_all(warehouse, count)
    peak = peak_bytes()
    del kept
    return {"peak_gb": peak / 1e9}


def peak_bytes() -> int:
    """Most memory this process ever had resident.

    On Linux ru_maxrss can start from the parent's peak; VmHWM belongs to this process.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def figures(
    warehouse: Warehouse,
    timings: dict[str, Timing],
    ratios: dict[str, Ratio],
    differences: dict[str, dict[str, float]],
    memory: dict[int, float],
) -> dict[str, Any]:
    """Everything measured, for the JSON document."""
    stats = warehouse.table_stats("events")
    return {
        "events": stats.rows,
        "buckets": warehouse.n_buckets,
        "event_bytes": stats.bytes,
        "threads": THREADS,
        "our_features": len(feature_manifest(SPEC)),
        "common_features": list(features_duckdb.feature_names()),
        "median_seconds": {name: timing.median for name, timing in timings.items()},
        "seconds": {name: timing.seconds for name, timing in timings.items()},
        "better_engine": better(timings),
        "ratios": {name: asdict(value) for name, value in ratios.items()},
        "differences": differences,
        "peak_gb": {"one_as_of": memory[1], "six_as_ofs": memory[SEVERAL]},
    }


def better(timings: dict[str, Timing]) -> str:
    """The faster of the two engines."""
    return min(("duckdb", "polars"), key=lambda engine: timings[engine].median)


def compare_times(timings: dict[str, Timing]) -> dict[str, Ratio]:
    """The ratios that bars are about; our time is for all our features."""
    pairs = {
        "better_engine/ours": (better(timings), "ours"),
        "ours/decode": ("ours", "decode"),
        "six/one": ("ours_six", "ours_one_folded"),
    }
    rng = np.random.default_rng(1)
    return {
        name: ratio(timings[upper], timings[lower], rng=rng)
        for name, (upper, lower) in pairs.items()
    }


def bars(
    ratios: dict[str, Ratio],
    differences: dict[str, dict[str, float]],
    memory: dict[int, float],
) -> list[Bar]:
    """The limits of the benchmark (docs/adr/0003)."""
    common = min(entry["features"] for entry in differences.values())
    excess = max(entry["max_excess"] for entry in differences.values())
    value = {name: one.value for name, one in ratios.items()}
    return [
        Bar("times faster than the better engine", value["better_engine/ours"], 15, "at least"),
        Bar("time over decoding alone", value["ours/decode"], 3.5, "at most"),
        Bar("six as-ofs over one", value["six/one"], 4, "at most"),
        Bar("peak memory, one as-of, GB", memory[1], 1.5, "below"),
        Bar("peak memory, six as-ofs, GB", memory[SEVERAL], 1.5, "below"),
        Bar("features compared", common, 60, "at least"),
        Bar("largest difference over tolerance", excess, 1, "at most"),
    ]


if __name__ == "__main__":
    sys.exit(main())
