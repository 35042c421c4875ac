"""Who may be contacted: flags, versions of records, contact counts, caps, every code."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.contract import TABLES
from features.history import NO_CODE, NO_TIME, Contacts
from features.stage import Stage
from scoring.eligibility import (
    CHANNEL_RULES,
    CUSTOMER_CODES,
    asked_flags,
    block_channels,
    exclude_by_contact_rules,
    exclude_by_state,
    required_flags,
    stage_channel_order,
    stage_offers,
)
from scoring.exclusion_words import explain_code
from scoring.night import EXCLUSIONS
from scoring.policy import Caps, Channel, Offer
from scoring.pressure import DAY_US, NEVER, ContactPressure, count_contacts
from scoring.reachability import NO_ZONE, PROFILE_COLUMNS, Reachability, read_reachability

AS_OF = 100 * DAY_US


def profiles(
    *rows: tuple[str, int, int, str | None, bool | None, dict[str, bool] | None],
) -> pa.Table:
    """Record versions: id, changed, arrived (in days), zone, do-not-contact, flags."""
    schema = TABLES["customers"].schema
    names = list(PROFILE_COLUMNS)
    return pa.Table.from_pylist(
        [
            dict(zip(names, (row[0], row[1] * DAY_US, row[2] * DAY_US, *row[3:]), strict=True))
            for row in rows
        ],
        schema=pa.schema([schema.field(name) for name in names]),
    )


def reach_of(table: pa.Table, *ids: str) -> Reachability:
    """Reachability of the ids with flags mail and sms."""
    return read_reachability(
        table, customer_ids=pa.array(ids), flag_names=("mail", "sms"), as_of_us=AS_OF
    )


def test_the_last_visible_version_wins() -> None:
    reach = reach_of(
        profiles(
            ("a", 5, 5, "Europe/Berlin", False, {"mail": True, "sms": True}),
            ("a", 9, 9, "Asia/Tokyo", False, {"mail": False, "sms": True}),
            ("a", 120, 8, "Europe/Paris", True, {}),
            ("a", 50, 100, "Europe/Paris", True, {}),
            ("zz", 1, 1, "Europe/Rome", True, None),
        ),
        "a",
        "b",
    )
    assert reach.zones == ("Asia/Tokyo",)
    assert reach.zone.tolist() == [0, NO_ZONE]
    assert reach.flags.tolist() == [[False, True], [False, False]]
    assert reach.do_not_contact.tolist() == [False, False]


def test_unknown_flags_and_answers_count_as_no() -> None:
    reach = reach_of(
        profiles(
            ("a", 1, 1, None, None, None),
            ("b", 1, 1, "Mars/Olympus", True, {"sms": None, "other": True}),
        ),
        "a",
        "b",
    )
    assert not reach.flags.any()
    assert reach.do_not_contact.tolist() == [False, True]
    assert reach.zone.tolist() == [NO_ZONE, NO_ZONE]


def test_of_versions_with_equal_times_the_careful_one_wins_in_any_row_order() -> None:
    rows = [
        ("a", 1, 1, "Europe/Berlin", True, {"mail": False}),
        ("a", 1, 1, "Asia/Tokyo", False, {"mail": True}),
        ("b", 1, 1, "Asia/Tokyo", False, {"mail": True, "sms": True}),
        ("b", 1, 1, "Asia/Tokyo", False, {"mail": True}),
    ]
    for order in (rows, rows[::-1]):
        reach = reach_of(profiles(*order), "a", "b")
        assert reach.do_not_contact.tolist() == [True, False]
        assert reach.flags.tolist() == [[False, False], [True, False]]


def test_of_equal_versions_the_one_with_the_complaint_wins_in_any_row_order() -> None:
    rows = [
        ("a", 1, 1, None, False, {"mail": True, "complaint": True}),
        ("a", 1, 1, None, False, {"mail": True, "complaint": False}),
    ]
    for order in (rows, rows[::-1]):
        reach = read_reachability(
            profiles(*order),
            customer_ids=pa.array(["a"]),
            flag_names=("complaint", "mail"),
            complaint_flags=("complaint",),
            as_of_us=AS_OF,
        )
        assert reach.flags.tolist() == [[True, True]]


def test_flags_of_a_chunked_and_sliced_map_column() -> None:
    table = profiles(
        ("x", 1, 1, None, None, {"mail": True}),
        ("a", 1, 1, None, None, {"sms": True, "mail": True}),
    )
    chunked = pa.concat_tables([table.slice(1, 1), table.slice(0, 1), table.slice(0, 0)])
    assert reach_of(chunked, "a", "x").flags.tolist() == [[True, True], [True, False]]


def test_no_records_at_all() -> None:
    reach = reach_of(profiles(), "a")
    assert reach.flags.tolist() == [[False, False]]
    assert reach.zones == ()


def contacts(*rows: tuple[int, int, int, int, float, float | None], customers: int = 2) -> Contacts:
    """Contact versions: customer, contact, channel, arrived, sent, unsubscribed (in days)."""
    owner = np.array([row[0] for row in rows], dtype=np.int64)
    none = np.full(len(rows), NO_TIME)

    def times(values: list[float | None]) -> np.ndarray:
        return np.array([NO_TIME if v is None else int(v * DAY_US) for v in values], dtype=np.int64)

    return Contacts(
        offsets=np.searchsorted(owner, np.arange(customers + 1)).astype(np.int64),
        contact=np.array([row[1] for row in rows], dtype=np.int64),
        arrived_at=times([row[3] for row in rows]),
        channel=np.array([row[2] for row in rows], dtype=np.int16),
        offer=np.full(len(rows), NO_CODE, dtype=np.int16),
        sent_at=times([row[4] for row in rows]),
        delivered_at=none,
        opened_at=none,
        clicked_at=none,
        unsubscribed_at=times([row[5] for row in rows]),
    )


def test_contacts_are_counted_in_half_open_windows() -> None:
    pressure = count_contacts(
        contacts(
            (0, 1, 0, 99, 99.0, None),
            (0, 2, 1, 98, 98.0, None),
            (0, 3, 0, 92, 92.9, None),
            (0, 4, -1, 80, 80.0, None),
            (0, 5, 0, 60, 60.0, None),
            (1, 6, 0, 100, 99.5, None),
            (1, 7, 0, 99, 100.0, None),
        ),
        n_channels=2,
        as_of_us=AS_OF,
    )
    assert pressure.sent.tolist() == [[1, 2, 4], [0, 0, 0]]
    assert pressure.sent_by_channel[0].tolist() == [[1, 1, 2], [0, 1, 1]]
    assert pressure.last_sent_us.tolist() == [99 * DAY_US, NEVER]


def test_the_latest_arrived_version_of_a_contact_decides() -> None:
    pressure = count_contacts(
        contacts(
            (0, 1, 0, 90, 90.0, None),
            (0, 1, 0, 95, 90.0, 94.0),
            (1, 2, 1, 90, 90.0, 91.0),
            (1, 2, 1, 95, 90.0, None),
            (1, 3, 0, 90, 90.0, 100.0),
        ),
        n_channels=2,
        as_of_us=AS_OF,
    )
    assert pressure.sent[:, 2].tolist() == [1, 2]
    assert pressure.unsubscribed.tolist() == [[True, False], [False, False]]
    assert pressure.unsubscribed_us.tolist() == [94 * DAY_US, NEVER]


def test_leaving_a_channel_no_longer_configured_is_known_too() -> None:
    pressure = count_contacts(contacts((1, 5, -1, 97, 96.0, 96.5)), n_channels=2, as_of_us=AS_OF)
    assert not pressure.unsubscribed.any()
    assert pressure.unsubscribed_us.tolist() == [NEVER, int(96.5 * DAY_US)]


def test_no_contacts() -> None:
    pressure = count_contacts(contacts(), n_channels=2, as_of_us=AS_OF)
    assert pressure.sent.tolist() == [[0, 0, 0]] * 2
    assert not pressure.unsubscribed.any()


def stage(name: str, **changes: object) -> Stage:
    """A stage with the given changes."""
    base = {"entered_by": ("e",), "active_on": ("e",), "returns_by": ("e",), "silence_days": 5.0}
    return Stage(name=name, label=name, **{**base, **changes})  # type: ignore[arg-type]


STAGES = (
    stage("one", channels=("sms",), offers=("coupon",)),
    stage("two"),
    stage("idle", silence_days=None),
)
CHANNELS = {
    "mail": Channel(
        label="mail", cost=0, requires=("mail",), max_per_1d=2, max_per_7d=3, max_per_30d=5
    ),
    "sms": Channel(label="sms", cost=0, requires=("sms", "phone")),
}
OFFERS = {"none": Offer(label="-"), "coupon": Offer(label="c"), "gift": Offer(label="g")}


def test_orders_of_channels_and_offers() -> None:
    assert stage_channel_order(STAGES, tuple(CHANNELS)).tolist() == [[1, -1], [0, 1], [0, 1]]
    assert stage_offers(STAGES, OFFERS).tolist() == [[True, True, False], [True] * 3, [True] * 3]
    assert required_flags(CHANNELS) == ("mail", "phone", "sms")
    caps = Caps(complaint_flags=("open_ticket", "angry"))
    assert asked_flags(CHANNELS, caps) == ("angry", "mail", "open_ticket", "phone", "sms")


def test_every_channel_rule() -> None:
    n = 8
    flags = np.ones((n, 3), dtype=bool)
    flags[1] = [False, True, False]
    by_channel = np.zeros((n, 2, 3), dtype=np.int32)
    by_channel[3, 0] = [1, 3, 3]
    by_channel[4, 0] = [0, 2, 5]
    by_channel[6, 0] = [2, 2, 2]
    by_channel[7, 0] = [1, 2, 4]
    unsubscribed = np.zeros((n, 2), dtype=bool)
    unsubscribed[2] = [True, True]
    window = np.ones((n, 2), dtype=bool)
    window[5] = False
    blocks = block_channels(
        np.array([0, 1, 1, 1, 1, 1, 1, 1], dtype=np.int16),
        stages=STAGES,
        channels=CHANNELS,
        reach=Reachability(
            do_not_contact=np.zeros(n, dtype=bool),
            flag_names=("mail", "phone", "sms"),
            flags=flags,
            zones=(),
            zone=np.full(n, NO_ZONE, dtype=np.int32),
        ),
        pressure=ContactPressure(
            sent=np.zeros((n, 3), dtype=np.int32),
            sent_by_channel=by_channel,
            last_sent_us=np.full(n, NEVER),
            unsubscribed=unsubscribed,
            unsubscribed_us=np.full(n, NEVER),
            control_until_us=np.full(n, NEVER),
        ),
        has_window=window,
    )
    named = [[blocks.names[code] for code in row] for row in blocks.code]
    assert named == [
        ["not_in_stage", ""],
        ["no_consent_or_unreachable:mail", "no_consent_or_unreachable:sms"],
        ["unsubscribed", "unsubscribed"],
        ["channel_cap_7d", ""],
        ["channel_cap_30d", ""],
        ["no_send_window", "no_send_window"],
        ["channel_cap_1d", ""],
        ["", ""],
    ]
    assert blocks.is_open.any(axis=1).tolist() == [
        True,
        False,
        False,
        *[True] * 2,
        False,
        *[True] * 2,
    ]


def test_state_rules_and_their_order() -> None:
    code = exclude_by_state(
        np.array([-1, 2, 1, 1, 1], dtype=np.int16),
        dormant=np.array([False, False, False, False, True]),
        p_dormant=np.array([np.nan, np.nan, 0.5, 0.9, np.nan]),
        stages=STAGES,
        at_risk_probability=0.9,
    )
    names = [CUSTOMER_CODES[c] for c in code]
    assert names == ["no_stage", "stage_not_recalled", "not_dormant", "", ""]


def test_without_a_risk_threshold_only_the_dormant_are_candidates() -> None:
    code = exclude_by_state(
        np.array([1, 1], dtype=np.int16),
        dormant=np.array([False, True]),
        p_dormant=np.array([0.999, np.nan]),
        stages=STAGES,
        at_risk_probability=None,
    )
    assert [CUSTOMER_CODES[c] for c in code] == ["not_dormant", ""]


def exclude_one(sent: list[int], *, days_ago: float | None, caps: Caps, **changes: Any) -> str:
    """The code of one customer, last contacted so many days ago."""
    last = NEVER if days_ago is None else AS_OF - int(days_ago * DAY_US)
    given = {"refused": False, "complaint": False, "ordered": np.nan, "awaits": False, **changes}
    code = exclude_by_contact_rules(
        reach=Reachability(
            do_not_contact=np.array([given["refused"]]),
            flag_names=("complaint", "mail"),
            flags=np.array([[given["complaint"], True]]),
            zones=(),
            zone=np.array([NO_ZONE], dtype=np.int32),
        ),
        pressure=ContactPressure(
            sent=np.array([sent], dtype=np.int32),
            sent_by_channel=np.zeros((1, 0, 3), dtype=np.int32),
            last_sent_us=np.array([last]),
            unsubscribed=np.zeros((1, 0), dtype=bool),
            unsubscribed_us=np.array([NEVER]),
            control_until_us=np.array([NEVER]),
        ),
        caps=caps,
        days_since_order=np.array([given["ordered"]]),
        awaits_follow_up=np.array([given["awaits"]]),
        as_of_us=AS_OF,
    )
    return CUSTOMER_CODES[code[0]]


@pytest.mark.parametrize(
    ("sent", "days_ago", "refused", "expected"),
    [
        ([0, 0, 0], None, False, ""),
        ([0, 0, 0], None, True, "do_not_contact"),
        ([1, 1, 1], 0.5, False, "cap_1d"),
        ([0, 2, 2], 5.0, False, "cap_7d"),
        ([0, 0, 4], 9.0, False, "cap_30d"),
        ([0, 1, 1], 1.5, False, "min_pause"),
        ([0, 1, 1], 2.0, False, ""),
    ],
)
def test_contact_rules(
    sent: list[int], days_ago: float | None, refused: bool, expected: str
) -> None:
    assert exclude_one(sent, days_ago=days_ago, caps=Caps(), refused=refused) == expected


@pytest.mark.parametrize(
    ("caps", "changes", "expected"),
    [
        ({"complaint_flags": ("complaint",)}, {"complaint": True}, "open_complaint"),
        ({"complaint_flags": ("complaint",)}, {"complaint": False}, ""),
        ({}, {"complaint": True}, ""),
        (
            {"complaint_flags": ("complaint",)},
            {"complaint": True, "refused": True},
            "do_not_contact",
        ),
        ({}, {"ordered": 2.9}, "recent_order"),
        ({}, {"ordered": 3.0}, ""),
        ({"recent_order_days": 0}, {"ordered": 0.0}, ""),
        ({}, {"awaits": True}, "in_follow_up"),
        ({}, {"awaits": True, "ordered": 1.0}, "recent_order"),
        ({"max_per_30d": 0}, {"awaits": True}, "cap_30d"),
    ],
)
def test_complaints_recent_orders_and_follow_ups(
    caps: dict[str, Any], changes: dict[str, Any], expected: str
) -> None:
    assert exclude_one([0, 0, 0], days_ago=None, caps=Caps(**caps), **changes) == expected


def test_every_code_has_words() -> None:
    for code in EXCLUSIONS[1:]:
        assert explain_code(code, language="en")
    for rule in CHANNEL_RULES[1:]:
        assert explain_code(rule, language="en")
    assert '"sms_consent"' in explain_code("no_consent_or_unreachable:sms_consent", language="en")
