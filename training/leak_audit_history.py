"""Histories with the same past and another future: deleted, scrambled, or with more of it."""

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from features.history import NO_TIME, Contacts, Details, Events, History, Profiles
from features.kernels.feature import DAY_US

Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Table = TypeVar("Table", Events, Details, Contacts, Profiles)

Change = Literal["deleted", "scrambled", "added to"]
CHANGES: tuple[Change, ...] = ("deleted", "scrambled", "added to")

_TABLES = ("events", "details", "contacts", "profiles")
_ORDER = {
    Events: ("occurred_at",),
    Details: ("occurred_at",),
    Contacts: ("contact", "arrived_at"),
    Profiles: ("changed_at", "arrived_at"),
}
"""What rows of one customer are sorted by; ties keep the order they come in."""
_TIMES = {
    Events: ("occurred_at", "arrived_at"),
    Details: ("occurred_at", "arrived_at"),
    Contacts: ("sent_at", "arrived_at"),
    Profiles: ("changed_at", "arrived_at"),
}
"""Both lie before an as-of in a row that is visible there: when it happened, when it arrived."""
_OUTCOMES = ("delivered_at", "opened_at", "clicked_at", "unsubscribed_at")
_SHIFT_DAYS = 400


@dataclass(frozen=True, slots=True)
class _Rows:
    """A table's columns beside the owners of its rows, while rows come and go."""

    owner: Int64Array
    columns: dict[str, NDArray[Any]]

    def take(self, rows: NDArray[Any]) -> "_Rows":
        return _Rows(self.owner[rows], {name: one[rows] for name, one in self.columns.items()})

    def joined(self, other: "_Rows") -> "_Rows":
        columns = {
            name: np.concatenate([one, other.columns[name]]) for name, one in self.columns.items()
        }
        return _Rows(np.concatenate([self.owner, other.owner]), columns)


def other_future(
    history: History, change: Change, *, as_of: int, rng: np.random.Generator
) -> tuple[History, int]:
    """The history with all that is not visible at an as-of changed, and how many rows that is.

    Visible is what happened and arrived before the as-of; of a visible contact also
    those outcomes that came before it. The visible rows stay as they are, in their order.

    Parameters
    ----------
    history : one bucket.
    change : "deleted" leaves the visible rows only; "scrambled" exchanges the hidden rows'
        columns among them and moves their times, still hidden; "added to" plants a hidden
        row for each row there is: late news about the past, or an event of the as-of itself.
    as_of : UTC instant in microseconds.
    rng : source of chance.
    """
    changed, hidden_rows = {}, 0
    for name in _TABLES:
        changed[name], hidden = _changed(
            getattr(history, name), change, as_of, history.n_customers, rng
        )
        hidden_rows += hidden
    return replace(history, **changed), hidden_rows


def _changed(
    table: Table, change: Change, as_of: int, n_customers: int, rng: np.random.Generator
) -> tuple[Table, int]:
    rows = _rows_of(table)
    happened, arrived = (rows.columns[name] for name in _TIMES[type(table)])
    visible = (happened < as_of) & (arrived < as_of)
    if change == "added to":
        rows = rows.joined(_planted(table, rows, as_of, rng))
    else:
        future = rows.take(~visible)
        rows = rows.take(visible)
        rows = _Rows(rows.owner, _later_outcomes(rows.columns, change, as_of, rng))
        if change == "scrambled":
            rows = rows.joined(_scrambled(table, future, as_of, rng))
    sort_keys: list[NDArray[Any]] = [rows.columns[name] for name in reversed(_ORDER[type(table)])]
    order = np.lexsort([*sort_keys, rows.owner])
    return _table_of(table, rows.take(order), n_customers), int(np.count_nonzero(~visible))


def _later_outcomes(
    columns: dict[str, NDArray[Any]], change: Change, as_of: int, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Forget or move what became of visible contacts at or after the as-of."""
    changed = dict(columns)
    for name in _OUTCOMES:
        if name in columns:
            times = columns[name]
            other = np.full(len(times), NO_TIME)
            if change == "scrambled":
                other = as_of + _shifts(rng, len(times))
            changed[name] = np.where(times >= as_of, other, times)
    return changed


def _scrambled(table: Table, rows: _Rows, as_of: int, rng: np.random.Generator) -> _Rows:
    """Exchange columns among the rows, each on its own but both times together."""
    n = len(rows.owner)
    times = _TIMES[type(table)]
    pairs = rng.permutation(n)
    columns = {}
    for name, column in rows.columns.items():
        if name == "contact":  # numbers group the versions of a contact
            columns[name] = column
        elif name in times:
            moved = column[pairs]
            # Whichever time hides the row moves on, so that it stays hidden.
            late = moved >= as_of
            moved = np.where(late & (moved != NO_TIME), moved + _shifts(rng, n), moved)
            columns[name] = moved
        else:
            columns[name] = column[rng.permutation(n)]
    return _Rows(rows.owner, columns)


def _planted(table: Table, rows: _Rows, as_of: int, rng: np.random.Generator) -> _Rows:
    """A hidden twin of each row, with another content."""
    n = len(rows.owner)
    happened, arrived = _TIMES[type(table)]
    columns = dict(rows.columns)
    for name, column in rows.columns.items():
        if name in ("amount", "discount"):
            columns[name] = column * -1000.0 - 1.0
        elif name not in (happened, arrived, "contact"):
            columns[name] = column[rng.permutation(n)]
    late = rng.random(n) < 0.5
    columns[happened] = np.where(late, np.minimum(columns[happened], as_of - 1), as_of)
    # The as-of itself is the first instant that must not count.
    columns[arrived] = as_of + np.where(rng.random(n) < 0.5, 0, _shifts(rng, n))
    return _Rows(rows.owner, columns)


def _shifts(rng: np.random.Generator, n: int) -> Int64Array:
    return rng.integers(0, _SHIFT_DAYS * DAY_US, n)


def _rows_of(table: Any) -> _Rows:
    offsets = table.offsets
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    names = (field.name for field in fields(table) if field.name != "offsets")
    return _Rows(owner, {name: getattr(table, name) for name in names})


def _table_of(table: Table, rows: _Rows, n_customers: int) -> Table:
    counts = np.bincount(rows.owner, minlength=n_customers)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    columns = {
        name: np.ascontiguousarray(column, dtype=getattr(table, name).dtype)
        for name, column in rows.columns.items()
    }
    return replace(table, offsets=offsets, **columns)
