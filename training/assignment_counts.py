"""What became of every logged assignment on its way to a training row, counted and in words."""

from dataclasses import dataclass, fields
from datetime import date


@dataclass(frozen=True, slots=True)
class AssignmentCounts:
    """Assignments by what became of them.

    Those from `arrived_later` to `overlapping` are left out, in this order; of the rest
    `propensity_unknown` wait for an estimate and `used` are learnt from. The last two are
    part of these: they stay in, because what was assigned counts, not what was done.

    Attributes
    ----------
    assignments : listed rows without the holdout, and imported ones.
    arrived_later : at or after the training as-of, or made at or after it.
    unknown_action : of a channel or offer that is not configured.
    without_control : of experiments in which nobody was assigned to no contact.
    not_matured : the outcome window was not over.
    never_sent : on lists of which no contact is recorded, though of other lists some are.
    without_events : of customers of whom no event was known.
    without_stage : of customers on no stage that anybody is recalled from.
    overlapping : inside the outcome window of an earlier one of the same customer.
    propensity_unknown : nobody logged with what probability it was made.
    used : rows to learn from.
    without_contact_record : assigned to a contact of which no record has arrived.
    contaminated : assigned to no contact, with a record of one.
    matures_on : local date at which the next outcome window is over; null if all are.
    """

    assignments: int = 0
    arrived_later: int = 0
    unknown_action: int = 0
    without_control: int = 0
    not_matured: int = 0
    never_sent: int = 0
    without_events: int = 0
    without_stage: int = 0
    overlapping: int = 0
    propensity_unknown: int = 0
    used: int = 0
    without_contact_record: int = 0
    contaminated: int = 0
    matures_on: date | None = None

    def __add__(self, other: "AssignmentCounts") -> "AssignmentCounts":
        dates = [one for one in (self.matures_on, other.matures_on) if one is not None]
        sums = {
            field.name: getattr(self, field.name) + getattr(other, field.name)
            for field in fields(self)
            if field.name != "matures_on"
        }
        return AssignmentCounts(**sums, matures_on=min(dates, default=None))

    def to_json(self) -> dict[str, int | str | None]:
        """A JSON object of the same names."""
        counts = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name != "matures_on"
        }
        day = None if self.matures_on is None else self.matures_on.isoformat()
        return {**counts, "matures_on": day}

    def notes(self) -> tuple[str, ...]:
        """One sentence about each problem there was."""
        told = [
            sentence.format(n=f"{count:,}", rows="assignment" if count == 1 else "assignments")
            for name, sentence in _SENTENCES.items()
            if (count := getattr(self, name))
        ]
        if self.not_matured and self.matures_on is not None:
            told.append(f"The next outcome windows are over on {self.matures_on}.")
        return tuple(told)


_SENTENCES = {
    "arrived_later": "{n} {rows} arrived at or after the training as-of: left out.",
    "unknown_action": "{n} {rows} of a channel or offer that is not configured: left out.",
    "without_control": "{n} {rows} of experiments without a control: left out, for there is "
    "nothing to compare them with.",
    "not_matured": "{n} {rows} with an outcome window that is not over: left out for now.",
    "never_sent": "{n} {rows} on lists of which no contact is recorded, though contacts of other "
    "lists are: taken as never sent, left out.",
    "without_events": "{n} {rows} of customers without an event known at the time: left out.",
    "without_stage": "{n} {rows} of customers on no stage with silence_days: left out.",
    "overlapping": "{n} {rows} inside the outcome window of an earlier one of the same "
    "customer: left out.",
    "propensity_unknown": "{n} {rows} without a logged propensity: not used as they are.",
    "without_contact_record": "{n} {rows} to a contact of which there is no record: kept as "
    "assigned.",
    "contaminated": "{n} {rows} to no contact with a record of one: kept as assigned; effects "
    "look smaller for it.",
}
