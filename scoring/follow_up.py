"""Follow-ups that earlier lists have planned: which still run, and what they leave open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.stage import Stage
from scoring.eligibility import ChannelBlocks, stage_channel_order
from scoring.policy import Channel, FollowUp
from scoring.pressure import DAY_US

BoolArray = NDArray[np.bool_]
Float64Array = NDArray[np.float64]
Int16Array = NDArray[np.int16]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]

LAPSE_DAYS = 3
"""Nights after the due one on which a follow-up is still carried out; then it lapses."""

NO_FOLLOW_UP = -1


@dataclass(frozen=True, slots=True)
class PlannedSteps:
    """The next steps that k rows of earlier lists have planned.

    Attributes
    ----------
    customer : shape (k,), position of the row's customer.
    since_us : shape (k,), as-of of the row's list.
    channel : shape (k,), code of the planned channel; -1 for one no longer configured.
    due_us : shape (k,), as-of of the night that is to carry the step out.
    step : shape (k,), number of the step: 1 for the first after a contact.
    row_ids : the rows that are followed up.
    """

    customer: Int64Array
    since_us: Int64Array
    channel: Int64Array
    due_us: Int64Array
    step: Int64Array
    row_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunningFollowUps:
    """Which of n customers have a follow-up running, and its k next steps.

    Attributes
    ----------
    place : shape (n,), place of the customer's step; `NO_FOLLOW_UP` without one.
    channel, due_us, step, row_ids : of the k steps, see `PlannedSteps`.
    """

    place: Int32Array
    channel: Int64Array
    due_us: Int64Array
    step: Int64Array
    row_ids: tuple[str, ...]

    def select(self, rows: Int64Array) -> "RunningFollowUps":
        """Of the given customers, in the order given."""
        return replace(self, place=self.place[rows])

    def awaited(self, *, as_of_us: int) -> BoolArray:
        """Shape (n,): a step is planned for a later night."""
        return self._compare(self.due_us > as_of_us)

    def due(self, *, as_of_us: int) -> BoolArray:
        """Shape (n,): a step is to be carried out tonight."""
        return self._compare(self.due_us <= as_of_us)

    def _compare(self, holds: BoolArray) -> BoolArray:
        # The last place serves NO_FOLLOW_UP = -1.
        held: BoolArray = np.append(holds, False)[self.place]
        return held


def no_follow_ups(n_customers: int) -> RunningFollowUps:
    """Of customers none of whom is followed up."""
    none = np.empty(0, dtype=np.int64)
    return RunningFollowUps(
        place=np.full(n_customers, NO_FOLLOW_UP, dtype=np.int32),
        channel=none,
        due_us=none,
        step=none,
        row_ids=(),
    )


def join_follow_ups(parts: Sequence[RunningFollowUps]) -> RunningFollowUps:
    """Put the parts' customers one after the other."""
    before = np.cumsum([0, *(len(part.row_ids) for part in parts)])
    places = [
        np.where(part.place == NO_FOLLOW_UP, NO_FOLLOW_UP, part.place + first)
        for part, first in zip(parts, before[:-1].tolist(), strict=True)
    ]
    return RunningFollowUps(
        place=np.concatenate(places).astype(np.int32),
        channel=np.concatenate([part.channel for part in parts]),
        due_us=np.concatenate([part.due_us for part in parts]),
        step=np.concatenate([part.step for part in parts]),
        row_ids=tuple(name for part in parts for name in part.row_ids),
    )


