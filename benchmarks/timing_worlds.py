"""Customers whose true hours are known, as histories that the product reads: S1 and S2."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.active_hours import ActiveHours, CustomerZones, count_active_hours
from features.history import History
from features.history_reader import history_from_tables
from features.kernels.feature import DAY_US
from features.kernels.hours import HOUR_US, HOURS
from features.spec import FeatureSpec
from models.timing_profile import fit_timing_profile, hour_profiles
from scoring.policy import Channel
from scoring.reachability import NO_ZONE, Reachability
from scoring.send_times import Audience, DueContacts, TimingRules, choose_send_times
from scoring.send_windows import find_send_windows
from scoring.timing import ListDay

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

ZONE = "UTC"
"""Local time needs no care here: S3 is about zones."""

LIST_DAY = ListDay(day=date(2026, 3, 2), as_of_us=1_772_409_600_000_000)
"""A Monday, from its UTC midnight on."""

_TIME = pa.timestamp("us", tz="UTC")
SPEC = FeatureSpec(
    event_types=("visit", "purchase"),
    activity=("visit", "purchase"),
    orders=("purchase",),
    channels=("push",),
)
PEAKS = (8.0, 13.0, 20.5)
"""Hours at which the three archetypes are most active."""

SIZES = (0, 1, 2, 10, 50, 100)
"""Occasions of a customer before the as-of; each as common as the others."""


@dataclass(frozen=True, slots=True)
class Person:
    """One customer's moments of activity, hours before the as-of, and contacts."""

    visits_us: Int64Array
    contacts: tuple[tuple[int, int | None], ...] = ()
    """When each was sent, and clicked if it was."""


def archetypes(concentration: float) -> Float64Array:
    """Three von Mises distributions over the hours of the day; shape (3, 24)."""
    hour = np.arange(HOURS) + 0.5
    weight = np.exp(concentration * np.cos(2 * np.pi * np.subtract.outer(PEAKS, hour) / HOURS))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True), dtype=np.float64)


def draw_visits(law: Float64Array, size: int, rng: np.random.Generator, *, days: int) -> Int64Array:
    """So many visits on different days of the last ones, at hours of the law; ascending.

    Never twice within an hour, so that every visit is an occasion of its own.
    """
    day = rng.choice(days, size=size, replace=False) if size <= days else rng.permutation(size)
    hour = rng.choice(HOURS, size=size, p=law)
    at = (hour + rng.random(size)) * HOUR_US
    return np.sort(LIST_DAY.as_of_us - (day + 1) * DAY_US + at.astype(np.int64))


def history_of(people: list[Person]) -> History:
    """The people as one bucket: every visit an event, all arrived when they happened."""
    names = [f"c{number:06d}" for number in range(len(people))]
    owner = np.repeat(np.arange(len(people)), [len(one.visits_us) for one in people])
    at = pa.array(np.concatenate([one.visits_us for one in people]), pa.int64()).cast(_TIME)
    events = pa.table(
        {
            "customer_id": pa.array(names).take(pa.array(owner)),
            "occurred_at": at,
            "arrived_at": at,
            "event_type": pa.array(["visit"] * len(owner)),
        }
    )
    return history_from_tables(0, spec=SPEC, events=events, contacts=_contacts(people, names))


def count(people: list[Person]) -> tuple[History, ActiveHours]:
    """Their history and what the product counts of it; everybody has a visit."""
    history = history_of(people)
    rows = np.arange(history.n_customers, dtype=np.int32)
    zones = CustomerZones(names=(), zone=np.full(len(rows), NO_ZONE, np.int32), default=ZONE)
    return history, count_active_hours(
        history, rows, spec=SPEC, zones=zones, as_of_us=LIST_DAY.as_of_us
    )


def judge_archetypes(
    customers: int, *, concentration: float, mixing: float, seed: int
) -> dict[str, Any]:
    """S1: mean held-out log likelihood per event, by occasions seen: product, all, oracle.

    Expectations over the truth stand for infinitely many held-out events, so no chance is
    in the judgement. `everyone` is the customers' true mean law: the best single profile.

    Parameters
    ----------
    mixing : share of each customer's activity that follows the other two archetypes.
    """
    rng = np.random.default_rng(seed)
    laws = archetypes(concentration)
    kind = rng.integers(0, len(laws), customers)
    own = np.full((customers, len(laws)), mixing / (len(laws) - 1))
    own[np.arange(customers), kind] = 1 - mixing
    truth = own @ laws
    size = rng.choice(SIZES, customers)
    people = [
        Person(draw_visits(law, n, rng, days=max(SIZES)))
        for law, n in zip(truth, size.tolist(), strict=True)
    ]
    seen = np.flatnonzero(size > 0)
    _, active = count([people[place] for place in seen.tolist()])
    hours = np.zeros((customers, HOURS), dtype=np.float16)
    hours[seen] = active.hours
    segment = np.zeros(customers, dtype=np.int64)
    profile = fit_timing_profile(hours, segment, n_segments=1, week=active.week)
    found = hour_profiles(profile, hours, segment).astype(np.float64)
    everyone = truth.mean(axis=0)
    figures: dict[str, Any] = {
        "habits": len(profile.habits),
        "strength": round(profile.strength, 1),
    }
    for n in SIZES:
        mine = truth[size == n]
        ours = float((mine * np.log(found[size == n])).sum(axis=1).mean())
        oracle = float((mine * np.log(mine)).sum(axis=1).mean())
        one = float((mine * np.log(everyone)).sum(axis=1).mean())
        figures[str(n)] = {
            "customers": len(mine),
            "oracle": round(oracle, 5),
            "ours": round(ours, 5),
            "everyone": round(one, 5),
            "above_everyone": ours - one,
            "share_of_gap": (ours - one) / (oracle - one),
        }
    return figures


