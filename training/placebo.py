"""The placebo: contacts cannot change what happened before them, so no effect may show there."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from training.contact_effects import NORMAL_95, ShiftEstimate

LARGEST_MISSED = 1.0
"""A placebo that could miss a shift of this size proves nothing: the odds would be 2.7 fold."""

POWER_ERRORS = NORMAL_95 + 0.8416212335729143
"""A shift of so many standard errors is found four times out of five."""


@dataclass(frozen=True, slots=True)
class Placebo:
    """Effects of later contacts on the pre-period, where there can be none.

    Attributes
    ----------
    overall : of any contact at all; it decides for the whole study. None: not to be had.
    by_action : of each action that has an estimate, by name.
    rows : rows whose pre-period is known.
    positives : of them, with a sign of life in the pre-period.
    up_to_cutoff : the pre-period ends where the decision began. One that ends where the silence
        began tells of lasting differences only: it may condemn a study, not acquit it.
    """

    overall: ShiftEstimate | None
    by_action: dict[str, ShiftEstimate]
    rows: int
    positives: int
    up_to_cutoff: bool = True

    @property
    def found_nothing(self) -> bool:
        """Whether the interval of any contact covers 0."""
        return self.overall is not None and self.overall.covers_zero()

    @property
    def detectable(self) -> float | None:
        """The smallest shift that it would have found four times out of five."""
        if self.overall is None or self.overall.sd is None:
            return None
        return POWER_ERRORS * self.overall.sd

    def flags(self, action: str) -> bool:
        """Whether an action's own placebo differs from 0, with all actions tested together."""
        estimate = self.by_action.get(action)
        if estimate is None:
            return False
        tests = max(len(self.by_action), 1)
        return not estimate.covers_zero(NormalDist().inv_cdf(1.0 - 0.025 / tests))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "rows": self.rows,
            "positives": self.positives,
            "up_to_cutoff": self.up_to_cutoff,
            "detectable_shift": self.detectable,
            "any_contact": None if self.overall is None else self.overall.to_json(),
            "actions": {name: one.to_json() for name, one in self.by_action.items()},
        }
