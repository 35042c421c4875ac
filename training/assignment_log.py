"""Who was assigned which action, by nightly lists and by imported experiments, in one form."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.arrow_columns import codes_of, encoded, time_values, words_of
from features.history import NO_TIME
from features.local_day import local_midnight_us
from training.effect_sample import NO_CONTACT

BoolArray = NDArray[np.bool_]
Float64Array = NDArray[np.float64]
Int16Array = NDArray[np.int16]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]

GHOST_ARM = "ghost"
CONTACTED_ARMS = ("contact", "explore")
"""The arms of a list that effects are learnt from. The holdout is not: whoever is never
contacted has another history than those who are."""

NIGHTLY = "nightly lists"
"""The name under which the rows of all nightly lists are one experiment."""

UNKNOWN_ACTION = -2
DECISION_COLUMNS = (
    "as_of",
    "customer_id",
    "bucket",
    "arm",
    "channel",
    "offer",
    "list_id",
    "rank",
)
"""What is read of the table decisions."""

DECISION_EXTRAS = ("list_row_id", "action_propensity", "expires_at")
"""Read where the table has them: lists of earlier versions kept none."""

ASSIGNMENT_COLUMNS = (
    "bucket",
    "assignment_id",
    "customer_id",
    "assigned_at",
    "arrived_at",
    "experiment",
    "channel",
    "offer",
    "propensity",
    "propensities",
)


@dataclass(frozen=True, slots=True)
class AssignedRows:
    """n assignments, each of a customer to an action or to no contact.

    Attributes
    ----------
    customer_id : Arrow string array.
    row_id : Arrow string array, by which contacts may name the assignment; null where none.
    bucket : the customer's bucket, shape (n,).
    assigned_us, expires_us : when it was assigned, and until when its contact was to be sent;
        us, UTC, shape (n,).
    arrived_us : before this instant nobody knew of it; us, UTC, shape (n,).
    action : `NO_CONTACT`, a place in the configured actions, or `UNKNOWN_ACTION`; (n,).
    propensity : probability of that action, NaN where it is not known; shape (n,).
    experiment : place in `experiments`, shape (n,).
    experiments : names.
    """

    customer_id: Any
    row_id: Any
    bucket: Int32Array
    assigned_us: Int64Array
    expires_us: Int64Array
    arrived_us: Int64Array
    action: Int16Array
    propensity: Float64Array
    experiment: Int32Array
    experiments: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.action)

    def take(self, rows: NDArray[Any]) -> "AssignedRows":
        """The chosen rows, by mask or position."""
        places = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        arrow = pa.array(places)
        taken = {name: getattr(self, name)[places] for name in _ARRAYS}
        words = {name: getattr(self, name).take(arrow) for name in ("customer_id", "row_id")}
        return replace(self, **taken, **words)


_ARRAYS = tuple(
    field.name
    for field in fields(AssignedRows)
    if field.name not in ("customer_id", "row_id", "experiments")
)


def join_assigned(parts: Sequence[AssignedRows]) -> AssignedRows:
    """Rows of several sources, one after the other; equal names are one experiment."""
    names = tuple(sorted({name for part in parts for name in part.experiments}))
    code = {name: place for place, name in enumerate(names)}
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS}
    joined["experiment"] = np.concatenate(
        [
            np.array([code[name] for name in part.experiments], dtype=np.int32)[part.experiment]
            for part in parts
        ]
    )
    return AssignedRows(
        customer_id=pa.concat_arrays([part.customer_id for part in parts]),
        row_id=pa.concat_arrays([part.row_id for part in parts]),
        experiments=names,
        **joined,
    )


def assigned_by_lists(
    decisions: Any, *, actions: Sequence[str], timezone: ZoneInfo, valid_days: int
) -> AssignedRows:
    """The listed rows of nightly lists, without the holdout.

    Parameters
    ----------
    decisions : Arrow table of `DECISION_COLUMNS` and, where present, `DECISION_EXTRAS`; rows
        without an arm are left out.
    actions : names such as "sms/none", in configured order.
    timezone : of the business; a list is assigned at its date's midnight.
    valid_days : days after which a list's rows expire that do not say when.
    """
    arms = pa.array([GHOST_ARM, *CONTACTED_ARMS], pa.string())
    table = decisions.filter(pc.is_in(decisions["arm"], value_set=arms))
    days = [date.fromisoformat(day) for day in words_of(encoded(table["as_of"])).to_pylist()]
    day = codes_of(encoded(table["as_of"]))
    begins = np.array([local_midnight_us(one, timezone) for one in days], dtype=np.int64)
    ends = np.array(
        [local_midnight_us(one + timedelta(days=valid_days), timezone) for one in days],
        dtype=np.int64,
    )
    action = action_codes(table["channel"], table["offer"], actions)
    ghost = np.asarray(pc.equal(table["arm"], GHOST_ARM).to_numpy(), dtype=np.bool_)
    assigned_us = begins[day]
    return AssignedRows(
        customer_id=_texts(table["customer_id"]),
        row_id=_row_ids(table),
        bucket=table["bucket"].to_numpy().astype(np.int32),
        assigned_us=assigned_us,
        expires_us=_expiries(table, ends[day]),
        arrived_us=assigned_us,
        action=np.where(ghost, NO_CONTACT, action).astype(np.int16),
        propensity=_numbers(table, "action_propensity"),
        experiment=np.zeros(len(table), dtype=np.int32),
        experiments=(NIGHTLY,),
    )


def assigned_by_experiments(
    assignments: Any, *, actions: Sequence[str], valid_days: int
) -> AssignedRows:
    """Imported assignments; of one id and customer the version that arrived first counts.

    A propensity that is not given is looked up in `propensities` under the action's name.
    What is not above 0 and at most 1 is no propensity: it counts as not known.

    Parameters
    ----------
    assignments : Arrow table of `ASSIGNMENT_COLUMNS`.
    actions : names such as "sms/none", in configured order.
    valid_days : days within which the contact was to be sent.
    """
    table = assignments
    arrived_us = time_values(table["arrived_at"])
    first = _first_versions(table, arrived_us)
    table, arrived_us = table.take(pa.array(first)), arrived_us[first]
    assigned_us = time_values(table["assigned_at"])
    channel = _texts(table["channel"])
    action = action_codes(channel, table["offer"], actions)
    experiment = encoded(table["experiment"])
    return AssignedRows(
        customer_id=_texts(table["customer_id"]),
        row_id=_texts(table["assignment_id"]),
        bucket=table["bucket"].to_numpy().astype(np.int32),
        assigned_us=assigned_us,
        expires_us=assigned_us + valid_days * 86_400_000_000,
        arrived_us=arrived_us,
        action=action,
        propensity=_given_propensities(table, action, actions),
        experiment=codes_of(experiment).astype(np.int32),
        experiments=tuple(words_of(experiment).to_pylist()),
    )


def action_codes(channel: Any, offer: Any, actions: Sequence[str]) -> Int16Array:
    """Places in `actions` of channels and offers, shape (n,).

    No channel, or one called "none", is no contact; no offer is the offer "none".

    Parameters
    ----------
    channel, offer : Arrow string columns.
    actions : names such as "sms/none".

    Returns
    -------
    `NO_CONTACT` without a channel, `UNKNOWN_ACTION` for what is not configured.
    """
    channel = pc.fill_null(_texts(channel), "none")
    offer = pc.fill_null(_texts(offer), "none")
    names = pc.binary_join_element_wise(channel, offer, "/")
    found = pc.fill_null(pc.index_in(names, value_set=pa.array(actions, pa.string())), -2)
    codes = found.to_numpy(zero_copy_only=False).astype(np.int16)
    none = pc.equal(channel, "none").to_numpy(zero_copy_only=False)
    return np.where(none & (codes == UNKNOWN_ACTION), NO_CONTACT, codes).astype(np.int16)


def _texts(column: Any) -> Any:
    """The column as one Arrow string array."""
    plain = column.cast(pa.string())
    return plain.combine_chunks() if isinstance(plain, pa.ChunkedArray) else plain


def _numbers(table: Any, name: str) -> Float64Array:
    if name not in table.column_names:
        return np.full(len(table), np.nan)
    column = table[name].cast(pa.float64())
    return _probabilities(pc.fill_null(column, np.nan).to_numpy().astype(np.float64))


def _probabilities(values: Float64Array) -> Float64Array:
    return np.where((values > 0.0) & (values <= 1.0), values, np.nan)


def _expiries(table: Any, otherwise_us: Int64Array) -> Int64Array:
    if "expires_at" not in table.column_names:
        return otherwise_us
    given = time_values(table["expires_at"])
    return np.where(given == NO_TIME, otherwise_us, given)


def _row_ids(table: Any) -> Any:
    """The list's own row ids; "<list_id>/<rank>" where an earlier version kept none."""
    rank = _texts(table["rank"].cast(pa.int32()))
    made = pc.binary_join_element_wise(_texts(table["list_id"]), rank, "/")
    if "list_row_id" not in table.column_names:
        return made
    return pc.coalesce(_texts(table["list_row_id"]), made)


