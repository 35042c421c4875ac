"""Which estimator of the contact effect serves: a ladder, climbed only on evidence."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.action_value import ActionTerms
from models.contact_effect import RUNGS, ContactEffect, EffectPriors, Rung
from models.effect_trees import EffectTrees
from training.effect_compare import (
    ONE_SIDED_95,
    Candidate,
    Difference,
    believe,
    best_candidate,
    compare,
)
from training.effect_plan import EffectPlan
from training.effect_rungs import (
    RungFit,
    add_trees,
    cross_fit_folds,
    draw_to_means,
    fit_rung,
    fit_trees,
    split_actions,
)
from training.effect_sample import EffectSample

Int64Array = NDArray[np.int64]

TREE_WEIGHTS = (0.25, 0.5)
"""Shares of the trees in the stack that are tried."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step up the ladder that was tried or refused.

    Attributes
    ----------
    rung : the estimator.
    taken : whether it serves from there on.
    reason : why, in a sentence.
    log_loss : its cross-fitted log loss less that of the one before.
    value : doubly robust profit per customer of its choices less that of the one before.
    slope : share of the differences between customers that is believed.
    """

    rung: Rung
    taken: bool
    reason: str
    log_loss: Difference | None = None
    value: Difference | None = None
    slope: float | None = None


@dataclass(frozen=True, slots=True)
class ActionReport:
    """What is known of one action: counts, effect on the log-odds, and on what it rests."""

    action: str
    rows: int
    returns: int
    assumed: float
    assumed_sd: float
    shift: float
    shift_sd: float
    evidence: str


@dataclass(frozen=True, slots=True)
class EffectReport:
    """How the effect of contact was learnt.

    Attributes
    ----------
    rung : the estimator that serves.
    rows, customers, controls, treated_returns : of the assignments used.
    steps : the ladder, from below.
    actions : one report per action; the shift is that of the average assigned customer.
    """

    rung: Rung
    rows: int
    customers: int
    controls: int
    treated_returns: int
    steps: tuple[Step, ...]
    actions: tuple[ActionReport, ...]

    @property
    def verdicts(self) -> tuple[str, ...]:
        """Sentences for people: what serves and whether it is proven."""
        if self.rung == "priors":
            first = "contact effect: not proven yet; assumptions serve"
        else:
            measured = sum(one.evidence == "uplift" for one in self.actions)
            first = (
                f"contact effect: {self.rung} on {self.rows} assignments with {self.controls} "
                f"controls and {self.treated_returns} returns after a contact; measured for "
                f"{measured} of {len(self.actions)} actions"
            )
        return (first, *(step.reason for step in self.steps if not step.taken))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "verdicts": list(self.verdicts)}


@dataclass(frozen=True, slots=True)
class EffectFit:
    """The effect that serves and how it was found."""

    model: ContactEffect
    report: EffectReport


def fit_contact_effect(
    sample: EffectSample, *, priors: EffectPriors, terms: ActionTerms, plan: EffectPlan
) -> EffectFit:
    """Climb the ladder of estimators as far as the log carries, then fit on all rows.

    A rung is tried from a number of treated returns on. It serves if, cross-fitted by
    customer, its log loss is lower than that of the rung below, and if the doubly robust
    value of the choices it would make is not significantly lower; means of actions replace
    assumptions unless they would have earned significantly less. Of the ridge's differences
    between customers only the share is believed that lowers the log loss most.

    Parameters
    ----------
    sample : matured assignments with their controls.
    priors : the configuration's assumptions, perhaps moved by observational logs.
    terms : what actions cost.
    plan : thresholds.

    References
    ----------
    METHODS.md section 2.2 and 2.3; ADR 0007.
    """
    sample = _thin(sample, plan.max_rows)
    folds = cross_fit_folds(sample.cluster, folds=plan.folds)
    present = _cross_fit(sample, "priors", folds, priors)
    steps: list[Step] = []
    for rung in RUNGS[1:]:
        refusal = _refusal(rung, sample, plan)
        if refusal:
            steps.append(Step(rung, taken=False, reason=refusal))
            break
        tried = _try(rung, sample, folds, priors, present, plan)
        step = _judge(sample, tried, present, terms, plan)
        steps.append(step)
        if not step.taken:
            break
        present = tried
    model = _fit_finally(present, sample, priors, plan).effect
    return EffectFit(model, _report(sample, model, priors, tuple(steps)))


def _refusal(rung: Rung, sample: EffectSample, plan: EffectPlan) -> str:
    """Why a rung is not tried at all; empty if it is."""
    needed = {
        "arm_means": plan.arm_means_from,
        "ridge": plan.ridge_from,
        "stack": plan.stack_from,
    }[rung]
    found = _treated_returns(sample)
    if sample.treated.all():
        return f"{rung} not tried: there is no control, so no effect can be measured"
    if plan.at_most != "auto" and RUNGS.index(rung) > RUNGS.index(plan.at_most):
        return f"{rung} not tried: effects.at_most is {plan.at_most}"
    if found < needed:
        return f"{rung} not tried: {found} returns after a contact, {needed - found} too few"
    return ""


def _treated_returns(sample: EffectSample) -> int:
    return int(sample.returned[sample.treated].sum())


def _thin(sample: EffectSample, max_rows: int) -> EffectSample:
    """The customers of the lowest hashes, if there are too many rows."""
    if len(sample) <= max_rows:
        return sample
    return sample.take(sample.cluster < np.uint64(int(max_rows / len(sample) * 2.0**64)))


def _cross_fit(
    sample: EffectSample, rung: Rung, folds: Int64Array, priors: EffectPriors
) -> Candidate:
    """What a linear estimator says of each customer without having seen them."""
    natural = np.empty(len(sample))
    shifts = np.empty((len(sample), len(sample.actions)))
    for fold in np.unique(folds):
        inside = np.flatnonzero(folds == fold)
        fit = fit_rung(sample.take(folds != fold), rung, priors=priors)
        those = sample.log_odds0[inside], sample.x[inside]
        natural[inside], shifts[inside] = fit.natural(*those), fit.effect.means(*those)
    return Candidate(rung, natural, shifts)


def _cross_fit_stacks(
    sample: EffectSample, folds: Int64Array, present: Candidate, *, seed: int
) -> list[Candidate]:
    """The present estimator mixed with trees in several shares."""
    n_offers = len(split_actions(sample.actions)[1])
    shifts = {weight: np.empty_like(present.shifts) for weight in TREE_WEIGHTS}
    for fold in np.unique(folds):
        outside, inside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        forest = fit_trees(
            sample.take(outside), present.natural[outside], n_offers=n_offers, seed=seed
        )
        for weight, mixed in shifts.items():
            mixed[inside] = EffectTrees(forest, weight).mix(
                sample.log_odds0[inside],
                sample.x[inside],
                present.shifts[inside],
                n_offers=n_offers,
            )
    return [
        replace(present, rung="stack", shifts=mixed, tree_weight=weight)
        for weight, mixed in shifts.items()
    ]


def _try(
    rung: Rung,
    sample: EffectSample,
    folds: Int64Array,
    priors: EffectPriors,
    present: Candidate,
    plan: EffectPlan,
) -> Candidate:
    if rung == "stack":
        return best_candidate(sample, _cross_fit_stacks(sample, folds, present, seed=plan.seed))
    tried = _cross_fit(sample, rung, folds, priors)
    return believe(sample, tried, present) if rung == "ridge" else tried


def _judge(
    sample: EffectSample,
    tried: Candidate,
    present: Candidate,
    terms: ActionTerms,
    plan: EffectPlan,
) -> Step:
    """Whether the tried estimator takes over from the present one, and why."""
    found = compare(sample, tried, present, terms=terms)
    rung, change = tried.rung, f"{found.log_loss.value:+.6f}"
    # Means of actions replace assumptions as soon as they can be measured: that is what
    # assumptions are for. From there on a better forecast has to be seen. Where rows are
    # many, differences that exist are seen clearly, so that unclear ones are taken for none.
    errors = ONE_SIDED_95 if _treated_returns(sample) >= plan.stack_from else 0.0
    forecasts_better = rung == RUNGS[1] or found.log_loss.upper(errors) < 0.0
    taken = forecasts_better and not found.earns_less
    if taken:
        reason = f"{rung} serves: cross-fitted log loss {change}"
    elif found.earns_less:
        reason = f"{rung} refused: its choices would have earned significantly less"
    else:
        reason = f"{rung} refused: cross-fitted log loss {change}, not clearly lower"
    slope = tried.slope if rung == "ridge" else None
    return Step(rung, taken, reason, found.log_loss, found.value, slope)


def _fit_finally(
    chosen: Candidate, sample: EffectSample, priors: EffectPriors, plan: EffectPlan
) -> RungFit:
    """The estimator that won, on all rows."""
    linear: Rung = chosen.rung if chosen.rung != "stack" else "ridge"
    fit = fit_rung(sample, linear, priors=priors)
    if chosen.slope < 1.0:
        means = fit_rung(sample, "arm_means", priors=priors)
        fit = draw_to_means(fit, means, slope=chosen.slope)
    if chosen.rung == "stack":
        fit = add_trees(fit, sample, weight=chosen.tree_weight, seed=plan.seed)
    return fit


def _report(
    sample: EffectSample, model: ContactEffect, priors: EffectPriors, steps: tuple[Step, ...]
) -> EffectReport:
    typical = np.array([float(sample.log_odds0.mean())]), sample.x.mean(axis=0, keepdims=True)
    shifts = model.shifts(*typical)
    actions = tuple(
        ActionReport(
            action=name,
            rows=int(mine.sum()),
            returns=int(sample.returned[mine].sum()),
            assumed=float(priors.mean[code]),
            assumed_sd=float(priors.sd[code]),
            shift=float(shifts.mean[0, code]),
            shift_sd=float(shifts.sd[0, code]),
            evidence=model.evidence[code],
        )
        for code, name in enumerate(sample.actions)
        for mine in (sample.action == code,)
    )
    return EffectReport(
        rung=model.rung,
        rows=len(sample),
        customers=len(np.unique(sample.cluster)),
        controls=int(np.count_nonzero(~sample.treated)),
        treated_returns=_treated_returns(sample),
        steps=steps,
        actions=actions,
    )
