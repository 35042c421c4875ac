"""Check: no event type stands where a history ends because the history has ended."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.history import History
from features.kernels import recency
from features.kernels.feature import DAY_US
from features.manifest import block_columns
from features.spec import FeatureSpec
from features.stage import Stage
from training.leak_audit import AuditRows, Check, Int64Array

NAME = "terminal_events"
MIN_EVENTS = 50
FOLLOWED_SHARE = 0.02
"""An event type is terminal if fewer of its customers than this come back afterwards."""
WARNING_AUC, FAILURE_AUC = 0.60, 0.80
"""AUC of having the event: honest last words (a closed account) are rare among all who stay
away, a status written to everybody who stayed away is not."""

_FIRST_GROUP_COLUMNS = 2
"""The recency block begins with activity and orders; then comes one column per event type."""


@dataclass(frozen=True, slots=True)
class Followers:
    """Customers with each event type, and those of them who came back afterwards.

    Only customers whose first such event lies a label window or more before the end of the
    data count, and returns more than a day later.

    Attributes
    ----------
    customers, followed : shape (n_event_types,).
    """

    customers: Int64Array
    followed: Int64Array


def count_followers(
    histories: Sequence[History], *, spec: FeatureSpec, stages: Sequence[Stage], reach_us: int
) -> Followers:
    """Count, over samples of customers, who came back after the first event of each type.

    Parameters
    ----------
    histories : samples of customers.
    spec : event types.
    stages : the ladder, which says what a return is.
    reach_us : gap + horizon, microseconds.
    """
    n_types = len(spec.event_types)
    customers, followed = (np.zeros(n_types, dtype=np.int64) for _ in range(2))
    returns = spec.flags(tuple(name for stage in stages for name in stage.returns_by))
    last = [h.events.occurred_at.max() for h in histories if len(h.events.occurred_at)]
    end = int(max(last, default=0)) - reach_us
    for history in histories:
        events = history.events
        owner = np.repeat(np.arange(history.n_customers), np.diff(events.offsets))
        back = returns[events.event_type]
        last_back = np.full(history.n_customers, np.iinfo(np.int64).min)
        # Rows are in order of time, so that the last one written stays.
        last_back[owner[back]] = events.occurred_at[back]
        for code in range(n_types):
            rows = np.flatnonzero(events.event_type == code)
            who, first = np.unique(owner[rows], return_index=True)
            at = events.occurred_at[rows[first]]
            early = at <= end
            customers[code] += np.count_nonzero(early)
            followed[code] += np.count_nonzero(early & (last_back[who] > at + DAY_US))
    return Followers(customers, followed)


def check_terminal(
    rows: AuditRows, followers: Followers, *, subject: str, spec: FeatureSpec
) -> Check:
    """Find event types after which nobody comes back and that tell who stays away.

    Such a type is written when a customer leaves, or afterwards because the customer has
    left. Written afterwards and dated back, it makes the outcome look known in time.

    Parameters
    ----------
    rows : rows of one model.
    followers : what came after each event type.
    subject : the model.
    spec : event types.
    """
    terminal = [
        code
        for code in range(len(spec.event_types))
        if followers.customers[code] >= MIN_EVENTS
        and followers.followed[code] < FOLLOWED_SHARE * followers.customers[code]
    ]
    figures: dict[str, float | int | str] = {
        "event_types": len(spec.event_types),
        "terminal": len(terminal),
        "warning_above": WARNING_AUC,
        "failure_above": FAILURE_AUC,
    }
    if not rows.has_both_labels:
        why = "Too few training rows of either label."
        return Check(NAME, subject, "not checked", why, figures=figures)
    found = {spec.event_types[code]: _auc_of_having(rows, spec, code) for code in terminal}
    figures |= {f"auc.{name}": round(auc, 4) for name, auc in found.items()}
    telling = {name: auc for name, auc in found.items() if auc > WARNING_AUC}
    if not telling:
        known = f"; {', '.join(found)} end histories, but few of them" if found else ""
        return Check(
            NAME,
            subject,
            "passed",
            f"No event type stands only where a history ends and tells who stays away{known}.",
            figures=figures,
        )
    listed = ", ".join(f"{name} (AUC {auc:.3f})" for name, auc in telling.items())
    return Check(
        NAME,
        subject,
        "failed" if max(telling.values()) > FAILURE_AUC else "warning",
        f"Nobody comes back after {listed}, and having it tells who stays away: written "
        "afterwards and dated back?",
        fix="find out who writes these events and when: leave out what is written because a "
        "customer stayed away, or ingest it with its true arrived_at",
        named=tuple(telling),
        figures=figures,
    )


def _auc_of_having(rows: AuditRows, spec: FeatureSpec, code: int) -> float:
    start = block_columns(spec)[recency.BLOCK].start
    having = ~np.isnan(rows.values[:, start + _FIRST_GROUP_COLUMNS + code])
    positive = rows.labels == 1
    difference = float(having[positive].mean()) - float(having[~positive].mean())
    return 0.5 + 0.5 * abs(difference)
