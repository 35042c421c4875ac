"""What an explanation says of follow-ups: the one that runs, and the next step of the row."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.config import Config
from scoring.follow_up import LAPSE_DAYS, NO_FOLLOW_UP
from scoring.scored import ScoredCustomers


@dataclass(frozen=True, slots=True)
class RunningFollowUp:
    """A contact of an earlier list that is being followed up.

    Attributes
    ----------
    list_row_id : the row that asked for that contact.
    step : 1 for its first follow-up.
    channel, label : the planned channel; null if it is no longer configured.
    due_on : date of the list that is to carry the step out.
    lapses_after : date of the last list that still does.
    """

    list_row_id: str
    step: int
    channel: str | None
    label: str | None
    due_on: date
    lapses_after: date


@dataclass(frozen=True, slots=True)
class NextStep:
    """What follows a listed row if the customer does not return: through what, on which list."""

    channel: str
    label: str
    due_on: date


@dataclass(frozen=True, slots=True)
class FollowUpView:
    """All about follow-ups of one customer on one day.

    Attributes
    ----------
    running : at the as-of; null if none is.
    carried_out : the list row that the customer's row of the day follows up, if any.
    next_step : of the customer's row of the day; null if none was planned.
    """

    running: RunningFollowUp | None = None
    carried_out: str | None = None
    next_step: NextStep | None = None

    def sentences(self, day: date) -> tuple[str, ...]:
        """The same in words, as seen on that day."""
        told = []
        if self.carried_out is not None:
            told.append(f"Follows up the contact of list row {self.carried_out}.")
        if self.running is not None and self.carried_out is None:
            through = self.running.label or "a channel that is no longer configured"
            when = "is due since" if self.running.due_on <= day else "is planned for"
            told.append(
                f"A follow-up of list row {self.running.list_row_id} is running: step "
                f"{self.running.step}, by {through}, {when} {self.running.due_on}; it lapses after "
                f"{self.running.lapses_after}."
            )
        if self.next_step is not None:
            told.append(
                f"Without a return by then, {self.next_step.label} follows on "
                f"{self.next_step.due_on}."
            )
        return tuple(told)


def view_follow_up(
    config: Config, scored: ScoredCustomers, row: int, *, decision: Mapping[str, Any]
) -> FollowUpView:
    """What earlier lists have planned for a customer, and what the day's row plans.

    Parameters
    ----------
    scored : customers as the night saw them, earlier lists included.
    decision : what was decided for the customer that day, by column; days that an earlier
        version decided have no follow-ups.
    """
    channel, at = decision.get("follow_up_channel"), decision.get("follow_up_at")
    zone = ZoneInfo(config.business.timezone)
    return FollowUpView(
        running=_running(config, scored, row),
        carried_out=decision.get("follow_up_of"),
        next_step=None
        if channel is None or at is None
        else NextStep(channel, _label(config, channel), at.astimezone(zone).date()),
    )


def _running(config: Config, scored: ScoredCustomers, row: int) -> RunningFollowUp | None:
    follow_ups = scored.follow_ups
    place = int(follow_ups.place[row])
    if place == NO_FOLLOW_UP:
        return None
    code, names = int(follow_ups.channel[place]), list(config.channels)
    channel = names[code] if code >= 0 else None
    zone = ZoneInfo(config.business.timezone)
    due_on = datetime.fromtimestamp(int(follow_ups.due_us[place]) / 1e6, tz=zone).date()
    return RunningFollowUp(
        list_row_id=follow_ups.row_ids[place],
        step=int(follow_ups.step[place]),
        channel=channel,
        label=None if channel is None else _label(config, channel),
        due_on=due_on,
        lapses_after=due_on + timedelta(days=LAPSE_DAYS),
    )


def _label(config: Config, channel: str) -> str:
    """How operators call it; its name if it was taken out of the configuration since."""
    return config.channels[channel].label if channel in config.channels else channel
