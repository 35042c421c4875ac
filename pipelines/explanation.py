"""What can be said about one customer and one night's list."""

from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from pipelines.explain_follow_up import FollowUpView
from pipelines.explain_listed import ListedView
from pipelines.explain_waiting import WaitingView

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class ChannelView:
    """A channel for one customer: open, or closed by the rule `code`.

    `offer` and the gains are of the channel's best allowed action, null where it is closed;
    `cautious_gain` has the configured caution taken off: by it actions compete.
    """

    channel: str
    label: str
    is_open: bool
    code: str | None
    meaning: str | None
    offer: str | None
    gain: float | None
    cautious_gain: float | None


@dataclass(frozen=True, slots=True)
class ActionView:
    """An action's effect and worth for one customer; money in business.currency."""

    channel: str
    offer: str
    allowed: bool
    p_return_contacted: float
    uplift: float
    gain: float
    cautious_gain: float


@dataclass(frozen=True, slots=True)
class FeatureView:
    """A feature's value (null: undefined) and its part of the model's log-odds."""

    name: str
    value: float | None
    log_odds: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why somebody is, or is not, on the list of a day.

    Attributes
    ----------
    verdict : the answer in one sentence.
    is_scored : an event of the customer had arrived before the as-of; the fields below
        are null or empty otherwise.
    rank, arm, channel, offer : as listed; null for those not listed.
    row : time, uplift and gain of the row as logged; null for those not listed.
    exclusion, meaning : code and words of why they are not listed.
    stage, stage_label : null before the first milestone.
    silence_days, dormant_after_days : silence, and the stage's limit.
    p_dormant : null for the dormant.
    p_return_natural : probability of a return without contact within `horizon_days`.
    next_order_expected : expected date of the next order without a contact, or the model's
        horizon where that is earlier; null without a return-time model.
    next_order_low, next_order_high : its 80 % interval; null where later than the horizon.
    order_value : money a return is worth before margin.
    life_cycle, value_tier, promotion, promotion_basis : segments as recorded
        (docs/segments.md); null where that night did not log them.
    no_offer_made : whether only contacts without offer are open; null where none is.
    follow_up : which earlier contact is followed up, and what follows the day's.
    caution : standard errors taken off gains before they compete.
    waiting : of who was held back, the contact that is waited for; null for others.
    channels : every channel, in the order of follow-ups; empty for a customer without a stage.
    actions : every action; empty for stages nobody is recalled from.
    reasons : what moved the model most, in words.
    features : the features that moved it most.
    model : the model whose features these are.
    notes : what to know about this explanation.
    """

    customer_id: str
    day: date
    verdict: str
    is_scored: bool
    rank: int | None = None
    arm: str | None = None
    channel: str | None = None
    offer: str | None = None
    row: ListedView | None = None
    exclusion: str | None = None
    meaning: str | None = None
    stage: str | None = None
    stage_label: str | None = None
    silence_days: float | None = None
    dormant_after_days: float | None = None
    dormant: bool | None = None
    p_dormant: float | None = None
    p_return_natural: float | None = None
    horizon_days: float | None = None
    next_order_expected: date | None = None
    next_order_low: date | None = None
    next_order_high: date | None = None
    order_value: float | None = None
    currency: str | None = None
    life_cycle: str | None = None
    value_tier: str | None = None
    promotion: str | None = None
    promotion_basis: str | None = None
    no_offer_made: bool | None = None
    follow_up: FollowUpView = field(default_factory=FollowUpView)
    caution: float = 0.0
    waiting: WaitingView | None = None
    channels: tuple[ChannelView, ...] = ()
    actions: tuple[ActionView, ...] = ()
    reasons: tuple[str, ...] = ()
    features: tuple[FeatureView, ...] = ()
    model: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_listed(self) -> bool:
        """Whether the customer is on the list, controls included."""
        return self.rank is not None

    def to_json(self) -> dict[str, Any]:
        """A JSON document with a schema version."""
        document = _plain(asdict(self))
        return {"schema_version": SCHEMA_VERSION, "listed": self.is_listed, **document}


def _plain(value: Any) -> Any:
    """Dates as text, however deep."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value
