"""From a night's decisions to the rows of the recall list."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.local_day import local_midnight_us
from scoring.arms import ARMS, GHOST, Propensities, assignment_propensity
from scoring.follow_up_plan import follow_up_columns
from scoring.night import Night
from scoring.night_policy import NightPolicy
from scoring.outcomes import NO_ACTION
from scoring.reasons import MAX_REASONS
from scoring.recall_list import (
    MONEY_DECIMALS,
    PROBABILITY_DECIMALS,
    PROPENSITY_DECIMALS,
    SCHEMA,
    check_recall_list,
)
from scoring.return_days import NO_RETURN_DAYS, ReturnDays
from scoring.scored import ScoredCustomers
from scoring.time_columns import row_zones, time_columns

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

_LIST_ID_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a list was made with."""

    model_version: str
    config_digest: str


def list_expiry_us(policy: NightPolicy) -> int:
    """When rows stop being good: local midnight `valid_days` after the list's day."""
    last = policy.day + timedelta(days=policy.rules.valid_days)
    return local_midnight_us(last, ZoneInfo(policy.zone))


def build_rows(
    scored: ScoredCustomers,
    night: Night,
    policy: NightPolicy,
    *,
    reasons: Mapping[int, Sequence[str]],
    returns: Mapping[int, ReturnDays],
    provenance: Provenance,
) -> pa.Table:
    """The recall list as `scoring.recall_list.SCHEMA` says, checked against its rules.

    Numbers are rounded to the list's decimals, uplift is the difference of the rounded
    likelihoods. Controls get what they would have got, but no time and no cost.

    Parameters
    ----------
    reasons : phrases by position in `scored`, for every listed customer.
    returns : days to the next order by position; without a return-time model, empty.

    Raises
    ------
    ArtifactError : a rule of the contract is broken.
    """
    places = night.listed
    rows = night.eligible[places]
    evidence = night.effects.effect.evidence
    columns: dict[str, Any] = {
        "as_of": np.full(len(rows), policy.as_of_us),
        "rank": np.arange(1, len(rows) + 1, dtype=np.int32),
        "customer_id": scored.ids(rows),
        "stage": [policy.stages[code].name for code in scored.stage[rows]],
        **night.segments.names(rows),
        "arm": [ARMS[code] for code in night.draws.arm[places]],
        "propensity": np.round(assigned_propensity(night, places).joint, PROPENSITY_DECIMALS),
        "evidence": [evidence[code] for code in night.choices.action[places]],
        "model_version": [provenance.model_version] * len(rows),
        "config_hash": [provenance.config_digest] * len(rows),
        **_action_columns(night, places),
        **_probability_columns(scored, night, places),
        **time_columns(
            night.times.take(places),
            row_zones(scored.reach, rows, default=policy.zone),
            day=policy.day,
            expiry_us=list_expiry_us(policy),
        ),
        **_next_order_columns(rows, returns, policy),
        **follow_up_columns(scored, night, policy),
        **_reason_columns(rows, reasons),
    }
    columns["list_id"] = columns["list_row_id"] = [""] * len(rows)
    table = _to_table(columns, len(rows))
    list_id = identify_list(table, policy=policy, provenance=provenance)
    table = table.set_column(0, SCHEMA.field(0), pa.array([list_id] * len(rows), pa.string()))
    place = SCHEMA.get_field_index("list_row_id")
    table = table.set_column(place, SCHEMA.field(place), _row_ids(table))
    check_recall_list(table)
    return table


def _row_ids(table: pa.Table) -> pa.Array:
    """The names by which feedback refers to rows: "<list_id>/<rank>"."""
    ranks = table["rank"].cast(pa.string())
    return pc.binary_join_element_wise(table["list_id"], ranks, "/").combine_chunks()


def identify_list(table: pa.Table, *, policy: NightPolicy, provenance: Provenance) -> str:
    """The list's name: its day and a digest of what made it and what is in it.

    Rows that arrive after the as-of change table versions but not the list, so the
    digest is over the list's content, not over table versions.
    """
    made_by = f"{policy.as_of_us} {provenance.config_digest} {provenance.model_version}\n"
    digest = hashlib.sha256(made_by.encode())
    for field in table.schema:
        digest.update(_column_bytes(table[field.name], field.type))
    return f"{policy.day.isoformat()}-{digest.hexdigest()[:_LIST_ID_DIGITS]}"


