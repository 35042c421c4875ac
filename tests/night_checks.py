"""What no list may ever do, asked row by row of the customers and rules that it came from.

Written without the code that decides: plain loops over the list as it was built.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from statistics import NormalDist
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from random_nights import RandomNight

from features.stage import Stage
from scoring.arms import SENT_ARMS
from scoring.policy import Channel, SegmentLimit, Span, span_times
from scoring.pressure import DAY_US, NEVER
from scoring.reachability import NO_ZONE

HOUR_US = DAY_US // 24
Row = dict[str, Any]


def violations(case: RandomNight) -> list[str]:
    """Every broken promise of a night, in words; an empty list if there is none."""
    rows = case.table.to_pylist()
    found = [fault for row in rows for fault in _row_faults(case, row)]
    found += _limit_faults(case, rows)
    found += _unexplained(case, rows)
    return [f"night {case.seed}: {fault}" for fault in found]


def _place(case: RandomNight, row: Row) -> int:
    return int(row["customer_id"][1:])


def _stage(case: RandomNight, place: int) -> Stage:
    return case.policy.stages[case.scored.stage[place]]


def _row_faults(case: RandomNight, row: Row) -> Iterator[str]:
    place, name = _place(case, row), row["customer_id"]
    for fault in _state_faults(case, place):
        yield f"{name} {fault}"
    for fault in _contact_faults(case, place):
        yield f"{name} {fault}"
    if fault_ := _closed_by(case, place, row["channel"]):
        yield f"{name}'s {row['channel']} is closed: {fault_}"
    stage = _stage(case, place)
    if stage.offers and row["offer"] not in {*stage.offers, "none"}:
        yield f"{name} gets an offer that the stage does not make"
    turn = _channel_in_turn(case, place)
    if turn is not None and row["channel"] != turn:
        yield f"{name} is followed up through {row['channel']} instead of {turn}"
    if (row["follow_up_of"] is not None) != (turn is not None):
        yield f"{name} names a followed row without a due follow-up, or the other way round"
    for fault in _plan_faults(case, place, row):
        yield f"{name} {fault}"
    if row["arm"] in SENT_ARMS:
        for fault in _time_faults(case, place, row):
            yield f"{name} {fault}"
    elif row["send_at_utc"] is not None or row["contact_cost"] or row["follow_up_at"]:
        yield f"{name} is a control with a contact"


def _state_faults(case: RandomNight, place: int) -> Iterator[str]:
    scored, threshold = case.scored, case.policy.rules.at_risk_probability
    if scored.stage[place] < 0 or _stage(case, place).silence_days is None:
        yield "is on no stage that is recalled"
    at_risk = threshold is not None and scored.p_dormant[place] >= threshold
    if not scored.dormant[place] and not at_risk:
        yield "is neither dormant nor at risk"


def _contact_faults(case: RandomNight, place: int) -> Iterator[str]:
    scored, caps, as_of = case.scored, case.policy.caps, case.policy.as_of_us
    reach, pressure = scored.reach, scored.pressure
    if reach.do_not_contact[place]:
        yield "is marked do-not-contact"
    for flag in caps.complaint_flags:
        if reach.flags[place, reach.flag_names.index(flag)]:
            yield "has an open complaint"
    if pressure.control_until_us[place] > as_of:
        yield "is in a control window"
    most = (caps.max_per_1d, caps.max_per_7d, caps.max_per_30d)
    if any(pressure.sent[place, k] >= cap for k, cap in enumerate(most)):
        yield "is over a cap"
    last = pressure.last_sent_us[place]
    if last != NEVER and as_of - last < caps.min_pause_days * DAY_US:
        yield "was contacted a moment ago"
    if scored.days_since_order[place] < caps.recent_order_days:
        yield "has just ordered"
    step = scored.follow_ups.place[place]
    if step >= 0 and scored.follow_ups.due_us[step] > as_of:
        yield "waits for a follow-up"


def _closed_by(case: RandomNight, place: int, name: str) -> str | None:
    """Why consent, caps or the stage close a channel to a customer."""
    channel, number = case.policy.channels[name], list(case.policy.channels).index(name)
    reach, pressure = case.scored.reach, case.scored.pressure
    stage = _stage(case, place)
    if stage.channels and name not in stage.channels:
        return "not used on the stage"
    for flag in channel.requires:
        if not reach.flags[place, reach.flag_names.index(flag)]:
            return f"no {flag}"
    if pressure.unsubscribed[place, number]:
        return "unsubscribed"
    caps = (channel.max_per_1d, channel.max_per_7d, channel.max_per_30d)
    for k, cap in enumerate(caps):
        if cap is not None and pressure.sent_by_channel[place, number, k] >= cap:
            return "its own cap"
    return None


def _ladder(case: RandomNight, place: int) -> list[str]:
    return list(dict.fromkeys(_stage(case, place).channels)) or list(case.policy.channels)


def _has_time(case: RandomNight, place: int, name: str) -> bool:
    """Whether the night found a send window; what it found is checked of the sent."""
    blocks, number = case.night.blocks, list(case.policy.channels).index(name)
    code = blocks.code[case.night.asked.tolist().index(place), number]
    return blocks.names[code] != "no_send_window"


def _channel_in_turn(case: RandomNight, place: int) -> str | None:
    """The only channel that a due follow-up leaves, by the ladder; null if there is none."""
    follow_ups, names = case.scored.follow_ups, list(case.policy.channels)
    step = follow_ups.place[place]
    if step < 0 or follow_ups.channel[step] < 0:
        return None
    ladder, planned = _ladder(case, place), names[follow_ups.channel[step]]
    if planned not in ladder:
        return None
    for name in ladder[ladder.index(planned) :]:
        if _closed_by(case, place, name) is None and _has_time(case, place, name):
            return name
    return None


def _plan_faults(case: RandomNight, place: int, row: Row) -> Iterator[str]:
    planned, policy = row["follow_up_channel"], case.policy
    if planned is None:
        return
    ladder = _ladder(case, place)
    if ladder.index(planned) <= ladder.index(row["channel"]):
        yield "plans to go up the ladder"
    closed = _closed_by(case, place, planned)
    if closed is not None and "cap" not in closed:
        yield f"plans a channel that is closed: {closed}"
    due = policy.day + timedelta(days=policy.follow_up.after_days)
    if row["follow_up_at"].astimezone(ZoneInfo(policy.zone)).date() != due:
        yield "plans another night"
    step = case.scored.follow_ups.place[place]
    follows = int(case.scored.follow_ups.step[step]) if row["follow_up_of"] else 0
    if follows >= policy.follow_up.max_steps:
        yield "plans more steps than allowed"


def _zones(case: RandomNight, place: int) -> list[str]:
    """The customer's zone, or all it may be."""
    reach, active = case.scored.reach, case.scored.active
    if reach.zone[place] != NO_ZONE:
        return [reach.zones[reach.zone[place]]]
    if active is None:
        return [case.policy.zone]
    total = sum(customers for _, customers in active.zones)
    common = [name for name, customers in active.zones if customers >= 0.01 * total]
    return [case.policy.zone, *common]


