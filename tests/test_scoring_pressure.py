"""Rows of earlier lists that nobody has reported on press like contacts; ghosts are held."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.eligibility import CUSTOMER_CODES, exclude_by_contact_rules
from scoring.policy import Caps
from scoring.pressure import (
    DAY_US,
    NEVER,
    WINDOW_DAYS,
    ContactPressure,
    EarlierRows,
    add_earlier_rows,
)
from scoring.reachability import NO_ZONE, Reachability

AS_OF = 400 * DAY_US


def pressure_of(n: int = 3) -> ContactPressure:
    """Nobody was contacted, but the first, 10 days ago through channel 1."""
    sent = np.zeros((n, 3), dtype=np.int32)
    sent[0, 2] = 1
    by_channel = np.zeros((n, 2, 3), dtype=np.int32)
    by_channel[0, 1, 2] = 1
    last = np.full(n, NEVER)
    last[0] = AS_OF - 10 * DAY_US
    return ContactPressure(
        sent=sent,
        sent_by_channel=by_channel,
        last_sent_us=last,
        unsubscribed=np.zeros((n, 2), dtype=np.bool_),
        unsubscribed_us=np.full(n, NEVER),
        control_until_us=np.full(n, NEVER),
    )


def rows_of(
    sent: list[tuple[int, int, int]], ghosts: list[tuple[int, int]] | None = None
) -> EarlierRows:
    """Rows to be sent as (customer, channel, time) and ghosts as (customer, until)."""
    columns = np.array(sent, dtype=np.int64).reshape(-1, 3).T
    held = np.array(ghosts or [], dtype=np.int64).reshape(-1, 2).T
    return EarlierRows(columns[0], columns[1], columns[2], held[0], held[1])


def test_rows_count_in_their_windows_besides_contacts() -> None:
    sent = [(0, 1, AS_OF - 2 * DAY_US), (2, -1, AS_OF - DAY_US), (2, 0, AS_OF + 5)]
    found = add_earlier_rows(pressure_of(), rows_of(sent), as_of_us=AS_OF)
    assert found.sent.tolist() == [[0, 1, 2], [0, 0, 0], [2, 2, 2]]
    assert found.sent_by_channel[0].tolist() == [[0, 0, 0], [0, 1, 2]]
    # A channel no longer configured counts over all channels only.
    assert found.sent_by_channel[2].tolist() == [[1, 1, 1], [0, 0, 0]]
    assert found.last_sent_us.tolist() == [AS_OF - 2 * DAY_US, NEVER, AS_OF + 5]


def test_what_was_given_is_left_as_it_is() -> None:
    before = pressure_of()
    add_earlier_rows(before, rows_of([(0, 1, AS_OF - 1)], [(1, AS_OF + 1)]), as_of_us=AS_OF)
    assert before.sent.tolist() == pressure_of().sent.tolist()
    assert before.control_until_us.tolist() == [NEVER] * 3


@pytest.mark.parametrize(
    ("until_us", "expected"), [(AS_OF + 1, "control_window"), (AS_OF, ""), (AS_OF - 1, "")]
)
def test_a_ghost_is_held_until_its_window_ends(until_us: int, expected: str) -> None:
    # An earlier window that has ended does not shorten a later one.
    ghosts = [(1, AS_OF - 50 * DAY_US), (1, until_us), (1, AS_OF - 20 * DAY_US)]
    code = exclude_by_contact_rules(
        reach=Reachability(
            do_not_contact=np.zeros(3, dtype=np.bool_),
            flag_names=(),
            flags=np.zeros((3, 0), dtype=np.bool_),
            zones=(),
            zone=np.full(3, NO_ZONE, dtype=np.int32),
        ),
        pressure=add_earlier_rows(pressure_of(), rows_of([], ghosts), as_of_us=AS_OF),
        caps=Caps(),
        days_since_order=np.full(3, np.nan),
        awaits_follow_up=np.zeros(3, dtype=np.bool_),
        as_of_us=AS_OF,
    )
    assert [CUSTOMER_CODES[one] for one in code] == ["", expected, ""]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(-1, 1), st.integers(AS_OF - 40 * DAY_US, AS_OF + 1)
        )
    )
)
def test_counts_are_those_of_a_plain_loop(sent: list[tuple[int, int, int]]) -> None:
    before = pressure_of()
    found = add_earlier_rows(before, rows_of(sent), as_of_us=AS_OF)
    for place, days in enumerate(WINDOW_DAYS):
        for customer in range(3):
            recent = [one for one in sent if one[0] == customer and one[2] >= AS_OF - days * DAY_US]
            assert found.sent[customer, place] == before.sent[customer, place] + len(recent)
            for channel in range(2):
                own = sum(one[1] == channel for one in recent)
                total = before.sent_by_channel[customer, channel, place] + own
                assert found.sent_by_channel[customer, channel, place] == total
