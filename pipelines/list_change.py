"""Why a customer came on a list, left it, or is on it with something else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.history_reader import read_columns
from features.warehouse import Warehouse
from pipelines.earlier_lists import decision_files
from scoring.decisions import TABLE_NAME
from scoring.eligibility import FLAG_RULE
from scoring.exclusion_words import EXCLUSION_WORDS, explain_code

_COLUMNS = (
    "customer_id",
    "exclusion",
    "channel_blocks",
    "best_channel",
    "best_offer",
    "recommended_action",
)
_HOUR = slice(11, 13)
"""Where the hour stands in a time such as 2025-11-20T11:03:00+01:00."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Why:
    """A reason: its code, and what it means."""

    code: str
    meaning: str


_FOLLOW_UP_DUE = Why("follow_up_due", "the next step of a follow-up is due")
_ON_TRIAL = Why("on_trial", "is on trial: drawn by chance to learn what works, not for the gain")
_NEWLY_DORMANT = Why("newly_dormant", "has become dormant since")
_RISK_ROSE = Why("risk_rose", "the risk of dormancy has reached the limit since")


@dataclass(frozen=True, slots=True)
class Decided:
    """What the decisions of a day say of one customer.

    Attributes
    ----------
    exclusion : why they were not listed; null for the listed.
    blocks : closed channels with the rule that closes each.
    best : the allowed channel and offer of the largest gain, what it takes from others left
        aside; nulls if there is none.
    on_trial : listed only because chance has drawn them to learn from.
    """

    exclusion: str | None
    blocks: Mapping[str, str]
    best: tuple[str | None, str | None]
    on_trial: bool


@dataclass(frozen=True, slots=True)
class DayDecisions:
    """Decisions of one day for the customers asked for.

    Attributes
    ----------
    is_recorded : whether the warehouse has decisions of that day at all.
    """

    day: date
    is_recorded: bool
    of: Mapping[str, Decided]


def read_day_decisions(warehouse: Warehouse, day: date, customers: pa.Array) -> DayDecisions:
    """What was decided that day for these customers; those not scored are missing."""
    files = decision_files(warehouse, day) if warehouse.has_table(TABLE_NAME) else []
    if not files:
        return DayDecisions(day, is_recorded=False, of={})
    table = read_columns(TABLE_NAME, files, columns=_COLUMNS)
    table = table.filter(pc.is_in(table["customer_id"], value_set=customers))
    return DayDecisions(
        day,
        is_recorded=True,
        of={
            row["customer_id"]: Decided(
                row["exclusion"],
                _blocks(row["channel_blocks"]),
                (row["best_channel"], row["best_offer"]),
                # Days that an early version decided do not tell.
                on_trial=row.get("recommended_action") == "none",
            )
            for row in table.to_pylist()
        },
    )


def _blocks(text: str | None) -> dict[str, str]:
    parts = (part.partition("=") for part in (text or "").split("; ") if part)
    return {channel: rule for channel, _, rule in parts}


def why_came(row: Row, before: DayDecisions, after: DayDecisions) -> Why:
    """Why a customer is listed who was not.

    Parameters
    ----------
    row : of the later list.
    before, after : decisions of the earlier and of the later day.
    """
    decided, listed = before.of.get(row["customer_id"]), after.of.get(row["customer_id"])
    is_trial = listed is not None and listed.on_trial
    if is_trial or row["follow_up_of"] is not None:
        return _ON_TRIAL if is_trial else _FOLLOW_UP_DUE
    if not before.is_recorded:
        return _not_recorded(before.day)
    if decided is None:
        return Why("new_customer", f"was not known yet on {before.day}")
    if decided.exclusion is None:
        return Why("other_list", f"was listed on {before.day}, but not by the list there is now")
    if decided.exclusion == "not_dormant":
        is_dormant = row["p_dormant"] is None
        return _NEWLY_DORMANT if is_dormant else _RISK_ROSE
    return Why(decided.exclusion, f"was left out then: {_meaning(decided.exclusion)}")


def why_left(row: Row, after: DayDecisions) -> Why:
    """Why a customer is not listed who was.

    Parameters
    ----------
    row : of the earlier list.
    after : decisions of the later day.
    """
    decided = after.of.get(row["customer_id"])
    if not after.is_recorded:
        return _not_recorded(after.day)
    if decided is None:
        return Why("not_scored", f"was not scored on {after.day}: no events are left")
    if decided.exclusion is None:
        return Why("other_list", f"was listed on {after.day}, but not by the list there is now")
    if decided.exclusion == "not_dormant":
        if row["p_dormant"] is None:
            return Why("returned", "has returned")
        return Why("risk_fell", "the risk of dormancy is below the limit again")
    return Why(decided.exclusion, _meaning(decided.exclusion))


def changes_between(old: Row, new: Row) -> dict[str, tuple[str | None, str | None]]:
    """What differs between two rows of one customer: channel, offer, arm, hour of sending."""
    pairs = {name: (old[name], new[name]) for name in ("channel", "offer", "arm")}
    pairs["hour"] = (_hour(old), _hour(new))
    # Without a time on one side the arm tells it all.
    has_hours = None not in pairs["hour"]
    return {
        name: (before, after)
        for name, (before, after) in pairs.items()
        if before != after and (name != "hour" or has_hours)
    }


def why_changed(old: Row, new: Row, after: DayDecisions) -> Why:
    """Why a customer listed twice is not given the same; at least one change is presumed."""
    if (old["channel"], old["offer"]) != (new["channel"], new["offer"]):
        return _why_other_action(old, new, after.of.get(new["customer_id"]))
    if old["arm"] != new["arm"]:
        return Why("drawn_again", "arms are drawn anew every night")
    return Why("other_hour", "another hour of sending")


def _why_other_action(old: Row, new: Row, decided: Decided | None) -> Why:
    if decided is not None and old["channel"] in decided.blocks:
        rule = decided.blocks[old["channel"]]
        return Why(rule, f"the channel is closed now: {_meaning(rule)}")
    if "explore" in (old["arm"], new["arm"]):
        return Why("by_chance", "explorers' actions are drawn by chance every night")
    if decided is not None and decided.best == (old["channel"], old["offer"]):
        return Why("displaced", "it is still worth most, but others bring more for its places")
    return Why("worth_more", "another action is worth more now")


def _hour(row: Row) -> str | None:
    return row["send_at_local"][_HOUR] if row["send_at_local"] else None


def _not_recorded(day: date) -> Why:
    return Why("not_recorded", f"the warehouse has no decisions of {day}")


def _meaning(code: str) -> str:
    """What a code means; codes of earlier versions stand for themselves."""
    if code in EXCLUSION_WORDS or code.startswith(f"{FLAG_RULE}:"):
        return explain_code(code, language="en")
    return f'the rule "{code}" of an earlier version'
