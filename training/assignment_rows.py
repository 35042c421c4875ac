"""From logged assignments to rows that effects of contact are learnt from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.history import History
from features.history_sample import customer_hashes
from models.effect_features import effect_features
from models.order_value import return_values, shrink_order_value, stage_values
from models.return_probability import return_probabilities
from training.assignment_contacts import JoinedContacts, on_sent_lists
from training.assignment_counts import AssignmentCounts
from training.assignment_log import UNKNOWN_ACTION, AssignedRows
from training.assignment_outcome import realised_profit, window_spending
from training.assignment_views import RowPlan, view_customers
from training.effect_sample import NO_CONTACT, EffectSample, concat_samples
from training.folds import last_midnight
from training.labels import returned

BoolArray = NDArray[np.bool_]
Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

_SMALLEST = 1e-6


@dataclass(frozen=True, slots=True)
class EffectRows:
    """Rows to learn from, and what became of the other assignments.

    Attributes
    ----------
    sample : rows with a known propensity, by instant, customer and action.
    unknown : the same of rows without one: their propensity is NaN until it is estimated.
    counts : of all assignments.
    stage, silence_days : of the rows of `sample`: place in the ladder, and days since the
        customer was last active on it.
    """

    sample: EffectSample
    unknown: EffectSample
    counts: AssignmentCounts
    stage: NDArray[np.int16]
    silence_days: Float64Array

    @property
    def untried(self) -> tuple[str, ...]:
        """Actions that no row of `sample` was assigned: nothing is measured of them."""
        tried = np.unique(self.sample.action)
        names = self.sample.actions
        return tuple(name for code, name in enumerate(names) if code not in tried)

    def notes(self) -> tuple[str, ...]:
        """What a reader should know, one sentence each."""
        if not self.untried or not len(self.sample):
            return self.counts.notes()
        listed = ", ".join(self.untried)
        return (*self.counts.notes(), f"Never tried, so still as assumed: {listed}.")


@dataclass(frozen=True, slots=True)
class BucketRows:
    """One bucket's rows; `sample.order_value` is not known before all buckets are.

    Attributes
    ----------
    sample : n rows.
    mean_order, orders : own mean order net of refunds and number of orders, shape (n,).
    stage : place in the ladder, shape (n,).
    silence_days : days since the customer was last active on it, shape (n,).
    counts : what became of the bucket's assignments after the screening.
    """

    sample: EffectSample
    mean_order: Float64Array
    orders: Float64Array
    stage: NDArray[np.int16]
    silence_days: Float64Array
    counts: AssignmentCounts


def screen_assignments(
    assigned: AssignedRows, plan: RowPlan
) -> tuple[AssignedRows, AssignmentCounts]:
    """Leave out what cannot be a row, whatever is known of the customers.

    Parameters
    ----------
    assigned : of all sources.
    plan : training as-of and outcome window.
    """
    known = np.maximum(assigned.arrived_us, assigned.assigned_us) < plan.trained_until_us
    configured = known & (assigned.action != UNKNOWN_ACTION)
    with_control = np.zeros(len(assigned.experiments), dtype=np.bool_)
    with_control[assigned.experiment[configured & (assigned.action == NO_CONTACT)]] = True
    compared = configured & with_control[assigned.experiment]
    end_us = assigned.assigned_us + plan.gap_us + plan.horizon_us
    matured = compared & (end_us <= plan.observed_until_us)
    open_ends = end_us[compared & ~matured]
    counts = AssignmentCounts(
        assignments=len(assigned),
        arrived_later=_lost(np.ones_like(known), known),
        unknown_action=_lost(known, configured),
        without_control=_lost(configured, compared),
        not_matured=_lost(compared, matured),
        matures_on=last_midnight(int(open_ends.min()) - 1, plan.timezone)
        if len(open_ends)
        else None,
    )
    return assigned.take(matured), counts


def keep_sent(
    assigned: AssignedRows, joined: JoinedContacts
) -> tuple[AssignedRows, JoinedContacts, AssignmentCounts]:
    """Leave out lists that were never sent, see `on_sent_lists`.

    Parameters
    ----------
    assigned : of all buckets, screened.
    joined : their contacts.
    """
    sent = on_sent_lists(assigned, joined)
    counts = AssignmentCounts(never_sent=int(np.count_nonzero(~sent)))
    return assigned.take(sent), joined.take(sent), counts


def bucket_rows(
    assigned: AssignedRows,
    joined: JoinedContacts,
    histories: Mapping[str, History],
    *,
    plan: RowPlan,
) -> BucketRows:
    """Features, probabilities and outcomes of one bucket's assignments.

    Parameters
    ----------
    assigned : the bucket's, screened.
    joined : their contacts, as known at the training as-of.
    histories : the bucket, read for each model's specification, by its digest.
    plan : as for the other buckets.
    """
    natural = histories[plan.models.natural.spec.digest()]
    found = pc.fill_null(pc.index_in(assigned.customer_id, value_set=natural.names), -1)
    customer = found.to_numpy(zero_copy_only=False).astype(np.int64)
    views = view_customers(assigned.assigned_us, customer, histories, plan)
    _, p_natural = return_probabilities(
        views.rows, models=plan.models, stages=plan.stages, threads=plan.threads
    )
    staged = np.isfinite(p_natural)
    kept = _apart(assigned.take(views.place), customer[views.place], staged, plan)
    counts = AssignmentCounts(
        without_events=len(assigned) - len(views.place),
        without_stage=int(np.count_nonzero(~staged)),
        overlapping=int(np.count_nonzero(staged) - len(kept)),
    )
    rows, places = assigned.take(views.place[kept]), customer[views.place[kept]]
    stage = views.rows.stage[kept]
    odds = np.clip(p_natural[kept], _SMALLEST, 1.0 - _SMALLEST)
    x, names = effect_features(views.rows.natural[kept], plan.models.natural.spec)
    outcome = _outcomes(natural, rows, (places, stage), joined.take(views.place[kept]), plan)
    sample = EffectSample(
        x=x,
        feature_names=names,
        log_odds0=np.log(odds / (1.0 - odds)),
        order_value=np.full(len(rows), np.nan),
        action=rows.action,
        propensity=rows.propensity,
        cluster=customer_hashes(natural)[places],
        as_of_us=rows.assigned_us,
        actions=plan.prices.actions,
        returned=outcome.returned,
        profit=outcome.profit,
        left=outcome.left,
    )
    known = int(np.count_nonzero(np.isfinite(rows.propensity)))
    treated = rows.action != NO_CONTACT
    counts += AssignmentCounts(
        used=known,
        propensity_unknown=len(rows) - known,
        without_contact_record=int(np.count_nonzero(treated & ~outcome.contacted)),
        contaminated=int(np.count_nonzero(~treated & outcome.contacted)),
    )
    return BucketRows(
        sample,
        views.mean_order[kept],
        views.orders[kept],
        stage,
        views.silence_days[kept],
        counts,
    )


def collect_rows(
    pieces: Sequence[BucketRows], screened: AssignmentCounts, *, plan: RowPlan
) -> EffectRows:
    """Put the buckets' rows together and give each its order value.

    A customer's own mean order is drawn towards the mean of the assigned customers, as a
    night draws it towards the mean of the scored ones.

    Parameters
    ----------
    pieces : one per bucket, at least one.
    screened : what the screening counted.
    plan : as for the buckets.
    """
    own = shrink_order_value(
        np.concatenate([piece.mean_order for piece in pieces]),
        np.concatenate([piece.orders for piece in pieces]),
    )
    stage = np.concatenate([piece.stage for piece in pieces])
    sample = concat_samples([piece.sample for piece in pieces])
    sample = replace(sample, order_value=return_values(own, stage, plan.stages))
    order = np.lexsort((sample.action, sample.cluster, sample.as_of_us))
    sample = sample.take(order)
    known = np.isfinite(sample.propensity)
    silence = np.concatenate([piece.silence_days for piece in pieces])
    return EffectRows(
        sample.take(known),
        sample.take(~known),
        sum((piece.counts for piece in pieces), screened),
        stage=stage[order][known],
        silence_days=silence[order][known],
    )


@dataclass(frozen=True, slots=True)
class _Outcomes:
    returned: NDArray[np.int8]
    profit: Float64Array
    left: NDArray[np.int8]
    contacted: BoolArray


def _apart(
    assigned: AssignedRows, customer: Int64Array, usable: BoolArray, plan: RowPlan
) -> Int64Array:
    """Positions of those usable rows that lie in no outcome window of an earlier kept one."""
    ids = pc.rank(assigned.row_id, tiebreaker="dense").to_numpy() if len(assigned) else []
    order = np.lexsort((ids, assigned.experiment, assigned.assigned_us, customer))
    kept: list[int] = []
    reach = plan.gap_us + plan.horizon_us
    owner, until_us = -1, 0
    for row in order[usable[order]].tolist():
        at = int(assigned.assigned_us[row])
        if customer[row] != owner or at >= until_us:
            kept.append(row)
            owner, until_us = int(customer[row]), at + reach
    return np.array(kept, dtype=np.int64)


def _outcomes(
    history: History,
    rows: AssignedRows,
    who: tuple[Int64Array, NDArray[np.int16]],
    joined: JoinedContacts,
    plan: RowPlan,
) -> _Outcomes:
    customer, stage = who
    spec, until_us = plan.models.natural.spec, plan.trained_until_us
    back = returned(
        history,
        spec=spec,
        stages=plan.stages,
        rows=(customer, rows.assigned_us, stage),
        window=(plan.gap_us, plan.horizon_us),
        known_before_us=np.full(len(rows), until_us),
    ).astype(np.int8)
    begin_us = rows.assigned_us + plan.gap_us
    spending = window_spending(
        history,
        spec=spec,
        customer=customer,
        begin_us=begin_us,
        end_us=begin_us + plan.horizon_us,
        known_before_us=until_us,
    )
    left = (joined.unsubscribed_us < begin_us + plan.horizon_us).astype(np.int8)
    profit = realised_profit(
        spending,
        returned=back,
        stage_value=stage_values(stage, plan.stages),
        action=rows.action,
        left=left,
        prices=plan.prices,
    )
    return _Outcomes(back, profit, left, joined.found)


def _lost(before: BoolArray, after: BoolArray) -> int:
    return int(np.count_nonzero(before) - np.count_nonzero(after))
