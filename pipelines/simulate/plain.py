"""A plain shop, for proofs: customers buy at random until they leave, and nothing else happens.

The BG/NBD process (Fader, Hardie and Lee 2005): everybody signs up with a first order, then
orders at a rate of their own, gamma-distributed over customers, and may leave for good at
every later order, with a chance of their own, beta-distributed. No seasons, no sleep, no
visits but to order, no contacts but from outside. Real data can be followed closely with
it: `benchmarks.worlds` calibrates it to CDNOW.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import betaincinv, gammaincinv, ndtr

from pipelines.simulate.business import SHOP, Business
from pipelines.simulate.clock import Season
from pipelines.simulate.population import Floats, People, gamma_quantile
from pipelines.simulate.scene import ContactHabits
from pipelines.simulate.shoppers import ShopHabits, Shoppers

EVEN = Season(yearly=0.0, peak_day=1, weekdays=(1.0,) * 7)
"""No day is better than another."""


@dataclass(frozen=True, slots=True)
class PlainShop:
    """Parameters of the process, in days, and of what an order brings.

    Attributes
    ----------
    r, alpha : of the gamma distribution of rates (orders per day).
    a, b : of the beta distribution of the chance to leave at a later order.
    leaves_at_first : also at the first order (MBG/NBD).
    basket, basket_shape : mean amount of an order over customers, and the shape of the
        inverse gamma distribution of the customers' own means.
    signup_quantiles : days on which equal shares of the customers sign up, as quantiles from
        0 to 1; default: evenly over the whole time.
    season : how demand moves.
    """

    r: float
    alpha: float
    a: float
    b: float
    leaves_at_first: bool = False
    basket: float = 35.0
    basket_shape: float = 3.7
    signup_quantiles: tuple[float, ...] | None = None
    season: Season = EVEN

    def business(self) -> Business:
        """The shop as a business that the simulator can live."""
        return replace(
            SHOP,
            zones=SHOP.zones[:1],
            zone_shares=(1.0,),
            early_share=0.0,
            season=self.season,
            habits=ShopHabits(
                leave_alive=0.0,
                leave_asleep=0.0,
                once_only=0.0,
                refund_share=0.0,
                basket=self.basket,
                loyal_orders=0 if self.leaves_at_first else 1,
                signs_up_with_order=True,
            ),
            draw_latents=self.draw,
            order_size=self.basket,
            contacts=ContactHabits(newsletter_rate=0.0, rule_rate=0.0, random_rate=0.0),
        )

    def draw(self, people: People, habits: ShopHabits) -> Shoppers:
        """Latents of customers, by inversion."""
        noise, n = people.noise, len(people)
        nothing, shape = np.zeros(n), self.basket_shape
        signup_day = people.signup_day
        if self.signup_quantiles is not None:
            grid = np.linspace(0.0, 1.0, len(self.signup_quantiles))
            signup_day = np.interp(noise[:, 5], grid, self.signup_quantiles).astype(np.int64)
        # Within a customer amounts vary as the shop's do; this is the spread between them.
        spread: Floats = (shape - 1.0) / gammaincinv(shape, ndtr(-people.spend_z))
        return Shoppers(
            first=people.first,
            zone=people.zone,
            device=people.device,
            flags=people.flags,
            signup_day=signup_day,
            signup_second=people.signup_second,
            hour=people.hour,
            weekend=np.ones(n),
            temper=people.temper,
            interest=people.interest,
            rate=gamma_quantile(ndtr(people.rate_z), shape=self.r, mean=self.r / self.alpha),
            regularity=np.ones(n, dtype=np.int64),
            browse=nothing,
            sleep=nothing,
            wake=nothing,
            spend=habits.basket * spread,
            deals=nothing,
            favourite=np.minimum((noise[:, 4] * 8).astype(np.int64), 7),
            leave=betaincinv(self.a, self.b, noise[:, 3]),
            city=people.city,
            age=people.age,
            way=people.acquisition,
        )
