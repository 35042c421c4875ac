"""Natural return from uncontacted windows: no bias from who was contacted first, no leak."""

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from small_shop import SPEC, STAGES, START_US, events_table, shop_events

from features.contract import TABLES
from features.history import NO_TIME, History
from features.history_reader import history_from_tables
from features.history_sample import customer_hash
from features.local_day import local_midnight_us
from models.bundle import KINDS
from models.customer_value import CustomerValue
from training.folds import Cutoff, FoldName, Folds
from training.labels import DAY_US
from training.panel import Exclusions, Panel, PanelRows, build_panel
from training.uncontacted import (
    Followed,
    follow_windows,
    strata_of,
    thin_windows,
    use_uncontacted,
    window_draws,
)

BERLIN = ZoneInfo("Europe/Berlin")
HOUR_US = DAY_US // 24
NAMES: tuple[FoldName, ...] = ("training", "validation", "test")
BUY = "purchase"


def folds_at(*days: int, gap: int = 2, until: int = 330) -> Folds:
    cutoffs = []
    for name, day in zip(NAMES, days, strict=True):
        local = date(2025, 1, 1) + timedelta(days=day)
        cutoffs.append(Cutoff(name, local, local_midnight_us(local, BERLIN)))
    return Folds(
        cutoffs=tuple(cutoffs),
        gap_us=gap * DAY_US,
        horizon_us=30 * DAY_US,
        observed_until_us=START_US + until * DAY_US,
        trained_until_us=START_US + until * DAY_US,
    )


def planted_panel(n: int, folds: Folds, *, seed: int = 3) -> tuple[Panel, np.ndarray]:
    """A panel whose true P(return without contact) is known, row by row.

    The longer the silence the rarer the return and the later the contact; who spent much is
    contacted sooner and returns more.
    """
    rng = np.random.default_rng(seed)
    silence, rich = rng.uniform(25, 200, n), rng.random(n) < 0.5
    returns_per_day = 0.03 * np.exp(-silence / 120) * np.where(rich, 1.5, 1.0)
    contacts_per_day = 0.09 * np.exp(-silence / 90) * np.where(rich, 2.0, 0.7)
    back = rng.exponential(1 / returns_per_day) * DAY_US
    contact = rng.exponential(1 / contacts_per_day) * DAY_US
    # What a contact does must not matter: here it brings everybody back at once.
    back = np.where(contact < back, np.minimum(back, contact + HOUR_US), back)
    length = folds.gap_us + folds.horizon_us
    cutoff = rng.integers(0, len(folds.cutoffs), n).astype(np.int16)
    as_of = folds.as_ofs[cutoff]
    rows = PanelRows(
        values=np.zeros((n, 1), dtype=np.float32),
        labels=((back >= folds.gap_us) & (back < length)).astype(np.int8),
        cutoff=cutoff,
        customer=rng.integers(0, 2**63, n).astype(np.uint64),
        value=CustomerValue(
            stage=np.zeros(n, dtype=np.int16),
            silence_days=silence,
            order_recency_days=silence,
            orders=np.ones(n),
            spend=np.where(rich, 100.0, 10.0) + rng.random(n),
            repeats=np.zeros(n),
            last_days=np.zeros(n),
            age_days=silence,
        ),
        return_us=as_of + back.astype(np.int64),
        contact_us=as_of + contact.astype(np.int64),
    )
    panel = Panel(rows=dict.fromkeys(KINDS, rows), excluded=Exclusions())
    gap_days, days = folds.gap_us / DAY_US, length / DAY_US
    truth = np.exp(-returns_per_day * gap_days) - np.exp(-returns_per_day * days)
    return panel, truth


def by_group(rows: PanelRows, truth: np.ndarray, kept: np.ndarray) -> tuple[float, float]:
    """Mean difference from the truth over groups of equal weight, and its standard error."""
    silence = rows.value.silence_days
    group = np.digitize(silence, np.quantile(silence, np.arange(1, 10) / 10))
    group = 2 * group + (rows.value.spend > 50)
    differences, variances = [], []
    for one in np.unique(group):
        labels = rows.labels[kept & (group == one)]
        differences.append(labels.mean() - truth[kept & (group == one)].mean())
        variances.append(labels.var() / len(labels))
    return float(np.mean(differences)), float(np.sqrt(np.sum(variances)) / len(variances))


def test_thinned_windows_tell_the_truth_and_merely_uncontacted_ones_do_not() -> None:
    folds = folds_at(100, 150, 200, gap=0)
    panel, truth = planted_panel(60_000, folds)
    rows = panel.rows["natural_return"]
    followed = follow_windows(rows, folds)
    kept = ~followed.contacted
    naive, error = by_group(rows, truth, kept)
    assert naive > 5 * error and naive > 0.03
    everybody, error = by_group(rows, truth, np.ones(len(kept), dtype=np.bool_))
    assert everybody > 5 * error
    kept &= thin_windows(followed, strata_of(rows, folds), window_draws(rows, folds))
    assert 0.2 < kept.mean() < 0.8
    thinned, error = by_group(rows, truth, kept)
    assert abs(thinned) < 2.5 * error < 0.02


