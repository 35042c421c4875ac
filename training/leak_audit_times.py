"""Check: nothing is known before it happened."""

from collections.abc import Sequence

import numpy as np

from features.history import NO_TIME, History
from training.leak_audit import Check

NAME = "times_in_order"
WARNING_SHARE = 0.01
"""Share of rows out of order that asks for a look: a few come from clocks that differ."""

_FAULTS = (
    "events arrived before they occurred",
    "contacts arrived before they were sent",
    "deliveries before the sending",
    "opens before the sending",
    "clicks before the sending",
    "unsubscribes before the sending",
)
_OUTCOMES = ("delivered_at", "opened_at", "clicked_at", "unsubscribed_at")


def check_times(histories: Sequence[History]) -> Check:
    """Count rows whose times contradict each other, a sign of forged or shifted clocks.

    Parameters
    ----------
    histories : samples of customers.
    """
    wrong = np.zeros(len(_FAULTS), dtype=np.int64)
    total = np.zeros(len(_FAULTS), dtype=np.int64)
    at_once = 0
    for history in histories:
        events, contacts = history.events, history.contacts
        at_once += int(np.count_nonzero(events.arrived_at == events.occurred_at))
        pairs = [
            (events.arrived_at, events.occurred_at),
            (contacts.arrived_at, contacts.sent_at),
            *((getattr(contacts, name), contacts.sent_at) for name in _OUTCOMES),
        ]
        for number, (later, earlier) in enumerate(pairs):
            some = later != NO_TIME
            total[number] += np.count_nonzero(some)
            wrong[number] += np.count_nonzero(later[some] < earlier[some])
    figures: dict[str, float | int | str] = {
        "events": int(total[0]),
        "events_arrived_at_once": at_once,
        "contact_versions": int(total[1]),
    }
    figures |= {name: int(count) for name, count in zip(_FAULTS, wrong, strict=True) if count}
    if total[0] == 0:
        return Check(NAME, None, "not checked", "The sample holds no event.", figures=figures)
    odd = [
        (name, int(count), int(of))
        for name, count, of in zip(_FAULTS, wrong, total, strict=True)
        if count > WARNING_SHARE * of
    ]
    if odd:
        listed = "; ".join(f"{name}: {count:,} of {of:,}" for name, count, of in odd)
        return Check(
            NAME,
            None,
            "warning",
            f"Times contradict each other ({listed}), so what was known when is in doubt.",
            fix="check the time zones and the mapping of arrived_at and of the contacts' times",
            named=tuple(name for name, _, _ in odd),
            figures=figures,
        )
    known = "; all events count as known when they happened" if at_once == total[0] else ""
    return Check(
        NAME,
        None,
        "passed",
        f"{int(total[0]):,} events and {int(total[1]):,} contact versions are in order{known}.",
        figures=figures,
    )
