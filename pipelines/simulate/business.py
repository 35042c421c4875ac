"""The simulated businesses: zones, season, habits, and how their channels work."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.config import Config
from pipelines.simulate import lender, shop, visits
from pipelines.simulate.borrowers import LenderHabits, draw_borrowers
from pipelines.simulate.clock import Season
from pipelines.simulate.log import Log
from pipelines.simulate.population import People
from pipelines.simulate.scene import ContactHabits, Reach, Scene
from pipelines.simulate.shoppers import ShopHabits, draw_shoppers


@dataclass(frozen=True, slots=True)
class ChannelTruth:
    """How one channel works here; shares of contacts sent, or of the step before.

    Attributes
    ----------
    take : how often the hand-made rule takes the channel when it may.
    effect : shift of the log hazards of ordering and waking, the day after contact.
    delivered : reached (for calls: answered). opened, clicked : at middling interest.
    unsubscribed : of those reached and not yet tired of contacts.
    closes : the customer flag that unsubscribing clears.
    """

    take: float
    effect: float
    delivered: float
    opened: float
    clicked: float
    unsubscribed: float
    closes: str
    is_call: bool = False
    is_open_seen: bool = True


@dataclass(frozen=True, slots=True)
class Business:
    """One preset's truth.

    `kernel` lives customers day by day, see `walk_shop`; `early_share` of them sign up in
    the first quarter, the others evenly over the whole time; `offers` are effects.
    """

    event_types: tuple[str, ...]
    categories: tuple[str, ...]
    zones: tuple[str, ...]
    zone_shares: tuple[float, ...]
    early_share: float
    season: Season
    channels: dict[str, ChannelTruth]
    offers: dict[str, float]
    habits: Any
    draw_latents: Callable[[People, Any], Any]
    kernel: Callable[[Log, Scene, Any, tuple[int, int], int], int]
    most_events_per_day: int
    order_size: float
    contacts: ContactHabits = field(default_factory=ContactHabits)


SHOP = Business(
    event_types=visits.EVENT_TYPES,
    categories=visits.CATEGORIES,
    zones=("Europe/Berlin", "Europe/London", "Europe/Athens", "Europe/Lisbon"),
    zone_shares=(0.8, 0.08, 0.07, 0.05),
    early_share=0.4,
    season=Season(
        yearly=0.12,
        peak_day=340,
        weekdays=(0.95, 0.93, 0.95, 1.0, 1.02, 1.08, 1.07),
        promotions=((11, 24, 30, 1.9), (12, 25, 26, 0.4), (7, 1, 4, 1.3)),
    ),
    channels={
        "push": ChannelTruth(0.5, 0.40, 0.92, 0.10, 0.55, 0.003, "push_consent"),
        "sms": ChannelTruth(0.3, 0.75, 0.97, 0.60, 0.08, 0.006, "sms_consent", is_open_seen=False),
        "email": ChannelTruth(0.9, 0.25, 0.96, 0.25, 0.14, 0.003, "email_consent"),
        "phone": ChannelTruth(0.1, 1.30, 0.38, 0.0, 0.0, 0.02, "phone_consent", is_call=True),
    },
    offers={"none": 0.0, "free_shipping": 0.2, "coupon_5": 0.3, "voucher_10": 0.5},
    habits=ShopHabits(),
    draw_latents=draw_shoppers,
    kernel=shop.walk_shop,
    most_events_per_day=shop.MOST_EVENTS_PER_DAY,
    order_size=ShopHabits().basket,
)

LENDER = Business(
    event_types=lender.EVENT_TYPES,
    categories=lender.PRODUCTS,
    zones=("America/Mexico_City", "America/Tijuana", "America/Cancun", "America/Hermosillo"),
    zone_shares=(0.82, 0.07, 0.06, 0.05),
    early_share=0.1,
    season=Season(
        yearly=0.06,
        peak_day=350,
        weekdays=(1.1, 1.05, 1.02, 1.0, 1.08, 0.9, 0.8),
        promotions=((12, 10, 23, 1.3), (1, 3, 15, 1.2)),
    ),
    channels={
        "push": ChannelTruth(0.6, 0.45, 0.90, 0.12, 0.60, 0.004, "push_consent"),
        "sms": ChannelTruth(0.5, 0.70, 0.97, 0.60, 0.10, 0.005, "sms_consent", is_open_seen=False),
        "email": ChannelTruth(0.6, 0.20, 0.94, 0.20, 0.12, 0.003, "email_consent"),
        "phone": ChannelTruth(0.25, 1.20, 0.35, 0.0, 0.0, 0.02, "phone_consent", is_call=True),
    },
    offers={"none": 0.0, "fee_waiver": 0.35, "rate_cut": 0.45},
    habits=LenderHabits(),
    draw_latents=draw_borrowers,
    kernel=lender.walk_lender,
    most_events_per_day=lender.MOST_EVENTS_PER_DAY,
    order_size=LenderHabits().loan,
    contacts=ContactHabits(
        newsletter_rate=0.012, rule_from_days=3.0, rule_until_days=90.0, random_from_days=3.0
    ),
)

BUSINESSES = {"retail": SHOP, "lending": LENDER}


def reach_of(business: Business, config: Config) -> Reach:
    """The configured channels and offers as the kernels take them, in configured order."""
    bits = {name: 2 << bit for bit, name in enumerate(config.sources.customers.flags)}
    truths = [business.channels[name] for name in config.channels]
    masks = [sum(bits[flag] for flag in channel.requires) for channel in config.channels.values()]

    def numbers(name: str) -> NDArray[np.float64]:
        return np.array([getattr(truth, name) for truth in truths], dtype=np.float64)

    return Reach(
        requires=np.array(masks, dtype=np.int64),
        closes=np.array([bits[truth.closes] for truth in truths], dtype=np.int64),
        take=numbers("take"),
        effect=numbers("effect"),
        delivered=numbers("delivered"),
        opened=numbers("opened"),
        clicked=numbers("clicked"),
        unsubscribed=numbers("unsubscribed"),
        is_call=np.array([truth.is_call for truth in truths]),
        is_open=np.array([truth.is_open_seen for truth in truths]),
        newsletter_channel=list(config.channels).index("email"),
        app_flags=bits["app_installed"] | bits["push_consent"],
        offer_effect=np.array([business.offers[name] for name in config.offers], dtype=np.float64),
    )
