"""`winback list diff`: who came on, who left and what changed between two lists, and why."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from features.errors import ArtifactError, UsageError, describe
from pipelines.config import Config
from pipelines.list_change import (
    Row,
    Why,
    changes_between,
    read_day_decisions,
    why_came,
    why_changed,
    why_left,
)
from pipelines.list_folder import WrittenList, choose_day, list_days, read_written_list
from pipelines.nightly_inputs import open_warehouse

SCHEMA_VERSION = 1
_COLUMNS = (
    "customer_id",
    "rank",
    "stage",
    "arm",
    "channel",
    "offer",
    "send_at_local",
    "p_dormant",
    "expected_gain",
    "follow_up_of",
)
_SHOWN = ("customer_id", "rank", "arm", "channel", "offer", "expected_gain")


@dataclass(frozen=True, slots=True)
class ChangeReason:
    """Customers to whom the same happened for the same reason.

    Attributes
    ----------
    examples : some of them by rank, with their row and, where it changed, what.
    """

    code: str
    meaning: str
    customers: int
    examples: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class ListDiff:
    """What is different on a list from an earlier one.

    Attributes
    ----------
    day, since : local dates of the later and of the earlier list.
    listed, listed_before : their rows.
    same : customers on both with the same channel, offer, arm and hour.
    came, left, changed : the others by reason, the most frequent first.
    made_with : "models" and "configuration", if they changed, with before and after.
    """

    day: date
    since: date
    listed: int
    listed_before: int
    same: int
    came: tuple[ChangeReason, ...]
    left: tuple[ChangeReason, ...]
    changed: tuple[ChangeReason, ...]
    made_with: Mapping[str, tuple[str, str]]

    def to_json(self) -> dict[str, Any]:
        """A JSON document with a schema version."""
        days = {"day": self.day.isoformat(), "since": self.since.isoformat()}
        return {"schema_version": SCHEMA_VERSION, **asdict(self), **days}


def diff_lists(
    config: Config, *, as_of: date | None = None, since: date | None = None, top: int = 3
) -> ListDiff:
    """Compare a list with an earlier one; reasons are read from the decisions of both days.

    Parameters
    ----------
    as_of : local date of the later list; null means the latest one.
    since : local date of the earlier one; null means the list before.
    top : examples per reason.

    Raises
    ------
    UsageError : `since` is not before the later list.
    ArtifactError : there is no such list, or one of them is damaged.
    """
    lists = config.lists_path
    day = choose_day(lists, as_of)
    before = _day_before(config, day, since)
    old, new = read_written_list(lists, before), read_written_list(lists, day)
    old_rows, new_rows = _rows(old), _rows(new)
    customers = pa.array(sorted({*old_rows, *new_rows}), pa.string())
    warehouse = open_warehouse(config)
    then = read_day_decisions(warehouse, before, customers)
    now = read_day_decisions(warehouse, day, customers)
    both = [(old_rows[name], row) for name, row in new_rows.items() if name in old_rows]
    changed = [(one, other) for one, other in both if changes_between(one, other)]
    return ListDiff(
        day=day,
        since=before,
        listed=len(new_rows),
        listed_before=len(old_rows),
        same=len(both) - len(changed),
        came=_grouped(
            (
                (why_came(row, then, now), _shown(row))
                for k, row in new_rows.items()
                if k not in old_rows
            ),
            top=top,
        ),
        left=_grouped(
            ((why_left(row, now), _shown(row)) for k, row in old_rows.items() if k not in new_rows),
            top=top,
        ),
        changed=_grouped(
            (
                (why_changed(one, other, now), _shown(other, changes_between(one, other)))
                for one, other in changed
            ),
            top=top,
        ),
        made_with=_made_with(old, new),
    )


def _day_before(config: Config, day: date, since: date | None) -> date:
    if since is not None and since >= day:
        raise UsageError(
            describe(
                "--since",
                f"{since} is not before the list of {day}",
                expected="the date of an earlier list",
                fix="pass an earlier --since, or a later --as-of",
            )
        )
    if since is not None:
        return choose_day(config.lists_path, since)
    earlier = [one for one in list_days(config.lists_path) if one < day]
    if not earlier:
        raise ArtifactError(
            describe(
                str(config.lists_path),
                f"no list before that of {day}",
                expected="two lists to compare",
                fix="run `winback nightly` for another day",
            )
        )
    return earlier[-1]


def _rows(written: WrittenList) -> dict[str, Row]:
    """Rows by customer, in order of rank."""
    return {row["customer_id"]: row for row in written.table.select(_COLUMNS).to_pylist()}


def _shown(row: Row, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    told = {name: row[name] for name in _SHOWN}
    return told if changes is None else {**told, "changes": dict(changes)}


def _grouped(cases: Iterable[tuple[Why, dict[str, Any]]], *, top: int) -> tuple[ChangeReason, ...]:
    groups: dict[Why, list[dict[str, Any]]] = defaultdict(list)
    for why, shown in cases:
        groups[why].append(shown)
    reasons = [
        ChangeReason(why.code, why.meaning, len(rows), tuple(rows[:top]))
        for why, rows in groups.items()
    ]
    return tuple(sorted(reasons, key=lambda reason: (-reason.customers, reason.code)))


def _made_with(old: WrittenList, new: WrittenList) -> dict[str, tuple[str, str]]:
    """What made the lists, where it differs; a list of nobody does not tell."""
    columns = {"models": "model_version", "configuration": "config_hash"}
    pairs = {what: (old.made_with(name), new.made_with(name)) for what, name in columns.items()}
    return {
        what: (before, after)
        for what, (before, after) in pairs.items()
        if before is not None and after is not None and before != after
    }
