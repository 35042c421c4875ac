"""The simulated lending app: customers climb a ladder, and many stop on a step.

Registered, application started, submitted, credit granted (or refused), loan drawn, loan
settled, and from there to the next loan. On each step the chance to go on is highest at
once and fades; whoever stops may come back by himself or because of a contact.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import ndtr

from pipelines.simulate.clock import HOUR, Clock, local_second, to_utc
from pipelines.simulate.draws import customer_key, day_key, exponential, normal, pick, uniform
from pipelines.simulate.log import (
    NEVER,
    Log,
    add_change,
    add_event,
    add_mark,
    begin_customer,
    has_room,
)
from pipelines.simulate.messages import (
    BOOST,
    ContactHabits,
    Reach,
    choose_contact,
    fade,
    new_mood,
    remove_app,
    send,
)
from pipelines.simulate.population import Floats, Ints, People, gamma_quantile, quantile_codes

EVENT_TYPES = (
    "signup",
    "login",
    "visit",
    "application_started",
    "application_submitted",
    "credit_granted",
    "credit_refused",
    "loan_drawn",
    "instalment_paid",
    "loan_settled",
)
(SIGNUP, LOGIN, VISIT, STARTED, SUBMITTED, GRANTED, REFUSED, DRAWN, PAID, SETTLED) = range(10)
PRODUCTS = ("cash_30", "cash_90", "cash_180", "goods")
MOST_EVENTS_PER_DAY = 20

_REGISTERED, _APPLYING, _REVIEW, _REFUSED, _GRANTED, _LOAN, _SETTLED = range(7)
_GO_ON, _TURN, _BROWSE, _LEAVE, _DECIDE, _AMOUNT, _TERM, _UNINSTALL = 0, 1, 2, 3, 4, 5, 6, 7
_SESSION, _CLICK, _AT_ONCE, _EARLY = 64, 256, 8, 9


class LenderHabits(NamedTuple):
    """The app's averages; hazards are per day, (first day, later floor, days to fade)."""

    apply_first: float = 0.16
    apply_floor: float = 0.008
    apply_days: float = 2.5
    submit_at_once: float = 0.55
    submit_first: float = 0.14
    submit_floor: float = 0.012
    submit_days: float = 3.0
    reapply_rate: float = 0.004
    draw_at_once: float = 0.35
    draw_first: float = 0.14
    draw_floor: float = 0.014
    draw_days: float = 5.0
    again_first: float = 0.06
    again_floor: float = 0.011
    again_days: float = 8.0
    visit_rate: float = 0.10
    visit_days: float = 20.0
    leave_rate: float = 0.0035
    loan: float = 4200.0


class Borrowers(NamedTuple):
    """Latents of each customer; shape (n,)."""

    first: int
    zone: Ints
    device: Ints
    flags: Ints
    signup_day: Ints
    signup_second: Ints
    hour: Floats
    temper: Floats
    interest: Floats
    drive: Floats
    score: Floats
    stay: Floats
    loan: Floats
    product: Ints


def draw_borrowers(people: People, habits: LenderHabits) -> Borrowers:
    """Latents by inversion: drive to go on, credit score, loyalty, size of loans."""
    return Borrowers(
        first=people.first,
        zone=people.zone,
        device=people.device,
        flags=people.flags,
        signup_day=people.signup_day,
        signup_second=people.signup_second,
        hour=people.hour,
        temper=people.temper,
        interest=people.interest,
        drive=gamma_quantile(ndtr(people.rate_z), shape=1.6, mean=1.0),
        score=1.0 / (1.0 + np.exp(-0.5 - 0.8 * people.spend_z)),
        stay=np.exp(-0.7 * people.stay_z),
        loan=habits.loan * np.exp(0.5 * people.spend_z - 0.125),
        product=quantile_codes(people.noise[:, 0], (0.4, 0.3, 0.15, 0.15)),
    )


