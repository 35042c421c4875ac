"""How likely each action was, given what was known of the customer: the propensities."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from features.errors import DataError, describe
from models.calibration import choose_method, fit_calibration
from training.contact_rows import OTHER_CONTACT
from training.effect_sample import NO_CONTACT, EffectSample
from training.labels import DAY_US
from training.metrics import METRICS, judge
from training.propensity_forests import (
    GROWN,
    NONE,
    PropensityPlan,
    channel_places,
    customer_parts,
    fit_factors,
)

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]
Int64Array = NDArray[np.int64]
Int16Array = NDArray[np.int16]
Int8Array = NDArray[np.int8]
UInt64Array = NDArray[np.uint64]
BoolArray = NDArray[np.bool_]

_INSIDE = 1e-6
_FEWEST_TO_CALIBRATE = 20
_STEEP_ENOUGH = 0.1
"""Spread of the log-odds from which their slope says anything."""

_FITTED_SHARE = 0.7
"""Share of the cutoffs, the earlier ones, that a calibration is fitted on before it is judged."""


@dataclass(frozen=True, slots=True)
class ClassCalibration:
    """How well the propensities of one class fit on later cutoffs.

    Attributes
    ----------
    name : "none", an action, or "other".
    rows : rows of the class, of all cutoffs.
    share : their share of all rows.
    slope : of a logistic regression of the class on its log-odds, 1 is ideal; None where the
        held-out rows are too few to say or hardly differ.
    ece : expected calibration error on the held-out rows; None where they are too few.
    """

    name: str
    rows: int
    share: float
    slope: float | None
    ece: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Propensities:
    """Cross-fitted, calibrated probabilities of every class.

    Attributes
    ----------
    probability : shape (n, A + 1), or (n, A + 2) with a last column for other contacts; rows
        sum to 1. "No contact" comes first. 0 where an action was not possible.
    floor : smallest propensity of each class that is believed, shape as a row.
    names : of the classes.
    raw : the same before calibration.
    classes : of each row, shape (n,).
    allowed : classes that were possible, shaped as the probabilities.
    """

    probability: Float64Array
    floor: Float64Array
    names: tuple[str, ...]
    raw: Float64Array
    classes: Int64Array
    allowed: BoolArray


@dataclass(frozen=True, slots=True)
class EstimatedPropensities:
    """Propensities of assignments whose own were not recorded: estimates, and marked as such.

    Attributes
    ----------
    propensity : of the assigned action, shape (n,), in (0, 1].
    floored : rows whose estimate lay below the floor and was lifted to it.
    calibration : by class.
    """

    propensity: Float64Array
    floored: int
    calibration: tuple[ClassCalibration, ...]


def classes_of(action: Int16Array, n_actions: int) -> Int64Array:
    """The class of each row: 0 for no contact, a + 1 for action a, A + 1 for other contacts."""
    codes = np.where(action == OTHER_CONTACT, n_actions, action).astype(np.int64)
    return codes - NO_CONTACT


def fit_propensities(
    x: Float32Array,
    action: Int16Array,
    *,
    cluster: UInt64Array,
    actions: Sequence[str],
    possible: BoolArray | None = None,
    plan: PropensityPlan,
) -> Propensities:
    """Fit who was contacted, then with what, on other customers than those predicted.

    P(action) = P(contacted) * P(channel | contacted) * P(offer | channel): a forest for each
    factor, so that rare actions share what decides their channel; then a map per class that
    makes the products true to the observed shares, normalised over the possible classes.

    Parameters
    ----------
    x : features known before the decision, shape (n, F).
    action : what was done, shape (n,).
    cluster : hash of each row's customer, shape (n,).
    actions : names of the A actions.
    possible : which actions were open to each row, shape (n, A); None: all of them.
    plan : folds, trees and floor.

    References
    ----------
    METHODS.md section 2, point 5.
    """
    classes = classes_of(action, len(actions))
    names = ["none", *actions]
    if (classes > len(actions)).any():
        names.append("other")
    allowed = np.ones((len(action), len(names)), dtype=np.bool_)
    if possible is not None:
        allowed[:, 1 : len(actions) + 1] = possible
    places = channel_places(actions)
    part = customer_parts(cluster, plan.folds)
    tried = np.zeros((len(GROWN), len(action), len(names)))
    for fold in range(plan.folds):
        out = part == fold
        fitted = fit_factors(x[~out], classes[~out], places, len(names), plan)
        for at, grown in enumerate(GROWN):
            found = fitted.predict(
                x[out], places, n_classes=len(names), grown=grown, threads=plan.threads
            )
            tried[at, out] = _masked(found, allowed[out])
    own = tried[:, np.arange(len(classes)), classes]
    raw = tried[int(np.argmax(np.log(np.maximum(own, _INSIDE)).sum(axis=1)))]
    share = np.bincount(classes, minlength=len(names)) / max(len(classes), 1)
    return Propensities(
        raw=raw,
        classes=classes,
        allowed=allowed,
        probability=_calibrated(raw, classes, allowed, np.ones(len(action), dtype=np.bool_)),
        floor=np.minimum(plan.floor, share / 10.0),
        names=tuple(names),
    )


def judge_calibration(found: Propensities, as_of_us: Int64Array) -> tuple[ClassCalibration, ...]:
    """Fit the maps on the earlier cutoffs and judge every class on the later ones.

    Parameters
    ----------
    found : cross-fitted propensities.
    as_of_us : instant of each row's decision, us, UTC, shape (n,).
    """
    earlier = as_of_us <= np.quantile(as_of_us, _FITTED_SHARE)
    later = ~earlier
    judged = _calibrated(found.raw, found.classes, found.allowed, earlier)[later]
    return tuple(
        _judge_class(name, at, found.classes, judged[:, at], found.allowed[later, at], later)
        for at, name in enumerate(found.names)
    )


def estimate_propensities(
    x: Float32Array,
    action: Int16Array,
    *,
    cluster: UInt64Array,
    as_of_us: Int64Array,
    actions: Sequence[str],
    plan: PropensityPlan | None = None,
) -> EstimatedPropensities:
    """Estimate the propensities of assignments that came without any.

    They are as good as the features that decided are among `x`; nothing can show that they
    are. Never mix them with recorded ones without saying so.

    Parameters
    ----------
    x : features known before the assignment, shape (n, F).
    action : assigned action, `NO_CONTACT` for controls, shape (n,).
    cluster : hash of each row's customer, shape (n,).
    as_of_us : when it was assigned, us, UTC, shape (n,).
    actions : names of the actions.
    plan : folds, trees and floor; None: the defaults.

    Raises
    ------
    DataError : all rows were assigned the same.
    """
    plan = plan or PropensityPlan()
    kinds = np.unique(action)
    if len(kinds) < 2:
        raise _one_action_only(len(action), kinds, actions)
    found = fit_propensities(x, action, cluster=cluster, actions=actions, plan=plan)
    classes = classes_of(action, len(actions))
    own = found.probability[np.arange(len(action)), classes]
    floor = found.floor[classes]
    return EstimatedPropensities(
        propensity=np.maximum(own, floor),
        floored=int(np.count_nonzero(own < floor)),
        calibration=judge_calibration(found, as_of_us),
    )


def with_estimated_propensities(
    sample: EffectSample, plan: PropensityPlan | None = None
) -> tuple[EffectSample, EstimatedPropensities]:
    """Rows that came without propensities, with estimated ones, and what is known of these.

    Parameters
    ----------
    sample : rows whose propensities nobody knows; those it has are replaced.
    plan : as in `estimate_propensities`.

    Raises
    ------
    DataError : all rows were assigned the same.
    """
    begin = sample.as_of_us.min(initial=np.iinfo(np.int64).max)
    date = (sample.as_of_us - begin) / DAY_US
    known = np.column_stack([sample.x, sample.log_odds0, sample.order_value, date])
    found = estimate_propensities(
        known.astype(np.float32),
        sample.action,
        cluster=sample.cluster,
        as_of_us=sample.as_of_us,
        actions=sample.actions,
        plan=plan,
    )
    return replace(sample, propensity=found.propensity), found


def _masked(probability: Float64Array, allowed: BoolArray) -> Float64Array:
    """Probabilities of the possible classes, normalised; the chance of no contact stays."""
    kept = np.where(allowed, probability, 0.0)
    contact = kept[:, 1:].sum(axis=1)
    wanted = 1.0 - probability[:, NONE]
    factor = np.divide(wanted, contact, out=np.zeros_like(contact), where=contact > 0)
    kept[:, 1:] *= factor[:, None]
    return np.asarray(kept / kept.sum(axis=1, keepdims=True))


def _calibrated(
    raw: Float64Array, classes: Int64Array, allowed: BoolArray, fitted: BoolArray
) -> Float64Array:
    """Every class through its own map fitted on the `fitted` rows, then normalised."""
    out = raw.copy()
    for at in range(raw.shape[1]):
        rows = np.flatnonzero(allowed[:, at])
        learnt = rows[fitted[rows]]
        labels = (classes[learnt] == at).astype(np.int8)
        positives = int(np.count_nonzero(labels))
        if min(positives, len(labels) - positives) < _FEWEST_TO_CALIBRATE:
            continue
        score = logit(np.clip(raw[:, at], _INSIDE, 1.0 - _INSIDE))
        method = choose_method(labels, "auto")
        out[rows, at] = fit_calibration(score[learnt], labels, method=method).apply(score[rows])
    return np.asarray(out / out.sum(axis=1, keepdims=True))


def _judge_class(
    name: str,
    at: int,
    classes: Int64Array,
    probability: Float64Array,
    allowed: BoolArray,
    held_out: BoolArray,
) -> ClassCalibration:
    labels = (classes[held_out] == at)[allowed].astype(np.int8)
    count = int(np.count_nonzero(classes == at))
    slope = ece = None
    positives = int(np.count_nonzero(labels))
    if min(positives, len(labels) - positives) >= _FEWEST_TO_CALIBRATE:
        inside = np.clip(probability[allowed], _INSIDE, 1.0 - _INSIDE)
        found = judge(inside, labels, counts=np.zeros((0, len(labels)), dtype=np.uint8)).point
        if np.std(logit(inside)) > _STEEP_ENOUGH:
            slope = float(found[METRICS.index("calibration_slope")])
        ece = float(found[METRICS.index("ece")])
    return ClassCalibration(name, count, count / max(len(classes), 1), slope, ece)


def _one_action_only(rows: int, kinds: Int16Array, actions: Sequence[str]) -> DataError:
    what = "nothing at all"
    if len(kinds):
        what = "no contact" if kinds[0] == NO_CONTACT else f'"{actions[int(kinds[0])]}"'
    return DataError(
        describe(
            "propensities of assignments",
            f"all {rows:,} assignments without a propensity were assigned {what}",
            expected="at least two different assignments, controls among them",
            fix="import the customers who were left out of the campaign too, or give propensities",
        )
    )
