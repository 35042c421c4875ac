"""Which columns of the list a sending tool gets, under which names and in which form."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

_FORBID = ConfigDict(extra="forbid")

WHOLE_LIST = "list"
"""The name in [exports] of the file with the whole list; the others are channels."""

KEY_COLUMNS = ("list_row_id", "customer_id")
"""Without the one nobody can be contacted, without the other feedback finds no row."""

SENDER_COLUMNS = (
    "list_row_id",
    "customer_id",
    "offer",
    "send_at_local",
    "send_at_utc",
    "send_window_end_utc",
    "expires_at",
)
"""What a sending tool gets if nothing else is configured: no more than it needs."""

CALLER_COLUMNS = (
    *SENDER_COLUMNS,
    "stage",
    "value_tier",
    "reason_1",
    "reason_2",
    "reason_3",
    "follow_up_of",
    "follow_up_channel",
    "follow_up_at",
)
"""The same for channels that people work: what they need to know of whom they call."""

CALLED = ("phone", "call", "phone_call", "call_centre", "call_center")
"""Names of channels that people work, besides those with seats_per_hour."""

Delimiter = Literal[",", ";", "\t", "|"]
Encoding = Literal["utf-8", "utf-8-sig", "gb18030"]


def _renamed(value: Any) -> Any:
    """A list of columns is a table in which each keeps its name."""
    if isinstance(value, (list, tuple)):
        if not all(isinstance(name, str) for name in value):
            raise ValueError('a list of column names, or a table such as {list_row_id = "ref"}')
        if len(set(value)) != len(value):
            raise ValueError("a list that names each column once")
        return {name: name for name in value}
    return value


Header = Annotated[str, Field(min_length=1, max_length=100)]
Columns = Annotated[dict[str, Header], BeforeValidator(_renamed)]


@dataclass(frozen=True, slots=True, config=_FORBID)
class Export:
    """The form of one CSV file.

    Attributes
    ----------
    columns : list columns in the order of the file, each with the name it gets there;
        null means the columns as they are by default.
    delimiter : between the values of a line.
    encoding : "utf-8-sig" is UTF-8 that spreadsheets recognise by its first bytes.
    """

    columns: Columns | None = None
    delimiter: Delimiter = ","
    encoding: Encoding = "utf-8"


def channel_columns(
    channel: str, export: Export, *, seats_per_hour: int | None = None
) -> dict[str, str]:
    """Columns of a channel's file by their names in the list, with their names in the file."""
    if export.columns is not None:
        return dict(export.columns)
    is_called = channel in CALLED or seats_per_hour is not None
    return {name: name for name in (CALLER_COLUMNS if is_called else SENDER_COLUMNS)}


def list_columns(export: Export) -> dict[str, str]:
    """The same for the file with the whole list: by default every column of the contract."""
    if export.columns is None:
        return {name: name for name in list_column_names()}
    return dict(export.columns)


def list_column_names() -> tuple[str, ...]:
    """Every column of the recall list, in its order."""
    # Inside, as the contract's modules load the models' libraries: reading a configuration
    # without exports shall not wait for them.
    from scoring.recall_list import SCHEMA

    return tuple(SCHEMA.names)


def missing_keys(columns: Mapping[str, str]) -> list[str]:
    """Columns that no export may lack, and this one does."""
    return [name for name in KEY_COLUMNS if name not in columns]
