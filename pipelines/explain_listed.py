"""What an explanation says of a listed row itself: its time, effect, gain and who chose it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from pipelines.config import Config
from scoring.code_words import SEND_BASIS_WORDS
from scoring.scored import ScoredCustomers
from scoring.time_columns import row_zones


@dataclass(frozen=True, slots=True)
class ListedView:
    """One row of a list, as it was logged.

    Attributes
    ----------
    send_at_local : ISO 8601 with offset, on the customer's clock; null for controls.
    send_basis : code of what the hour rests on; null for controls and on older days.
    uplift, uplift_low, uplift_high : of the chance of a return, with its interval.
    evidence : code of what the uplift rests on.
    gain : expected gain of the row's action, money.
    drawn_by_chance : the action was drawn, it need not be the best one.
    on_trial : listed only because chance has drawn them to learn from.
    """

    send_at_local: str | None
    send_basis: str | None
    uplift: float
    uplift_low: float
    uplift_high: float
    evidence: str
    gain: float
    drawn_by_chance: bool
    on_trial: bool

    def sentence(self, day: date, currency: str | None) -> str:
        """The same in words, as seen on that day."""
        told = [
            self._sending(day),
            f"uplift {100 * self.uplift:z.1f} points "
            f"[{100 * self.uplift_low:z.1f}, {100 * self.uplift_high:z.1f}], {self.evidence}",
            f"gain {self.gain:z.2f} {currency or ''}".rstrip(),
        ]
        if self.drawn_by_chance:
            told.append("drawn by chance")
        if self.on_trial:
            told.append("would not have been listed otherwise")
        return f"{'; '.join(told)}."

    def _sending(self, day: date) -> str:
        if self.send_at_local is None:
            return "Not sent"
        moment = self.send_at_local[:16].replace("T", " ").removeprefix(f"{day} ")
        if self.send_basis is None:
            return f"Sent {moment}"
        return f"Sent {moment} ({SEND_BASIS_WORDS[self.send_basis].name.en})"


def view_listed(
    config: Config, scored: ScoredCustomers, row: int, *, decision: Mapping[str, Any]
) -> ListedView | None:
    """The customer's row of the day; null if there is none, or where it was not logged.

    Parameters
    ----------
    decision : what was decided for the customer that day, by column.
    """
    if decision["rank"] is None or decision.get("uplift") is None:
        return None
    [zone] = row_zones(scored.reach, np.array([row]), default=config.business.timezone)
    send_at = decision["send_at_utc"]
    recommended = decision.get("recommended_action")
    given = f"{decision['channel']}/{decision['offer']}"
    return ListedView(
        send_at_local=None if send_at is None else send_at.astimezone(ZoneInfo(zone)).isoformat(),
        send_basis=decision.get("send_basis"),
        uplift=decision["uplift"],
        uplift_low=decision["uplift_low"],
        uplift_high=decision["uplift_high"],
        evidence=decision["evidence"],
        gain=decision["expected_gain"],
        # Ghosts hold what they would have got, drawn or not.
        drawn_by_chance=decision["arm"] == "explore" or recommended not in {None, given},
        on_trial=recommended == "none",
    )
