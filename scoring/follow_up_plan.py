"""What is planned on a list's rows: which contact they follow up, and their own next step."""

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.local_day import local_midnight_us
from scoring.arms import GHOST
from scoring.eligibility import CHANNEL_RULES, channel_caps
from scoring.follow_up import LAPSE_DAYS, ladder_ranks, steps_in_turn
from scoring.night import Night
from scoring.night_policy import NightPolicy
from scoring.pressure import WINDOW_DAYS, ContactPressure
from scoring.scored import ScoredCustomers, select_pressure

BoolArray = NDArray[np.bool_]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]

NO_CHANNEL = -1
_MAY_REOPEN = ("", "channel_cap_1d", "channel_cap_7d", "channel_cap_30d", "follow_up_step")
"""Rules that may close a channel tonight and leave it open on a later night. Consent,
reachability, the stage's channels, unsubscribing and quiet hours are taken as they are."""


@dataclass(frozen=True, slots=True)
class FollowedSteps:
    """Which earlier contact each listed row follows up; rows as in `Night.listed`.

    Attributes
    ----------
    row_id : the list row that is followed up; null for a first contact.
    step : shape (m,), 0 for a first contact, 1 for the first follow-up of one.
    """

    row_id: tuple[str | None, ...]
    step: Int64Array


def followed_steps(scored: ScoredCustomers, night: Night, policy: NightPolicy) -> FollowedSteps:
    """Tell first contacts from follow-ups among tonight's rows.

    Controls too say what their contact would have followed up.
    """
    rows = night.eligible[night.listed]
    follow_ups = scored.follow_ups.select(rows)
    ranks = ladder_ranks(scored.stage[rows], stages=policy.stages, channels=policy.channels)
    in_turn = steps_in_turn(follow_ups, ranks=ranks, as_of_us=policy.as_of_us)
    follows = in_turn[np.arange(len(rows)), _channels(night)]
    places = np.where(follows, follow_ups.place, -1).tolist()
    # The last place serves -1: a first contact.
    steps = np.append(follow_ups.step, 0)[places].astype(np.int64)
    row_ids = (*follow_ups.row_ids, None)
    return FollowedSteps(row_id=tuple(row_ids[at] for at in places), step=steps)


def plan_channels(scored: ScoredCustomers, night: Night, policy: NightPolicy) -> Int64Array:
    """Channel of each listed row's next step, in case the customer does not return.

    It is the first channel after the row's own on the stage's ladder that consent, flags
    and unsubscribing leave open and that no cap rules out for every night on which the step
    could be carried out.

    Returns
    -------
    Shape (m,), rows as in `Night.listed`; `NO_CHANNEL` for controls, after max_steps, and
    where no channel is left.
    """
    places = night.listed
    rows = night.eligible[places]
    ranks = ladder_ranks(scored.stage[rows], stages=policy.stages, channels=policy.channels)
    n_channels = ranks.shape[1]
    own = ranks[np.arange(len(rows)), _channels(night)]
    may_reopen = [name in _MAY_REOPEN for name in CHANNEL_RULES]
    may_reopen += [False] * (len(night.blocks.names) - len(may_reopen))
    # `asked` is ascending and holds all the eligible.
    code = night.blocks.code[np.searchsorted(night.asked, rows)]
    pressure = select_pressure(scored.pressure, rows)
    possible = np.array(may_reopen, dtype=np.bool_)[code] & ~_capped_channels(pressure, policy)
    possible &= (ranks > own[:, None]) & (ranks < n_channels)
    possible &= ~_capped(pressure, policy)[:, None]
    possible &= (night.draws.arm[places] < GHOST)[:, None]
    steps = followed_steps(scored, night, policy).step
    possible &= (steps < policy.follow_up.max_steps)[:, None]
    first = np.where(possible, ranks, n_channels)
    planned = np.full(len(rows), NO_CHANNEL, dtype=np.int64)
    found = np.flatnonzero(possible.any(axis=1))
    if len(found):
        planned[found] = first[found].argmin(axis=1)
    return planned


def follow_up_columns(
    scored: ScoredCustomers, night: Night, policy: NightPolicy
) -> dict[str, pa.Array]:
    """The list's columns follow_up_of, follow_up_channel and follow_up_at (us, UTC).

    A step is due on the night `after_days` local dates later, at its as-of.
    """
    planned = plan_channels(scored, night, policy)
    day = policy.day + timedelta(days=policy.follow_up.after_days)
    due_us = np.full(len(planned), local_midnight_us(day, ZoneInfo(policy.zone)))
    none = planned == NO_CHANNEL
    names = pa.array(list(night.actions.channels), pa.string())
    return {
        "follow_up_of": pa.array(followed_steps(scored, night, policy).row_id, pa.string()),
        "follow_up_channel": names.take(pa.array(planned, mask=none)),
        "follow_up_at": pa.array(due_us, pa.int64(), mask=none),
    }


def _channels(night: Night) -> Int64Array:
    """Channel codes of the listed rows."""
    action = night.choices.action[night.listed].astype(np.int64)
    return action // max(len(night.actions.offers), 1)


def _capped(pressure: ContactPressure, policy: NightPolicy) -> BoolArray:
    """Whom caps or the pause forbid every night on which the next step could be carried out."""
    caps = policy.caps
    most = (caps.max_per_1d, caps.max_per_7d, caps.max_per_30d)
    capped = np.full(len(pressure.sent), caps.min_pause_days > _last_night(policy))
    for days, cap in zip(WINDOW_DAYS, most, strict=True):
        tonight = int(_last_night(policy) <= days)
        capped |= _still_counted(pressure.sent, days=days, policy=policy) + tonight >= cap
    return capped


def _capped_channels(pressure: ContactPressure, policy: NightPolicy) -> BoolArray:
    """The same by channel, for channels other than tonight's; shape (m, n_channels)."""
    capped = np.zeros(pressure.unsubscribed.shape, dtype=np.bool_)
    for number, channel in enumerate(policy.channels.values()):
        sent = pressure.sent_by_channel[:, number]
        for days, cap in zip(WINDOW_DAYS, channel_caps(channel).values(), strict=True):
            if cap is not None:
                capped[:, number] |= _still_counted(sent, days=days, policy=policy) >= cap
    return capped


def _last_night(policy: NightPolicy) -> int:
    """Days from tonight to the last night on which the next step is carried out."""
    return policy.follow_up.after_days + LAPSE_DAYS


def _still_counted(sent: Int32Array, *, days: int, policy: NightPolicy) -> Int32Array:
    """Contacts so far that the window of so many days surely still holds on that last night.

    Parameters
    ----------
    sent : shape (m, 3), by `WINDOW_DAYS`.
    """
    held = [
        sent[:, place]
        for place, window in enumerate(WINDOW_DAYS)
        if window + _last_night(policy) <= days
    ]
    return held[-1] if held else np.zeros(len(sent), dtype=np.int32)
