"""Who may be contacted through what: consent, reachability, caps, pauses, quiet hours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.stage import Stage
from scoring.policy import Caps, Channel, Offer
from scoring.pressure import DAY_US, NEVER, ContactPressure
from scoring.reachability import Reachability

BoolArray = NDArray[np.bool_]
Int16Array = NDArray[np.int16]
Int8Array = NDArray[np.int8]
Float64Array = NDArray[np.float64]

OPEN = 0
CUSTOMER_CODES = (
    "",
    "no_stage",
    "stage_not_recalled",
    "not_dormant",
    "do_not_contact",
    "open_complaint",
    "control_window",
    "cap_1d",
    "cap_7d",
    "cap_30d",
    "min_pause",
    "recent_order",
    "in_follow_up",
    "no_channel_configured",
    "no_eligible_channel",
)
"""Why a customer cannot be listed, in the order in which the rules are asked; the first
that holds is recorded. The place is the code; 0 means none holds."""

CHANNEL_RULES = (
    "",
    "not_in_stage",
    "unsubscribed",
    "channel_cap_1d",
    "channel_cap_7d",
    "channel_cap_30d",
    "no_send_window",
    "follow_up_step",
)
FLAG_RULE = "no_consent_or_unreachable"


@dataclass(frozen=True, slots=True)
class ChannelBlocks:
    """Why each channel is closed to each customer.

    Attributes
    ----------
    code : shape (n, n_channels), place in `names`; 0 means open.
    names : the rules: `CHANNEL_RULES`, then "no_consent_or_unreachable:<flag>" for
        every required flag.
    """

    code: Int16Array
    names: tuple[str, ...]

    @property
    def is_open(self) -> BoolArray:
        """Shape (n, n_channels)."""
        opened: BoolArray = self.code == OPEN
        return opened


def required_flags(channels: Mapping[str, Channel]) -> tuple[str, ...]:
    """All flags that some channel requires, sorted."""
    return tuple(sorted({flag for channel in channels.values() for flag in channel.requires}))


def asked_flags(channels: Mapping[str, Channel], caps: Caps) -> tuple[str, ...]:
    """All customer flags that a night asks for, sorted: channels' and those of complaints."""
    return tuple(sorted({*required_flags(channels), *caps.complaint_flags}))


def stage_channel_order(stages: Sequence[Stage], channels: Sequence[str]) -> Int16Array:
    """Channel codes in the order of each stage's follow-ups; shape (n_stages, n_channels).

    A stage without its own list takes the configured order; -1 follows the last.
    """
    order = np.full((len(stages), len(channels)), -1, dtype=np.int16)
    for row, stage in enumerate(stages):
        names = tuple(dict.fromkeys(stage.channels)) or tuple(channels)
        order[row, : len(names)] = [channels.index(name) for name in names]
    return order


def stage_offers(stages: Sequence[Stage], offers: Mapping[str, Offer]) -> BoolArray:
    """Which offers each stage may make; shape (n_stages, n_offers). "none" always competes."""
    return np.array(
        [
            [not stage.offers or name in stage.offers or name == "none" for name in offers]
            for stage in stages
        ],
        dtype=np.bool_,
    ).reshape(len(stages), len(offers))


