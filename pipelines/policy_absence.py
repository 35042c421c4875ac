"""Why there is no assignment to judge policies on, and what would change that."""

from features.errors import describe
from pipelines.config import Config
from pipelines.policy_rows import outcome_known_on
from pipelines.policy_sources import PolicyRequest
from training.assignment_counts import AssignmentCounts
from training.policy_support import Reason, Refused

_PLACE = "assignment log"


def explain_absence(
    request: PolicyRequest, counts: AssignmentCounts, config: Config, *, usable: int
) -> Refused:
    """The refusal of a request for which no row is left.

    Parameters
    ----------
    request : what was asked.
    counts : of all logged assignments.
    usable : rows before dates and lists chose among them.
    """
    days = request.list_days()
    if days and counts.not_matured:
        return _refused(
            "nothing_matured",
            "no assignment of these lists whose outcome window is over",
            fix=f"wait until the events of {outcome_known_on(days[0], config)} are complete, and "
            "ingest them",
        )
    if usable:
        return _refused(
            "nothing_matured",
            f"none of {usable:,} assignments with known outcomes is left by the dates, lists and "
            "models asked for",
            fix="widen --since and --until, choose other lists, or wait for outcomes of what was "
            "assigned after the models' training",
        )
    if counts.matures_on is not None:
        return _refused(
            "nothing_matured",
            f"the outcome windows of all {counts.not_matured:,} assignments are still open",
            fix=f"wait until the events of {counts.matures_on} are complete, and ingest them",
        )
    if counts.propensity_unknown:
        return _refused(
            "unknown_propensities",
            f"{counts.propensity_unknown:,} assignments, and of none is it known with what "
            "probability it was made",
            fix="import assignments with a propensity",
        )
    if counts.without_control:
        return _refused(
            "no_control",
            f"{counts.without_control:,} assignments of experiments in which everybody was "
            "contacted",
            fix="set experiment.ghost_share above 0, or import the control group too",
        )
    fix = "run `winback nightly` with [experiment] shares, or `winback ingest assignments PATH`"
    return _refused(
        "nothing_matured", f"{counts.assignments:,} assignments and none to use", fix=fix
    )


def _refused(reason: Reason, fault: str, *, fix: str) -> Refused:
    expected = "assignments of known chance, controls among them, whose outcome windows are over"
    return Refused(_PLACE, reason, describe(_PLACE, fault, expected=expected, fix=fix))