def _covers(span: Span, minute: int) -> bool:
    start, end = (at.hour * 60 + at.minute for at in span_times(span))
    return start <= minute < end if start < end else minute >= start or minute < end


def _is_allowed(channel: Channel, minute: int, zones: list[str]) -> bool:
    """Whether a minute since 1970 lies outside quiet hours on every clock."""
    for zone in zones:
        shown = datetime.fromtimestamp(minute * 60, tz=UTC).astimezone(ZoneInfo(zone))
        of_day = shown.hour * 60 + shown.minute
        if any(_covers(span, of_day) for span in channel.quiet_hours):
            return False
        if channel.send_hours and not any(_covers(span, of_day) for span in channel.send_hours):
            return False
    return True


def _us(moment: datetime) -> int:
    return round(moment.timestamp()) * 1_000_000


def _time_faults(case: RandomNight, place: int, row: Row) -> Iterator[str]:
    channel, zones = case.policy.channels[row["channel"]], _zones(case, place)
    send, end = _us(row["send_at_utc"]), _us(row["send_window_end_utc"])
    if not case.policy.as_of_us <= send < end <= _us(row["expires_at"]):
        yield "has times out of order"
    for minute in {send // 60_000_000, (send + end) // 120_000_000, end // 60_000_000 - 1}:
        if not _is_allowed(channel, minute, zones):
            yield f"may be sent to in quiet hours through {row['channel']}"
            return


def _limit_faults(case: RandomNight, rows: list[Row]) -> Iterator[str]:
    policy = case.policy
    sent = [row for row in rows if row["arm"] in SENT_ARMS]
    if policy.rules.max_rows is not None and len(rows) > policy.rules.max_rows:
        yield "more rows than list.max_rows"
    used = Counter(row["channel"] for row in sent)
    by_hour = Counter(
        (row["channel"], (_us(row["send_at_utc"]) - policy.as_of_us) // HOUR_US) for row in sent
    )
    for name, channel in policy.channels.items():
        if channel.capacity is not None and used[name] > channel.capacity:
            yield f"{used[name]} contacts for {channel.capacity} seats of {name}"
        most = max((n for (other, _), n in by_hour.items() if other == name), default=0)
        if channel.seats_per_hour is not None and most > channel.seats_per_hour:
            yield f"{most} contacts in an hour with {channel.seats_per_hour} seats of {name}"
    if policy.limits.budget is not None:
        high = _spending(case, sent)
        if high > policy.limits.budget * (1 + 1e-4) + 1e-3:
            yield f"spends up to {high:.4f} of a budget of {policy.limits.budget:.4f}"
    for limit in policy.limits.segments:
        yield from _segment_faults(limit, sent)


def _spending(case: RandomNight, sent: list[Row]) -> float:
    """Expected spending and what chance may add to it, at the configured probability."""
    policy, cost, variance = case.policy, 0.0, 0.0
    eligible = case.night.eligible.tolist()
    for row in sent:
        offer = policy.offers[row["offer"]]
        worth = case.night.order_value[eligible.index(_place(case, row))]
        given, p = offer.discount * worth + offer.cost_on_return, row["p_return_contacted"]
        cost += policy.channels[row["channel"]].cost + p * given
        variance += p * (1 - p) * given**2
    sigmas = NormalDist().inv_cdf(policy.limits.budget_quantile)
    return float(cost + sigmas * np.sqrt(variance))


def _segment_faults(limit: SegmentLimit, sent: list[Row]) -> Iterator[str]:
    kinds = ("stage", "life_cycle", "value_tier", "promotion")
    inside = sum(
        all(not getattr(limit, kind) or row[kind] in getattr(limit, kind) for kind in kinds)
        for row in sent
    )
    if limit.max_contacts is not None and inside > limit.max_contacts:
        yield f"{inside} contacts of {limit.name}, at most {limit.max_contacts}"
    if limit.max_share is not None and inside > limit.max_share * len(sent) + 1e-9:
        yield f"{inside} of {len(sent)} contacts of {limit.name}, at most {limit.max_share:.3f}"


def _unexplained(case: RandomNight, rows: list[Row]) -> Iterator[str]:
    """Everybody is listed once or has a code."""
    listed = {_place(case, row) for row in rows}
    if len(listed) != len(rows):
        yield "somebody is listed twice"
    without = {int(place) for place in np.flatnonzero(case.night.exclusion == 0)}
    if without != listed:
        yield f"{len(without ^ listed)} customers with both a row and a code, or neither"