@njit(cache=True, nogil=True)
def walk_lender(
    log: Log,
    clock: Clock,
    reach: Reach,
    contact_habits: ContactHabits,
    habits: LenderHabits,
    borrowers: Borrowers,
    span: tuple[int, int],
    seed: int,
) -> int:
    """As `walk_shop`: live customers until done or the buffers are full."""
    for position in range(span[0], span[1]):
        days = clock.days - borrowers.signup_day[position] + 2
        if not has_room(log, days * MOST_EVENTS_PER_DAY, days):
            return position
        key = customer_key(seed, borrowers.first + position)
        _live(log, clock, reach, contact_habits, habits, borrowers, position, key)
    return span[1]


@njit(cache=True)
def _live(
    log: Log,
    clock: Clock,
    reach: Reach,
    contact_habits: ContactHabits,
    habits: LenderHabits,
    who: Borrowers,
    i: int,
    key: np.uint64,
) -> None:
    """One customer's days from signup to the end."""
    first_day, zone = who.signup_day[i], who.zone[i]
    mood = new_mood(who.flags[i], who.temper[i])
    debt = np.zeros(4, dtype=np.float64)  # days left, instalment, product, loans
    begin_customer(log, who.first + i, who.device[i])
    signup = to_utc(clock, zone, first_day, who.signup_second[i])
    add_mark(log, signup, SIGNUP)
    add_change(log, signup, who.flags[i])
    step, since, gone, quiet_since = _REGISTERED, first_day, False, first_day
    for day in range(first_day, clock.days):
        today = day_key(key, day)
        fade(mood, contact_habits)
        silent_days = float(day - quiet_since)
        second = who.signup_second[i] + 300
        if day > first_day:
            second = local_second(today, _TURN, who.hour[i], 2.2)
        at = to_utc(clock, zone, day, second)
        before = step
        if step == _REVIEW:
            step = _decide(log, clock, who, i, habits, debt, today, day)
        elif step == _LOAN:
            step = _repay(log, clock, zone, debt, day, today)
        elif not gone:
            place = (step, day - since, at, clock.season[day])
            step = _go_on(log, who, i, habits, mood, place, debt, today)
        if step != before:
            since = quiet_since = day
        elif not gone and _visits(who, i, habits, mood, day - since, today):
            _visit(log, at, today, _SESSION)
            quiet_since = day if step == _REGISTERED else quiet_since
        if not gone and step != _LOAN and uniform(today, _LEAVE) < habits.leave_rate * who.stay[i]:
            gone = True
            if uniform(today, _UNINSTALL) < 0.6:
                remove_app(log, mood, reach, at + 4 * HOUR)
        if step in (_LOAN, _REVIEW) or day == first_day:
            continue
        rich = who.loan[i] > habits.loan
        choice = choose_contact(mood, contact_habits, reach, silent_days, rich, day, today)
        if choice[0] >= 0:
            interest = 0.3 * who.interest[i] if gone else who.interest[i]
            target = (zone, day, interest)
            clicked = send(log, clock, mood, contact_habits, reach, choice, target, today)
            if clicked != NEVER:
                _visit(log, clicked + 5, today, _CLICK)


@njit(cache=True)
def _fading(age: int, first: float, floor: float, days: float) -> float:
    return first * math.exp(-age / days) + floor


@njit(cache=True)
def _hazard(step: int, age: int, habits: LenderHabits) -> float:
    """Hazard of going on from a step entered `age` days ago, for a middling customer."""
    if step == _REGISTERED:
        return float(_fading(age, habits.apply_first, habits.apply_floor, habits.apply_days))
    if step == _APPLYING:
        return float(_fading(age, habits.submit_first, habits.submit_floor, habits.submit_days))
    if step == _GRANTED:
        return float(_fading(age, habits.draw_first, habits.draw_floor, habits.draw_days))
    if step == _SETTLED:
        return float(_fading(age, habits.again_first, habits.again_floor, habits.again_days))
    return habits.reapply_rate if age > 60 else 0.0


