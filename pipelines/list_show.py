"""`winback list show`: rows of a list that pass filters, the largest gain first."""

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.errors import UsageError, describe
from features.value_tier import VALUE_TIERS
from pipelines.config import Config
from pipelines.list_folder import WrittenList, choose_day, read_written_list
from scoring.arms import ARMS
from scoring.code_words import LIFE_CYCLE_WORDS

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Which rows are wanted; null means any.

    Attributes
    ----------
    tier : a part of the value tier's name, such as "high frequency".
    min_gain : least expected gain, money.
    """

    channel: str | None = None
    arm: str | None = None
    stage: str | None = None
    tier: str | None = None
    life_cycle: str | None = None
    offer: str | None = None
    customer: str | None = None
    min_gain: float | None = None


@dataclass(frozen=True, slots=True)
class ListView:
    """Rows of a list.

    Attributes
    ----------
    horizon_days : days within which a return counts.
    listed, matching : numbers of rows, in all and of those that pass.
    expires_at : when the last row is void; null if nobody is listed.
    is_expired : whether that was before now.
    rows : the first of the matching, by column.
    """

    day: date
    list_id: str | None
    currency: str
    horizon_days: float
    listed: int
    matching: int
    expires_at: datetime | None
    is_expired: bool
    filters: Mapping[str, Any]
    rows: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """A JSON document with a schema version."""
        document = asdict(self)
        plain = [{name: json_value(value) for name, value in row.items()} for row in self.rows]
        return {
            "schema_version": SCHEMA_VERSION,
            **{name: json_value(value) for name, value in document.items()},
            "rows": plain,
        }


def json_value(value: Any) -> Any:
    """Dates and times as ISO 8601 text, anything else as it is."""
    return value.isoformat() if isinstance(value, date) else value


def show_list(
    config: Config,
    wanted: RowFilter,
    *,
    as_of: date | None = None,
    top: int = 20,
    now: datetime,
) -> ListView:
    """The first rows of a day's list that pass the filters, by rank.

    Parameters
    ----------
    as_of : local date of the list; null means the latest one.

    Raises
    ------
    UsageError : a filter names a channel, an arm and so on that there is not.
    ArtifactError : there is no list of that day, or it is damaged.
    """
    written = read_written_list(config.lists_path, choose_day(config.lists_path, as_of))
    _check_filters(config, wanted, written)
    found = _matching(written.table, wanted)
    ends = written.expires_at
    return ListView(
        day=written.day,
        list_id=written.list_id,
        currency=config.business.currency,
        horizon_days=config.windows.horizon_days,
        listed=written.table.num_rows,
        matching=found.num_rows,
        expires_at=ends,
        is_expired=ends is not None and ends <= now,
        filters={name: value for name, value in asdict(wanted).items() if value is not None},
        rows=tuple(found.slice(0, top).to_pylist()),
    )


def _matching(table: pa.Table, wanted: RowFilter) -> pa.Table:
    exact = {
        "channel": wanted.channel,
        "arm": wanted.arm,
        "stage": wanted.stage,
        "life_cycle": wanted.life_cycle,
        "offer": wanted.offer,
        "customer_id": wanted.customer,
    }
    for column, value in exact.items():
        if value is not None:
            table = table.filter(pc.equal(table[column], value))
    if wanted.tier is not None:
        table = table.filter(pc.match_substring(table["value_tier"], wanted.tier))
    if wanted.min_gain is not None:
        table = table.filter(pc.greater_equal(table["expected_gain"], wanted.min_gain))
    return table


def _check_filters(config: Config, wanted: RowFilter, written: WrittenList) -> None:
    """Refuse names that no row can have: a misspelt one would look like an empty list."""
    table = written.table
    known = {
        "channel": (wanted.channel, _names(config.channels, table, "channel")),
        "arm": (wanted.arm, ARMS),
        "stage": (wanted.stage, _names((s.name for s in config.stages), table, "stage")),
        "offer": (wanted.offer, _names(config.offers, table, "offer")),
        "life-cycle": (wanted.life_cycle, tuple(LIFE_CYCLE_WORDS)),
    }
    for option, (value, names) in known.items():
        if value is not None and value not in names:
            raise _unknown(option, value, names)
    if wanted.tier is not None and not any(wanted.tier in tier for tier in VALUE_TIERS):
        raise _unknown("tier", wanted.tier, VALUE_TIERS)
    if wanted.min_gain is not None and not math.isfinite(wanted.min_gain):
        raise UsageError(
            describe(
                f"--min-gain {wanted.min_gain}",
                "no gain can be compared with it",
                expected="an amount of money such as 0.5",
                fix="correct --min-gain",
            )
        )
    if wanted.life_cycle is not None and "life_cycle" in written.lacking:
        raise UsageError(
            describe(
                "--life-cycle",
                f"the list of {written.day} is of schema version {written.schema_version}, "
                "which knows no life cycle",
                expected="a list of schema version 4 or later",
                fix="leave --life-cycle out, or run `winback nightly --force` for that day again",
            )
        )


def _names(configured: Iterable[str], table: pa.Table, column: str) -> tuple[str, ...]:
    """Names of the configuration, and those that an older list may hold besides."""
    return tuple(dict.fromkeys([*configured, *sorted(set(table[column].to_pylist()))]))


def _unknown(option: str, value: str, names: tuple[str, ...]) -> UsageError:
    # A name may hold a comma: "high value, low frequency".
    told = [f'"{name}"' if any("," in one for one in names) else name for name in names]
    close = difflib.get_close_matches(value, names, n=1, cutoff=0.6)
    return UsageError(
        describe(
            f"--{option}",
            f'"{value}" is not known',
            expected=f"one of: {', '.join(told)}",
            fix=f'pass --{option} "{close[0]}"' if close else "pass one of these",
        )
    )
