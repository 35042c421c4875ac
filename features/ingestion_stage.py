"""Staging: mapped, checked rows of all files in one DuckDB table."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from features.bucket import bucket_sql
from features.contract import Kind
from features.ingestion_mapping import BoundField, Field
from features.ingestion_rules import ASSIGNED_ACTION, ContractTerms, Rule
from features.ingestion_time import (
    DAY_US,
    OFFSETS_TABLE,
    instant_sql,
    is_zoned,
    odd_sql,
    quote,
)
from features.ingestion_values import SHARES_SQL, values_sql
from features.source import AssignmentSource, ContactSource, CustomerSource, EventSource

Source = EventSource | CustomerSource | ContactSource | AssignmentSource

STAGED = "winback_staged"
IGNORED = -1
"""The rule code of rows whose event type is unknown and ignored; 0 means accepted."""

EVENT_FIELDS: dict[str, str] = {
    "customer_id": "text",
    "occurred_at": "time",
    "arrived_at": "time",
    "event_type": "text",
    "amount": "number",
    "discount": "number",
    "event_id": "text",
    "order_id": "text",
    "category": "text",
    "device": "text",
}
CUSTOMER_FIELDS: dict[str, str] = {
    "customer_id": "text",
    "changed_at": "time",
    "arrived_at": "time",
    "signup_at": "time",
    "timezone": "text",
    "do_not_contact": "flag",
}
CONTACT_FIELDS: dict[str, str] = {
    "contact_id": "text",
    "customer_id": "text",
    "sent_at": "time",
    "arrived_at": "time",
    "channel": "text",
    "offer": "text",
    "list_row_id": "text",
    "delivered_at": "time",
    "opened_at": "time",
    "clicked_at": "time",
    "outcome": "text",
    "unsubscribed_at": "time",
    "cost": "number",
}
ASSIGNMENT_FIELDS: dict[str, str] = {
    "assignment_id": "text",
    "customer_id": "text",
    "assigned_at": "time",
    "arrived_at": "time",
    "experiment": "text",
    "channel": "text",
    "offer": "text",
    "propensity": "number",
    "propensities": "shares",
}
FIELDS: dict[Kind, dict[str, str]] = {
    "events": EVENT_FIELDS,
    "customers": CUSTOMER_FIELDS,
    "contacts": CONTACT_FIELDS,
    "assignments": ASSIGNMENT_FIELDS,
}


DEFAULT_EXPERIMENT = "imported"
"""The experiment of assignments that name none."""

_FILLED = {
    "experiment": f"coalesce(experiment, {quote(DEFAULT_EXPERIMENT)})",
    "offer": "CASE WHEN channel IS NOT NULL THEN coalesce(offer, 'none') END",
    "propensity": f"coalesce(propensity, propensities[{ASSIGNED_ACTION}])",
}
"""What an assignment says without saying it, by column."""


@dataclass(frozen=True, slots=True)
class StagePlan:
    """Everything that decides how raw rows become staged rows, besides the file.

    `columns` are the staged value columns with their kinds; `arrived_us` and `changed_us`
    the SQL of the defaults of these times.
    """

    kind: Kind
    source: Source
    terms: ContractTerms
    rules: tuple[Rule, ...]
    n_buckets: int
    columns: dict[str, str]
    arrived_us: str
    changed_us: str


def staged_columns(kind: Kind, terms: ContractTerms) -> dict[str, str]:
    """Staged value columns and their kinds, the customers' flags and attributes included."""
    columns = dict(FIELDS[kind])
    if kind == "customers":
        columns |= dict.fromkeys(terms.flags.values(), "flag")
        columns |= dict.fromkeys(terms.attributes.values(), "text")
    return columns


def source_fields(source: Source, terms: ContractTerms) -> dict[str, Field]:
    """The mapped fields of a source by staged column, `where` included."""
    kind: Kind = "events"
    if isinstance(source, CustomerSource):
        kind = "customers"
    elif isinstance(source, ContactSource):
        kind = "contacts"
    elif isinstance(source, AssignmentSource):
        kind = "assignments"
    fields: dict[str, Field] = {}
    for name, value_kind in FIELDS[kind].items():
        expression = getattr(source, name)
        if expression is not None:
            fields[name] = Field(name, value_kind, expression)  # type: ignore[arg-type]
    if isinstance(source, CustomerSource):
        for name, expression in source.flags.items():
            fields[terms.flags[name]] = Field(f"flags.{name}", "flag", expression)
        for name, expression in source.attributes.items():
            fields[terms.attributes[name]] = Field(f"attributes.{name}", "text", expression)
    if source.where is not None:
        fields["where"] = Field("where", "flag", source.where)
    return fields


def create_staged(connection: duckdb.DuckDBPyConnection, plan: StagePlan) -> None:
    """Make the empty staging table."""
    types = {"text": "VARCHAR", "number": "DOUBLE", "flag": "BOOLEAN", "shares": SHARES_SQL}
    values = [
        f"{name}_us BIGINT" if kind == "time" else f"{name} {types[kind]}"
        for name, kind in plan.columns.items()
    ]
    connection.execute(
        f"CREATE TEMP TABLE {STAGED} (file INTEGER, row BIGINT, hash UBIGINT, rule SMALLINT, "
        f"bucket INTEGER, gap BOOLEAN, overlap BOOLEAN, remapped BOOLEAN, arrival_given BOOLEAN, "
        f"change_given BOOLEAN, {', '.join(values)})"
    )