def judge_exposure_trap(customers: int, *, seed: int) -> dict[str, Any]:
    """S2: all contacts of the past were sent at 10:00, and customers answered them.

    Everybody's own peak is 20:00. Two contacts a week lead to visits within the next 90
    minutes two times in five; half of these come with a recorded click. Returns the share
    of customers, with 20 organic visits or more, whose push is sent within 2 hours of 20:00,
    and the share that the most common hour of all their visits would have sent there.
    """
    rng = np.random.default_rng(seed)
    law = np.exp(3.0 * np.cos(2 * np.pi * (np.arange(HOURS) + 0.5 - 20.5) / HOURS))
    people, organic, naive = [], [], []
    for _ in range(customers):
        size = int(rng.integers(5, 60))
        own = draw_visits(law / law.sum(), size, rng, days=180)
        contacts, answers = _ten_o_clock(rng, weeks=26)
        people.append(Person(np.sort(np.concatenate((own, answers))), contacts))
        organic.append(size)
        hours = people[-1].visits_us // HOUR_US % HOURS
        naive.append(int(np.bincount(hours, minlength=HOURS).argmax()))
    _, active = count(people)
    chosen = _push_hours(active)
    near = np.abs(chosen - 20) <= 2
    judged = np.array(organic) >= 20
    return {
        "customers": int(judged.sum()),
        "within_2_hours": float(near[judged].mean()),
        "within_2_hours_of_most_common_hour": float(
            (np.abs(np.array(naive) - 20) <= 2)[judged].mean()
        ),
        "within_2_hours_fewer_visits": float(near[~judged].mean()),
    }


def _ten_o_clock(
    rng: np.random.Generator, *, weeks: int
) -> tuple[tuple[tuple[int, int | None], ...], Int64Array]:
    """Two contacts a week at 10:00, and the visits they led to."""
    contacts: list[tuple[int, int | None]] = []
    visits: list[int] = []
    for week in range(weeks):
        for day in (1, 4):
            sent = LIST_DAY.as_of_us - (week * 7 + day) * DAY_US + 10 * HOUR_US
            clicked = None
            if rng.random() < 0.4:
                visit = sent + int(rng.random() * 1.5 * HOUR_US)
                visits.append(visit)
                clicked = visit if rng.random() < 0.5 else None
            contacts.append((sent, clicked))
    return tuple(contacts), np.array(visits, dtype=np.int64)


def _push_hours(active: ActiveHours) -> Int64Array:
    """Local hour at which the product sends everybody a push message."""
    size = len(active.hours)
    channels = {
        "push": Channel(label="push", cost=0.0, quiet_hours=("23:00-06:00",), attention_hours=1)
    }
    reach = Reachability(
        do_not_contact=np.zeros(size, dtype=np.bool_),
        flag_names=(),
        flags=np.zeros((size, 0), dtype=np.bool_),
        zones=(ZONE,),
        zone=np.zeros(size, dtype=np.int32),
    )
    audience = Audience(
        customer_id=pa.array([str(number) for number in range(size)]),
        reach=reach,
        stage=np.zeros(size, dtype=np.int16),
        orders=np.zeros(size),
        active=active,
    )
    due = DueContacts(
        row=np.arange(size, dtype=np.int64),
        channel=np.zeros(size, dtype=np.int64),
        gain=np.ones(size),
        tie=np.zeros(size),
        minute=np.full(size, 0.5),
        arm=np.zeros(size, dtype=np.int8),
    )
    windows = find_send_windows(reach, channels, zone=ZONE, list_day=LIST_DAY, active=active)
    rules = TimingRules(
        channels=channels,
        share=0.0,
        salt="benchmark",
        as_of_us=LIST_DAY.as_of_us,
        weekday=LIST_DAY.day.weekday(),
    )
    times = choose_send_times(audience, due, windows=windows, rules=rules)
    return np.asarray(times.send_at_us // HOUR_US % HOURS, dtype=np.int64)


def _contacts(people: list[Person], names: list[str]) -> Any:
    rows = [
        (name, f"{name}-{number}", sent, clicked)
        for name, one in zip(names, people, strict=True)
        for number, (sent, clicked) in enumerate(one.contacts)
    ]
    if not rows:
        return None
    owner, contact, sent_at, clicked_at = zip(*rows, strict=True)
    sent_time = pa.array(sent_at, pa.int64()).cast(_TIME)
    return pa.table(
        {
            "customer_id": pa.array(owner),
            "contact_id": pa.array(contact),
            "channel": pa.array(["push"] * len(rows)),
            "arrived_at": sent_time,
            "sent_at": sent_time,
            "clicked_at": pa.array(clicked_at, pa.int64()).cast(_TIME),
        }
    )
