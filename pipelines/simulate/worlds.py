"""Worlds: what contacts do, in whatever business. The truth that estimators are judged by.

Four worlds besides the businesses' own. `additive`: effects add up on the log scale of the
hazards, which is the logit scale of small chances. `regions`: a tree of observables whose
leaves add to the hazards, and take away in some. `constant`: every customer is moved alike.
`none`: contacts move nobody; they cost, and drive some away, all the same. Whether somebody
is a sure thing, persuadable, a lost cause or a sleeping dog is never set: it emerges from
the chance to return anyway and the sign of the effect. METHODS.md section 6.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.errors import UsageError, describe
from pipelines.config import Config
from pipelines.simulate.business import Business, reach_of
from pipelines.simulate.clock import Clock
from pipelines.simulate.effects import OBSERVABLES, REGIONS
from pipelines.simulate.scene import (
    CONFOUNDED,
    HUMAN,
    MIXED,
    RANDOMISED,
    USUAL,
    Campaign,
    ContactHabits,
    EffectLaw,
    Reach,
    Scene,
)

Floats = NDArray[np.float64]

OWN = "own"
"""The business's own law: effects of channel and offer, and of the customer's temper."""
WORLDS = (OWN, "additive", "regions", "constant", "none")
POLICIES = {
    "usual": USUAL,
    "randomised": RANDOMISED,
    "human": HUMAN,
    "confounded": CONFOUNDED,
    "mixed": MIXED,
}

_CHANNEL_SHIFT = {"push": 0.25, "sms": 0.40, "email": 0.15, "phone": 0.80}
_OFFER_SHIFTS = (0.0, 0.15, 0.25, 0.40)
"""By position among the offers, which grow in worth."""

_SEEN_SPREADS = (0.69, 0.55, 0.93, 0.91, 0.89, 0.70, 0.73, 1.0, 0.99, 0.95, 0.95)
_REGION_SHARES = (0.09, 0.11, 0.25, 0.30, 0.02, 0.05, 0.18)
"""Of the observables and the regions among the shop's dormant customers, as measured; by
them the learnable share is what it says."""

_EFFECT_DAYS = 10.0
_SHIFT_SPREAD = 0.5
"""Standard deviation of the log-hazard shift over customers, of each action."""

_HAZARD = 0.002
"""Hazard per day behind one point of the tables of regions, on the day after a contact."""
_COMMON = {"orders": -0.4, "taste": 0.5, "way": 0.3}
_BY_CHANNEL = {
    "push": {"app": 1.0, "young": 0.8, "clicks": 0.8, "silence": -0.4},
    "sms": {"clicks": 0.5, "young": 0.4, "silence": -0.4, "large_city": -0.4},
    "email": {"spend": 0.5, "clicks": 0.7, "young": -0.5, "tenure": 0.4},
    "phone": {"spend": 0.7, "young": -0.9, "orders": 0.4, "tenure": 0.3},
}
_BY_OFFER: tuple[dict[str, float], ...] = (
    {"deals": -0.6},
    {"deals": 0.3, "spend": -0.3},
    {"deals": 0.8, "spend": -0.2},
    {"deals": 1.1, "spend": -0.5},
)

_REGION_CHANNELS = {
    "push": (2.0, 0.0, 1.5, 0.0, -2.0, 1.0, 0.5),
    "sms": (2.5, 1.0, 0.5, 1.0, -2.0, 0.5, -1.5),
    "email": (0.0, 1.0, 0.0, 0.5, 0.5, 0.5, 0.0),
    "phone": (-2.0, 1.5, 0.5, 2.5, 4.0, -1.5, 1.5),
}
_REGION_OFFERS = (
    (-1.0, -0.5, 0.0, 0.0, 0.5, 0.0, 0.0),
    (1.0, 1.0, 0.0, 0.3, 1.0, 1.0, 0.5),
    (3.0, 2.5, 0.5, 0.3, -1.0, 0.5, 1.0),
    (4.0, 4.0, 1.0, 0.5, -1.5, 0.5, 1.5),
)
"""Points of hazard by region; see `effects.region_of` for the regions."""


@dataclass(frozen=True, slots=True)
class WorldPlan:
    """Which world, and who is contacted in it.

    Attributes
    ----------
    world : one of WORLDS. policy : one of POLICIES.
    learnable_share : share of the effect's variance over customers that observables
        explain; the rest is temper, which nobody can see.
    gamma : strength of the hidden confounder, as a factor on odds.
    """

    world: str = OWN
    policy: str = "usual"
    learnable_share: float = 0.7
    gamma: float = 3.0

    def __post_init__(self) -> None:
        """Refuse what is no world."""
        for name, value, known in (
            ("world", self.world, WORLDS),
            ("policy", self.policy, tuple(POLICIES)),
        ):
            if value not in known:
                raise UsageError(
                    describe(
                        f"simulate --{name}",
                        f"no such {name}: {value!r}",
                        expected=", ".join(known),
                        fix="pass one of these",
                    )
                )
        for option, number, least, most in (
            ("learnable-share", self.learnable_share, 0.0, 1.0),
            ("gamma", self.gamma, 1.0, 100.0),
        ):
            if not least <= number <= most:
                raise UsageError(
                    describe(
                        f"simulate --{option}",
                        f"{number} is out of range",
                        expected=f"{least:g} to {most:g}",
                        fix="pass a value in that range",
                    )
                )

    @property
    def is_campaign(self) -> bool:
        """Whether contacts come by assignment, which is then logged."""
        return self.policy != "usual"


def set_scene(
    business: Business, config: Config, clock: Clock, plan: WorldPlan, *, foreign_rate: float = 0.0
) -> Scene:
    """Everything the kernels need to live customers in a world.

    Parameters
    ----------
    config : names and order of channels, offers and customer flags, and offers' worth.
    foreign_rate : chance per night of a newsletter by another tool, where campaigns decide.
    """
    reach = reach_of(business, config)
    habits = business.contacts
    if plan.is_campaign:
        habits = habits._replace(newsletter_rate=foreign_rate, rule_rate=0.0, random_rate=0.0)
    campaign = Campaign(policy=POLICIES[plan.policy], gamma=plan.gamma)
    law = _law(business, config)
    if plan.world != OWN:
        reach, habits, law = _enter(plan, config, reach, habits, law)
    return Scene(clock, reach, habits, business.habits, law, campaign)


def _law(business: Business, config: Config) -> EffectLaw:
    """The business's own law: offers are words, nothing is pulled forward."""
    nothing = np.zeros(len(config.offers))
    return EffectLaw(
        weights=np.empty((0, len(OBSERVABLES))),
        regions=np.empty((0, len(config.channels) * len(config.offers))),
        spread=np.zeros(len(config.channels) * len(config.offers)),
        order_size=business.order_size,
        discount=nothing,
        voucher=nothing,
        dip=nothing,
        training=nothing,
        uninstall_share=0.0,
    )


