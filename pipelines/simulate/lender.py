"""The simulated lending app: customers climb a ladder, and many stop on a step.

Registered, application started, submitted, credit granted (or refused), loan drawn, loan
settled, and from there to the next loan. On each step the chance to go on is highest at
once and fades; whoever stops may come back by himself or because of a contact.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipelines.simulate.borrowers import Borrower, Borrowers, LenderHabits, borrower_at
from pipelines.simulate.campaigns import NOBODY, assign, is_campaign_day
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
from pipelines.simulate.messages import remove_app, send
from pipelines.simulate.mood import (
    FLAGS,
    LAST_ORDER,
    ORDERS,
    SPENT,
    TASTE,
    daily_shares,
    fade,
    introduce,
    lift,
    new_mood,
    ordering_hazard,
    redeem,
)
from pipelines.simulate.scene import ContactHabits, Scene
from pipelines.simulate.usual import (
    NO_WISH,
    choose_contact,
    is_open,
    wish_contact,
)

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


@njit(cache=True, nogil=True)
def walk_lender(
    log: Log, scene: Scene, borrowers: Borrowers, span: tuple[int, int], seed: int
) -> int:
    """As `walk_shop`: live customers until done or the buffers are full."""
    for position in range(span[0], span[1]):
        days = scene.clock.days - borrowers.signup_day[position] + 2
        if not has_room(log, days * MOST_EVENTS_PER_DAY, days):
            return position
        begin_customer(log.cursor, borrowers.first + position, borrowers.device[position])
        mood = new_mood(borrowers.flags[position], borrowers.temper[position])
        who = (borrowers.city[position], borrowers.age[position], borrowers.way[position])
        introduce(mood, borrowers.signup_day[position], who[0], who[1], who[2])
        key = customer_key(seed, borrowers.first + position)
        _live(log, scene, borrower_at(borrowers, position), mood, key)
    return span[1]


@njit(cache=True)
def _live(log: Log, scene: Scene, me: Borrower, mood: NDArray[np.float64], key: np.uint64) -> None:
    """One customer's days from signup to the end."""
    clock, habits, season = scene.clock, scene.habits, scene.clock.season
    contacts, campaign, rich = scene.contact_habits, scene.campaign, me.loan > scene.habits.loan
    left = daily_shares(contacts)
    debt = np.zeros(4, dtype=np.float64)  # days left, instalment, product, loans
    first_day = me.signup_day
    signup = to_utc(clock, me.zone, first_day, me.signup_second)
    add_mark(log, signup, SIGNUP)
    add_change(log, signup, int(mood[FLAGS]))
    step, since, gone, quiet_since = _REGISTERED, first_day, False, first_day
    for day in range(first_day, clock.days):
        today = day_key(key, day)
        silent_days = float(day - quiet_since)
        action, propensity = NOBODY, 1.0
        if _is_open(step, day - first_day) and is_campaign_day(campaign, clock.days, day):
            state = 1 if gone else 0
            action, propensity = assign(log, scene, mood, silent_days, state, day, today)
        fade(mood, left)
        before = step
        if step == _REVIEW:
            step = _decide(log, scene, me, mood, debt, today, day)
        elif step == _LOAN:
            step = _repay(log, clock, me.zone, debt, day, today)
        elif not gone and _goes_on(
            (step, day - since, day), me, habits, contacts, mood, today, season[day]
        ):
            at = _moment(clock, me, today, day)
            step = _go_on(log, scene, me, mood, (step, at, day), debt, today)
        if step != before:
            since = quiet_since = day
        elif not gone and _visits(me, habits, mood, day - since, today):
            _visit(log, _moment(clock, me, today, day), today, _SESSION)
            quiet_since = day if step == _REGISTERED else quiet_since
        if not gone and step != _LOAN and uniform(today, _LEAVE) < habits.leave_rate * me.stay:
            gone = True
            if uniform(today, _UNINSTALL) < 0.6:
                remove_app(log, mood, scene.reach, _moment(clock, me, today, day) + HOUR)
        if action[0] < 0 and _is_open(step, day - first_day):
            wish = wish_contact(mood, contacts, silent_days, rich, day, today)
            if wish != NO_WISH:
                action, propensity = choose_contact(
                    wish, scene, mood, silent_days, rich, day, today
                )
        if action[0] >= 0 and is_open(int(mood[FLAGS]), scene.reach.requires[action[0]]):
            place = (me.zone, day, 0.3 * me.interest if gone else me.interest)
            clicked = send(log, scene, mood, action, propensity, place, today)
            if clicked != NEVER:
                _visit(log, clicked + 5, today, _CLICK)


@njit(cache=True)
def _is_open(step: int, age: int) -> bool:
    """Whether the lender may contact somebody: not on the first day, nor while a loan runs."""
    return age > 0 and step not in (_LOAN, _REVIEW)


