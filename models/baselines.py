"""What a shop would do without machine learning, fitted to give probabilities too.

They stay in the product for ever: a forest that does not beat them is reported as such.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from models.calibration import FLOOR, Calibration, calibration_from_json, fit_calibration
from models.customer_value import CustomerValue

Float64Array = NDArray[np.float64]
Int8Array = NDArray[np.int8]

RECENCY_RULE, RFM_SCORE, RFM_LOGISTIC = "recency rule", "RFM score", "logistic R,F,M"

_QUINTILES = (0.2, 0.4, 0.6, 0.8)
_LOWEST_SCORE, _HIGHEST_SCORE = 3, 15
_STAGE_ROWS = 50
"""Rows of either label from which a stage gets a recency curve of its own."""


class Baseline(Protocol):
    """A fitted rule that gives probabilities."""

    @property
    def name(self) -> str:
        """How reports call it."""

    def probabilities(self, value: CustomerValue) -> Float64Array:
        """Probability of label 1, strictly between 0 and 1, shape (n,)."""

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `baseline_from_json` reads back."""


@dataclass(frozen=True, slots=True)
class SilenceCurve:
    """Monotone probability of label 1 by days of silence; `sign` is -1 if it falls."""

    sign: float
    steps: Calibration

    def apply(self, silence_days: Float64Array) -> Float64Array:
        """Probabilities, shape (n,)."""
        return self.steps.apply(self.sign * silence_days)

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"sign": self.sign, "steps": self.steps.to_json()}


