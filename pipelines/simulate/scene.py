"""What the kernels take besides customers: the calendar, the company, and its contacts' law.

NamedTuples of numbers and arrays, because numba knows tuples and no dataclasses.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.simulate.clock import Clock

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

USUAL, RANDOMISED, HUMAN, CONFOUNDED, MIXED = range(5)
"""Logging policies; see pipelines.simulate.campaigns."""


class Reach(NamedTuple):
    """Channels and offers as arrays, in configured order.

    Shapes: (channels,), except `offer_effect` (offers,). `requires` and `closes` are bit
    masks over customer flags; `is_call` marks channels with a call disposition, `is_open`
    those whose opening can be observed; `app_flags` are lost with the app.
    """

    requires: Ints
    closes: Ints
    take: Floats
    effect: Floats
    delivered: Floats
    opened: Floats
    clicked: Floats
    unsubscribed: Floats
    is_call: NDArray[np.bool_]
    is_open: NDArray[np.bool_]
    newsletter_channel: int
    app_flags: int
    offer_effect: Floats


class ContactHabits(NamedTuple):
    """How the company contacts, and how contacts work; rates are per day.

    `effect_scale` 0 gives the same business without any effect of contacts. `dip_days` and
    `trained_days` are how long a pulled-forward order is missing, and waiting is remembered;
    an offer may be redeemed for `valid_days`. Numbers only: arrays are dear to pass on daily.
    """

    newsletter_rate: float = 0.03
    rule_rate: float = 0.03
    rule_from_days: float = 30.0
    rule_until_days: float = 150.0
    rich_factor: float = 1.8
    random_rate: float = 0.012
    random_from_days: float = 10.0
    pause_days: float = 3.0
    effect_scale: float = 1.0
    effect_days: float = 4.0
    effect_spread: float = 0.25
    fatigue_days: float = 14.0
    fatigue_weight: float = 0.35
    dip_days: float = 20.0
    trained_days: float = 90.0
    most_trained: float = 0.5
    valid_days: float = 30.0


class EffectLaw(NamedTuple):
    """What a contact changes beyond its channel's and offer's effects on everybody.

    Attributes
    ----------
    weights : shape (actions, observables), log-hazard shift per unit of an observable; no
        rows where effects do not depend on observables.
    regions : shape (regions, actions), hazard per day added in each region of observables;
        no rows where effects are shifts.
    spread : hazard per day added per unit of temper, with `regions`; shape (actions,).
    order_size : middling amount of an order, the measure of what a customer spends.
    discount, voucher : share and money taken off an order that redeems the offer, (offers,).
    dip, training : log-hazard missing after such an order, and learnt waiting, (offers,).
    uninstall_share : of those who unsubscribe from a channel of the app, who remove the app.
    """

    weights: Floats
    regions: Floats
    spread: Floats
    order_size: float
    discount: Floats
    voucher: Floats
    dip: Floats
    training: Floats
    uninstall_share: float


class Campaign(NamedTuple):
    """Whom the company contacts, if not in its usual way.

    Attributes
    ----------
    policy : one of the logging policies above.
    every_days : days from one campaign to the next; the last is so long before the end.
    from_days, newcomers_from_days : least silence of customers with and without orders.
    control_share : of a randomised campaign's customers, who get no contact.
    gamma : odds of contact of those secretly still active over those of the others.
    epsilon : share of a mixed campaign that is drawn at random.
    """

    policy: int = USUAL
    every_days: int = 35
    from_days: float = 60.0
    newcomers_from_days: float = 14.0
    control_share: float = 0.3
    gamma: float = 3.0
    epsilon: float = 0.2


class Scene(NamedTuple):
    """All that customers live in. `habits` are the business's own averages."""

    clock: Clock
    reach: Reach
    contact_habits: ContactHabits
    habits: Any
    law: EffectLaw
    campaign: Campaign
