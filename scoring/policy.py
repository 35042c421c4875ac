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
MOST_CONTACTS = 1_000_000_000
"""More than any night makes: what is counted in 64 bits stays far from overflowing."""
MOST_MONEY = 1e12
"""More than any night costs: what is added up in 32 bits stays finite."""
Count = Annotated[int, Field(ge=0, le=MOST_CONTACTS)]
Money = Annotated[float, Field(ge=0, le=MOST_MONEY)]
Days = Annotated[float, Field(ge=0, le=3650)]
LogOdds = Annotated[float, Field(ge=-10, le=10)]
LogOddsSd = Annotated[float, Field(ge=0, le=10)]
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
    send_hours : local spans a customer's own best time may lie in; null means all outside
        quiet hours. `windows` serve where nothing is known of a customer's hours.
    seats_per_hour : most contacts per hour; null means no limit by the hour.
    attention_hours : hours after sending in which a contact is noticed; the hour of sending
        is chosen for the customer's activity over them.
    max_per_1d, max_per_7d, max_per_30d : most contacts of this channel per customer.
    effect_prior, effect_prior_sd : assumed shift of the return's log-odds by a
        contact, used until effects are measured.
    unsubscribe_share : share of contacts after which the channel is lost.
    channel_value : money lost with the channel.
    """

    label: str
    cost: Money
    capacity: Count | None = None
    requires: tuple[str, ...] = ()
    windows: Annotated[tuple[Span, ...], Field(min_length=1)] = ("11:00-12:00", "19:00-21:00")
    quiet_hours: tuple[Span, ...] = ("21:00-09:00",)
    send_hours: Annotated[tuple[Span, ...], Field(min_length=1)] | None = None
    seats_per_hour: Annotated[int, Field(ge=1, le=MOST_CONTACTS)] | None = None
    attention_hours: Annotated[int, Field(ge=1, le=24)] = 2
    max_per_1d: Count | None = None
    max_per_7d: Count | None = None
    max_per_30d: Count | None = None
    effect_prior: LogOdds = 0.2
    effect_prior_sd: LogOddsSd = 0.2
    unsubscribe_share: Share = 0.0
    channel_value: Money = 0.0


@dataclass(frozen=True, slots=True, config=_FORBID)
class Offer:
    """What is promised on return. `cost_on_return` and `discount` are paid only then."""

    label: str
    cost_on_return: Money = 0.0
    discount: Share = 0.0
    effect_prior: LogOdds = 0.0
    effect_prior_sd: LogOddsSd = 0.0


@dataclass(frozen=True, slots=True, config=_FORBID)
class Caps:
    """When a customer is left alone, whatever the channel.

    Attributes
    ----------
    max_per_1d, max_per_7d, max_per_30d : most contacts over all channels.
    min_pause_days : shortest pause between two contacts.
    recent_order_days : customers who ordered less than so many days ago are left alone.
    complaint_flags : customer flags any of which says that a complaint is open.
    """

    max_per_1d: Count = 1
    max_per_7d: Count = 2
    max_per_30d: Count = 4
    min_pause_days: Days = 2.0
    recent_order_days: Days = 3.0
    complaint_flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, config=_FORBID)
class SegmentLimit:
    """Least or most of tonight's contacts that go to a segment.

    A customer is in the segment if each list of values that is not empty holds theirs.
    Limits count contacts really sent, controls left out; shares are of all of them.
    """

    name: Annotated[str, Field(min_length=1, max_length=60)]
    stage: tuple[str, ...] = ()
    life_cycle: tuple[str, ...] = ()
    value_tier: tuple[str, ...] = ()
    promotion: tuple[str, ...] = ()
    min_contacts: Count | None = None
    max_contacts: Count | None = None
    min_share: Share | None = None
    max_share: Share | None = None


@dataclass(frozen=True, slots=True, config=_FORBID)
class NightLimits:
    """What one night may spend, and how its contacts are shared out.

    Attributes
    ----------
    budget : money per night for contacts and for what offers give away on return; null
        means no limit.
    budget_quantile : probability with which the night's spending stays within the budget,
        as returns, and so discounts, are a matter of chance.
    caution : standard errors taken off an expected gain before it competes; 0 takes the
        expectation as it is.
    segments : limits of parts of the customers.
    """

    budget: Annotated[float, Field(gt=0, le=MOST_MONEY)] | None = None
    budget_quantile: Annotated[float, Field(ge=0.5, le=0.999)] = 0.9
    caution: Annotated[float, Field(ge=0, le=5)] = 0.0
    segments: Annotated[tuple[SegmentLimit, ...], Field(max_length=50)] = ()


@dataclass(frozen=True, slots=True, config=_FORBID)
class FollowUp:
    """The next step after a contact without a return: the stage's next channel.

    Attributes
    ----------
    after_days : days without a return after which the next channel's turn comes.
    max_steps : follow-ups of one contact at most; 0 means none.
    """

    after_days: Annotated[int, Field(ge=1, le=30)] = 3
    max_steps: Annotated[int, Field(ge=0, le=10)] = 3


@dataclass(frozen=True, slots=True, config=_FORBID)
class Waiting:
    """Whether customers are held back whose contact is worth more within days.

    Attributes
    ----------
    days : how far to look ahead; 0 means that nobody is held back.
    discount_per_week : what a gain loses by coming a week later.
    """

    days: Annotated[int, Field(ge=0, le=30)] = 7
    discount_per_week: Annotated[float, Field(ge=0, le=1)] = 0.02


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
    explore_time_share : of the exploring arm, sent at an allowed hour by chance, so that
        it can be measured what the choice of the hour is worth.
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
    explore_time_share: Share = 0.2
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
    early_warning_rows : most rows of the early warnings.
    """

    at_risk_probability: Share | None = None
    max_rows: Annotated[int, Field(ge=1, le=MOST_CONTACTS)] | None = None
    valid_days: Annotated[int, Field(ge=1, le=30)] = 1
    min_gain: Annotated[float, Field(ge=-MOST_MONEY, le=MOST_MONEY)] = 0.0
    tier_quantile: Annotated[float, Field(gt=0, lt=1)] = 0.8
    early_warning_rows: Annotated[int, Field(ge=0, le=1_000_000)] = 500
