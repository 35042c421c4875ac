"""What a reader of `winback define` must know before believing its figures."""

from datetime import date

from pipelines.empty_days import EmptyDays
from training.definition import Definition
from training.definition_counts import DRAWS, MAX_DAYS
from training.definition_lifecycle import MONTH_DAYS


def definition_notes(
    definition: Definition, empty: EmptyDays, *, as_of: date, first_day: date, share: float
) -> tuple[str, ...]:
    """The notes, the most important first.

    Parameters
    ----------
    empty : days without events.
    as_of, first_day : of the run.
    share : share of customers the bands were drawn from.
    """
    notes = []
    late, inside = empty.tell_late(as_of), empty.tell_inside()
    if late is not None:
        notes.append(
            f"{late}. Curves end with the last day that has events; today's counts run to the "
            "as-of, so customers may look more silent than they are."
        )
    if inside is not None:
        notes.append(f"{inside} If that was a lost feed, gaps across it are too long.")
    if definition.high_spend == 0.0:
        notes.append(
            "Most customers have no order amount in the last year: high value means any amount."
        )
    if share < 1.0:
        notes.append(
            f"Bands come from {DRAWS} draws of {100 * share:.0f} % of the customers and are "
            "narrowed to the number of all."
        )
    history = (as_of - first_day).days
    if definition.tiers is None:
        notes.append(
            f"The data begin on {first_day}, less than {MONTH_DAYS} days before the as-of: nothing "
            "is said about movement."
        )
    if history <= definition.plan.horizon_days:
        notes.append(
            f"The data span {history} days and the horizon is {definition.plan.horizon_days}: "
            "who was dormant one horizon ago is not known. Choose a shorter --horizon, or ingest "
            "older events."
        )
    if history > MAX_DAYS:
        notes.append(f"Silences of more than {MAX_DAYS} days count as still open at that length.")
    return tuple(notes)
