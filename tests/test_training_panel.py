"""The panel: populations, sampling, and nothing from the future."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from small_shop import SPEC, STAGES, START_US, events_table, history_of, shop_events

from features.history_sample import customer_hash
from features.local_day import local_midnight_us
from features.stage import Stage
from models.bundle import KINDS
from training.folds import Cutoff, Folds
from training.labels import DAY_US
from training.panel import Panel, PanelCollector, build_panel, label_knowledge

BERLIN = ZoneInfo("Europe/Berlin")


def folds_at(*days: int, until: int = 330) -> Folds:
    names = ["training"] * (len(days) - 2) + ["validation", "test"]
    cutoffs = []
    for name, day in zip(names[-len(days) :], days, strict=True):
        local = date(2025, 1, 1) + timedelta(days=day)
        cutoffs.append(Cutoff(name, local, local_midnight_us(local, BERLIN)))  # type: ignore[arg-type]
    return Folds(
        cutoffs=tuple(cutoffs),
        gap_us=2 * DAY_US,
        horizon_us=30 * DAY_US,
        observed_until_us=START_US + until * DAY_US,
        trained_until_us=START_US + until * DAY_US,
    )


def test_a_literal_panel() -> None:
    buy = "purchase"
    rows = [
        ("asleep", START_US + 10 * DAY_US, buy, 5.0),
        ("back", START_US + 10 * DAY_US, buy, 5.0),
        ("back", START_US + 110 * DAY_US, buy, 5.0),
        ("loyal", START_US + 95 * DAY_US, buy, 5.0),
        ("loyal", START_US + 105 * DAY_US, buy, 5.0),
        ("looker", START_US + 95 * DAY_US, "visit", None),
        ("slipping", START_US + 95 * DAY_US, buy, 5.0),
        ("tomorrow", START_US + 101 * DAY_US, buy, 5.0),
    ]
    # Day 100 is in summer time, an hour before START_US + 100 days; no event is that close.
    panel = build_panel(
        history_of(events_table(rows)), spec=SPEC, stages=STAGES, folds=folds_at(100, 200)
    )
    first = {kind: panel.rows[kind].take(panel.rows[kind].cutoff == 0) for kind in KINDS}
    risk, natural = first["dormancy_risk"], first["natural_return"]
    assert list(risk.customer) == [customer_hash("loyal"), customer_hash("slipping")]
    assert list(risk.labels) == [0, 1]
    assert list(natural.customer) == [customer_hash("asleep"), customer_hash("back")]
    assert list(natural.labels) == [0, 1]
    # looker is on no stage at both cutoffs
    assert panel.excluded.without_stage == 2
    np.testing.assert_allclose(risk.value.orders, [1, 1])
    np.testing.assert_allclose(natural.value.silence_days, [90 - 1 / 24] * 2)


def test_a_stage_without_silence_days_is_counted_not_learnt_from() -> None:
    stages = (
        *STAGES,
        Stage("seen", "seen", ("visit",), ("visit",), ("purchase",), None),
    )
    table = shop_events(60)
    with_it = build_panel(history_of(table), spec=SPEC, stages=stages, folds=folds_at(150, 200))
    rows = sum(len(part.labels) for part in with_it.rows.values())
    without = build_panel(history_of(table), spec=SPEC, stages=STAGES, folds=folds_at(150, 200))
    all_rows = sum(len(part.labels) for part in without.rows.values())
    assert with_it.excluded.without_silence_days > 0
    assert rows + with_it.excluded.without_silence_days == all_rows


@pytest.mark.parametrize("what", ["delete", "scramble", "add"])
def test_nothing_that_arrives_at_or_after_the_training_as_of_matters(what: str) -> None:
    rng = np.random.default_rng(8)
    table = shop_events(80)
    frame = table.to_pandas()
    us = frame["occurred_at"].astype("int64").to_numpy()
    delay = np.where(rng.random(len(us)) < 0.2, rng.integers(0, 60, len(us)) * DAY_US, 0)
    rows = list(
        zip(
            frame["customer_id"],
            us.tolist(),
            frame["event_type"],
            frame["amount"].tolist(),
            strict=True,
        )
    )
    arrived = (us + delay).tolist()
    folds = folds_at(100, 140, 180, until=215)
    known = np.array(arrived) < folds.trained_until_us
    assert 0 < known.sum() < len(known)
    late_but_early = ~known & (us < folds.trained_until_us)
    assert late_but_early.sum() > 3
    kept = [(row, at) for row, at, fine in zip(rows, arrived, known, strict=True) if fine]
    later = [(row, at) for row, at, fine in zip(rows, arrived, known, strict=True) if not fine]
    if what == "scramble":
        kept += [
            ((f"c{rng.integers(0, 99):05d}", int(row[1] - 20 * DAY_US), "purchase", 9e5), at)
            for row, at in later
        ]
    elif what == "add":
        kept += later * 2 + [(("x" + row[0], *row[1:]), at) for row, at in later]

    def panel(pairs: list[tuple[tuple[str, int, str, float], int]]) -> Panel:
        table = events_table([row for row, _ in pairs], arrived=[at for _, at in pairs])
        return build_panel(history_of(table), spec=SPEC, stages=STAGES, folds=folds)

    before, after = panel(list(zip(rows, arrived, strict=True))), panel(kept)
    for kind in KINDS:
        assert _bytes(before, kind) == _bytes(after, kind)


def test_labels_of_closed_windows_know_what_the_test_cutoff_knows() -> None:
    """The others, the test cutoff's own among them, are judged by all that the run knows."""
    folds = folds_at(100, 140, 180, until=330)
    test, until = folds.test_us, folds.trained_until_us
    reach = folds.gap_us + folds.horizon_us
    as_of = np.array([folds.as_ofs[0], test - reach, test - reach + 1, test])
    assert label_knowledge(as_of, folds).tolist() == [test, test, until, until]
    shorter = label_knowledge(as_of, folds, horizon_us=folds.horizon_us - 1)
    assert shorter.tolist() == [test, test, test, until]