@njit(cache=True)
def _moment(clock: Clock, me: Borrower, today: np.uint64, day: int) -> int:
    """The second at which this customer turns to the app today, if at all."""
    second = me.signup_second + 300
    if day > me.signup_day:
        second = local_second(today, _TURN, me.hour, 2.2)
    return int(to_utc(clock, me.zone, day, second))


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
def _goes_on(
    place: tuple[int, int, int],
    me: Borrower,
    habits: LenderHabits,
    contact_habits: ContactHabits,
    mood: NDArray[np.float64],
    today: np.uint64,
    season: float,
) -> bool:
    """Whether today brings the next step; `place` is (step, days on it, day)."""
    step, age, day = place
    hazard = _hazard(step, age, habits) * me.drive * season * lift(mood, 1.0)
    hazard = ordering_hazard(hazard, mood, contact_habits, day)
    return bool(uniform(today, _GO_ON) < 1.0 - math.exp(-hazard))


@njit(cache=True)
def _go_on(
    log: Log,
    scene: Scene,
    me: Borrower,
    mood: NDArray[np.float64],
    place: tuple[int, int, int],
    debt: NDArray[np.float64],
    today: np.uint64,
) -> int:
    """Take the next step, or two at once; `place` is (step, second, day). Returns the step."""
    step, at, day = place
    at = _visit(log, at, today, _SESSION) + 30
    if step in (_GRANTED, _SETTLED):
        _draw_loan(log, scene, me, mood, (at, day), debt, today)
        return _LOAN
    if step != _APPLYING:
        add_mark(log, at, STARTED)
        if uniform(today, _AT_ONCE) >= scene.habits.submit_at_once:
            return _APPLYING
        at += 120 + pick(today, _SESSION + 10, 900)
    add_mark(log, at, SUBMITTED)
    return _REVIEW


@njit(cache=True)
def _decide(
    log: Log,
    scene: Scene,
    me: Borrower,
    mood: NDArray[np.float64],
    debt: NDArray[np.float64],
    today: np.uint64,
    day: int,
) -> int:
    """The lender answers within a day or two, in office hours; some draw the loan at once."""
    if uniform(today, _DECIDE) < 0.25:
        return _REVIEW
    second = 9 * HOUR + pick(today, _SESSION + 11, 8 * HOUR)
    at = to_utc(scene.clock, me.zone, day, second)
    if uniform(today, _GO_ON) >= me.score:
        add_mark(log, at, REFUSED)
        return _REFUSED
    add_mark(log, at, GRANTED)
    if uniform(today, _AT_ONCE) >= scene.habits.draw_at_once:
        return _GRANTED
    at += 600 + pick(today, _SESSION + 12, 3 * HOUR)
    _draw_loan(log, scene, me, mood, (at, day), debt, today)
    return _LOAN


@njit(cache=True)
def _draw_loan(
    log: Log,
    scene: Scene,
    me: Borrower,
    mood: NDArray[np.float64],
    time: tuple[int, int],
    debt: NDArray[np.float64],
    today: np.uint64,
) -> None:
    """Draw a loan; `time` is (second, day). An offer waives costs that no row shows."""
    product = me.product
    if uniform(today, _TERM) > 0.7:
        product = pick(today, _TERM + 16, 4)
    months = 1 if product == 0 else 3 if product == 1 else 6 if product == 2 else 2
    size = me.loan * (1.0 + 0.15 * min(debt[3], 5.0)) * math.exp(0.3 * normal(today, _AMOUNT))
    amount = max(round(size / 100.0), 5.0) * 100.0
    add_event(log, time[0], DRAWN, amount, np.nan, int(debt[3]), product)
    debt[0] = 30 * months
    debt[1] = round(amount * (1.0 + 0.04 * months) / months, 2)
    debt[2] = product
    debt[3] += 1.0
    redeem(mood, scene.law, scene.contact_habits, time[1])
    mood[ORDERS] += 1.0
    mood[SPENT] += amount
    mood[TASTE] = product
    mood[LAST_ORDER] = time[1]


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
    me: Borrower,
    habits: LenderHabits,
    mood: NDArray[np.float64],
    age: int,
    today: np.uint64,
) -> bool:
    fresh = _fading(age, habits.visit_rate, 0.15 * habits.visit_rate, habits.visit_days)
    chance = fresh * (0.4 + 0.6 * me.drive) * lift(mood, 0.5)
    return bool(uniform(today, _BROWSE) < chance)


@njit(cache=True)
def _visit(log: Log, at: int, today: np.uint64, stream: int) -> int:
    """Looking at the app, often logged in; return the second it ends."""
    add_mark(log, at, VISIT)
    if uniform(today, stream) < 0.6:
        at += 5 + pick(today, stream + 1, 30)
        add_mark(log, at, LOGIN)
    return at + int(40 * exponential(today, stream + 2))
