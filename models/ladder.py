"""The ladder of forecasters, from the recency rule to the stack; one of them serves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from features.errors import ArtifactError, describe
from models.baselines import RECENCY_RULE, RFM_LOGISTIC, RFM_SCORE, Baseline, baseline_from_json
from models.calibration import Calibration, calibration_from_json
from models.customer_value import CustomerValue
from models.forest import Forest
from models.purchase_rung import PURCHASE_PROCESS, PurchaseRung, purchase_rung_from_json

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]

FOREST, STACK = "LightGBM", "stack"
RUNGS = (RECENCY_RULE, RFM_SCORE, RFM_LOGISTIC, PURCHASE_PROCESS, FOREST, STACK)
"""The rungs' names, the simplest first."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a level moves a rung's log-odds: `scale` * level + `constant`.

    The sharper a rung tells customers apart, the further the same change of all rates
    moves its log-odds.
    """

    scale: float
    constant: float

    def of(self, level: float) -> float:
        """Log-odds to add at a level."""
        return self.scale * level + self.constant


@dataclass(frozen=True, slots=True)
class Ladder:
    """All forecasters of one model, fitted on the same rows, and which of them serves.

    A rung's probability is its calibration of (its log-odds + its shift of `level`).

    Attributes
    ----------
    baselines : recency rule, RFM score, logistic regression.
    purchase : MBG/NBD by stage.
    forest, forest_base : LightGBM; its log-odds are the trees' plus the base.
    weights : of forest and purchase process in the stack, neither below 0.
    calibrations, shifts : by rung.
    level : how far the log-odds of all customers are expected to lie from the average
        season's at the as-of the ladder serves: the prior-shift correction.
    shipped : the rung that serves.
    """

    baselines: tuple[Baseline, ...]
    purchase: PurchaseRung
    forest: Forest
    forest_base: float
    weights: tuple[float, float]
    calibrations: dict[str, Calibration]
    shifts: dict[str, Shift]
    level: float
    shipped: str

    def log_odds(
        self, values: Float32Array, value: CustomerValue, *, threads: int = 0
    ) -> dict[str, Float64Array]:
        """Log-odds of every rung before level and calibration, by name, each of shape (n,)."""
        given = {one.name: logit(one.probabilities(value)) for one in self.baselines}
        given[PURCHASE_PROCESS] = self.purchase.log_odds(value)
        given[FOREST] = self.forest_base + self.forest.raw_scores(values, threads=threads)
        given[STACK] = stacked(given, self.weights)
        return given

    def probabilities(
        self, values: Float32Array, value: CustomerValue, *, threads: int = 0
    ) -> dict[str, Float64Array]:
        """Probability of label 1 by every rung, in order of `RUNGS`, each of shape (n,)."""
        raw = self.log_odds(values, value, threads=threads)
        return {name: self._calibrated(name, raw[name]) for name in RUNGS}

    def predict(
        self, values: Float32Array, value: CustomerValue, *, threads: int = 0
    ) -> Float64Array:
        """Probability of label 1 by the rung that serves, shape (n,)."""
        raw: Mapping[str, Float64Array]
        if self.shipped == PURCHASE_PROCESS:
            raw = {PURCHASE_PROCESS: self.purchase.log_odds(value)}
        elif self.shipped in {FOREST, STACK}:
            raw = self.log_odds(values, value, threads=threads)
        else:
            one = next(baseline for baseline in self.baselines if baseline.name == self.shipped)
            raw = {one.name: logit(one.probabilities(value))}
        return self._calibrated(self.shipped, raw[self.shipped])

    def _calibrated(self, name: str, raw: Float64Array) -> Float64Array:
        return self.calibrations[name].apply(raw + self.shifts[name].of(self.level))

    def to_json(self) -> dict[str, Any]:
        """A JSON object; with the forest's text, `ladder_from_json` reads it back."""
        return {
            "baselines": [one.to_json() for one in self.baselines],
            "purchase": self.purchase.to_json(),
            "forest_base": self.forest_base,
            "weights": {FOREST: self.weights[0], PURCHASE_PROCESS: self.weights[1]},
            "calibrations": {name: one.to_json() for name, one in self.calibrations.items()},
            "shifts": {
                name: {"scale": one.scale, "constant": one.constant}
                for name, one in self.shifts.items()
            },
            "level": self.level,
            "shipped": self.shipped,
        }


def stacked(log_odds: Mapping[str, Float64Array], weights: tuple[float, float]) -> Float64Array:
    """The stack's log-odds before level and calibration, shape (n,)."""
    return weights[0] * log_odds[FOREST] + weights[1] * log_odds[PURCHASE_PROCESS]


def ladder_from_json(document: dict[str, Any], forest: Forest) -> Ladder:
    """Read a ladder back.

    Raises
    ------
    ArtifactError : the object is not one `Ladder.to_json` writes.
    """
    try:
        ladder = Ladder(
            baselines=tuple(baseline_from_json(one) for one in document["baselines"]),
            purchase=purchase_rung_from_json(document["purchase"]),
            forest=forest,
            forest_base=float(document["forest_base"]),
            weights=(
                float(document["weights"][FOREST]),
                float(document["weights"][PURCHASE_PROCESS]),
            ),
            calibrations={
                name: calibration_from_json(one) for name, one in document["calibrations"].items()
            },
            shifts={
                name: Shift(float(one["scale"]), float(one["constant"]))
                for name, one in document["shifts"].items()
            },
            level=float(document["level"]),
            shipped=str(document["shipped"]),
        )
        sound = ladder.shipped in RUNGS and min(ladder.weights) >= 0
        sound = sound and set(ladder.calibrations) == set(ladder.shifts) == set(RUNGS)
        sound = sound and tuple(one.name for one in ladder.baselines) == RUNGS[:3]
    except (ArtifactError, KeyError, TypeError, ValueError, AttributeError):
        sound = False
    if not sound:
        raise ArtifactError(
            describe(
                "ladder.json",
                "not a ladder of forecasters",
                expected=f"the rungs {', '.join(RUNGS)} and which of them serves",
                fix="run `winback train`, which replaces champions that cannot serve, or restore "
                "the bundle from a backup",
            )
        )
    return ladder