def test_kaplan_meier_by_hand() -> None:
    """Contacts on days 1 and 3; four windows of ten days, one returns on day 2."""
    never = NO_TIME
    followed = Followed(
        contact=np.array([1, 3, never, never]),
        back=np.array([never, never, 2, never]),
        length=10,
    )
    # G is 3/4 after day 1, and half of that after day 3: the return of day 2 stays by 1/2.
    same = np.zeros(4, dtype=np.int64)
    for draw, stays in ((0.49, True), (0.51, False)):
        kept = thin_windows(followed, same, np.full(4, draw))
        assert kept[2:].tolist() == [stays, True]
    assert followed.contacted.tolist() == [True, True, False, False]
    apart = thin_windows(followed, np.array([0, 0, 1, 1]), np.full(4, 0.99))
    assert apart[2:].tolist() == [True, True]


def test_a_stratum_that_is_always_contacted_keeps_nobody() -> None:
    followed = Followed(np.array([5, NO_TIME]), np.array([NO_TIME, 2]), 10)
    kept = thin_windows(followed, np.zeros(2, dtype=np.int64), np.zeros(2))
    assert not kept[1]


def test_draws_depend_on_customer_and_cutoff_alone() -> None:
    folds = folds_at(100, 150, 200)
    panel, _ = planted_panel(5_000, folds)
    rows = panel.rows["natural_return"]
    order = np.random.default_rng(1).permutation(len(rows.labels))
    shuffled = Panel(rows=dict.fromkeys(KINDS, rows.take(order)), excluded=Exclusions())
    one, _ = use_uncontacted(panel, folds, windows="uncontacted", min_positives=10)
    two, _ = use_uncontacted(shuffled, folds, windows="uncontacted", min_positives=10)
    first, second = one.rows["natural_return"], two.rows["natural_return"]
    assert set(zip(first.customer, first.cutoff, strict=True)) == set(
        zip(second.customer, second.cutoff, strict=True)
    )
    draws = window_draws(rows, folds)
    assert 0.48 < draws.mean() < 0.52
    assert abs(np.corrcoef(draws, rows.customer.astype(np.float64))[0, 1]) < 0.05
    again = rows.take(rows.cutoff == 0)
    other = np.ones(len(again.labels), dtype=np.int16)
    moved = PanelRows(**{**{n: getattr(again, n) for n in again.__slots__}, "cutoff": other})
    assert not np.isclose(window_draws(moved, folds), window_draws(again, folds)).any()


def test_rows_are_counted_and_the_choice_is_told() -> None:
    folds = folds_at(100, 150, 200)
    panel, _ = planted_panel(6_000, folds)
    thinned, choice = use_uncontacted(panel, folds, windows="uncontacted", min_positives=50)
    assert choice is not None and not choice.lacking
    left = len(thinned.rows["natural_return"].labels)
    assert choice.rows == 6_000 == left + choice.contacted + choice.thinned
    assert thinned.excluded == Exclusions(contacted=choice.contacted, thinned=choice.thinned)
    assert f"{choice.contacted:,}" in choice.note and f"{choice.thinned:,}" in choice.note
    assert thinned.rows["dormancy_risk"] is panel.rows["dormancy_risk"]


def test_too_few_uncontacted_rows_leave_all_windows_and_say_so() -> None:
    folds = folds_at(100, 150, 200)
    panel, _ = planted_panel(900, folds)
    kept, choice = use_uncontacted(panel, folds, windows="uncontacted", min_positives=50)
    assert kept is panel
    assert choice is not None and len(choice.lacking) >= 2
    assert "all windows" in choice.note and "50 of each" in choice.note
    assert use_uncontacted(panel, folds, windows="all", min_positives=50) == (panel, None)


def history_with(contacts: list[dict[str, Any]], events: pa.Table) -> History:
    whole = [{"channel": "sms", **row} for row in contacts]
    table = pa.Table.from_pylist(whole, schema=TABLES["contacts"].schema)
    return history_from_tables(0, spec=SPEC, events=events, contacts=table)


def panel_of(history: History, folds: Folds) -> Panel:
    return build_panel(history, spec=SPEC, stages=STAGES, folds=folds)


