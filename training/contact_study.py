"""What past contacts suggest about effects, and whether it may be believed at all."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.contact_effects import ShiftEstimate, estimate_shift, predict_uncontacted
from training.contact_propensity import (
    ClassCalibration,
    Propensities,
    fit_propensities,
    judge_calibration,
)
from training.contact_rows import UNKNOWN, ContactRows, RowCounts
from training.contact_verdict import (
    ActionStudy,
    StudyPlan,
    conclude,
    judge_action,
    with_placebo,
    without_prior,
)
from training.effect_sample import NO_CONTACT
from training.observational_prior import ObservationalPrior
from training.overlap import Comparison, compare, report_overlap
from training.placebo import Placebo
from training.propensity_forests import NONE

Float64Array = NDArray[np.float64]
Float32Array = NDArray[np.float32]
Int8Array = NDArray[np.int8]

ANY = "any contact"


@dataclass(frozen=True, slots=True)
class ContactStudy:
    """A study of past contacts.

    Attributes
    ----------
    rows, customers : what was studied.
    contacted, returned : rows with a contact, rows with a return.
    contacted_later : share of the rows without contact that were contacted before their outcome
        window ended.
    counts : what was left out.
    calibration : of the propensities, by class.
    any_contact : all contacts as one action; None where nothing could be compared.
    actions : by action with at least one contact, in configured order.
    placebo : effects where there can be none; None where nothing could be compared.
    prior : the result.
    """

    rows: int
    customers: int
    contacted: int
    returned: int
    contacted_later: float
    counts: RowCounts
    calibration: tuple[ClassCalibration, ...]
    any_contact: ActionStudy | None
    actions: tuple[ActionStudy, ...]
    placebo: Placebo | None
    prior: ObservationalPrior

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "rows": self.rows,
            "customers": self.customers,
            "contacted": self.contacted,
            "returned": self.returned,
            "contacted_later": self.contacted_later,
            "counts": asdict(self.counts),
            "propensity_calibration": [one.to_json() for one in self.calibration],
            "any_contact": None if self.any_contact is None else self.any_contact.to_json(),
            "actions": [one.to_json() for one in self.actions],
            "placebo": None if self.placebo is None else self.placebo.to_json(),
            "prior": self.prior.to_json(),
        }


def nothing_to_study(actions: Sequence[str], reason: str) -> ContactStudy:
    """A study without a row."""
    prior = without_prior(actions, "nothing to study", (reason,))
    return ContactStudy(0, 0, 0, 0, 0.0, RowCounts(), (), None, (), None, prior)


def study_rows(rows: ContactRows, plan: StudyPlan) -> ContactStudy:
    """Estimate effects from contacts that nobody randomised, and test the estimates.

    Parameters
    ----------
    rows : customers at cutoffs, contacted or not.
    plan : limits and settings.

    Returns
    -------
    ContactStudy : its prior has weight 0 unless there is overlap, and a placebo that could have
        found something found nothing.

    References
    ----------
    METHODS.md section 2, point 5.
    """
    rows = _testable(rows)
    contacted = rows.action != NO_CONTACT
    idle = ~contacted
    empty = ContactStudy(
        rows=len(rows),
        customers=len(np.unique(rows.cluster)),
        contacted=int(np.count_nonzero(contacted)),
        returned=int(np.count_nonzero(rows.returned)),
        contacted_later=float(rows.later[idle].mean()) if idle.any() else 0.0,
        counts=rows.counts,
        calibration=(),
        any_contact=None,
        actions=(),
        placebo=None,
        prior=without_prior(rows.actions, "nothing to study"),
    )
    if not (rows.action >= 0).any():
        reason = f"None of {len(rows):,} rows was contacted with a configured action."
        prior = without_prior(rows.actions, "nothing to study", (reason,))
        return replace(empty, prior=prior)
    if np.count_nonzero(idle) < plan.min_effective:
        reason = (
            f"Of {len(rows):,} rows {empty.contacted:,} were contacted and "
            f"{np.count_nonzero(idle):,} were not: there is nobody to compare with."
        )
        return replace(empty, prior=without_prior(rows.actions, "no overlap", (reason,)))
    present = _Fitted.of(rows, rows.x, rows.returned, plan)
    any_contact, *each = (present.judge(code) for code in (None, *_used(rows)))
    placebo = _run_placebo(rows, plan, tuple(each))
    actions = tuple(with_placebo(one, placebo) for one in each)
    return replace(
        empty,
        calibration=judge_calibration(present.propensities, rows.as_of_us),
        any_contact=any_contact,
        actions=actions,
        placebo=placebo,
        prior=conclude(rows.actions, any_contact, actions, placebo, plan),
    )


def _testable(rows: ContactRows) -> ContactRows:
    """Rows whose pre-period shows who was still active; all if that of no contacted row does."""
    if not (rows.testable & (rows.action != NO_CONTACT)).any() or rows.testable.all():
        return rows
    left_out = int(np.count_nonzero(~rows.testable))
    kept = rows.take(np.flatnonzero(rows.testable))
    return replace(kept, counts=replace(rows.counts, untestable=left_out))


def _used(rows: ContactRows) -> list[int]:
    """The actions that ever happened."""
    return [int(code) for code in np.unique(rows.action) if code >= 0]


@dataclass(frozen=True, slots=True)
class _Fitted:
    """Propensities and chance of one outcome without contact, before any comparison."""

    rows: ContactRows
    x: Float32Array
    outcome: Int8Array
    plan: StudyPlan
    propensities: Propensities
    log_odds0: Float64Array

    @classmethod
    def of(
        cls, rows: ContactRows, x: Float32Array, outcome: Int8Array, plan: StudyPlan
    ) -> "_Fitted":
        """Fit both, on other customers than those predicted."""
        propensities = fit_propensities(
            x,
            rows.action,
            cluster=rows.cluster,
            actions=rows.actions,
            possible=rows.possible,
            plan=plan.propensity,
        )
        log_odds0 = predict_uncontacted(
            x,
            outcome,
            control=rows.action == NO_CONTACT,
            cluster=rows.cluster,
            folds=plan.propensity.folds,
            settings=plan.propensity.forest(plan.outcome_rounds),
        )
        return cls(rows, x, outcome, plan, propensities, log_odds0)

    def compare(self, code: int | None) -> Comparison:
        """An action against no contact; None: any contact against none."""
        p, floor = self.propensities.probability, self.propensities.floor
        action = self.rows.action
        treated = action != NO_CONTACT if code is None else action == code
        if code is None:
            e, least = 1.0 - p[:, NONE], min(self.plan.propensity.floor, treated.mean() / 10.0)
            possible = np.ones(len(action), dtype=np.bool_)
        else:
            e, least = p[:, code + 1], floor[code + 1]
            possible = self.rows.possible[:, code]
        return compare(
            (e, p[:, NONE]),
            (float(least), float(floor[NONE])),
            treated=treated,
            control=action == NO_CONTACT,
            possible=possible,
        )

    def estimate(self, comparison: Comparison) -> ShiftEstimate:
        """The effect on the outcome."""
        return estimate_shift(comparison, self.outcome, self.log_odds0, cluster=self.rows.cluster)

    def judge(self, code: int | None) -> ActionStudy:
        """Overlap and effect of an action; None: of any contact."""
        comparison = self.compare(code)
        action = self.rows.action
        treated = action != NO_CONTACT if code is None else action == code
        overlap = report_overlap(
            comparison,
            self.x,
            names=self.rows.feature_names,
            action=ANY if code is None else self.rows.actions[code],
            treated=int(np.count_nonzero(treated)),
        )
        return judge_action(overlap, self.estimate(comparison), self.plan)


def _run_placebo(rows: ContactRows, plan: StudyPlan, actions: tuple[ActionStudy, ...]) -> Placebo:
    """The same estimator on the pre-period, with what was known before it."""
    known = rows.take(np.flatnonzero(rows.before != UNKNOWN))
    nothing = Placebo(
        overall=None,
        by_action={},
        rows=len(known),
        positives=int(np.count_nonzero(known.before)),
        up_to_cutoff=bool(rows.testable.all()),
    )
    contacted = known.action != NO_CONTACT
    for group in (known.before[contacted], known.before[~contacted]):
        if min(np.count_nonzero(group), np.count_nonzero(group == 0)) < plan.min_returns:
            return nothing
    past = _Fitted.of(known, known.x_before, known.before, plan)
    codes = {name: code for code, name in enumerate(rows.actions)}
    found = {
        one.name: past.estimate(past.compare(codes[one.name]))
        for one in actions
        if one.effect is not None
    }
    return replace(
        nothing,
        overall=past.estimate(past.compare(None)),
        by_action={
            name: one
            for name, one in found.items()
            if one.sd is not None
            and min(one.positives_treated, one.positives_control) >= plan.min_returns
        },
    )