@njit(cache=True)
def _go_on(
    log: Log,
    who: Borrowers,
    i: int,
    habits: LenderHabits,
    mood: NDArray[np.float64],
    place: tuple[int, int, int, float],
    debt: NDArray[np.float64],
    today: np.uint64,
) -> int:
    """The step after today's chance to go on; `place` is (step, its age, second, season)."""
    step, age, at, season = place
    hazard = _hazard(step, age, habits) * who.drive[i] * season * math.exp(mood[BOOST])
    if uniform(today, _GO_ON) >= 1.0 - math.exp(-hazard):
        return step
    at = _visit(log, at, today, _SESSION) + 30
    if step in (_GRANTED, _SETTLED):
        _draw_loan(log, who, i, at, debt, today)
        return _LOAN
    if step != _APPLYING:
        add_mark(log, at, STARTED)
        if uniform(today, _AT_ONCE) >= habits.submit_at_once:
            return _APPLYING
        at += 120 + pick(today, _SESSION + 10, 900)
    add_mark(log, at, SUBMITTED)
    return _REVIEW


@njit(cache=True)
def _decide(
    log: Log,
    clock: Clock,
    who: Borrowers,
    i: int,
    habits: LenderHabits,
    debt: NDArray[np.float64],
    today: np.uint64,
    day: int,
) -> int:
    """The lender answers within a day or two, in office hours; some draw the loan at once."""
    if uniform(today, _DECIDE) < 0.25:
        return _REVIEW
    at = to_utc(clock, who.zone[i], day, 9 * HOUR + pick(today, _SESSION + 11, 8 * HOUR))
    if uniform(today, _GO_ON) >= who.score[i]:
        add_mark(log, at, REFUSED)
        return _REFUSED
    add_mark(log, at, GRANTED)
    if uniform(today, _AT_ONCE) >= habits.draw_at_once:
        return _GRANTED
    _draw_loan(log, who, i, at + 600 + pick(today, _SESSION + 12, 3 * HOUR), debt, today)
    return _LOAN


@njit(cache=True)
def _draw_loan(
    log: Log, who: Borrowers, i: int, at: int, debt: NDArray[np.float64], today: np.uint64
) -> None:
    product = who.product[i]
    if uniform(today, _TERM) > 0.7:
        product = pick(today, _TERM + 16, 4)
    months = 1 if product == 0 else 3 if product == 1 else 6 if product == 2 else 2
    size = who.loan[i] * (1.0 + 0.15 * min(debt[3], 5.0)) * math.exp(0.3 * normal(today, _AMOUNT))
    amount = max(round(size / 100.0), 5.0) * 100.0
    add_event(log, at, DRAWN, amount, np.nan, int(debt[3]), product)
    debt[0] = 30 * months
    debt[1] = round(amount * (1.0 + 0.04 * months) / months, 2)
    debt[2] = product
    debt[3] += 1.0


@njit(cache=True)
def _repay(
    log: Log, clock: Clock, zone: int, debt: NDArray[np.float64], day: int, today: np.uint64
) -> int:
    """A day of a running loan: an instalment every 30 days, seldom all at once."""
    debt[0] -= 1.0
    early = uniform(today, _EARLY) < 0.002
    if int(debt[0]) % 30 != 0 and not early:
        return _LOAN
    at = to_utc(clock, zone, day, 8 * HOUR + pick(today, _SESSION + 13, 4 * HOUR))
    order, product = int(debt[3]) - 1, int(debt[2])
    add_event(log, at, PAID, debt[1], np.nan, order, product)
    if debt[0] > 0.0 and not early:
        return _LOAN
    add_event(log, at + 60, SETTLED, np.nan, np.nan, order, product)
    return _SETTLED


@njit(cache=True)
def _visits(
    who: Borrowers,
    i: int,
    habits: LenderHabits,
    mood: NDArray[np.float64],
    age: int,
    today: np.uint64,
) -> bool:
    fresh = _fading(age, habits.visit_rate, 0.15 * habits.visit_rate, habits.visit_days)
    chance = fresh * (0.4 + 0.6 * who.drive[i]) * math.exp(0.5 * mood[BOOST])
    return bool(uniform(today, _BROWSE) < chance)


@njit(cache=True)
def _visit(log: Log, at: int, today: np.uint64, stream: int) -> int:
    """Looking at the app, often logged in; return the second it ends."""
    add_mark(log, at, VISIT)
    if uniform(today, stream) < 0.6:
        at += 5 + pick(today, stream + 1, 30)
        add_mark(log, at, LOGIN)
    return at + int(40 * exponential(today, stream + 2))
