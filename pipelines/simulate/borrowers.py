"""Who borrows from the simulated lender: the latents behind each customer's behaviour."""

from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.special import ndtr

from pipelines.simulate.population import Floats, Ints, People, gamma_quantile, quantile_codes


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
    city: Ints
    age: Ints
    way: Ints


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
        city=people.city,
        age=people.age,
        way=people.acquisition,
    )


class Borrower(NamedTuple):
    """One customer's latents as plain numbers, see `Shopper`."""

    zone: int
    signup_day: int
    signup_second: int
    hour: float
    interest: float
    drive: float
    score: float
    stay: float
    loan: float
    product: int


@njit(cache=True)
def borrower_at(who: Borrowers, i: int) -> Borrower:
    """The customer at a position of the arrays."""
    return Borrower(
        who.zone[i],
        who.signup_day[i],
        who.signup_second[i],
        who.hour[i],
        who.interest[i],
        who.drive[i],
        who.score[i],
        who.stay[i],
        who.loan[i],
        who.product[i],
    )
