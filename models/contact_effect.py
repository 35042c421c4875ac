"""The effect of a contact on the return: a shift of its log-odds per customer and action."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from models.effect_design import EffectBasis, EffectDesign
from models.effect_trees import EffectTrees
from models.forest import read_forest

Float64Array = NDArray[np.float64]

Rung = Literal["priors", "arm_means", "ridge", "stack"]
RUNGS: tuple[Rung, ...] = get_args(Rung)
"""What an effect is estimated with, the least demanding first."""

Evidence = Literal["rules", "response", "uplift"]
EVIDENCE: tuple[Evidence, ...] = get_args(Evidence)
"""What an action's effect rests on: an assumption, one moved by observational logs, or a
measurement against a randomised control."""

MEASURED_SHARE = 0.5
"""An action counts as measured when so much of its assumption's variance is gone."""

_DIGITS = 9
_JITTER = 1e-12


@dataclass(frozen=True, slots=True)
class EffectPriors:
    """What is assumed of effects before anything is measured; log-odds.

    Attributes
    ----------
    mean : per action, shape (A,).
    channel_sd, offer_sd : how unsure, per channel and per offer; they add up in squares.
    moved : actions whose assumption observational logs have moved, shape (A,).
    """

    mean: Float64Array
    channel_sd: Float64Array
    offer_sd: Float64Array
    moved: NDArray[np.bool_]

    @property
    def sd(self) -> Float64Array:
        """Per action, shape (A,)."""
        total: Float64Array = np.hypot(self.channel_sd[:, None], self.offer_sd[None, :])
        return total.ravel()


@dataclass(frozen=True, slots=True)
class Shifts:
    """Log-odds shifts of n customers by A actions: mean and standard deviation, (n, A)."""

    mean: Float64Array
    sd: Float64Array


@dataclass(frozen=True, slots=True)
class ContactEffect:
    """What contacting does, as far as is known.

    Attributes
    ----------
    design : channels, offers and the layout of the coefficients.
    rung : what it was estimated with.
    evidence : per action, what it rests on.
    prior_mean : assumed shift per action, to which the coefficients add, shape (A,).
    basis : scale of the features; None where effects are the same for everybody.
    mean, covariance : of the coefficients, shapes (d,) and (d, d).
    trees : the X-learner of the last rung.
    """

    design: EffectDesign
    rung: Rung
    evidence: tuple[Evidence, ...]
    prior_mean: Float64Array
    basis: EffectBasis | None
    mean: Float64Array
    covariance: Float64Array
    trees: EffectTrees | None = None

    @property
    def actions(self) -> tuple[str, ...]:
        """Names such as "sms/none", in order of their codes."""
        return self.design.actions

    def means(self, log_odds0: Float64Array, x: Float64Array) -> Float64Array:
        """Expected shift of the return's log-odds by each action, shape (n, A).

        Parameters
        ----------
        log_odds0 : logit of the natural-return probability, shape (n,).
        x : features as the effect was learnt on, shape (n, F).
        """
        combined = self.design.combine(self.mean)
        return self._trees_added(log_odds0, x, self._apply(combined, log_odds0, x))

    def shifts(self, log_odds0: Float64Array, x: Float64Array) -> Shifts:
        """Expected shifts and how unsure they are.

        The trees add to the mean; their own uncertainty is not known and not counted.
        """
        columns = self._columns(log_odds0, x)
        variance = np.empty((len(log_odds0), len(self.actions)))
        for action in range(len(self.actions)):
            covariance = self.design.combine_covariance(self.covariance, action)
            variance[:, action] = ((columns @ covariance) * columns).sum(axis=1)
        return Shifts(self.means(log_odds0, x), np.sqrt(np.maximum(variance, 0.0)))

    def sd_of(
        self, log_odds0: Float64Array, x: Float64Array, action: NDArray[np.integer]
    ) -> Float64Array:
        """How unsure the shift by one action each is, shape (n,); as in `shifts`.

        Parameters
        ----------
        action : code of each customer's action, shape (n,).
        """
        columns = self._columns(log_odds0, x)
        variance = np.empty(len(log_odds0))
        for code in np.unique(action).tolist():
            mine = np.flatnonzero(action == code)
            covariance = self.design.combine_covariance(self.covariance, code)
            variance[mine] = ((columns[mine] @ covariance) * columns[mine]).sum(axis=1)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))

    def difference_sd(
        self,
        log_odds0: Float64Array,
        x: Float64Array,
        *,
        pair: tuple[int, int],
        weights: Float64Array,
    ) -> Float64Array:
        """How unsure w_1 shift_1 - w_2 shift_2 of two actions is, shape (n,).

        What both actions share, such as the channel, is unsure for both alike and cancels
        as far as the weights allow.

        Parameters
        ----------
        pair : the two actions' codes.
        weights : w, shape (n, 2).
        """
        columns = self._columns(log_odds0, x)
        first, second = (self.design.adder(action) for action in pair)

        def covariance(left: Float64Array, right: Float64Array) -> Float64Array:
            between = left @ self.covariance @ right.T
            return np.asarray(((columns @ between) * columns).sum(axis=1))

        variance = (
            weights[:, 0] ** 2 * covariance(first, first)
            + weights[:, 1] ** 2 * covariance(second, second)
            - 2.0 * weights[:, 0] * weights[:, 1] * covariance(first, second)
        )
        return np.sqrt(np.maximum(variance, 0.0))

    def draw(
        self, rng: np.random.Generator, log_odds0: Float64Array, x: Float64Array, *, draws: int
    ) -> Float64Array:
        """Shifts drawn from the posterior, shape (draws, n, A).

        One draw is one world: its coefficients are the same for all customers. Where effects
        are the same for everybody, so are the draws: one customer's, repeated without a copy.
        """
        root = np.linalg.cholesky(self.covariance + _JITTER * np.eye(len(self.mean)))
        normal = rng.standard_normal((draws, len(self.mean)))
        worlds = self.design.combine_all(self.mean + normal @ root.T)
        shape = (draws, len(log_odds0), len(self.actions))
        if self.basis is None and self.trees is None:
            return np.broadcast_to((self.prior_mean + worlds[:, :, 0])[:, None, :], shape)
        columns = self._columns(log_odds0, x)
        # All worlds in one product, customers outermost: what is read together lies together.
        drawn = columns @ worlds.reshape(-1, columns.shape[1]).T
        drawn = drawn.reshape(len(log_odds0), draws, len(self.actions))
        drawn += self.prior_mean
        if self.trees is not None:
            mean = self._apply(self.design.combine(self.mean), log_odds0, x)
            drawn += (self._trees_added(log_odds0, x, mean) - mean)[:, None, :]
        return drawn.transpose(1, 0, 2)

    def _columns(self, log_odds0: Float64Array, x: Float64Array) -> Float64Array:
        ones = np.ones((len(log_odds0), 1))
        return ones if self.basis is None else np.c_[ones, self.basis.matrix(log_odds0, x)]

    def _apply(
        self, combined: Float64Array, log_odds0: Float64Array, x: Float64Array
    ) -> Float64Array:
        return np.asarray(self.prior_mean + self._columns(log_odds0, x) @ combined.T)

    def _trees_added(
        self, log_odds0: Float64Array, x: Float64Array, shifts: Float64Array
    ) -> Float64Array:
        if self.trees is None:
            return shifts
        return self.trees.mix(log_odds0, x, shifts, n_offers=len(self.design.offers))

    def to_json(self) -> dict[str, Any]:
        """Plain values; the trees' text is kept beside it."""
        lower = self.covariance[np.tril_indices(len(self.mean))]
        return {
            "channels": list(self.design.channels),
            "offers": list(self.design.offers),
            "channel_sd": self.design.channel_sd.tolist(),
            "offer_sd": self.design.offer_sd.tolist(),
            "rung": self.rung,
            "evidence": list(self.evidence),
            "prior_mean": self.prior_mean.tolist(),
            "basis": None if self.basis is None else _plain(asdict(self.basis)),
            "mean": self.mean.tolist(),
            "covariance": [float(f"{value:.{_DIGITS}g}") for value in lower],
            "tree_weight": None if self.trees is None else self.trees.weight,
        }

    @property
    def trees_text(self) -> str:
        """LightGBM's text of the trees; empty without them."""
        return "" if self.trees is None else self.trees.forest.text


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else list(value)
        for name, value in document.items()
    }