def test_an_order_that_arrived_after_the_test_cutoff_is_no_return_before_it() -> None:
    folds = folds_at(100, 140, 180, until=330)
    rows = [("c", START_US + day * DAY_US, "purchase", 5.0) for day in (95, 120, 185)]
    for late, label in ((0, 0), (70, 1)):
        arrived = [rows[0][1], rows[1][1] + late * DAY_US, rows[2][1] + 1]
        table = events_table(rows, arrived=arrived)  # type: ignore[arg-type]
        panel = build_panel(history_of(table), spec=SPEC, stages=STAGES, folds=folds)
        risk = panel.fold("dormancy_risk", "training", folds)
        assert risk.labels.tolist() == [label]
        # At the test cutoff itself both orders are known to who judges.
        natural = panel.fold("natural_return", "test", folds)
        assert natural.labels.tolist() == [1]


def _bytes(panel: Panel, kind: str) -> list[bytes]:
    rows = panel.rows[kind]  # type: ignore[index]
    value = rows.value
    return [
        array.tobytes()
        for array in (
            rows.values,
            rows.labels,
            rows.cutoff,
            rows.customer,
            rows.return_us,
            value.stage,
            value.silence_days,
            value.order_recency_days,
            value.orders,
            value.spend,
        )
    ]


def pieces() -> list[Panel]:
    return [
        build_panel(
            history_of(shop_events(60, seed=seed)),
            spec=SPEC,
            stages=STAGES,
            folds=folds_at(99, 180),
        )
        for seed in range(4)
    ]


def test_sampling_keeps_whole_customers_whatever_the_order_of_buckets() -> None:
    parts = pieces()
    total = sum(len(rows.labels) for part in parts for rows in part.rows.values())
    collected = []
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        collector = PanelCollector(max_rows=total // 3)
        for bucket in order:
            collector.add(bucket, parts[bucket])
        collected.append(collector.collect())
    one, other = collected
    kept = sum(len(rows.labels) for rows in one.rows.values())
    assert total // 6 < kept <= total // 3
    assert one.excluded.sampled_out == total - kept == other.excluded.sampled_out
    assert one.sampled_share == other.sampled_share < 1
    for kind in KINDS:
        assert _bytes(one, kind) == _bytes(other, kind)
        everyone = np.concatenate([part.rows[kind].customer for part in parts])
        border = np.uint64(int(one.sampled_share * 2**64))
        assert list(one.rows[kind].customer) == list(everyone[everyone < border])


def test_nothing_is_sampled_below_the_limit() -> None:
    parts = pieces()
    collector = PanelCollector(max_rows=10**6)
    for bucket, part in enumerate(parts):
        collector.add(bucket, part)
    panel = collector.collect()
    assert panel.sampled_share == 1.0 and panel.excluded.sampled_out == 0
    assert sum(len(rows.labels) for rows in panel.rows.values()) == sum(
        len(rows.labels) for part in parts for rows in part.rows.values()
    )


def test_who_is_sampled_out_needs_no_features() -> None:
    folds = folds_at(150, 190, 230, 270)
    whole, lean = PanelCollector(max_rows=120), PanelCollector(max_rows=120)
    for bucket in range(3):
        history = history_of(shop_events(30, seed=bucket))
        whole.add(bucket, build_panel(history, spec=SPEC, stages=STAGES, folds=folds))
        part = build_panel(history, spec=SPEC, stages=STAGES, folds=folds, share=lean.share)
        lean.add(bucket, part)
    assert lean.share == whole.share < 1
    one, other = whole.collect(), lean.collect()
    assert one.excluded == other.excluded
    assert one.excluded.sampled_out > 100
    for kind in KINDS:
        assert _bytes(one, kind) == _bytes(other, kind)


def test_a_share_without_customers_is_an_empty_panel() -> None:
    folds = folds_at(150, 190, 230)
    panel = build_panel(
        history_of(shop_events(20)), spec=SPEC, stages=STAGES, folds=folds, share=1e-9
    )
    assert sum(len(rows.labels) for rows in panel.rows.values()) == 0
    assert panel.excluded.sampled_out > 20
