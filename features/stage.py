"""The ladder of milestones and what "dormant" means on each of its steps."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
Names = Annotated[tuple[str, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Stage:
    """One step of the ladder.

    A customer is on the stage whose milestone (`entered_by`) happened last. Silence is
    counted from the later of that milestone and the last `active_on` event; at
    `silence_days` the customer is dormant. A `returns_by` event inside the label
    window is a return.

    Attributes
    ----------
    name : short lower-case name.
    label : how operators call it.
    entered_by : event types that put a customer on this stage.
    active_on : event types that end silence here.
    returns_by : event types that count as return.
    silence_days : silence that means dormant; null for a stage nobody is recalled from.
    return_value : money a return is worth before margin; null means the customer's
        own expected order value.
    channels : channels used here, in the order of follow-ups; empty means all, as configured.
    offers : offers that may be made here; empty means all.
    """

    name: Name
    label: str
    entered_by: Names
    active_on: Names
    returns_by: Names
    silence_days: Annotated[float, Field(gt=0, le=3650)] | None = None
    return_value: Annotated[float, Field(gt=0)] | None = None
    channels: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
