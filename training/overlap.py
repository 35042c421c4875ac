"""Whether those contacted and those not were comparable at all."""

from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

LOW = 0.02
"""A propensity below this is called low."""

SMD_BAR = 0.1
"""Standardised mean difference after weighting above which a feature is not balanced."""

CHANCE = 0.05
"""How often chance alone may call some feature of an action unbalanced."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One action against no contact, on the rows where both might have happened.

    Attributes
    ----------
    rows : places of these rows among all, shape (m,).
    treated, control : which of them got the action, and which no contact; others got another
        contact; shape (m,).
    weight_treated, weight_control : 1 / propensity of the treated, of the controls, and 0 for
        all others, each scaled to a sum of m; shape (m,).
    possible : rows for which the action was possible.
    low : of these, the share with a propensity of the action below `LOW`.
    trimmed : rows left out because a propensity was outside the limits.
    raw_sums : sums of 1 / propensity over m; both near 1 if the propensities are right.
    """

    rows: Int64Array
    treated: BoolArray
    control: BoolArray
    weight_treated: Float64Array
    weight_control: Float64Array
    possible: int
    low: float
    trimmed: int
    raw_sums: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Overlap:
    """The overlap report of one action.

    Attributes
    ----------
    action : name, or "any contact".
    possible : rows for which the action was possible.
    treated : rows of them that got it.
    low_share : share of the possible rows with a propensity below `LOW`.
    trimmed_share : share of the possible rows left out because one of the two propensities lay
        outside the limits.
    treated_kept, control_kept : rows compared.
    max_weight : the largest weight of a treated row, in mean weights.
    effective_treated, effective_control : effective sample sizes, (sum w)^2 / sum w^2.
    smd_before, smd_after : largest absolute standardised mean difference of any feature.
    worst_feature : the feature with the largest difference after weighting.
    balanced : no difference after weighting exceeds `SMD_BAR` by more than chance explains.
    """

    action: str
    possible: int
    treated: int
    low_share: float
    trimmed_share: float
    treated_kept: int
    control_kept: int
    max_weight: float
    effective_treated: float
    effective_control: float
    smd_before: float
    smd_after: float
    worst_feature: str
    balanced: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def compare(
    propensity: tuple[Float64Array, Float64Array],
    floors: tuple[float, float],
    *,
    treated: BoolArray,
    control: BoolArray,
    possible: BoolArray,
) -> Comparison:
    """Keep the rows with both propensities inside [floor, 1 - floor] and weigh them.

    Parameters
    ----------
    propensity : of the action and of no contact, each of shape (n,).
    floors : smallest propensity that is believed, of the action and of no contact.
    treated, control : rows with the action, rows without any contact, shape (n,).
    possible : rows for which the action was possible, shape (n,).

    References
    ----------
    Crump et al. 2009 (trimming). METHODS.md section 2, point 5.
    """
    inside = possible.copy()
    for e, floor in zip(propensity, floors, strict=True):
        inside &= (e >= floor) & (e <= 1.0 - min(floors))
    rows = np.flatnonzero(inside)
    weights, sums = [], []
    for e, belongs in zip(propensity, (treated, control), strict=True):
        weight = np.where(belongs[rows], 1.0 / np.maximum(e[rows], 1e-12), 0.0)
        total = float(weight.sum())
        sums.append(total / max(len(rows), 1))
        weights.append(weight * (len(rows) / total) if total > 0 else weight)
    n_possible = int(np.count_nonzero(possible))
    low = np.count_nonzero(propensity[0][possible] < LOW) / max(n_possible, 1)
    return Comparison(
        rows=rows,
        treated=treated[rows],
        control=control[rows],
        weight_treated=weights[0],
        weight_control=weights[1],
        possible=n_possible,
        low=float(low),
        trimmed=n_possible - len(rows),
        raw_sums=(sums[0], sums[1]),
    )


def report_overlap(
    comparison: Comparison, x: Float32Array, *, names: tuple[str, ...], action: str, treated: int
) -> Overlap:
    """Sample sizes, weights and balance of one comparison.

    Parameters
    ----------
    comparison : the rows that are compared.
    x : features of all rows, shape (n, F).
    names : of the features.
    action : how the report calls it.
    treated : rows with the action before trimming.
    """
    before, after = standardised_differences(comparison, x)
    size_treated = effective_size(comparison.weight_treated)
    size_control = effective_size(comparison.weight_control)
    balanced, worst, largest = True, "", 0.0
    if len(after) and size_treated > 0 and size_control > 0:
        place = int(np.argmax(np.abs(after)))
        worst, largest = names[place], float(abs(after[place]))
        # The largest of F differences: chance takes one of them beyond so many errors.
        errors = NormalDist().inv_cdf(1.0 - CHANCE / (2.0 * len(after)))
        noise = errors * np.sqrt(1.0 / size_treated + 1.0 / size_control)
        balanced = bool(largest <= max(SMD_BAR, noise))
    weights = comparison.weight_treated[comparison.treated]
    return Overlap(
        action=action,
        possible=comparison.possible,
        treated=treated,
        low_share=comparison.low,
        trimmed_share=comparison.trimmed / max(comparison.possible, 1),
        treated_kept=int(np.count_nonzero(comparison.treated)),
        control_kept=int(np.count_nonzero(comparison.control)),
        max_weight=float(weights.max() / weights.mean()) if len(weights) else 0.0,
        effective_treated=size_treated,
        effective_control=size_control,
        smd_before=float(np.abs(before).max(initial=0.0)),
        smd_after=largest,
        worst_feature=worst,
        balanced=balanced,
    )


def effective_size(weight: Float64Array) -> float:
    """How many equally weighted rows would tell as much: (sum w)^2 / sum w^2."""
    squares = float(np.sum(weight**2))
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def standardised_differences(
    comparison: Comparison, x: Float32Array
) -> tuple[Float64Array, Float64Array]:
    """Differences of feature means, treated less controls, before and after weighting.

    In standard deviations of the two groups before weighting, which makes both comparable;
    0 for a feature that does not vary. Each of shape (F,).
    """
    chosen = x[comparison.rows].astype(np.float64)
    treated, control = comparison.treated, comparison.control
    if not treated.any() or not control.any():
        return np.zeros(0), np.zeros(0)
    pooled = np.sqrt((chosen[treated].var(axis=0) + chosen[control].var(axis=0)) / 2.0)
    scale = np.where(pooled > 0, pooled, np.inf)
    before = chosen[treated].mean(axis=0) - chosen[control].mean(axis=0)
    weighted = comparison.weight_treated - comparison.weight_control
    after = weighted @ chosen / len(chosen)
    return before / scale, after / scale
