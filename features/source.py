"""How raw files become contract rows: SQL expressions over raw columns."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

_FORBID = ConfigDict(extra="forbid")
Sql = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True, config=_FORBID)
class EventSource:
    """Each field is a DuckDB SQL expression over the raw columns; null: not in the source.

    `where` keeps rows; what it leaves out is counted as filtered, not rejected.
    `time_format` is a strptime pattern for text times that are not ISO 8601.
    """

    customer_id: Sql = "customer_id"
    occurred_at: Sql = "occurred_at"
    event_type: Sql = "event_type"
    amount: Sql | None = None
    event_id: Sql | None = None
    arrived_at: Sql | None = None
    order_id: Sql | None = None
    category: Sql | None = None
    device: Sql | None = None
    discount: Sql | None = None
    where: Sql | None = None
    time_format: str | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True, config=_FORBID)
class CustomerSource:
    """As EventSource; `flags` and `attributes` map a name to its expression."""

    customer_id: Sql = "customer_id"
    signup_at: Sql | None = None
    timezone: Sql | None = None
    do_not_contact: Sql | None = None
    changed_at: Sql | None = None
    arrived_at: Sql | None = None
    flags: dict[str, Sql] = Field(default_factory=dict)
    attributes: dict[str, Sql] = Field(default_factory=dict)
    where: Sql | None = None
    time_format: str | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True, config=_FORBID)
class ContactSource:
    """As EventSource, for contacts and what became of them."""

    contact_id: Sql = "contact_id"
    customer_id: Sql = "customer_id"
    sent_at: Sql = "sent_at"
    channel: Sql = "channel"
    offer: Sql | None = None
    list_row_id: Sql | None = None
    delivered_at: Sql | None = None
    opened_at: Sql | None = None
    clicked_at: Sql | None = None
    outcome: Sql | None = None
    unsubscribed_at: Sql | None = None
    cost: Sql | None = None
    arrived_at: Sql | None = None
    where: Sql | None = None
    time_format: str | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True, config=_FORBID)
class AssignmentSource:
    """As EventSource, for who was given which action, contact or none, by an experiment.

    `propensities` gives text with a JSON object, or a map, from action names such as
    "sms/none" or "none" to probabilities.
    """

    assignment_id: Sql = "assignment_id"
    customer_id: Sql = "customer_id"
    assigned_at: Sql = "assigned_at"
    channel: Sql = "channel"
    offer: Sql | None = None
    experiment: Sql | None = None
    propensity: Sql | None = None
    propensities: Sql | None = None
    arrived_at: Sql | None = None
    where: Sql | None = None
    time_format: str | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True, config=_FORBID)
class EventRules:
    """The event vocabulary and what to do with what is outside it.

    Attributes
    ----------
    types : all known event types.
    activity : types that show the customer is there.
    orders : types that carry value.
    refunds : types that take value back; their amounts are negative.
    unknown : "error" rejects rows of an unknown type, "ignore" counts and skips them,
        "map" stores them as `unknown_as`.
    repeated_rows : what to do with identical whole rows of a source without event_id.
    """

    types: Annotated[tuple[str, ...], Field(min_length=1, max_length=200)]
    activity: Annotated[tuple[str, ...], Field(min_length=1)]
    orders: Annotated[tuple[str, ...], Field(min_length=1)]
    refunds: tuple[str, ...] = ()
    unknown: Literal["error", "ignore", "map"] = "error"
    unknown_as: str | None = None
    repeated_rows: Literal["keep", "drop"] = "drop"
