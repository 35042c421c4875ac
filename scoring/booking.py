"""From tonight's choices to contacts with a time; a choice without a free seat is taken back."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoring.arms import GHOST, ArmDraws
from scoring.choice import Choices
from scoring.outcomes import CAPACITY_FULL, LISTED, NO_ACTION
from scoring.policy import Channel, Experiment
from scoring.scored import ScoredCustomers
from scoring.send_times import (
    Audience,
    DueContacts,
    SendTimes,
    TimingRules,
    choose_send_times,
    no_send_times,
)
from scoring.send_windows import SendWindows
from scoring.timing import ListDay

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Booked:
    """Choices of m eligible customers that have a time, and the times; rows as there.

    `times.seated` is false for all who are not contacted tonight.
    """

    choices: Choices
    times: SendTimes


def timing_rules(
    channels: Mapping[str, Channel], experiment: Experiment, *, list_day: ListDay
) -> TimingRules:
    """What the configuration and the night say about send times."""
    return TimingRules(
        channels=channels,
        share=experiment.explore_time_share,
        salt=experiment.salt,
        as_of_us=list_day.as_of_us,
        weekday=list_day.day.weekday(),
    )


def book_contacts(
    scored: ScoredCustomers,
    eligible: Int64Array,
    *,
    choices: Choices,
    gains: Float64Array,
    draws: ArmDraws,
    windows: SendWindows,
    rules: TimingRules,
) -> Booked:
    """Choose the send times of those to be contacted.

    A customer whose channel has no seat left in any allowed hour is not listed tonight
    (capacity full), rather than be called in an hour that is taken. Controls take no seat.

    Parameters
    ----------
    eligible : shape (m,), positions of the customers among the scored.
    gains : shape (m, n_actions).
    """
    sent = np.flatnonzero((choices.outcome == LISTED) & (draws.arm < GHOST)).astype(np.int64)
    action = choices.action[sent].astype(np.int64)
    offers = gains.shape[1] // max(len(rules.channels), 1)
    due = DueContacts(
        row=eligible[sent],
        channel=action // max(offers, 1),
        gain=gains[sent, action],
        tie=draws.tie[sent],
        minute=draws.minute[sent],
        arm=draws.arm[sent],
    )
    audience = Audience(
        customer_id=scored.customer_id,
        reach=scored.reach,
        stage=scored.stage,
        orders=scored.orders,
        active=scored.active,
    )
    found = choose_send_times(audience, due, windows=windows, rules=rules)
    times = no_send_times(len(eligible))
    for name in SendTimes.__slots__:
        getattr(times, name)[sent] = getattr(found, name)
    return Booked(choices=_take_back(choices, sent[~found.seated]), times=times)


def _take_back(choices: Choices, places: Int64Array) -> Choices:
    if not len(places):
        return choices
    changed = {
        name: getattr(choices, name).copy()
        for name in ("outcome", "action", "best_action", "n_actions", "chance")
    }
    changed["outcome"][places] = CAPACITY_FULL
    changed["action"][places] = changed["best_action"][places] = NO_ACTION
    changed["n_actions"][places] = 0
    changed["chance"][places] = 0.0
    return replace(choices, **changed)