@pytest.mark.parametrize(
    ("sent_day", "arrives", "contacted"),
    [
        (100.0, 0.0, True),  # in the gap
        (115.0, 0.0, True),
        (119.99, 0.0, True),
        (120.5, 0.0, False),  # the return came first
        (99.0, 0.0, False),  # before the as-of
        (115.0, 200.0, False),  # nobody knew of it
    ],
)
def test_a_contact_before_the_first_return_takes_the_window_out(
    sent_day: float, arrives: float, contacted: bool
) -> None:
    folds = folds_at(100, 200, 250)
    as_of = int(folds.as_ofs[0])
    at = [as_of - 50 * DAY_US, as_of + 20 * DAY_US]
    table = events_table([("c", one, BUY, 5.0) for one in at])
    sent = as_of + round((sent_day - 100.0) * DAY_US)
    contact = {"contact_id": "k", "customer_id": "c", "sent_at": sent}
    late = sent + round(arrives * DAY_US)
    history = history_with([{**contact, "arrived_at": late}], table)
    rows = panel_of(history, folds).rows["natural_return"].take(np.array([0]))
    assert rows.customer.tolist() == [customer_hash("c")]
    assert rows.labels.tolist() == [1]
    assert follow_windows(rows, folds).contacted.tolist() == [contacted]


def test_of_several_versions_the_last_known_says_when_it_was_sent() -> None:
    folds = folds_at(100, 200, 250)
    as_of = int(folds.as_ofs[0])
    table = events_table([("c", as_of - 50 * DAY_US, BUY, 5.0)])
    planned = {"contact_id": "k", "customer_id": "c", "sent_at": as_of + DAY_US}
    versions = [
        {**planned, "arrived_at": as_of + DAY_US},
        {**planned, "sent_at": as_of + 40 * DAY_US, "arrived_at": as_of + 41 * DAY_US},
        {**planned, "sent_at": as_of + 3 * DAY_US, "arrived_at": folds.test_us},
    ]
    rows = panel_of(history_with(versions, table), folds).rows["natural_return"]
    first = rows.take(rows.cutoff == 0)
    assert first.contact_us.tolist() == [as_of + 40 * DAY_US]
    assert not follow_windows(first, folds).contacted.any()


def shop_contacts(*, customers: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for number in range(3 * customers):
        sent = START_US + int(rng.uniform(60, 330) * DAY_US)
        rows.append(
            {
                "contact_id": f"k{number}",
                "customer_id": f"c{rng.integers(0, customers):05d}",
                "sent_at": sent,
                "arrived_at": sent + int(rng.choice([0, 0, 80]) * DAY_US),
            }
        )
    return rows


def _bytes(panel: Panel) -> list[bytes]:
    rows = panel.rows["natural_return"]
    parts = (rows.values, rows.labels, rows.cutoff, rows.customer, rows.return_us)
    return [part.tobytes() for part in parts]


def test_contacts_that_arrive_after_the_knowledge_date_change_nothing() -> None:
    """Windows that were over by the test cutoff know what it knew, the others what the run knew."""
    rng = np.random.default_rng(6)
    events, folds = shop_events(400), folds_at(100, 150, 220, until=300)
    contacts = shop_contacts(customers=400, rng=rng)

    def rows_of(
        kept: list[dict[str, Any]], fold: FoldName | tuple[FoldName, ...]
    ) -> tuple[Panel, list[bytes]]:
        panel = panel_of(history_with(kept, events), folds)
        used, choice = use_uncontacted(panel, folds, windows="uncontacted", min_positives=10)
        assert choice is not None and not choice.lacking and choice.thinned > 0
        part = used.fold("natural_return", fold, folds)
        return used, _bytes(Panel(rows=dict.fromkeys(KINDS, part), excluded=Exclusions()))

    for known, fold in (
        (folds.test_us, ("training", "validation")),
        (folds.trained_until_us, NAMES),
    ):
        early = [row for row in contacts if row["arrived_at"] < known]
        later = [row for row in contacts if row["arrived_at"] >= known]
        assert len(later) > 50
        _, before = rows_of(contacts, fold)
        moved = [
            {
                **row,
                "sent_at": row["sent_at"] - int(rng.integers(0, 100) * DAY_US),
                "customer_id": f"c{rng.integers(0, 400):05d}",
            }
            for row in later
        ]
        for other in (early, early + moved):
            assert rows_of(other, fold)[1] == before


def test_without_contacts_nothing_changes() -> None:
    folds = folds_at(100, 150, 220)
    history = history_from_tables(0, spec=SPEC, events=shop_events(200))
    panel = panel_of(history, folds)
    assert (panel.rows["natural_return"].contact_us == NO_TIME).all()
    used, choice = use_uncontacted(panel, folds, windows="uncontacted", min_positives=10)
    assert used is panel and choice is None
    # Contacts that came only after a return, or after the window, are no contacts in it.
    far = [
        {
            "contact_id": f"k{n}",
            "customer_id": f"c{n:05d}",
            "sent_at": START_US + 329 * DAY_US,
            "arrived_at": START_US + 329 * DAY_US,
        }
        for n in range(200)
    ]
    panel = panel_of(history_with(far, shop_events(200)), folds)
    used, choice = use_uncontacted(panel, folds, windows="uncontacted", min_positives=10)
    assert used is panel and choice is None