def find_running(
    planned: PlannedSteps,
    *,
    silence_days: Float64Array,
    days_since_return: Float64Array,
    unsubscribed_us: Int64Array,
    follow_up: FollowUp,
    as_of_us: int,
) -> RunningFollowUps:
    """Leave out the steps that something has stopped, or that have lapsed.

    A follow-up is stopped by what the customer did since the list of the row it follows:
    ended their silence, returned or ordered, or left a channel, whichever. It lapses
    `LAPSE_DAYS` nights after it was due, and ends where max_steps does not allow it any more.

    Parameters
    ----------
    planned : at most one step per customer.
    silence_days, days_since_return, unsubscribed_us : shape (n,), of all customers; see
        `scoring.scored.ScoredCustomers` and `scoring.pressure.ContactPressure`.
    """
    who = planned.customer
    days_gone = (as_of_us - planned.since_us) / DAY_US
    # Comparisons with NaN, for what never happened, are false.
    stopped = (
        (silence_days[who] <= days_gone)
        | (days_since_return[who] <= days_gone)
        | (unsubscribed_us[who] >= planned.since_us)
    )
    # Nights are local midnights, an hour more or less apart when clocks change.
    lapsed = np.rint((as_of_us - planned.due_us) / DAY_US) > LAPSE_DAYS
    running = np.flatnonzero(~stopped & ~lapsed & (planned.step <= follow_up.max_steps))
    place = np.full(len(silence_days), NO_FOLLOW_UP, dtype=np.int32)
    place[who[running]] = np.arange(len(running))
    return RunningFollowUps(
        place=place,
        channel=planned.channel[running],
        due_us=planned.due_us[running],
        step=planned.step[running],
        row_ids=tuple(planned.row_ids[at] for at in running.tolist()),
    )


def ladder_ranks(
    stage: Int16Array, *, stages: Sequence[Stage], channels: Mapping[str, Channel]
) -> Int16Array:
    """Each channel's place on the follow-up ladder of each customer's stage.

    The ladder is the stage's own order of channels, else the configured one.

    Parameters
    ----------
    stage : shape (m,), stage codes, none negative.

    Returns
    -------
    Shape (m, n_channels): 0 for the first; n_channels for channels that are not on it.
    """
    order = stage_channel_order(stages, tuple(channels))
    n_stages, n_channels = order.shape
    ranks = np.full((n_stages, n_channels + 1), n_channels, dtype=np.int16)
    for place in range(n_channels):
        # The spare last column takes the -1 after a ladder's end.
        ranks[np.arange(n_stages), order[:, place]] = place
    return ranks[stage, :n_channels]


def steps_in_turn(follow_ups: RunningFollowUps, *, ranks: Int16Array, as_of_us: int) -> BoolArray:
    """Channels that would carry out each customer's due step; shape (m, n_channels).

    They are the planned channel and those after it on the ladder; none for customers
    without a due step.

    Parameters
    ----------
    ranks : shape (m, n_channels), see `ladder_ranks`.
    """
    n_channels = ranks.shape[1]
    due = np.flatnonzero(follow_ups.due(as_of_us=as_of_us))
    in_turn = np.zeros(ranks.shape, dtype=np.bool_)
    planned = follow_ups.channel[follow_ups.place[due]]
    # A channel no longer configured, or not on the ladder, has no place to go on from.
    first = np.where(planned < 0, n_channels, ranks[due, planned])
    on_ladder = ranks[due] < n_channels
    in_turn[due] = on_ladder & (ranks[due] >= first[:, None])
    return in_turn


def keep_to_step(blocks: ChannelBlocks, *, in_turn: BoolArray, ranks: Int16Array) -> ChannelBlocks:
    """Close all but one channel to those whose follow-up is due.

    The planned channel stays open; if it is closed, the next open one of the ladder. Where
    none is left the follow-up has ended: all channels stay as they are.

    Parameters
    ----------
    in_turn : shape (m, n_channels), see `steps_in_turn`.
    ranks : shape (m, n_channels), see `ladder_ranks`.
    """
    n_channels = ranks.shape[1]
    possible = blocks.is_open & in_turn
    if not possible.any():
        return blocks
    rank = np.where(possible, ranks, n_channels)
    others = blocks.is_open & possible.any(axis=1, keepdims=True)
    others &= ranks != rank.min(axis=1, keepdims=True)
    code = blocks.code.copy()
    code[others] = blocks.names.index("follow_up_step")
    return replace(blocks, code=code)