def stage_rows(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    bound: dict[str, BoundField],
    plan: StagePlan,
    *,
    file: int,
) -> None:
    """Map, check and insert the rows of one file.

    Parameters
    ----------
    connection : holds the staging and offset tables.
    relation : SQL of the raw rows with columns winback_row and winback_hash.
    bound : bound fields by staged column.
    plan : the plan of this ingestion.
    file : number of the file, stored with each row.
    """
    connection.execute(
        f"INSERT INTO {STAGED} BY NAME SELECT {file} AS file, {_checked(relation, bound, plan)}"
    )


def _checked(relation: str, bound: dict[str, BoundField], plan: StagePlan) -> str:
    times = [name for name, kind in plan.columns.items() if kind == "time"]
    cases = " ".join(
        f"WHEN {rule.condition} THEN {code}" for code, rule in enumerate(plan.rules, 1)
    )
    ignored, remapped = "", "false"
    if plan.kind == "events":
        remapped = "remapped"
        if plan.terms.events.unknown == "ignore":
            ignored = f"WHEN {_unknown_type(plan, 'event_type')} THEN {IGNORED}"
    gaps = " OR ".join(f"{name}_gap" for name in times)
    overlaps = " OR ".join(f"{name}_overlap" for name in times)
    replaced = [f"coalesce(arrived_at_us, {plan.arrived_us}) AS arrived_at_us"]
    if plan.kind == "customers":
        replaced.append(f"coalesce(changed_at_us, {plan.changed_us}) AS changed_at_us")
    filled = _FILLED if plan.kind == "assignments" else {}
    replaced += [f"{value} AS {name}" for name, value in filled.items()]
    plain = [
        f"{name}_us" if kind == "time" else name
        for name, kind in plan.columns.items()
        if name not in ("arrived_at", "changed_at", *filled)
    ]
    given = "changed_at_us IS NOT NULL" if plan.kind == "customers" else "false"
    return (
        f"winback_row AS row, winback_hash AS hash, "
        f"(CASE {ignored} {cases} ELSE 0 END)::SMALLINT AS rule, "
        f"coalesce({bucket_sql('customer_id', plan.n_buckets)}, -1) AS bucket, "
        f"{gaps} AS gap, {overlaps} AS overlap, {remapped} AS remapped, "
        f"arrived_at_us IS NOT NULL AS arrival_given, {given} AS change_given, "
        f"{', '.join([*plain, *replaced])} "
        f"FROM ({_instants(relation, bound, plan)})"
    )


def _event_type_sql(plan: StagePlan) -> str:
    """The stored event type, and whether it was unknown and mapped."""
    unknown = _unknown_type(plan, "v.event_type")
    if plan.terms.events.unknown != "map" or plan.terms.events.unknown_as is None:
        return "v.event_type, v.event_type_failed, false AS remapped"
    mapped = quote(plan.terms.events.unknown_as)
    return (
        f"CASE WHEN {unknown} THEN {mapped} ELSE v.event_type END AS event_type, "
        f"v.event_type_failed, coalesce({unknown}, false) AS remapped"
    )


def _unknown_type(plan: StagePlan, column: str) -> str:
    known = ", ".join(quote(name) for name in plan.terms.events.types)
    return f"{column} NOT IN ({known})"


def _instants(relation: str, bound: dict[str, BoundField], plan: StagePlan) -> str:
    """Second layer: local times become instants."""
    values = values_sql(relation, bound, plan.columns, plan.source.time_format)
    selected, joins = [], []
    for name, kind in plan.columns.items():
        if kind != "time" or name not in bound:
            if kind == "time":
                selected += [f"NULL::BIGINT AS {name}_us", f"false AS {name}_failed"]
                selected += [f"false AS {name}_gap", f"false AS {name}_overlap"]
            continue
        alias, local = f"o_{name}", f"v.{name}_local"
        if is_zoned(bound[name].type):
            selected += [f"v.{name}_zoned AS {name}_us", f"v.{name}_failed"]
            selected += [f"false AS {name}_gap", f"false AS {name}_overlap"]
            continue
        joins.append(
            f"LEFT JOIN {OFFSETS_TABLE} {alias} "
            f"ON {alias}.day = ({local} - (({local} % {DAY_US}) + {DAY_US}) % {DAY_US}) // {DAY_US}"
        )
        # A day outside the offset table breaks a range rule with any offset.
        instant = f"coalesce({instant_sql(local, alias)}, {local})"
        selected += [f"coalesce(v.{name}_zoned, {instant}) AS {name}_us", f"v.{name}_failed"]
        selected += [f"{odd_sql(local, alias, odd)} AS {name}_{odd}" for odd in ("gap", "overlap")]
    others = [
        _event_type_sql(plan) if name == "event_type" else f"v.{name}, v.{name}_failed"
        for name, kind in plan.columns.items()
        if kind != "time"
    ]
    return (
        f"SELECT v.winback_row, v.winback_hash, v.where_failed, {', '.join([*others, *selected])} "
        f"FROM ({values}) v {' '.join(joins)}"
    )


def order_columns(columns: Sequence[str]) -> str:
    """An ORDER BY list with nulls last, the same on every engine."""
    return ", ".join(f"{column} ASC NULLS LAST" for column in columns)
