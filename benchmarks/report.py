"""What every benchmark reports: figures, medians with intervals, bars, the machine."""

import json
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np

SCHEMA_VERSION = 1
GATE_FAILED = 5
"""Exit code of a benchmark that ran but missed a bar."""

BOOTSTRAP_DRAWS = 2000


def raw_data(benchmark: str, names: Sequence[str]) -> Path | None:
    """The folder with the public data sets: WINBACK_DATA, by default ../shared/data.

    Parameters
    ----------
    benchmark : told in the message.
    names : files or folders in it that the benchmark reads.

    Returns
    -------
    None, after a message on stderr, if one is missing.
    """
    folder = Path(os.environ.get("WINBACK_DATA", "../shared/data"))
    missing = [str(folder / name) for name in names if not (folder / name).exists()]
    if not missing:
        return folder
    sys.stderr.write(
        f"benchmarks.{benchmark}: {', '.join(missing)} not found. Expected the raw public data. "
        "Fix: set WINBACK_DATA to the folder that holds them.\n"
    )
    return None


@dataclass(frozen=True, slots=True)
class Bar:
    """A limit that a figure must keep."""

    name: str
    value: float
    limit: float
    sense: Literal["at most", "at least", "below"]

    @property
    def holds(self) -> bool:
        """Whether the figure keeps its limit; a missing figure (NaN) does not."""
        if self.sense == "at least":
            return self.value >= self.limit
        if self.sense == "below":
            return self.value < self.limit
        return self.value <= self.limit


@dataclass(frozen=True, slots=True)
class Timing:
    """Wall-clock seconds of repeated runs of one thing."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle run."""
        return float(np.median(self.seconds))


@dataclass(frozen=True, slots=True)
class Ratio:
    """Median of the ratios of runs that took turns, with a 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def time_rounds(paths: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, Timing]:
    """Time all paths in turns, so that a disturbance of the machine falls on no path alone."""

    def seconds(path: Callable[[], object]) -> float:
        start = perf_counter()
        result = path()
        spent = perf_counter() - start
        del result
        return spent

    turns = [{name: seconds(path) for name, path in paths.items()} for _ in range(rounds)]
    return {name: Timing(tuple(turn[name] for turn in turns)) for name in paths}


def ratio(numerator: Timing, denominator: Timing, *, rng: np.random.Generator) -> Ratio:
    """Median over rounds of the ratio of two paths of `time_rounds`.

    Pairs within a round meet the same machine; the interval resamples rounds.
    """
    ratios = np.array(numerator.seconds) / np.array(denominator.seconds)
    picks = rng.integers(0, len(ratios), size=(BOOTSTRAP_DRAWS, len(ratios)))
    low, high = np.quantile(np.median(ratios[picks], axis=1), (0.025, 0.975))
    return Ratio(float(np.median(ratios)), float(low), float(high))


def machine(packages: Sequence[str]) -> dict[str, Any]:
    """Cores, Python and package versions behind the figures."""
    return {
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
    }


def document(
    benchmark: str, *, figures: Mapping[str, Any], bars: Sequence[Bar], packages: Sequence[str]
) -> dict[str, Any]:
    """The JSON document of a benchmark."""
    return {
        "schema_version": SCHEMA_VERSION,
        "benchmark": benchmark,
        "command": " ".join(["python -m", f"benchmarks.{benchmark}", *sys.argv[1:]]),
        "machine": machine(packages),
        "figures": dict(figures),
        "bars": [{**asdict(bar), "holds": bar.holds} for bar in bars],
    }


def publish(report: Mapping[str, Any], *, as_json: bool) -> int:
    """Print the document, or its bars as text; returns the exit code."""
    bars = report["bars"]
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        print(f"{report['benchmark']}: {report['command']}")
        for name, value in report["figures"].items():
            print(f"  {name}: {json.dumps(value)}")
        for bar in bars:
            verdict = "holds" if bar["holds"] else "FAILS"
            print(
                f"  {verdict}  {bar['name']}: {bar['value']:.4g} ({bar['sense']} {bar['limit']:g})"
            )
    return 0 if all(bar["holds"] for bar in bars) else GATE_FAILED