def _enter(
    plan: WorldPlan, config: Config, reach: Reach, habits: ContactHabits, law: EffectLaw
) -> tuple[Reach, ContactHabits, EffectLaw]:
    """The company's reach and habits and the effects' law, in one of the four worlds."""
    channels, offers = tuple(config.channels), len(config.offers)
    reach = reach._replace(
        effect=np.array([_CHANNEL_SHIFT[name] for name in channels]),
        offer_effect=np.array(_OFFER_SHIFTS[:offers]),
    )
    habits = habits._replace(effect_days=_EFFECT_DAYS, effect_spread=0.0)
    worth = [offer.discount for offer in config.offers.values()]
    # A return's cost is a price cut where the offer's name says voucher; else nobody sees it.
    vouchers = [
        offer.cost_on_return if name.startswith("voucher") else 0.0
        for name, offer in config.offers.items()
    ]
    law = law._replace(discount=np.array(worth), voucher=np.array(vouchers), uninstall_share=0.3)
    if plan.world == "none":
        return reach, habits._replace(effect_scale=0.0), law
    is_cut = (law.discount > 0) | (law.voucher > 0)
    law = law._replace(dip=np.where(is_cut, 0.8, 0.0), training=np.where(is_cut, 0.1, 0.0))
    if plan.world == "constant":
        return reach, habits._replace(fatigue_weight=0.0), law
    seen, unseen = np.sqrt(plan.learnable_share), np.sqrt(1.0 - plan.learnable_share)
    if plan.world == "regions":
        table = _region_table(channels, offers)
        middle = np.average(table, axis=0, weights=_REGION_SHARES)
        spread = np.sqrt(np.average((table - middle) ** 2, axis=0, weights=_REGION_SHARES))
        regions = middle + seen * (table - middle)
        return reach, habits, law._replace(regions=regions, spread=unseen * spread)
    weights = _shift_weights(channels, offers)
    norms = np.linalg.norm(weights * _SEEN_SPREADS, axis=1, keepdims=True)
    weights *= _SHIFT_SPREAD * seen / norms
    habits = habits._replace(effect_spread=_SHIFT_SPREAD * float(unseen))
    return reach, habits, law._replace(weights=weights)


def _shift_weights(channels: tuple[str, ...], offers: int) -> Floats:
    """Weights of the observables for each action, before they are scaled."""

    def row(*parts: dict[str, float]) -> list[float]:
        return [sum(part.get(name, 0.0) for part in parts) for name in OBSERVABLES]

    return np.array(
        [
            row(_COMMON, _BY_CHANNEL[channel], by_offer)
            for channel in channels
            for by_offer in _BY_OFFER[:offers]
        ]
    )


def _region_table(channels: tuple[str, ...], offers: int) -> Floats:
    """Hazard per day added, shape (regions, actions)."""
    points = np.empty((REGIONS, len(channels) * offers))
    for place, channel in enumerate(channels):
        for offer in range(offers):
            both = np.add(_REGION_CHANNELS[channel], _REGION_OFFERS[offer])
            points[:, place * offers + offer] = both
    return points * _HAZARD
