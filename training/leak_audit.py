"""The leak audit's words: what is checked on, what a check says, what the whole report is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
Int16Array = NDArray[np.int16]
Int8Array = NDArray[np.int8]
UInt64Array = NDArray[np.uint64]
BoolArray = NDArray[np.bool_]

Verdict = Literal["passed", "warning", "failed", "not checked"]
Figure = float | int | str

MIN_LABELS = 50
"""Fewest rows of either label that a figure about labels is drawn from."""


@dataclass(frozen=True, slots=True)
class AuditCutoffs:
    """The as-ofs of the rows under audit, ascending.

    Attributes
    ----------
    as_ofs : microseconds since 1970-01-01 UTC, shape (n_cutoffs,).
    training : which of them models are fitted on, shape (n_cutoffs,).
    reach_us : gap + horizon: how far after an as-of its labels look, microseconds.
    """

    as_ofs: Int64Array
    training: BoolArray
    reach_us: int


@dataclass(frozen=True, slots=True)
class AuditRows:
    """Rows of one model's population, in any order.

    Attributes
    ----------
    values : features, shape (n, F).
    labels : 0 or 1, shape (n,).
    cutoff : position in the cutoffs, shape (n,).
    customer : hash of the customer's id, shape (n,).
    """

    values: Float32Array
    labels: Int8Array
    cutoff: Int16Array
    customer: UInt64Array

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[Any]) -> "AuditRows":
        """The chosen rows, by mask or position."""
        return AuditRows(
            self.values[rows], self.labels[rows], self.cutoff[rows], self.customer[rows]
        )

    def sampled(self, max_rows: int) -> "AuditRows":
        """At most about `max_rows` rows: whole customers, chosen by their hash."""
        if len(self) <= max_rows:
            return self
        # The upper bits already sampled the panel; scattering them makes this draw its own.
        return self.take(scatter(self.customer) < np.uint64(int(max_rows / len(self) * 2**64)))

    @property
    def has_both_labels(self) -> bool:
        """Whether there are enough rows of either label to say anything."""
        positives = int(np.count_nonzero(self.labels))
        return min(positives, len(self) - positives) >= MIN_LABELS


def scatter(numbers: UInt64Array) -> UInt64Array:
    """Other 64 bits for each number, as good as random and always the same (splitmix64)."""
    z = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found. No customer and no attribute value is in it.

    Attributes
    ----------
    name : of the check, in snake case.
    subject : the model it is about; None where it is about all data.
    verdict : "failed" stops a training; "warning" asks for a look.
    meaning : one sentence on what was found, or on why nothing was checked.
    fix : the next action; None where none is needed.
    named : features, attributes or columns that are at fault.
    figures : numbers behind the verdict, by name.
    """

    name: str
    subject: str | None
    verdict: Verdict
    meaning: str
    fix: str | None = None
    named: tuple[str, ...] = ()
    figures: Mapping[str, Figure] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Name and subject, for people."""
        words = self.name.replace("_", " ")
        return words if self.subject is None else f"{words}, {self.subject.replace('_', ' ')}"

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "name": self.name,
            "subject": self.subject,
            "verdict": self.verdict,
            "meaning": self.meaning,
            "fix": self.fix,
            "named": list(self.named),
            "figures": dict(self.figures),
        }


@dataclass(frozen=True, slots=True)
class LeakAudit:
    """All checks of one audit."""

    checks: tuple[Check, ...]

    def of(self, verdict: Verdict) -> tuple[Check, ...]:
        """The checks with this verdict."""
        return tuple(check for check in self.checks if check.verdict == verdict)

    @property
    def clean(self) -> bool:
        """Whether no check failed."""
        return not self.of("failed")

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "clean": self.clean,
            "failed": len(self.of("failed")),
            "warnings": len(self.of("warning")),
            "checks": [check.to_json() for check in self.checks],
        }
