"""The S, T, X and DR learners of the literature, for several actions, with LightGBM.

The product's own estimator (training/effect_fit.py) is measured against these. They get the
same rows and the same features, the natural return's log-odds among them, and trees of one
setting everywhere: small and heavily regularised, since returns are rare.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from training.effect_rungs import cross_fit_folds, split_actions
from training.effect_sample import NO_CONTACT, EffectSample

Float64Array = NDArray[np.float64]
Int16Array = NDArray[np.int16]
Int64Array = NDArray[np.int64]
Mask = NDArray[np.bool_]

LearnerName = Literal["s", "t", "x", "dr"]
LEARNERS: tuple[LearnerName, ...] = get_args(LearnerName)

OUTCOME_ROUNDS, EFFECT_ROUNDS = 100, 60
FOLDS = 3
"""Parts of the customers; the DR learner's outcome models never see those they score."""

_LEAST_P = 1e-6
_TREES = {
    "learning_rate": 0.05,
    "num_leaves": 8,
    "min_data_in_leaf": 100,
    "lambda_l2": 10.0,
    "num_threads": 1,
    "force_row_wise": True,
    "deterministic": True,
    "seed": 0,
    "verbosity": -1,
}


@dataclass(frozen=True, slots=True)
class Trial:
    """A randomised trial of several actions, as the learners see it.

    Attributes
    ----------
    rows : features, shape (n, F).
    action : `NO_CONTACT` or a place in `actions`, shape (n,).
    propensity : probability of the assigned action, shape (n,).
    outcome : what is learnt, shape (n,).
    fold : part of the customers a row belongs to, 0 to `FOLDS` - 1, shape (n,).
    actions : names, channel by channel.
    binary : whether the outcome is 0 or 1 (learnt by log loss) or an amount (by squares).
    """

    rows: Float64Array
    action: Int16Array
    propensity: Float64Array
    outcome: Float64Array
    fold: Int64Array
    actions: tuple[str, ...]
    binary: bool

    def take(self, rows: Mask) -> "Trial":
        """The chosen rows."""
        names = ("rows", "action", "propensity", "outcome", "fold")
        chosen: dict[str, Any] = {name: getattr(self, name)[rows] for name in names}
        return replace(self, **chosen)


def predict_effects(
    name: LearnerName, sample: EffectSample, x_new: Float64Array, log_odds0_new: Float64Array
) -> Float64Array:
    """Probability of a return without contact and under each action, by one learner.

    Parameters
    ----------
    name : one of `LEARNERS`.
    sample : the trial it learns from; its features and its log-odds are used.
    x_new : features of other customers, shape (n_new, F).
    log_odds0_new : logit of their natural-return probability, shape (n_new,).

    Returns
    -------
    Shape (n_new, 1 + A), in (0, 1); column 0 is no contact.
    """
    trial = trial_of(sample, sample.returned.astype(np.float64), binary=True)
    found = predict_outcomes(name, trial, np.c_[x_new, log_odds0_new])
    return np.clip(found, _LEAST_P, 1.0 - _LEAST_P)


def trial_of(sample: EffectSample, outcome: Float64Array, *, binary: bool) -> Trial:
    """A sample's rows with an outcome of choice."""
    return Trial(
        rows=np.c_[sample.x, sample.log_odds0],
        action=sample.action,
        propensity=sample.propensity,
        outcome=outcome,
        fold=cross_fit_folds(sample.cluster, folds=FOLDS),
        actions=sample.actions,
        binary=binary,
    )


def predict_outcomes(name: LearnerName, trial: Trial, new: Float64Array) -> Float64Array:
    """Expected outcome without contact and under each action, shape (n_new, 1 + A).

    Parameters
    ----------
    new : features of other customers, columns as `Trial.rows`.

    References
    ----------
    S, T, X: Kuenzel et al. 2019, "Metalearners for estimating heterogeneous treatment
    effects using machine learning"; DR: Kennedy 2023, "Towards optimal doubly robust
    estimation of heterogeneous causal effects".
    """
    return {"s": _learn_s, "t": _learn_t, "x": _learn_x, "dr": _learn_dr}[name](trial, new)


