"""From tonight's choices to contacts with a time; a choice without a free seat is taken back."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoring.arms import CONTACT, GHOST, ArmDraws
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
    (capacity full), rather than be called in an hour that is taken. Controls take no seat,
    but are not listed either where their contact would have found none, and explorers where
    the contact arm's would have: else who is listed would depend on arms, and controls be
    more of a list than their share. An explorer who finds no seat for the action drawn is not
    listed either; that one action's probability is then missing from what is logged of the
    customer's others.

    Parameters
    ----------
    eligible : shape (m,), positions of the customers among the scored.
    gains : shape (m, n_actions).
    """
    listed = choices.outcome == LISTED
    sent = np.flatnonzero(listed & (draws.arm < GHOST))
    asking, asked_action = _seat_questions(choices, draws, rules, gains.shape[1])
    place = np.concatenate((asking, sent))
    action = np.concatenate((asked_action, choices.action[sent])).astype(np.int64)
    # A question comes before what the same customer takes.
    due = DueContacts(
        row=eligible[place],
        channel=action // _offers(rules, gains.shape[1]),
        gain=gains[place, action],
        tie=draws.tie[place],
        minute=draws.minute[place],
        arm=np.where(np.arange(len(place)) < len(asking), GHOST, draws.arm[place]).astype(np.int8),
    )
    audience = Audience(
        customer_id=scored.customer_id,
        reach=scored.reach,
        stage=scored.stage,
        orders=scored.orders,
        active=scored.active,
    )
    found = choose_send_times(audience, due, windows=windows, rules=rules)
    refused = np.unique(place[~found.seated])
    times = no_send_times(len(eligible))
    for name in SendTimes.__slots__:
        getattr(times, name)[sent] = getattr(found, name)[len(asking) :]
    times.seated[refused] = False
    return Booked(choices=_take_back(choices, refused), times=times)


def _seat_questions(
    choices: Choices, draws: ArmDraws, rules: TimingRules, n_actions: int
) -> tuple[Int64Array, Int64Array]:
    """Who must know whether there was a seat for an action that they do not take.

    Controls and explorers, for the contact arm's action, or for their own if they are
    listed on trial; only where seats are counted by the hour.

    Returns
    -------
    Places among the eligible, and the actions; shape (k,) each.
    """
    counted = np.array([one.seats_per_hour is not None for one in rules.channels.values()])
    if not counted.any():
        none = np.empty(0, dtype=np.int64)
        return none, none
    asking = np.flatnonzero((choices.outcome == LISTED) & (draws.arm != CONTACT)).astype(np.int64)
    best = choices.best_action[asking]
    action = np.where(best == NO_ACTION, choices.action[asking], best).astype(np.int64)
    limited = counted[action // _offers(rules, n_actions)]
    return asking[limited], action[limited]


def _offers(rules: TimingRules, n_actions: int) -> int:
    return max(n_actions // max(len(rules.channels), 1), 1)


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
