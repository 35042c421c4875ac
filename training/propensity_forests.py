"""The learners behind propensities: contacted at all, in which channel, with which offer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from models.forest import ForestSettings
from training.linear_start import LinearLogOdds, fit_linear_start

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]
UInt64Array = NDArray[np.uint64]

NONE = 0
"""The place of "no contact" among the classes; action a has place a + 1."""

GROWN = (0.0, 0.3, 1.0)
"""Shares of the trees that are tried; the one that predicts other customers best is kept. Trees
that fit chance would make the calibration flatten what the regression has found."""


@dataclass(frozen=True, slots=True)
class PropensityPlan:
    """How propensities are fitted.

    Attributes
    ----------
    floor : smallest propensity that is believed; of an action rarer than ten times that, a
        tenth of its own share.
    folds : parts of the customers; each is predicted by a model of the others.
    contact_rounds, channel_rounds, offer_rounds : trees for "contacted at all?", "in which
        channel?" and "with which offer?".
    threads, seed : of LightGBM.
    """

    floor: float = 0.01
    folds: int = 3
    contact_rounds: int = 60
    channel_rounds: int = 40
    offer_rounds: int = 20
    threads: int = 1
    seed: int = 20260101

    def forest(self, rounds: int) -> ForestSettings:
        """LightGBM settings: shallow trees, as propensities near 0 and 1 cost most."""
        return ForestSettings(
            learning_rate=0.1,
            num_leaves=8,
            min_data_in_leaf=100,
            feature_fraction=0.6,
            bagging_fraction=1.0,
            lambda_l2=10.0,
            extra_trees=False,
            max_rounds=rounds,
            threads=self.threads,
            seed=self.seed,
        )


def customer_parts(cluster: UInt64Array, parts: int) -> Int64Array:
    """A part for each row; all rows of a customer share it, whatever the order of rows."""
    mixed = cluster.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray((mixed >> np.uint64(40)) % np.uint64(parts), dtype=np.int64)


def channel_places(actions: Sequence[str]) -> tuple[Int64Array, ...]:
    """The classes of each channel's actions, which stand together."""
    channels = [name.split("/", 1)[0] for name in actions]
    return tuple(
        np.flatnonzero([name == channel for name in channels]) + 1
        for channel in dict.fromkeys(channels)
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """A forest, perhaps on top of a regression, over the kinds that occurred; none where one did.

    `shares` has one entry per kind that there is, those that never occurred here included.
    """

    start: LinearLogOdds | None
    booster: Any
    kinds: Int64Array
    shares: Float64Array

    def predict(self, x: Float32Array, *, grown: float, threads: int) -> Float64Array:
        """Probability of each kind from this share of the trees, shape (n, kinds)."""
        probability = np.broadcast_to(self.shares, (len(x), len(self.shares))).copy()
        rounds = 0 if self.booster is None else round(grown * self.booster.current_iteration())
        if not len(x) or (rounds == 0 and self.start is None):
            return probability
        scores = np.zeros((len(x), 1))
        if rounds:
            trees = self.booster.predict(
                x, raw_score=True, num_iteration=rounds, num_threads=threads
            )
            scores = np.asarray(trees).reshape(len(x), -1)
        if self.start is not None:
            scores = scores + self.start.scores(x)
        if scores.shape[1] == 1:
            scores = np.column_stack([np.zeros(len(x)), scores])
        found = softmax(scores, axis=1)
        # The little that the shares leave to kinds never seen stays theirs.
        probability[:, self.kinds] = self.shares[self.kinds].sum() * found
        return probability


@dataclass(frozen=True, slots=True)
class Factors:
    """The three factors of a propensity, learnt on one part of the customers.

    Attributes
    ----------
    contacted : "no" and "yes".
    channel : the configured channels, then any other contact.
    offers : of each channel, the configured offers.
    """

    contacted: Choice
    channel: Choice
    offers: tuple[Choice, ...]

    def predict(
        self,
        x: Float32Array,
        places: Sequence[Int64Array],
        *,
        n_classes: int,
        grown: float,
        threads: int,
    ) -> Float64Array:
        """Probability of each class before calibration, shape (n, classes).

        `places` holds the classes of each channel's actions, `grown` is the share of the
        trees that is used.
        """
        chance = self.contacted.predict(x, grown=grown, threads=threads)
        channel = self.channel.predict(x, grown=grown, threads=threads) * chance[:, 1:]
        probability = np.zeros((len(x), n_classes))
        probability[:, NONE] = chance[:, 0]
        for at, (classes, choice) in enumerate(zip(places, self.offers, strict=True)):
            offer = choice.predict(x, grown=grown, threads=threads)
            probability[:, classes] = channel[:, [at]] * offer
        if channel.shape[1] > len(places):
            probability[:, -1] = channel[:, -1]
        return probability


def fit_factors(
    x: Float32Array,
    classes: Int64Array,
    places: Sequence[Int64Array],
    n_classes: int,
    plan: PropensityPlan,
) -> Factors:
    """Fit the three factors on one part of the customers.

    Parameters
    ----------
    x : features, shape (n, F).
    classes : of each row, shape (n,).
    places : the classes of each channel's actions.
    n_classes : how many there are; one beyond the actions stands for other contacts.
    plan : trees and their settings.
    """
    channel_of = np.full(n_classes, len(places), dtype=np.int64)
    for at, of_channel in enumerate(places):
        channel_of[of_channel] = at
    contact = classes != NONE
    n_channels = len(places) + int(sum(map(len, places)) + 1 < n_classes)
    channel = channel_of[classes]

    def offer(at: int, of_channel: Int64Array) -> Choice:
        rows = contact & (channel == at)
        kinds = classes[rows] - of_channel[0]
        # Offers are told apart by few rows, in which a regression would mostly fit noise.
        settings = plan.forest(plan.offer_rounds)
        return _fit_choice(x[rows], kinds, len(of_channel), settings, linear=False)

    return Factors(
        contacted=_fit_choice(x, contact.astype(np.int64), 2, plan.forest(plan.contact_rounds)),
        channel=_fit_choice(
            x[contact], channel[contact], n_channels, plan.forest(plan.channel_rounds)
        ),
        offers=tuple(offer(at, of_channel) for at, of_channel in enumerate(places)),
    )


def _fit_choice(
    x: Float32Array,
    kind: Int64Array,
    n_kinds: int,
    settings: ForestSettings,
    *,
    linear: bool = True,
) -> Choice:
    """Which of several kinds, given that it is one of them."""
    counts = np.bincount(kind, minlength=n_kinds).astype(np.float64)
    # A kind that these customers never met may still have happened to others.
    shares = (counts + 0.5) / (counts + 0.5).sum()
    kinds = np.flatnonzero(counts)
    if len(kinds) < 2:
        return Choice(None, None, kinds, shares)
    labels = np.searchsorted(kinds, kind)
    start = fit_linear_start(x, labels) if linear else None
    parameters = settings.parameters(len(kind)) | {"metric": "none", "max_bin": 63}
    if len(kinds) > 2:
        parameters |= {"objective": "multiclass", "num_class": len(kinds)}
    first = None if start is None else start.scores(x).ravel(order="F")
    data = lgb.Dataset(x, label=labels, init_score=first, params=parameters)
    booster = lgb.train(parameters, data, num_boost_round=settings.max_rounds)
    return Choice(start, booster, kinds, shares)