def _column_bytes(column: pa.ChunkedArray, kind: pa.DataType) -> bytes:
    """A column's values in a form that does not depend on a library's version."""
    if pa.types.is_string(kind):
        return "\n".join(column.fill_null("").to_pylist()).encode()
    if pa.types.is_floating(kind):
        return bytes(column.fill_null(np.nan).to_numpy().astype("<f8").tobytes())
    if pa.types.is_date(kind):
        column = column.cast(pa.int32())
    return bytes(column.cast(pa.int64()).fill_null(-1).to_numpy().astype("<i8").tobytes())


def _action_columns(night: Night, places: Int64Array) -> dict[str, Any]:
    action = night.choices.action[places].astype(np.int64)
    offers = len(night.actions.offers)
    control = night.draws.arm[places] >= GHOST
    return {
        "channel": [night.actions.channels[code] for code in action // max(offers, 1)],
        "offer": [night.actions.offers[code] for code in action % max(offers, 1)],
        "expected_gain": np.round(night.gains[places, action], MONEY_DECIMALS) + 0.0,
        "contact_cost": np.where(control, 0.0, _costs(night)[action]),
        "expected_cost": np.where(control, 0.0, _expected_costs(night, places)),
    }


def _expected_costs(night: Night, places: Int64Array) -> Float64Array:
    action = night.choices.action[places].astype(np.int64)
    expected = np.asarray(night.cost[places, action], dtype=np.float64)
    return np.round(expected, MONEY_DECIMALS)


def _costs(night: Night) -> Float64Array:
    return np.round(night.actions.contact_cost, MONEY_DECIMALS)


def assigned_propensity(night: Night, places: Int64Array) -> Propensities:
    """Probabilities of what happened to listed customers; see `scoring.arms`."""
    choices = night.choices
    return assignment_propensity(
        night.draws.arm[places],
        is_best=choices.action[places] == choices.best_action[places],
        has_best=choices.best_action[places] != NO_ACTION,
        chance=choices.chance[places],
        experiment=night.experiment,
    )


def _probability_columns(
    scored: ScoredCustomers, night: Night, places: Int64Array
) -> dict[str, Any]:
    rows = night.eligible[places]
    action = night.choices.action[places].astype(np.int64)
    base = np.round(scored.p_natural[rows], PROBABILITY_DECIMALS)
    contacted, low, high = np.round(night.effects.likelihoods(places, action), PROBABILITY_DECIMALS)
    p_dormant = np.round(scored.p_dormant[rows], PROBABILITY_DECIMALS)

    def difference(to: Float64Array) -> Float64Array:
        return np.round(to - base, PROBABILITY_DECIMALS) + 0.0

    return {
        "p_dormant": pa.array(p_dormant, from_pandas=True),
        "p_return_natural": base,
        "p_return_contacted": contacted,
        "uplift": difference(contacted),
        "uplift_low": difference(low),
        "uplift_high": difference(high),
    }


def _next_order_columns(
    rows: Int64Array, returns: Mapping[int, ReturnDays], policy: NightPolicy
) -> dict[str, Any]:
    known = [returns.get(row, NO_RETURN_DAYS) for row in rows.tolist()]
    today = (policy.day - date(1970, 1, 1)).days
    columns = {}
    for name in ("expected", "low", "high"):
        # Dates of all rows at once, as `ReturnDays.dates` gives one customer's.
        days = np.array([getattr(one, name) for one in known], dtype=np.float64)
        is_open = np.isnan(days)
        dates = today + np.where(is_open, 0.0, days).astype(np.int32)
        columns[f"next_order_{name}"] = pa.array(dates, pa.int32(), mask=is_open).cast(pa.date32())
    return columns


def _reason_columns(rows: Int64Array, reasons: Mapping[int, Sequence[str]]) -> dict[str, Any]:
    padded = [[*reasons.get(int(row), ()), *[None] * MAX_REASONS][:MAX_REASONS] for row in rows]
    return {
        f"reason_{place + 1}": [texts[place] for texts in padded] for place in range(MAX_REASONS)
    }


def _to_table(columns: Mapping[str, Any], n_rows: int) -> pa.Table:
    arrays = []
    for field in SCHEMA:
        # Columns of later issues hold null: what is not known is not made up.
        values = columns.get(field.name, [None] * n_rows)
        if pa.types.is_timestamp(field.type):
            arrays.append(pa.array(values, type=pa.int64()).cast(field.type))
        elif isinstance(values, pa.Array):
            arrays.append(values.cast(field.type))
        else:
            arrays.append(pa.array(values, type=field.type))
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
