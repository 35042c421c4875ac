"""Calibration: a monotone map from a forest's log-odds to a probability one can bet on."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from features.errors import ArtifactError, describe

Float64Array = NDArray[np.float64]
Int8Array = NDArray[np.int8]

ISOTONIC_POSITIVES = 2_000
"""Fewest positives (and negatives) from which isotonic beats Platt (METHODS.md section 1)."""

FLOOR = 1e-5
"""No probability below this or above one minus this: nobody is certain."""

_PSEUDO_ROWS, _BEYOND = 200.0, 1.0

Method = Literal["isotonic", "platt"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Piecewise linear ("isotonic") or logistic ("platt") map of raw scores.

    Attributes
    ----------
    method : which of the two.
    knots : isotonic only, ascending raw scores.
    levels : isotonic only, probabilities at the knots, never falling.
    slope, intercept : platt only, log-odds = slope * raw + intercept, slope >= 0.
    """

    method: Method
    knots: tuple[float, ...] = ()
    levels: tuple[float, ...] = ()
    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, raw: Float64Array) -> Float64Array:
        """Probabilities strictly between 0 and 1, in the order of `raw`, shape (n,)."""
        if self.method == "isotonic":
            probability = np.interp(raw, self.knots, self.levels)
        else:
            probability = expit(self.slope * raw + self.intercept)
        return np.clip(np.asarray(probability, dtype=np.float64), FLOOR, 1.0 - FLOOR)

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `calibration_from_json` reads back."""
        if self.method == "isotonic":
            return {"method": "isotonic", "knots": list(self.knots), "levels": list(self.levels)}
        return {"method": "platt", "slope": self.slope, "intercept": self.intercept}


def choose_method(labels: Int8Array, wish: Literal["auto", "isotonic", "platt"]) -> Method:
    """The wish, or for "auto" isotonic when both classes have 2,000 rows, else Platt."""
    if wish != "auto":
        return wish
    positives = int(np.count_nonzero(labels))
    rarer = min(positives, len(labels) - positives)
    return "isotonic" if rarer >= ISOTONIC_POSITIVES else "platt"


def fit_calibration(raw: Float64Array, labels: Int8Array, *, method: Method) -> Calibration:
    """Fit the map on rows the forest was not fitted on.

    Parameters
    ----------
    raw : the forest's log-odds, shape (n,).
    labels : 0 or 1, shape (n,); both must occur.
    method : "isotonic" or "platt".

    References
    ----------
    Platt 1999; Zadrozny and Elkan 2002. METHODS.md section 1.
    """
    if method == "isotonic":
        return _fit_isotonic(raw, labels)
    slope, intercept = fit_logistic_line(raw, labels)
    if slope < 0:
        # A forest that ranks backwards carries no information worth inverting.
        slope, intercept = 0.0, float(_logit(labels.mean()))
    return Calibration("platt", slope=slope, intercept=intercept)


def _fit_isotonic(raw: Float64Array, labels: Int8Array) -> Calibration:
    """Pool adjacent violators, then join the blocks' centres with straight lines.

    One knot per block (its mean score) instead of two keeps the forest's ranking inside a
    block, and beyond the outermost centres a logistic curve goes on. Each level is the
    block's rate with `_PSEUDO_ROWS` rows of that curve's probability: the outermost blocks
    hold one label only by construction, and taken at their word they cost more on later
    data than all the others gain.
    """
    steps = IsotonicRegression(out_of_bounds="clip").fit(raw, labels.astype(np.float64))
    fitted = np.asarray(steps.predict(raw), dtype=np.float64)
    _, block = np.unique(fitted, return_inverse=True)
    rows = np.bincount(block).astype(np.float64)
    slope, intercept = fit_logistic_line(raw, labels)
    slope = max(slope, 0.0)
    smooth = np.bincount(block, weights=expit(slope * raw + intercept)) / rows
    positives = np.bincount(block, weights=labels)
    centres = np.bincount(block, weights=raw) / rows
    drawn = (positives + _PSEUDO_ROWS * smooth) / (rows + _PSEUDO_ROWS)
    # A tenth of the curve's own rise keeps what was drawn level from being one rank.
    levels = 0.9 * np.maximum.accumulate(drawn) + 0.1 * expit(slope * centres + intercept)
    beyond = np.array([raw.min() - _BEYOND, raw.max() + _BEYOND])
    ends = np.clip(levels[[0, -1]], FLOOR, 1.0 - FLOOR)
    outer = expit(_logit(ends) + slope * (beyond - centres[[0, -1]]))
    return Calibration(
        "isotonic",
        knots=(float(beyond[0]), *centres.tolist(), float(beyond[1])),
        levels=tuple(np.maximum.accumulate([outer[0], *levels, outer[1]]).tolist()),
    )


def fit_logistic_line(score: Float64Array, labels: Int8Array) -> tuple[float, float]:
    """Slope and intercept of a logistic regression of `labels` on one score.

    Newton steps on the standardised score, from where all rows have the base rate: any
    other start may lie where every probability is 0 or 1 and the likelihood is flat. A
    very weak ridge (1e-6 per row) towards that start keeps separable data finite.
    """
    target = labels.astype(np.float64)
    centre, spread = float(score.mean()), float(score.std())
    spread = spread if spread > 0 else 1.0
    design = np.stack([(score - centre) / spread, np.ones_like(score)], axis=1)
    ridge = 1e-6 * len(score)
    anchor = np.array([0.0, _logit(np.clip(target.mean(), FLOOR, 1.0 - FLOOR))])
    beta = anchor.copy()
    loss = _penalised_loss(design, target, beta, anchor, ridge)
    for _ in range(100):
        p = expit(design @ beta)
        gradient = design.T @ (p - target) + ridge * (beta - anchor)
        curvature = (design * (p * (1 - p))[:, None]).T @ design + ridge * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        scale = 1.0
        while True:
            proposal = beta - scale * step
            proposed = _penalised_loss(design, target, proposal, anchor, ridge)
            if proposed <= loss or scale < 1e-6:
                break
            scale /= 2
        beta, loss = proposal, proposed
        if np.abs(scale * step).max() < 1e-9:
            break
    slope = float(beta[0]) / spread
    return slope, float(beta[1]) - slope * centre


def _penalised_loss(
    design: Float64Array,
    target: Float64Array,
    beta: Float64Array,
    anchor: Float64Array,
    ridge: float,
) -> float:
    margin = design @ beta
    loss = np.logaddexp(0.0, margin).sum() - float(target @ margin)
    return float(loss + 0.5 * ridge * np.sum((beta - anchor) ** 2))


def _logit(p: Any) -> Any:
    return np.log(p) - np.log1p(-p)


def calibration_from_json(document: dict[str, Any]) -> Calibration:
    """Read a calibration back.

    Raises
    ------
    ArtifactError : the object is not one `Calibration.to_json` writes.
    """
    try:
        if document["method"] == "isotonic":
            calibration = Calibration(
                "isotonic",
                knots=tuple(float(x) for x in document["knots"]),
                levels=tuple(float(x) for x in document["levels"]),
            )
            sound = len(calibration.knots) == len(calibration.levels) > 0
            sound = sound and all(np.diff(calibration.knots) >= 0)
            sound = sound and all(np.diff(calibration.levels) >= 0)
        else:
            calibration = Calibration(
                "platt",
                slope=float(document["slope"]),
                intercept=float(document["intercept"]),
            )
            sound = document["method"] == "platt" and calibration.slope >= 0
    except (KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise ArtifactError(
            describe(
                "calibration.json",
                "not a calibration map",
                expected='method "isotonic" with ascending knots and levels, or "platt" with slope '
                "and intercept",
                fix="run `winback train`, which replaces champions that cannot serve, or restore "
                "the bundle from a backup",
            )
        )
    return calibration