def contact_effect_from_json(document: Mapping[str, Any], trees_text: str = "") -> ContactEffect:
    """What `to_json` wrote, with the trees' text."""
    basis, weight = document["basis"], document["tree_weight"]
    size = len(document["mean"])
    covariance = np.zeros((size, size))
    covariance[np.tril_indices(size)] = document["covariance"]
    covariance = covariance + np.tril(covariance, -1).T
    return ContactEffect(
        design=EffectDesign(
            channels=tuple(document["channels"]),
            offers=tuple(document["offers"]),
            channel_sd=np.array(document["channel_sd"], dtype=np.float64),
            offer_sd=np.array(document["offer_sd"], dtype=np.float64),
            width=0 if basis is None else 2 * len(basis["features"]) + 3,
        ),
        rung=document["rung"],
        evidence=tuple(document["evidence"]),
        prior_mean=np.array(document["prior_mean"], dtype=np.float64),
        basis=None
        if basis is None
        else EffectBasis(
            tuple(basis["features"]), np.array(basis["centre"]), np.array(basis["scale"])
        ),
        mean=np.array(document["mean"], dtype=np.float64),
        covariance=covariance,
        trees=None if weight is None else EffectTrees(read_forest(trees_text), float(weight)),
    )


def assumed_effect(
    priors: EffectPriors, *, channels: tuple[str, ...], offers: tuple[str, ...]
) -> ContactEffect:
    """The effect before anything is measured: the assumptions and how unsure they are."""
    design = EffectDesign(channels, offers, priors.channel_sd, priors.offer_sd, width=0)
    known = np.ones(design.size)
    # What a single action adds to its channel and offer is not assumed at all.
    known[len(channels) + len(design.promised) :] = 0.0
    evidence: list[Evidence] = ["response" if one else "rules" for one in priors.moved]
    return ContactEffect(
        design=design,
        rung="priors",
        evidence=tuple(evidence),
        prior_mean=priors.mean,
        basis=None,
        mean=np.zeros(design.size),
        covariance=np.diag(known),
    )
