"""The columns of the contact effect: how a shift of log-odds depends on action and customer.

delta(x, a) = channel + offer + action + B(x) (main + by channel + by offer), where B(x) are
the customer's features, standardised, with steps. METHODS.md section 2.2, stage B.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

NO_OFFER = "none"
_FARTHEST = 3.0
_ROUNDING = 1e-9
"""A spread of this part of a feature's size is the rounding of its mean: it never varies."""

_HIGH_SHARE = 0.16
"""Share of a normal variable above one standard deviation: centres the step there."""


@dataclass(frozen=True, slots=True)
class EffectBasis:
    """Features of the effect, on a scale on which coefficients can be compared.

    Attributes
    ----------
    features : names of the feature columns.
    centre, scale : mean and standard deviation of each, the log-odds of the natural
        return last; shape (F + 1,).
    """

    features: tuple[str, ...]
    centre: Float64Array
    scale: Float64Array

    @property
    def width(self) -> int:
        """Number of columns of `matrix`."""
        return 2 * len(self.features) + 3

    def matrix(self, log_odds0: Float64Array, x: Float64Array) -> Float64Array:
        """Columns of the customers, shape (n, width).

        Each feature enters as it is (cut off at three standard deviations) and as a step at
        one; the log-odds of the natural return also as a step at its mean, because an effect
        in probability is none in log-odds.

        Parameters
        ----------
        log_odds0 : logit of the natural-return probability, shape (n,).
        x : features, shape (n, F).
        """
        standard = (np.c_[x, log_odds0] - self.centre) / self.scale
        standard = np.clip(standard, -_FARTHEST, _FARTHEST)
        steps = (standard > 1.0) - _HIGH_SHARE
        half = (standard[:, -1:] > 0.0) - 0.5
        return np.concatenate([standard, steps, half], axis=1)


def learn_basis(
    log_odds0: Float64Array, x: Float64Array, *, features: tuple[str, ...]
) -> EffectBasis:
    """The scale of these customers; a feature that never varies stays zero."""
    columns = np.c_[x, log_odds0]
    centre, spread = columns.mean(axis=0), columns.std(axis=0)
    varies = spread > _ROUNDING * np.maximum(np.abs(centre), 1.0)
    return EffectBasis(features, centre, np.where(varies, spread, 1.0))


@dataclass(frozen=True, slots=True)
class EffectDesign:
    """Where the coefficients of each part stand; actions are channels x offers.

    Attributes
    ----------
    channels, offers : names in configured order.
    channel_sd, offer_sd : how unsure the assumed effects are, which scales the columns.
    width : columns of the basis; 0 for effects that are the same for everybody.
    """

    channels: tuple[str, ...]
    offers: tuple[str, ...]
    channel_sd: Float64Array
    offer_sd: Float64Array
    width: int

    @property
    def actions(self) -> tuple[str, ...]:
        """Names such as "sms/none"."""
        return tuple(f"{channel}/{offer}" for channel in self.channels for offer in self.offers)

    @property
    def promised(self) -> tuple[str, ...]:
        """Offers with coefficients of their own: all but "none"."""
        return tuple(offer for offer in self.offers if offer != NO_OFFER)

    @property
    def constants(self) -> int:
        """Coefficients that are the same for everybody: channels, offers, actions."""
        return len(self.channels) + len(self.promised) + len(self.actions)

    @property
    def size(self) -> int:
        """All coefficients."""
        return self.constants + self.width * (1 + len(self.channels) + len(self.promised))

    def weights(self) -> list[tuple[Int64Array, Float64Array]]:
        """Per action, which constants it adds up, and with which weights."""
        n_channels, n_offers = len(self.channels), len(self.offers)
        pairs = []
        for action in range(n_channels * n_offers):
            channel, offer = divmod(action, n_offers)
            places, scales = [channel], [float(self.channel_sd[channel])]
            if self.offers[offer] != NO_OFFER:
                places.append(n_channels + self._promise(offer))
                scales.append(float(self.offer_sd[offer]))
            places.append(n_channels + len(self.promised) + action)
            pairs.append((np.array(places), np.array([*scales, 1.0])))
        return pairs

    def slopes(self) -> list[Int64Array]:
        """Per action, the first coefficient of each slope block it adds up."""
        first, n_channels = self.constants, len(self.channels)
        blocks = []
        for action in range(n_channels * len(self.offers)):
            channel, offer = divmod(action, len(self.offers))
            block = [0, 1 + channel]
            if self.offers[offer] != NO_OFFER:
                block.append(1 + n_channels + self._promise(offer))
            blocks.append(first + self.width * np.array(block))
        return blocks

    def adder(self, action: int) -> Float64Array:
        """What turns all coefficients into those of (1, basis) for one action.

        Returns
        -------
        Shape (1 + width, size).
        """
        places, scales = self.weights()[action]
        adder = np.zeros((1 + self.width, self.size))
        adder[0, places] = scales
        for start in self.slopes()[action] if self.width else ():
            adder[1 + np.arange(self.width), start + np.arange(self.width)] = 1.0
        return adder

    def combine(self, coefficients: Float64Array) -> Float64Array:
        """Coefficients of (1, basis) per action, shape (A, 1 + width)."""
        combined = np.zeros((len(self.actions), 1 + self.width))
        for code, ((places, scales), slopes) in enumerate(
            zip(self.weights(), self.slopes(), strict=True)
        ):
            combined[code, 0] = coefficients[places] @ scales
            for start in slopes:
                combined[code, 1:] += coefficients[start : start + self.width]
        return combined

    def combine_all(self, coefficients: Float64Array) -> Float64Array:
        """As `combine`, of many vectors of coefficients: (k, size) to (k, A, 1 + width)."""
        adders = np.concatenate([self.adder(action) for action in range(len(self.actions))])
        combined = coefficients @ adders.T
        shape = (len(coefficients), len(self.actions), 1 + self.width)
        return np.asarray(combined.reshape(shape))

    def combine_covariance(self, covariance: Float64Array, action: int) -> Float64Array:
        """Covariance of one action's coefficients of (1, basis); (1 + width, 1 + width)."""
        adder = self.adder(action)
        return np.asarray(adder @ covariance @ adder.T)

    def _promise(self, offer: int) -> int:
        return self.promised.index(self.offers[offer])
