"""What an action is expected to bring, learnt on other customers than those it is asked about."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.calibration import fit_logistic_line
from models.forest import Forest, ForestSettings, Sample, fit_forest
from training.effect_sample import NO_CONTACT, EffectSample

Float64Array = NDArray[np.float64]
Int16Array = NDArray[np.int16]

Outcome = Literal["profit", "returns"]

FOLDS = 3
_SETTINGS = ForestSettings(
    learning_rate=0.1,
    num_leaves=8,
    min_data_in_leaf=200,
    feature_fraction=0.6,
    bagging_fraction=1.0,
    lambda_l2=20.0,
    max_rounds=40,
    threads=1,
)
_FEWEST_ROWS = 20
"""Rows from which an action's own mean counts; below, that of all contacts does."""

_RIDGE = 1.0


@dataclass(frozen=True, slots=True)
class OutcomeModel:
    """Expected outcome of an action: chance of a return times its worth, else what it cost.

    Attributes
    ----------
    forest, slope, intercept : log-odds of a return = slope * log_odds0 + intercept + trees.
    worth : coefficients of the profit of a return, see `_worth_columns`; None for returns.
    idle : mean profit without a return, of no contact and of each action, shape (A + 1,).
    """

    forest: Forest
    slope: float
    intercept: float
    worth: Float64Array | None
    idle: Float64Array

    def predict(self, sample: EffectSample, action: Int16Array) -> Float64Array:
        """Expected outcome of each row under the given action, shape (n,)."""
        base = self.slope * sample.log_odds0 + self.intercept
        chance = expit(base + self.forest.raw_scores(_columns(sample, action), threads=1))
        if self.worth is None:
            return np.asarray(chance)
        worth = _worth_columns(sample, action) @ self.worth
        return np.asarray(chance * worth + (1.0 - chance) * self.idle[action + 1])


@dataclass(frozen=True, slots=True)
class CrossFitted:
    """One model per part of the customers, fitted on all the others.

    Attributes
    ----------
    sample : the rows.
    fold : each row's part, shape (n,).
    models : by part.
    """

    sample: EffectSample
    fold: NDArray[np.int64]
    models: tuple[OutcomeModel, ...]

    def predict(self, action: Int16Array) -> Float64Array:
        """Expected outcome of each row under an action, by a model that never saw the customer."""
        expected = np.empty(len(self.sample))
        for part, model in enumerate(self.models):
            rows = np.flatnonzero(self.fold == part)
            expected[rows] = model.predict(self.sample.take(rows), action[rows])
        return expected


def outcome_of(sample: EffectSample, outcome: Outcome) -> Float64Array:
    """What is judged, per row: money, or 1 for a return."""
    return sample.profit if outcome == "profit" else sample.returned.astype(np.float64)


def customer_folds(sample: EffectSample, folds: int = FOLDS) -> NDArray[np.int64]:
    """A part for each row; all rows of a customer share it, whatever the order of rows."""
    mixed = sample.cluster.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(0xD6E8FEB86659FD93)
    return np.asarray((mixed >> np.uint64(33)) % np.uint64(folds), dtype=np.int64)


def fit_outcomes(sample: EffectSample, outcome: Outcome) -> CrossFitted:
    """Fit the outcome model of each part of the customers on the other parts.

    Errors of the model cost width of the interval, not its validity: what evaluates
    policies corrects them with what happened. METHODS.md section 2.

    Parameters
    ----------
    sample : rows with some returns in every part.
    outcome : money or returns.
    """
    fold = customer_folds(sample)
    models = tuple(_fit(sample.take(fold != part), outcome) for part in range(FOLDS))
    return CrossFitted(sample, fold, models)


def _fit(sample: EffectSample, outcome: Outcome) -> OutcomeModel:
    # In an order of their own, so that the trees do not depend on the order of the log.
    sample = sample.take(
        np.lexsort((sample.profit, sample.action, sample.as_of_us, sample.cluster))
    )
    slope, intercept = fit_logistic_line(sample.log_odds0, sample.returned)
    names = (*(f"x{at}" for at in range(sample.x.shape[1])), *_ACTION_COLUMNS)
    forest = fit_forest(
        Sample(
            _columns(sample, sample.action),
            sample.returned,
            offset=slope * sample.log_odds0 + intercept,
        ),
        names=names,
        settings=_SETTINGS,
    )
    if outcome == "returns":
        return OutcomeModel(forest, slope, intercept, None, np.zeros(len(sample.actions) + 1))
    back = sample.take(sample.returned == 1)
    return OutcomeModel(forest, slope, intercept, _fit_worth(back), _idle_profit(sample))


_ACTION_COLUMNS = ("log_odds0", "order_value", "contacted", "channel", "offer")


def _columns(sample: EffectSample, action: Int16Array) -> NDArray[np.float32]:
    channel, offer = _parts(sample.actions)
    return np.column_stack(
        [
            sample.x,
            sample.log_odds0,
            sample.order_value,
            action != NO_CONTACT,
            channel[action],
            offer[action],
        ]
    ).astype(np.float32)


def _parts(actions: Sequence[str]) -> tuple[Float64Array, Float64Array]:
    """Codes of each action's channel and offer; the last place, no contact's, has -1."""
    pairs = [name.split("/", 1) for name in actions]
    codes = [
        [*(list(dict.fromkeys(names)).index(name) for name in names), -1]
        for names in ([channel for channel, _ in pairs], [offer for _, offer in pairs])
    ]
    return np.array(codes[0], dtype=np.float64), np.array(codes[1], dtype=np.float64)


def _worth_columns(sample: EffectSample, action: Int16Array) -> Float64Array:
    """1, order value, contacted, and order value by offer: discounts are shares of it."""
    _, offer = _parts(sample.actions)
    of_row = offer[action]
    kinds = [of_row == code for code in range(1, int(offer.max()) + 1)]
    value = sample.order_value
    return np.column_stack(
        [np.ones(len(value)), value, action != NO_CONTACT, *(value * kind for kind in kinds)]
    )


def _fit_worth(back: EffectSample) -> Float64Array:
    columns = _worth_columns(back, back.action)
    scale = np.sqrt(np.mean(columns**2, axis=0))
    scale[scale == 0.0] = 1.0
    scaled = columns / scale
    moment = scaled.T @ scaled + _RIDGE * np.eye(scaled.shape[1])
    return np.asarray(np.linalg.solve(moment, scaled.T @ back.profit) / scale)


def _idle_profit(sample: EffectSample) -> Float64Array:
    idle = sample.returned == 0
    control = idle & (sample.action == NO_CONTACT)
    contacted = idle & (sample.action != NO_CONTACT)
    means = np.zeros(len(sample.actions) + 1)
    means[0] = sample.profit[control].mean() if control.any() else 0.0
    every = float(sample.profit[contacted].mean()) if contacted.any() else 0.0
    for code in range(len(sample.actions)):
        rows = idle & (sample.action == code)
        enough = np.count_nonzero(rows) >= _FEWEST_ROWS
        means[code + 1] = sample.profit[rows].mean() if enough else every
    return means
