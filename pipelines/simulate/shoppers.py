"""Who buys in the simulated shop: the latents behind each customer's behaviour."""

from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.special import gammaincinv, ndtr

from pipelines.simulate.clock import DAY, HOUR, Clock
from pipelines.simulate.population import Floats, Ints, People, gamma_quantile, quantile_codes


class ShopHabits(NamedTuple):
    """The shop's averages; rates are per day.

    Whoever has a chance to leave at an order may take it after `loyal_orders` orders. Where
    customers sign up with an order, that is the first one.
    """

    gap_days: float = 38.0
    rate_shape: float = 1.1
    browse_ratio: float = 2.8
    sleep_rate: float = 0.0045
    once_only: float = 0.22
    wake_rate: float = 0.0035
    leave_alive: float = 0.0005
    leave_asleep: float = 0.0025
    asleep_browse: float = 0.06
    keen_factor: float = 2.5
    keen_days: float = 8.0
    wake_order: float = 0.3
    loyal_orders: int = 1
    signs_up_with_order: bool = False
    wake_weight: float = 1.0
    basket: float = 58.0
    refund_share: float = 0.06


class Shoppers(NamedTuple):
    """Latents of each customer; shape (n,), `favourite` are category codes.

    `leave` is the chance to leave for good at each order; `city`, `age` and `way` (of being
    acquired) are no latents, effects of contacts may depend on them.
    """

    first: int
    zone: Ints
    device: Ints
    flags: Ints
    signup_day: Ints
    signup_second: Ints
    hour: Floats
    weekend: Floats
    temper: Floats
    interest: Floats
    rate: Floats
    regularity: Ints
    browse: Floats
    sleep: Floats
    wake: Floats
    spend: Floats
    deals: Floats
    favourite: Ints
    leave: Floats
    city: Ints
    age: Ints
    way: Ints


def draw_shoppers(people: People, habits: ShopHabits) -> Shoppers:
    """Latents by inversion; the copula ties pace, loyalty and spend together."""
    noise = people.noise
    pace = gamma_quantile(ndtr(people.rate_z), shape=habits.rate_shape, mean=1.0 / habits.gap_days)
    looker = noise[:, 0] < 0.25
    pace = np.where(looker, 0.1 * pace, pace) + 0.0004
    spread = 1.0 / gammaincinv(5.0, ndtr(-people.spend_z))
    return Shoppers(
        first=people.first,
        zone=people.zone,
        device=people.device,
        flags=people.flags,
        signup_day=people.signup_day,
        signup_second=people.signup_second,
        hour=people.hour,
        weekend=people.weekend,
        temper=people.temper,
        interest=people.interest,
        rate=pace,
        regularity=1 + quantile_codes(noise[:, 1], (0.45, 0.35, 0.2)),
        browse=pace * habits.browse_ratio * np.exp(0.6 * (noise[:, 2] - 0.5)) + 0.01,
        sleep=habits.sleep_rate * np.exp(-0.7 * people.stay_z),
        wake=habits.wake_rate * np.exp(0.5 * people.stay_z),
        spend=habits.basket * 4.0 * spread,
        deals=noise[:, 3] ** 2,
        favourite=quantile_codes(noise[:, 4], (1, 1, 1, 1, 1, 1, 1, 1)),
        leave=np.zeros(len(people)),
        city=people.city,
        age=people.age,
        way=people.acquisition,
    )


def signup_seconds(clock: Clock, shoppers: Shoppers) -> Ints:
    """UTC second at which each customer signs up, shape (n,)."""
    day, second = shoppers.signup_day, shoppers.signup_second
    offset = clock.offsets[shoppers.zone, day * 24 + second // HOUR]
    return np.asarray(clock.start + day * DAY + second - offset)


class Shopper(NamedTuple):
    """One customer's latents as plain numbers: numba passes them on for free, arrays not."""

    zone: int
    signup_day: int
    signup_second: int
    hour: float
    weekend: float
    interest: float
    rate: float
    regularity: int
    browse: float
    sleep: float
    wake: float
    spend: float
    deals: float
    favourite: int
    leave: float


@njit(cache=True)
def shopper_at(who: Shoppers, i: int) -> Shopper:
    """The customer at a position of the arrays."""
    return Shopper(
        who.zone[i],
        who.signup_day[i],
        who.signup_second[i],
        who.hour[i],
        who.weekend[i],
        who.interest[i],
        who.rate[i],
        who.regularity[i],
        who.browse[i],
        who.sleep[i],
        who.wake[i],
        who.spend[i],
        who.deals[i],
        who.favourite[i],
        who.leave[i],
    )


@njit(cache=True)
def expected_amount(me: Shopper) -> float:
    """Mean amount of an order, with the price cuts that deal-seekers find by themselves."""
    return float(me.spend * (1.0 - 0.1 * min(0.05 + 0.5 * me.deals, 1.0)))
