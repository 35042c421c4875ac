"""What contacts change for the customers of a night, and what that is worth."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.errors import ArtifactError, describe
from models.action_value import ActionTerms, expected_gains
from models.attrition import AttritionModel, configured_attrition
from models.contact_effect import ContactEffect, EffectPriors, assumed_effect
from scoring.exploration import POSTERIOR_DRAWS, ShiftDraws
from scoring.gain import NORMAL_95, Actions, list_actions, log_odds, shifted_probability
from scoring.policy import Channel, Offer

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

_LARGEST_SEED = 2**63


@dataclass(frozen=True, slots=True)
class NightEffects:
    """The effects that a night believes in.

    Attributes
    ----------
    effect : shifts of the return's log-odds by action.
    attrition : chances that a contact loses the channel.
    """

    effect: ContactEffect
    attrition: AttritionModel

    def weigh(
        self, p_natural: Float64Array, x: Float64Array, *, names: tuple[str, ...], actions: Actions
    ) -> "ActionEffects":
        """What every action would change for these customers.

        Parameters
        ----------
        p_natural : probability of a return without contact, shape (n,).
        x, names : features of the effect, shape (n, F), and what they are called.
        actions : of the configuration, the same as the effect's.

        Raises
        ------
        ArtifactError : the effect was learnt on other features.
        """
        basis = self.effect.basis
        if basis is not None and basis.features != names:
            raise ArtifactError(
                describe(
                    "model contact_effect",
                    "its effects depend on other features than those of this winback",
                    examples=sorted(set(basis.features) ^ set(names)),
                    expected=f"the {len(names)} features in their order",
                    fix="run `winback train`",
                )
            )
        odds = log_odds(p_natural)
        n_offers = len(actions.offers)
        lost = np.repeat(self.attrition.probability(x, names), n_offers, axis=1)
        return ActionEffects(
            effect=self.effect,
            log_odds0=odds,
            x=x,
            shift=self.effect.means(odds, x),
            attrition_cost=lost * actions.channel_value,
        )


@dataclass(frozen=True, slots=True)
class ActionEffects:
    """Effects on n customers by A actions.

    Attributes
    ----------
    log_odds0 : logit of the natural return, shape (n,).
    x : features of the effect, shape (n, F).
    shift : expected shift of the log-odds, shape (n, A).
    attrition_cost : money lost because a contact may lose the channel, shape (n, A).
    """

    effect: ContactEffect
    log_odds0: Float64Array
    x: Float64Array
    shift: Float64Array
    attrition_cost: Float64Array

    def take(self, rows: Int64Array) -> "ActionEffects":
        """Effects on some of the customers, in the order given."""
        return ActionEffects(
            effect=self.effect,
            log_odds0=self.log_odds0[rows],
            x=self.x[rows],
            shift=self.shift[rows],
            attrition_cost=self.attrition_cost[rows],
        )

    @property
    def natural(self) -> Float64Array:
        """Probability of a return without contact, shape (n,)."""
        return np.asarray(1.0 / (1.0 + np.exp(-self.log_odds0)))

    def contacted(self) -> Float64Array:
        """Probability of a return under each action, shape (n, A)."""
        return np.asarray(1.0 / (1.0 + np.exp(-(self.log_odds0[:, None] + self.shift))))

    def gains(self, *, order_value: Float64Array, terms: ActionTerms) -> Float64Array:
        """Expected profit of every action over no contact, shape (n, A)."""
        return expected_gains(
            self.natural,
            self.contacted(),
            order_value=order_value,
            attrition_cost=self.attrition_cost,
            terms=terms,
        )

    def likelihoods(self, places: Int64Array, action: Int64Array) -> Float64Array:
        """P(return) of customers under one action each: expected, low, high; shape (3, n).

        The ends are those of the 95 % interval of the shift.
        """
        shift = self.shift[places, action]
        sd = self.effect.sd_of(self.log_odds0[places], self.x[places], action)
        spread = NORMAL_95 * sd
        natural = self.natural[places]
        return np.stack(
            [shifted_probability(natural, by) for by in (shift, shift - spread, shift + spread)]
        )

    def draws(self, rng: np.random.Generator) -> ShiftDraws:
        """Posterior draws by blocks of customers, the same worlds for every block."""
        seed = int(rng.integers(_LARGEST_SEED))

        def draw(rows: slice) -> NDArray[np.floating]:
            return self.effect.draw(
                np.random.default_rng(seed),
                self.log_odds0[rows],
                self.x[rows],
                draws=POSTERIOR_DRAWS,
            )

        return draw


def configured_priors(channels: Mapping[str, Channel], offers: Mapping[str, Offer]) -> EffectPriors:
    """The configuration's assumptions about every action."""
    shift = list_actions(channels, offers).shift
    return EffectPriors(
        mean=shift,
        channel_sd=np.array([one.effect_prior_sd for one in channels.values()], dtype=np.float64),
        offer_sd=np.array([one.effect_prior_sd for one in offers.values()], dtype=np.float64),
        moved=np.zeros(len(shift), dtype=np.bool_),
    )


def assumed_effects(channels: Mapping[str, Channel], offers: Mapping[str, Offer]) -> NightEffects:
    """What a night believes before anything is measured: the configuration."""
    return NightEffects(
        effect=assumed_effect(
            configured_priors(channels, offers), channels=tuple(channels), offers=tuple(offers)
        ),
        attrition=configured_attrition(
            tuple(channels), [one.unsubscribe_share for one in channels.values()]
        ),
    )
