"""What the comparisons of a study come to, together: may its estimates be believed?"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from training.contact_effects import ShiftEstimate
from training.observational_prior import OBSERVATIONAL_WEIGHT, ObservationalPrior, Verdict
from training.overlap import Overlap
from training.placebo import LARGEST_MISSED, Placebo
from training.propensity_forests import PropensityPlan


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """Limits and settings of a study.

    Attributes
    ----------
    weight : what an observed contact counts of a randomised one.
    propensity : folds, trees and floor of the propensities.
    outcome_rounds : trees of the outcome model.
    min_returns : fewest returns after an action for an estimate of it.
    min_effective : fewest effective rows with an action for an estimate of it.
    min_kept : smallest share of the rows inside the propensity limits that is still called
        overlap.
    """

    weight: float = OBSERVATIONAL_WEIGHT
    propensity: PropensityPlan = field(default_factory=PropensityPlan)
    outcome_rounds: int = 60
    min_returns: int = 10
    min_effective: float = 50.0
    min_kept: float = 0.1


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an action's estimate is not used, as a word and in words."""

    kind: Literal["no overlap", "too few", "unbalanced", "placebo"]
    text: str


@dataclass(frozen=True, slots=True)
class ActionStudy:
    """One action: its overlap, its effect and why it is not used, if so.

    Attributes
    ----------
    overlap : the comparison's report.
    effect : doubly robust estimate; None where the limits of the plan are not met.
    problem : why it does not enter the prior; None if it does.
    """

    overlap: Overlap
    effect: ShiftEstimate | None
    problem: Problem | None

    @property
    def name(self) -> str:
        """The action's name."""
        return self.overlap.action

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "overlap": self.overlap.to_json(),
            "effect": None if self.effect is None else self.effect.to_json(),
            "problem": None if self.problem is None else self.problem.kind,
            "reason": None if self.problem is None else self.problem.text,
        }


def find_problem(overlap: Overlap, effect: ShiftEstimate, plan: StudyPlan) -> Problem | None:
    """What keeps a comparison from giving an estimate, or the estimate from being used."""
    if (
        1.0 - overlap.trimmed_share < plan.min_kept
        or not overlap.treated_kept
        or not overlap.control_kept
    ):
        return Problem(
            "no overlap",
            f"{overlap.treated_kept:,} contacted and {overlap.control_kept:,} not contacted of "
            f"{overlap.possible:,} rows are inside the limits of the propensity",
        )
    if min(overlap.effective_treated, overlap.effective_control) < plan.min_effective:
        return Problem(
            "too few",
            f"{overlap.treated_kept:,} contacted rows are worth {overlap.effective_treated:.0f}, "
            f"{overlap.control_kept:,} others {overlap.effective_control:.0f}; "
            f"{plan.min_effective:.0f} are needed of each",
        )
    fewest = min(effect.positives_treated, effect.positives_control)
    if fewest < plan.min_returns or effect.sd is None:
        return Problem(
            "too few",
            f"{effect.positives_treated:,} of those contacted and {effect.positives_control:,} of "
            f"the others returned; {plan.min_returns} are needed of each",
        )
    if overlap.balanced:
        return None
    return Problem(
        "unbalanced",
        f"{overlap.worst_feature} still differs by {overlap.smd_after:.2f} standard deviations "
        "after weighting",
    )


def judge_action(overlap: Overlap, effect: ShiftEstimate, plan: StudyPlan) -> ActionStudy:
    """An action's report; an estimate that rests on too little is not shown."""
    problem = find_problem(overlap, effect, plan)
    shown = problem is None or problem.kind == "unbalanced"
    return ActionStudy(overlap, effect if shown else None, problem)


def with_placebo(action: ActionStudy, placebo: Placebo) -> ActionStudy:
    """The action, not to be used if its own placebo differs from 0."""
    if action.problem is not None or not placebo.flags(action.name):
        return action
    shift = placebo.by_action[action.name].shift
    text = f"its placebo shows {shift:+.2f} before the contact, where there can be no effect"
    return replace(action, problem=Problem("placebo", text))


def without_prior(
    actions: Sequence[str], verdict: Verdict, reasons: tuple[str, ...] = ()
) -> ObservationalPrior:
    """A prior that says nothing about any action."""
    n = len(actions)
    return ObservationalPrior(
        tuple(actions), np.zeros(n), np.full(n, np.inf), 0.0, verdict, reasons
    )


def conclude(
    names: Sequence[str],
    any_contact: ActionStudy,
    actions: Sequence[ActionStudy],
    placebo: Placebo,
    plan: StudyPlan,
) -> ObservationalPrior:
    """Verdict, reasons and the prior that follows from them.

    Parameters
    ----------
    names : of all actions, in configured order.
    any_contact : all contacts as one action.
    actions : those that ever happened.
    placebo : effects where there can be none.
    plan : has the weight of a usable study.
    """
    verdict, reason = _verdict(any_contact, actions, placebo)
    prior = without_prior(names, verdict)
    mean, sd = prior.mean.copy(), prior.sd.copy()
    for one in actions:
        if one.problem is None and one.effect is not None:
            code = names.index(one.name)
            mean[code], sd[code] = one.effect.shift, _widened(one.effect, placebo)
    others = (f"{one.name}: {one.problem.text}." for one in actions if one.problem is not None)
    weight = plan.weight if verdict == "usable" else 0.0
    return replace(prior, mean=mean, sd=sd, weight=weight, reasons=(reason, *others))


def _widened(effect: ShiftEstimate, placebo: Placebo) -> float:
    """The error of an effect whose bias is known to be 0 only as surely as the placebo knows."""
    errors = (effect.sd, None if placebo.overall is None else placebo.overall.sd)
    return float(np.sqrt(sum((error or 0.0) ** 2 for error in errors)))


def _verdict(
    any_contact: ActionStudy, actions: Sequence[ActionStudy], placebo: Placebo
) -> tuple[Verdict, str]:
    if all(one.effect is None for one in actions):
        problem = any_contact.problem
        if problem is not None and problem.kind == "no overlap":
            return "no overlap", f"Of all contacts {problem.text}."
        return "too few", "No action has enough contacts and returns for an estimate."
    doubt = _doubt(placebo)
    if doubt is not None:
        return doubt
    if all(one.problem is not None for one in actions):
        return "unbalanced", "No action is balanced and free of an effect before the contact."
    return "usable", (
        "Overlap, balance and placebo hold. What nobody recorded may still have decided whom to "
        "contact, so assumptions are moved by it and nothing is called measured."
    )


def _doubt(placebo: Placebo) -> tuple[Verdict, str] | None:
    """Why the placebo does not let the study pass; None if it does."""
    overall, detectable = placebo.overall, placebo.detectable
    if overall is None or detectable is None:
        return "untested", (
            f"There is no placebo: {placebo.positives:,} of {placebo.rows:,} rows with a known "
            "pre-period show a sign of life in it, too few among those contacted or the others."
        )
    if not placebo.found_nothing:
        return "confounded", (
            f"The placebo shows {overall.shift:+.2f} [{overall.low:+.2f}, {overall.high:+.2f}] "
            "before any contact: those contacted differed in ways that the stored data do not tell."
        )
    if not placebo.up_to_cutoff:
        return "untested", (
            "Every sign of life ends silence here, so nothing shows whether those contacted were "
            "still active. The placebo could only look before their silence, and found nothing."
        )
    if detectable > LARGEST_MISSED:
        return "untested", (
            f"The placebo would miss shifts up to {detectable:.2f}; one that means anything finds "
            f"those of {LARGEST_MISSED:g}."
        )
    return None