def _learn_s(trial: Trial, new: Float64Array) -> Float64Array:
    """One model with the action among its features, as contact, channel and offer."""
    booster = _fit(
        np.c_[trial.rows, _action_columns(trial.actions, trial.action)],
        trial.outcome,
        binary=trial.binary,
        rounds=OUTCOME_ROUNDS,
    )

    def under(action: int) -> Float64Array:
        codes = np.full(len(new), action, dtype=np.int16)
        return _predict(booster, np.c_[new, _action_columns(trial.actions, codes)])

    return np.column_stack([under(action) for action in _codes(trial)])


def _learn_t(trial: Trial, new: Float64Array) -> Float64Array:
    """One model per action and one for no contact."""
    return np.column_stack(
        [_predict(_fit_arm(trial, trial.action == action), new) for action in _codes(trial)]
    )


def _learn_x(trial: Trial, new: Float64Array) -> Float64Array:
    """Imputed effects of the treated and of the controls, weighted by the arms' shares."""
    control = trial.action == NO_CONTACT
    unmoved = _fit_arm(trial, control)
    natural, expected = _predict(unmoved, new), _predict(unmoved, trial.rows)
    columns = [natural]
    for action in _codes(trial)[1:]:
        mine = trial.action == action
        moved = _predict(_fit_arm(trial, mine), trial.rows[control])
        gained = trial.outcome[mine] - expected[mine]
        missed = moved - trial.outcome[control]
        of_treated = _predict(_fit_effect(trial.rows[mine], gained), new)
        of_controls = _predict(_fit_effect(trial.rows[control], missed), new)
        share = mine.sum() / (mine.sum() + control.sum())
        columns.append(natural + share * of_controls + (1.0 - share) * of_treated)
    return np.column_stack(columns)


def _learn_dr(trial: Trial, new: Float64Array) -> Float64Array:
    """Per action, a regression on differences of cross-fitted doubly robust scores."""
    scores = np.column_stack(list(_robust_scores(trial)))
    natural = _predict(_fit_arm(trial, trial.action == NO_CONTACT), new)
    rows = lgb.Dataset(trial.rows, params=_TREES, free_raw_data=False)
    effects = [
        _predict(_fit_effect(rows, scores[:, column] - scores[:, 0]), new)
        for column in range(1, scores.shape[1])
    ]
    return np.column_stack([natural, *(natural + effect for effect in effects)])


def _robust_scores(trial: Trial) -> Iterator[Float64Array]:
    """Per action, no contact first: expectation plus the weighted residual of who got it."""
    for action in _codes(trial):
        mine = trial.action == action
        expected = np.empty(len(trial.outcome))
        for fold in range(FOLDS):
            inside = trial.fold == fold
            expected[inside] = _predict(_fit_arm(trial, mine & ~inside), trial.rows[inside])
        residual = np.where(mine, (trial.outcome - expected) / trial.propensity, 0.0)
        yield expected + residual


def _codes(trial: Trial) -> range:
    return range(NO_CONTACT, len(trial.actions))


def _action_columns(actions: tuple[str, ...], action: Int16Array) -> Float64Array:
    """Whether contacted, by which channel, with which offer, shape (n, 1 + channels + offers)."""
    channels, offers = split_actions(actions)
    treated = action != NO_CONTACT
    channel = np.where(treated, action // len(offers), -1)
    offer = np.where(treated, action % len(offers), -1)
    return np.column_stack(
        [
            treated,
            channel[:, None] == np.arange(len(channels)),
            offer[:, None] == np.arange(len(offers)),
        ]
    ).astype(np.float64)


def _fit_arm(trial: Trial, rows: Mask) -> lgb.Booster:
    return _fit(trial.rows[rows], trial.outcome[rows], binary=trial.binary, rounds=OUTCOME_ROUNDS)


def _fit_effect(rows: Float64Array | lgb.Dataset, effects: Float64Array) -> lgb.Booster:
    return _fit(rows, effects, binary=False, rounds=EFFECT_ROUNDS)


def _fit(
    rows: Float64Array | lgb.Dataset, outcome: Float64Array, *, binary: bool, rounds: int
) -> lgb.Booster:
    parameters = {**_TREES, "objective": "binary" if binary else "regression"}
    if not isinstance(rows, lgb.Dataset):
        rows = lgb.Dataset(rows, params=_TREES)
    return lgb.train(parameters, rows.set_label(outcome), num_boost_round=rounds)


def _predict(booster: lgb.Booster, rows: Float64Array) -> Float64Array:
    return np.asarray(booster.predict(rows, num_threads=1), dtype=np.float64)