def _first_versions(table: Any, arrived_us: Int64Array) -> Int64Array:
    """Positions of the first-arrived row of each assignment id and customer, ascending."""
    names = (codes_of(encoded(table[name])) for name in ("assignment_id", "customer_id"))
    identity, customer = (name.astype(np.int64) for name in names)
    order = np.lexsort((np.arange(len(table)), arrived_us, customer, identity))
    changes = (np.diff(identity[order]) != 0) | (np.diff(customer[order]) != 0)
    first = np.concatenate((np.ones(min(len(order), 1), dtype=np.bool_), changes))
    return np.sort(order[first]).astype(np.int64)


def _given_propensities(table: Any, action: Int16Array, actions: Sequence[str]) -> Float64Array:
    propensity = _numbers(table, "propensity")
    asked = np.flatnonzero(np.isnan(propensity) & (action != UNKNOWN_ACTION))
    if "propensities" not in table.column_names or not len(asked):
        return propensity
    maps = table["propensities"].take(pa.array(asked)).to_pylist()
    names = ["none" if code == NO_CONTACT else actions[code] for code in action[asked]]
    given = [dict(pairs or ()).get(name) for pairs, name in zip(maps, names, strict=True)]
    propensity[asked] = [np.nan if one is None else one for one in given]
    return _probabilities(propensity)
