"""One `winback` command in a process of its own: its seconds, its peak memory, what it said."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True, slots=True)
class Spent:
    """What one process took; memory is the most that was resident, in 10^9 bytes."""

    seconds: float
    processor_seconds: float
    peak_gb: float


def run_winback(arguments: Sequence[str]) -> tuple[Spent, str]:
    """Run a command to its end; raises if it fails.

    Parameters
    ----------
    arguments : of `winback`.

    Returns
    -------
    What it took, and its standard output.
    """
    command = [sys.executable, "-m", "pipelines.cli", *arguments]
    with tempfile.TemporaryFile("w+") as output:
        start = perf_counter()
        process = subprocess.Popen(command, stdout=output)
        # wait4 instead of wait: it tells what this very child used.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise subprocess.CalledProcessError(process.returncode, command)
        output.seek(0)
        text = output.read()
    return Spent(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e9), text