def block_channels(
    stage: Int16Array,
    *,
    stages: Sequence[Stage],
    channels: Mapping[str, Channel],
    reach: Reachability,
    pressure: ContactPressure,
    has_window: BoolArray,
) -> ChannelBlocks:
    """Find the first rule that closes each channel to each customer.

    Rules in order: the stage does not use the channel; a required flag is not true;
    the customer has unsubscribed from it; its 1-day, 7-day or 30-day cap is reached; quiet
    hours leave no window. What a running follow-up closes comes after these, see
    `scoring.follow_up.keep_to_step`.

    Parameters
    ----------
    stage : shape (n,), stage codes, none negative.
    has_window : shape (n, n_channels), the channel has a send window for the customer.
    """
    names = (*CHANNEL_RULES, *(f"{FLAG_RULE}:{flag}" for flag in reach.flag_names))
    code = np.zeros((len(stage), len(channels)), dtype=np.int16)

    def close(channel: int, rule: str, where: BoolArray) -> None:
        fresh = where & (code[:, channel] == OPEN)
        code[fresh, channel] = names.index(rule)

    order = stage_channel_order(stages, tuple(channels))
    for number, channel in enumerate(channels.values()):
        in_stage = (order == number).any(axis=1)
        close(number, "not_in_stage", ~in_stage[stage])
        for flag in channel.requires:
            held = reach.flags[:, reach.flag_names.index(flag)]
            close(number, f"{FLAG_RULE}:{flag}", ~held)
        close(number, "unsubscribed", pressure.unsubscribed[:, number])
        for place, (rule, most) in enumerate(channel_caps(channel).items()):
            if most is not None:
                close(number, rule, pressure.sent_by_channel[:, number, place] >= most)
        close(number, "no_send_window", ~has_window[:, number])
    return ChannelBlocks(code=code, names=names)


def channel_caps(channel: Channel) -> dict[str, int | None]:
    """The channel's caps by rule, in the order of `scoring.pressure.WINDOW_DAYS`."""
    return {
        "channel_cap_1d": channel.max_per_1d,
        "channel_cap_7d": channel.max_per_7d,
        "channel_cap_30d": channel.max_per_30d,
    }


def exclude_by_state(
    stage: Int16Array,
    *,
    dormant: BoolArray,
    p_dormant: Float64Array,
    stages: Sequence[Stage],
    at_risk_probability: float | None,
) -> Int8Array:
    """Codes of those who need no recall: shape (n,), into `CUSTOMER_CODES`.

    Parameters
    ----------
    stage : shape (n,), -1 where no milestone was reached.
    p_dormant : shape (n,), NaN for the dormant.
    """
    recalled = np.array([item.silence_days is not None for item in stages], dtype=np.bool_)
    code = np.zeros(len(stage), dtype=np.int8)
    wanted = dormant.copy()
    if at_risk_probability is not None:
        wanted |= np.nan_to_num(p_dormant, nan=0.0) >= at_risk_probability
    code[~wanted] = CUSTOMER_CODES.index("not_dormant")
    code[~recalled[stage]] = CUSTOMER_CODES.index("stage_not_recalled")
    code[stage < 0] = CUSTOMER_CODES.index("no_stage")
    return code


def exclude_by_contact_rules(
    *,
    reach: Reachability,
    pressure: ContactPressure,
    caps: Caps,
    days_since_order: Float64Array,
    awaits_follow_up: BoolArray,
    as_of_us: int,
) -> Int8Array:
    """Codes of those whom nobody may contact tonight: shape (n,), into `CUSTOMER_CODES`.

    Parameters
    ----------
    reach : with the flags of `caps.complaint_flags` among its own.
    days_since_order : shape (n,), NaN without an order.
    awaits_follow_up : shape (n,), a follow-up is planned for a later night.
    """
    code = np.zeros(len(reach.do_not_contact), dtype=np.int8)

    def exclude(name: str, where: BoolArray) -> None:
        code[where & (code == OPEN)] = CUSTOMER_CODES.index(name)

    exclude("do_not_contact", reach.do_not_contact)
    for flag in caps.complaint_flags:
        exclude("open_complaint", reach.flags[:, reach.flag_names.index(flag)])
    exclude("control_window", pressure.control_until_us > as_of_us)
    exclude("cap_1d", pressure.sent[:, 0] >= caps.max_per_1d)
    exclude("cap_7d", pressure.sent[:, 1] >= caps.max_per_7d)
    exclude("cap_30d", pressure.sent[:, 2] >= caps.max_per_30d)
    contacted = pressure.last_sent_us != NEVER
    last = np.where(contacted, pressure.last_sent_us, 0)
    too_soon = as_of_us - last < caps.min_pause_days * DAY_US
    exclude("min_pause", contacted & too_soon)
    # NaN, no order at all, is not recent.
    exclude("recent_order", days_since_order < caps.recent_order_days)
    exclude("in_follow_up", awaits_follow_up)
    return code
