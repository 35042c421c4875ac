"""What the operations team has decided: channels, offers, caps and experiment shares."""

import re
from datetime import time
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

_FORBID = ConfigDict(extra="forbid")
_SPAN = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$")


def _check_span(text: str) -> str:
    if not _SPAN.match(text):
        raise ValueError('a span of local time such as "21:00-09:00"')
    return text


Span = Annotated[str, AfterValidator(_check_span)]
Money = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]


def span_times(span: Span) -> tuple[time, time]:
    """Start and end of a span of local time; the end may lie past midnight."""
    start, end = span.split("-")
    return time.fromisoformat(start), time.fromisoformat(end)


@dataclass(frozen=True, slots=True, config=_FORBID)
class Channel:
    """One way of contacting a customer.

    Attributes
    ----------
    label : how operators call it.
    cost : money per contact sent.
    capacity : contacts per night; null means unlimited.
    requires : customer flags that must all be true (unknown counts as false).
    windows : local spans in which to send, in order of preference.
    quiet_hours : local spans in which nothing may be sent.
    max_per_7d, max_per_30d : most contacts of this channel per customer.
    effect_prior, effect_prior_sd : assumed shift of the return's log-odds by a
        contact, used until effects are measured.
    unsubscribe_share : share of contacts after which the channel is lost.
    channel_value : money lost with the channel.
    """

    label: str
    cost: Money
    capacity: Annotated[int, Field(ge=0)] | None = None
    requires: tuple[str, ...] = ()
    windows: Annotated[tuple[Span, ...], Field(min_length=1)] = ("11:00-12:00", "19:00-21:00")
    quiet_hours: tuple[Span, ...] = ("21:00-09:00",)
    max_per_7d: Annotated[int, Field(ge=0)] | None = None
    max_per_30d: Annotated[int, Field(ge=0)] | None = None
    effect_prior: float = 0.2
    effect_prior_sd: Annotated[float, Field(ge=0)] = 0.2
    unsubscribe_share: Share = 0.0
    channel_value: Money = 0.0


@dataclass(frozen=True, slots=True, config=_FORBID)
class Offer:
    """What is promised on return. `cost_on_return` and `discount` are paid only then."""

    label: str
    cost_on_return: Money = 0.0
    discount: Share = 0.0
    effect_prior: float = 0.0
    effect_prior_sd: Annotated[float, Field(ge=0)] = 0.0


@dataclass(frozen=True, slots=True, config=_FORBID)
class Caps:
    """Most contacts per customer over all channels, and the shortest pause between two."""

    max_per_1d: Annotated[int, Field(ge=0)] = 1
    max_per_7d: Annotated[int, Field(ge=0)] = 2
    max_per_30d: Annotated[int, Field(ge=0)] = 4
    min_pause_days: Annotated[float, Field(ge=0)] = 2.0


@dataclass(frozen=True, slots=True, config=_FORBID)
class Experiment:
    """Shares of the control groups and of exploration, and the salt of their draw.

    Attributes
    ----------
    holdout_share : of all customers, never contacted while the salt is in force.
    ghost_share : of a night's list, not contacted.
    explore_share : of a night's list, given an action by chance.
    cold_explore_share : the same while no effect has been measured yet.
    exploration : how chance picks that action: "uniform" among the open ones, or
        "thompson", by the probability of being the best.
    propensity_floor : with "thompson", the least probability of each open action for a
        customer who explores; 1/k, if k actions are open and k floors are more than 1.
    control_days : days a ghost is not listed again; null means gap plus horizon.
    salt : decides who is drawn.
    rotated_on : local date from which the salt is in force; before it the one of the
        holdout ledger was. Needed when the salt changes.
    """

    holdout_share: Annotated[float, Field(ge=0, le=0.5)] = 0.03
    ghost_share: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    explore_share: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    cold_explore_share: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    exploration: Literal["uniform", "thompson"] = "thompson"
    propensity_floor: Annotated[float, Field(ge=0, le=0.2)] = 0.01
    control_days: Annotated[float, Field(gt=0, le=3650)] | None = None
    salt: Annotated[str, Field(min_length=4)] = "winback-2026"
    rotated_on: str | None = None


@dataclass(frozen=True, slots=True, config=_FORBID)
class ListRules:
    """Who is listed and for how long a row is good.

    Attributes
    ----------
    at_risk_probability : a customer not yet dormant is listed from this dormancy risk
        on; null lists dormant customers only.
    max_rows : most rows per night, controls included; null means no limit.
    valid_days : days after the as-of at which a row expires.
    min_gain : smallest expected gain that earns a row.
    tier_quantile : customers above this quantile of yearly spend (order count) are
        high value (high frequency).
    """

    at_risk_probability: Share | None = None
    max_rows: Annotated[int, Field(ge=1)] | None = None
    valid_days: Annotated[int, Field(ge=1, le=30)] = 1
    min_gain: float = 0.0
    tier_quantile: Annotated[float, Field(gt=0, lt=1)] = 0.8
