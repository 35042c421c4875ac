"""Rows of a study of past contacts: who is in it, what a contact is, nothing from the future."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from small_shop import DAY_US, SPEC, STAGES, START_US, events_table, history_of, shop_events

from features.history import History
from features.stage import Stage
from training.contact_cutoffs import (
    SentContacts,
    StudySetting,
    Trials,
    collect_contact_rows,
    own_signs,
)
from training.contact_propensity import fit_propensities
from training.contact_rows import (
    OTHER_CONTACT,
    UNKNOWN,
    ContactRows,
    concat_contact_rows,
    sample_uncontacted,
)
from training.contact_verdict import StudyPlan

ACTIONS = ("email/none", "email/coupon", "sms/none", "sms/coupon")
CHANNELS_SPEC = replace(SPEC, channels=("email", "sms"))


def day(number: float) -> int:
    return START_US + round(number * DAY_US)


def setting(*cutoffs: int, stages: tuple[Stage, ...] = STAGES, **more) -> StudySetting:
    as_ofs = np.array([day(cutoff) for cutoff in cutoffs], dtype=np.int64)
    return StudySetting(
        spec=CHANNELS_SPEC,
        stages=stages,
        actions=ACTIONS,
        as_ofs=as_ofs,
        pre_as_ofs=np.array([day(at) for at in range(0, max(cutoffs) + 1, 2)], dtype=np.int64),
        decision_us=2 * DAY_US,
        gap_us=2 * DAY_US,
        horizon_us=30 * DAY_US,
        known_before_us=day(400),
        **more,
    )


def sent(history: History, contacts: list[tuple[int, float, int]]) -> SentContacts:
    """Contacts of (customer number, day, action)."""
    rows = sorted(contacts)
    counts = np.bincount([row[0] for row in rows], minlength=history.n_customers)
    return SentContacts(
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        sent_at=np.array([day(row[1]) for row in rows], dtype=np.int64),
        action=np.array([row[2] for row in rows], dtype=np.int16),
    )


def trials(history: History, listed: list[tuple[int, float]]) -> Trials:
    found = sent(history, [(who, at, 0) for who, at in listed])
    return Trials(found.offsets, found.sent_at)


def all_open(history: History, cutoffs: int) -> np.ndarray:
    return np.ones((history.n_customers, cutoffs, 2), dtype=np.bool_)


def collect(
    rows: list[tuple[str, int, str, float | None]],
    contacts: list[tuple[int, float, int]],
    plan: StudySetting,
    is_open: np.ndarray | None = None,
    listed: list[tuple[int, float]] | None = None,
) -> ContactRows:
    history = history_of(events_table(rows), spec=CHANNELS_SPEC)
    if is_open is None:
        is_open = all_open(history, len(plan.as_ofs))
    return collect_contact_rows(
        history, sent(history, contacts), is_open, trials(history, listed or []), setting=plan
    )


BUYERS = [
    ("a", day(0), "purchase", 10.0),
    ("a", day(90), "visit", None),
    ("a", day(110), "purchase", 10.0),
    ("b", day(1), "purchase", 10.0),
    ("b", day(30), "purchase", 10.0),
    ("c", day(95), "purchase", 10.0),
    ("d", day(2), "visit", None),
]


def test_the_dormant_are_studied_with_the_first_contact_of_the_decision_window() -> None:
    contacts = [(0, 101.0, 3), (0, 101.5, 1), (1, 102.0, 2), (1, 99.9, 0), (2, 100.5, 0)]
    rows = collect(BUYERS, contacts, setting(100))
    # c bought five days ago, d has reached no milestone.
    assert len(rows) == 2
    assert rows.action.tolist() == [3, -1]
    assert rows.later.tolist() == [False, True]
    assert rows.returned.tolist() == [1, 0]
    assert rows.counts.considered == 2
    assert rows.x.shape == rows.x_before.shape == (2, len(rows.feature_names))
    assert np.isfinite(rows.x).all()
    assert np.isfinite(rows.x_before).all()


def test_those_at_risk_are_studied_where_the_list_holds_them_too() -> None:
    rows = collect(BUYERS, [(2, 100.5, 0)], setting(100, at_risk=True))
    assert rows.action.tolist() == [-1, -1, 0]


def test_signs_that_do_not_end_silence_tell_of_the_days_before_the_cutoff() -> None:
    assert own_signs(STAGES[0], setting(100)) == ("visit",)
    rows = collect(BUYERS, [], setting(100))
    assert rows.before.tolist() == [1, 0]
    earlier = collect(BUYERS, [], setting(84))
    # Day 90 lies after that cutoff.
    assert earlier.before.tolist() == [0, 0]


def test_where_every_sign_ends_silence_the_pre_period_lies_before_the_silence() -> None:
    every = (replace(STAGES[0], active_on=("visit", "purchase")),)
    assert own_signs(every[0], setting(100, stages=every)) == ()
    rows = collect(BUYERS, [], setting(130, stages=every))
    # a is not dormant; b: silent since day 30, the 28 days before begin after the first order;
    # c: silent since day 95, not seen before day 67.
    assert rows.before.tolist()[:1] == [0]
    assert rows.before.tolist()[1:] == [UNKNOWN]
    more = [*BUYERS, ("b", day(15), "purchase", 5.0)]
    assert collect(more, [], setting(130, stages=every)).before.tolist() == [1, UNKNOWN]


def test_closed_channels_are_not_possible_and_contacts_through_them_no_action() -> None:
    history = history_of(events_table(BUYERS), spec=CHANNELS_SPEC)
    is_open = all_open(history, 1)
    is_open[0, 0, 1] = False
    rows = collect(BUYERS, [(0, 101.0, 2)], setting(100), is_open)
    assert rows.possible.tolist() == [[True, True, False, False], [True] * 4]
    assert rows.action.tolist() == [OTHER_CONTACT, -1]
    assert rows.counts.closed_channel == 1
    is_open[1] = False
    fewer = collect(BUYERS, [(1, 101.0, 0)], setting(100), is_open)
    assert len(fewer) == 1
    assert fewer.counts.unreachable == 1


def test_contacts_that_are_not_configured_are_kept_and_counted() -> None:
    rows = collect(BUYERS, [(1, 101.0, OTHER_CONTACT)], setting(100))
    assert rows.action.tolist() == [-1, OTHER_CONTACT]
    assert rows.counts.other_contact == 1


def test_who_was_listed_or_assigned_then_is_left_out_and_counted() -> None:
    for at, left_out in ((97.9, False), (98.0, True), (101.9, True), (102.0, False)):
        rows = collect(BUYERS, [(0, 101.0, 0)], setting(100), listed=[(0, at), (1, 50.0)])
        assert len(rows) == (1 if left_out else 2), at
        assert rows.counts.on_trial == int(left_out)


def shop_pieces(table: pa.Table) -> ContactRows:
    history = history_of(table, spec=CHANNELS_SPEC)
    rng = np.random.default_rng(1)
    contacts = [
        (int(who), float(at), int(rng.integers(0, 4)))
        for who, at in zip(
            rng.integers(0, history.n_customers, 900), rng.uniform(150, 260, 900), strict=True
        )
    ]
    plan = setting(200, 214, 228)
    return collect_contact_rows(
        history, sent(history, contacts), all_open(history, 3), trials(history, []), setting=plan
    )


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return shop_events(250)


def test_nothing_of_the_future_reaches_features_or_propensities(table: pa.Table) -> None:
    times = table["occurred_at"].cast(pa.int64()).to_numpy()
    future = times >= day(228)
    assert future.sum() > 100
    # Later events vanish, or happen at other times with other types and amounts.
    kinds = np.array(table["event_type"].to_pylist(), dtype=object)
    amounts = np.array(table["amount"].to_pylist(), dtype=float)
    rng = np.random.default_rng(2)
    moved = [
        (name, int(at if not late else rng.integers(day(228), day(330))), str(kind), amount)
        for name, at, late, kind, amount in zip(
            table["customer_id"].to_pylist(),
            times,
            future,
            np.where(future, rng.permutation(kinds), kinds),
            np.where(future, 999.0, amounts),
            strict=True,
        )
    ]
    plain = [
        (name, int(at), kind, None if np.isnan(amount) else float(amount))
        for name, at, kind, amount in moved
    ]
    whole, scrambled = shop_pieces(table), shop_pieces(events_table(plain))
    same = np.isin(whole.cluster, scrambled.cluster)
    last = np.isin(scrambled.cluster, whole.cluster)
    assert same.all()
    assert last.all()
    assert not np.array_equal(whole.returned, scrambled.returned)
    for name in ("x", "x_before", "action", "possible", "cluster", "as_of_us", "before"):
        assert np.array_equal(getattr(whole, name), getattr(scrambled, name)), name

    def propensities(rows: ContactRows) -> np.ndarray:
        return fit_propensities(
            rows.x,
            rows.action,
            cluster=rows.cluster,
            actions=ACTIONS,
            possible=rows.possible,
            plan=StudyPlan().propensity,
        ).probability

    assert np.array_equal(propensities(whole), propensities(scrambled))


def test_events_that_arrive_after_the_cutoff_are_no_features(table: pa.Table) -> None:
    whole = shop_pieces(table)
    late = [
        (f"c{number:05d}", day(100 + number % 50), "visit", None) for number in range(0, 250, 2)
    ]
    extra = events_table(late, arrived=[day(228)] * len(late))
    more = shop_pieces(pa.concat_tables([table, extra]))
    kept = np.isin(more.cluster, whole.cluster)
    assert np.array_equal(whole.x, more.x[kept])
    assert np.array_equal(whole.x_before, more.x_before[kept])


def test_all_contacted_rows_are_kept_when_the_others_are_sampled(table: pa.Table) -> None:
    rows = shop_pieces(table)
    assert sample_uncontacted(rows, 10_000) is rows
    fewer = sample_uncontacted(rows, 100)
    assert np.count_nonzero(fewer.action != -1) == np.count_nonzero(rows.action != -1)
    assert 50 < np.count_nonzero(fewer.action == -1) < 150
    turned = rows.take(np.arange(len(rows))[::-1])
    assert sorted(sample_uncontacted(turned, 100).as_of_us) == sorted(fewer.as_of_us)


def test_buckets_are_joined_with_their_counts(table: pa.Table) -> None:
    rows = shop_pieces(table)
    both = concat_contact_rows([rows, rows])
    assert len(both) == 2 * len(rows)
    assert both.counts.considered == 2 * rows.counts.considered