@dataclass(frozen=True, slots=True)
class RecencyRule:
    """The longer the silence, the less likely the return: a monotone curve for each stage.

    A stage with too few rows to learn from takes the curve `pooled` over all stages.
    """

    pooled: SilenceCurve
    by_stage: dict[int, SilenceCurve]
    name: str = RECENCY_RULE

    def probabilities(self, value: CustomerValue) -> Float64Array:
        """The stage's curve at each row's silence."""
        given = self.pooled.apply(value.silence_days)
        for stage, curve in self.by_stage.items():
            rows = value.stage == stage
            given[rows] = curve.apply(value.silence_days[rows])
        return given

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `baseline_from_json` reads back."""
        stages = {str(stage): curve.to_json() for stage, curve in self.by_stage.items()}
        return {"name": self.name, "pooled": self.pooled.to_json(), "by_stage": stages}


@dataclass(frozen=True, slots=True)
class RfmScore:
    """Fifths of recency, frequency and money, added up to 3 … 15; the rate of each sum."""

    recency_edges: Float64Array
    frequency_edges: Float64Array
    money_edges: Float64Array
    rates: Float64Array
    name: str = RFM_SCORE

    def scores(self, value: CustomerValue) -> NDArray[np.int64]:
        """The sum of the three fifths, 3 (worst) … 15 (best), shape (n,)."""
        recency = _order_recency(value)
        fifths = 5 - np.searchsorted(self.recency_edges, recency, side="left")
        fifths += 1 + np.searchsorted(self.frequency_edges, value.orders, side="left")
        fifths += 1 + np.searchsorted(self.money_edges, value.spend, side="left")
        return np.asarray(fifths, dtype=np.int64)

    def probabilities(self, value: CustomerValue) -> Float64Array:
        """The training rate of each row's score."""
        return _inside(self.rates[self.scores(value) - _LOWEST_SCORE])

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `baseline_from_json` reads back; null is an edge at infinity."""
        recency = [edge if np.isfinite(edge) else None for edge in self.recency_edges.tolist()]
        return {
            "name": self.name,
            "recency_edges": recency,
            "frequency_edges": self.frequency_edges.tolist(),
            "money_edges": self.money_edges.tolist(),
            "rates": self.rates.tolist(),
        }


@dataclass(frozen=True, slots=True)
class RfmLogistic:
    """Logistic regression on the logarithms of recency, frequency and money."""

    centre: Float64Array
    scale: Float64Array
    slopes: Float64Array
    intercept: float
    name: str = RFM_LOGISTIC

    def probabilities(self, value: CustomerValue) -> Float64Array:
        """The regression's probabilities."""
        design = (_rfm_design(value) - self.centre) / self.scale
        return _inside(expit(design @ self.slopes + self.intercept))

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `baseline_from_json` reads back."""
        return {
            "name": self.name,
            "centre": self.centre.tolist(),
            "scale": self.scale.tolist(),
            "slopes": self.slopes.tolist(),
            "intercept": self.intercept,
        }


def fit_baselines(value: CustomerValue, labels: Int8Array) -> tuple[Baseline, ...]:
    """Fit the three rungs of the ladder on the training rows.

    Parameters
    ----------
    value : recency, frequency and money of the rows.
    labels : 0 or 1, shape (n,); both must occur.

    References
    ----------
    METHODS.md section 1.6, the ladder.
    """
    return (
        _fit_recency_rule(value, labels),
        _fit_rfm_score(value, labels),
        _fit_rfm_logistic(value, labels),
    )


def baseline_from_json(document: dict[str, Any]) -> Baseline:
    """Read a baseline back.

    Raises
    ------
    KeyError, TypeError, ValueError : the object is not one that `Baseline.to_json` writes.
    """

    def array(name: str) -> Float64Array:
        values = [np.inf if value is None else value for value in document[name]]
        return np.asarray(values, dtype=np.float64)

    def curve(part: dict[str, Any]) -> SilenceCurve:
        return SilenceCurve(float(part["sign"]), calibration_from_json(part["steps"]))

    if document["name"] == RECENCY_RULE:
        stages = {int(stage): curve(part) for stage, part in document["by_stage"].items()}
        return RecencyRule(curve(document["pooled"]), stages)
    if document["name"] == RFM_SCORE:
        edges = [array(f"{what}_edges") for what in ("recency", "frequency", "money")]
        return RfmScore(edges[0], edges[1], edges[2], array("rates"))
    if document["name"] == RFM_LOGISTIC:
        parts = array("centre"), array("scale"), array("slopes")
        return RfmLogistic(*parts, float(document["intercept"]))
    raise ValueError(f"no baseline of the name {document['name']!r}")


def _fit_recency_rule(value: CustomerValue, labels: Int8Array) -> RecencyRule:
    by_stage = {}
    for stage in np.unique(value.stage).tolist():
        rows = value.stage == stage
        rarer = min(np.count_nonzero(labels[rows]), np.count_nonzero(labels[rows] == 0))
        if rarer >= _STAGE_ROWS:
            by_stage[stage] = _silence_curve(value.silence_days[rows], labels[rows])
    return RecencyRule(_silence_curve(value.silence_days, labels), by_stage)


def _silence_curve(silence_days: Float64Array, labels: Int8Array) -> SilenceCurve:
    from_mean = silence_days - silence_days.mean()
    sign = 1.0 if float(from_mean @ (labels - labels.mean())) >= 0 else -1.0
    return SilenceCurve(sign, fit_calibration(sign * silence_days, labels, method="isotonic"))


def _fit_rfm_score(value: CustomerValue, labels: Int8Array) -> RfmScore:
    fifths = RfmScore(
        _edges(_order_recency(value)),
        _edges(value.orders),
        _edges(value.spend),
        np.zeros(0),
    )
    places = fifths.scores(value) - _LOWEST_SCORE
    n_scores = _HIGHEST_SCORE - _LOWEST_SCORE + 1
    rows = np.bincount(places, minlength=n_scores)
    positives = np.bincount(places, weights=labels, minlength=n_scores)
    # One pseudo-row at the base rate gives a score nobody had a rate as well.
    rates = (positives + labels.mean()) / (rows + 1.0)
    return RfmScore(fifths.recency_edges, fifths.frequency_edges, fifths.money_edges, rates)


def _fit_rfm_logistic(value: CustomerValue, labels: Int8Array) -> RfmLogistic:
    design = _rfm_design(value)
    centre, scale = design.mean(axis=0), design.std(axis=0)
    scale[scale == 0] = 1.0
    regression = LogisticRegression(max_iter=500)
    regression.fit((design - centre) / scale, labels)
    return RfmLogistic(centre, scale, regression.coef_[0], float(regression.intercept_[0]))


def _edges(quantity: Float64Array) -> Float64Array:
    # An observed value, never a mean of two: "never ordered" is infinite.
    return np.asarray(np.quantile(quantity, _QUINTILES, method="inverted_cdf"))


def _order_recency(value: CustomerValue) -> Float64Array:
    """Days since the last order; for who never ordered, longer than any."""
    return np.where(np.isnan(value.order_recency_days), np.inf, value.order_recency_days)


def _rfm_design(value: CustomerValue) -> Float64Array:
    never = np.isnan(value.order_recency_days)
    mean_spend = np.maximum(value.spend, 0.0) / np.maximum(value.orders, 1.0)
    return np.stack(
        [
            np.log1p(value.silence_days),
            np.where(never, 0.0, np.log1p(np.nan_to_num(value.order_recency_days))),
            never.astype(np.float64),
            np.log1p(value.orders),
            np.log1p(mean_spend),
        ],
        axis=1,
    )


def _inside(probability: Float64Array) -> Float64Array:
    return np.clip(np.asarray(probability, dtype=np.float64), FLOOR, 1.0 - FLOOR)
