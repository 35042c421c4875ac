"""What is to be simulated, and what then was."""

from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from features.errors import UsageError, describe
from pipelines.simulate.dirt import Dirt
from pipelines.simulate.worlds import WorldPlan

SCHEMA_VERSION = 1
_MOST_CUSTOMERS = 50_000_000


@dataclass(frozen=True, slots=True)
class SimulationPlan:
    """What is simulated. `end` is a local date; everything happens before its midnight."""

    preset: str
    customers: int
    days: int
    end: date
    seed: int
    dirt: Dirt = field(default_factory=Dirt)
    world: WorldPlan = field(default_factory=WorldPlan)

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

    def facts(self) -> dict[str, Any]:
        """The plan as plain values."""
        return {**asdict(self), "end": self.end.isoformat()}


@dataclass(frozen=True, slots=True)
class SimulationSummary:
    """What was written, and where: row counts as in the files.

    Attributes
    ----------
    assignments_file : null where the company contacts as it usually does.
    truth : the folder of the ground truth, null if none was asked for.
    """

    events: int
    customers: int
    customer_rows: int
    contacts: int
    assignments: int
    events_files: tuple[Path, ...]
    customers_file: Path
    contacts_file: Path
    assignments_file: Path | None = None
    truth: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        plain = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        plain["events_files"] = [str(file) for file in self.events_files]
        for name in ("customers_file", "contacts_file", "assignments_file", "truth"):
            plain[name] = None if plain[name] is None else str(plain[name])
        return plain
