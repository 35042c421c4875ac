"""Level rows: the panel's own rules, and nothing from the future."""

from dataclasses import fields, replace
from datetime import date

import numpy as np
import pytest
from small_material import BERLIN, first_known_us, material_of
from small_shop import (
    DAY_US,
    SPEC,
    STAGES,
    START_US,
    events_table,
    history_of,
    shop_events,
)

from features.history import History
from features.history_sample import customer_hashes
from features.local_day import local_midnight_us
from models.bundle import KINDS, Kind
from training.folds import Folds, plan_folds
from training.level_fit import Level, Levels
from training.levels import (
    LevelRows,
    collect_levels,
    concat_levels,
    early_us,
    level_as_ofs,
)
from training.material import Material

Event = tuple[str, int, str, float | None]
UNTIL_US = local_midnight_us(date(2025, 10, 28), BERLIN)
FOLDS = plan_folds(
    (START_US, UNTIL_US - 1),
    trained_until_us=UNTIL_US,
    timezone=BERLIN,
    windows=(2.0, 30.0),
    step_days=28,
    most=(3, 2),
)


def as_ofs_of(history: History, folds: Folds = FOLDS) -> np.ndarray:
    span = (first_known_us(history, folds), folds.trained_until_us)
    return level_as_ofs(folds, STAGES, span_us=span, timezone=BERLIN)


def levels_of(history: History, *, at_most: int = 10_000, folds: Folds = FOLDS) -> LevelRows:
    return collect_levels(
        history,
        spec=SPEC,
        stages=STAGES,
        folds=folds,
        as_ofs=as_ofs_of(history, folds),
        at_most=at_most,
    )


def late_events(customers: int = 90) -> tuple[list[Event], np.ndarray]:
    """A shop in which a fifth of the events arrive up to two months late."""
    rng = np.random.default_rng(8)
    table = shop_events(customers)
    occurred = table.column("occurred_at").cast("int64").to_numpy()
    late = rng.integers(0, 60, len(occurred)) * DAY_US
    arrived = occurred + np.where(rng.random(len(occurred)) < 0.2, late, 0)
    columns = (table.column(name).to_pylist() for name in ("customer_id", "event_type", "amount"))
    names, kinds, amounts = columns
    return list(zip(names, occurred.tolist(), kinds, amounts, strict=True)), arrived


def changed(
    events: list[Event], arrived: np.ndarray, *, border: int, what: str
) -> tuple[list[Event], list[int]]:
    """The events with another future: what arrives at or after the border is changed."""
    rng = np.random.default_rng(9)
    kept = [(event, at) for event, at in zip(events, arrived.tolist(), strict=True) if at < border]
    later = [
        (event, at) for event, at in zip(events, arrived.tolist(), strict=True) if at >= border
    ]
    assert any(event[1] < border - 20 * DAY_US for event, _ in later)
    if what == "scramble":
        kept += [
            ((f"c{rng.integers(0, 99):05d}", event[1] - 15 * DAY_US, "purchase", 9e5), at)
            for event, at in later
        ]
    elif what == "add":
        kept += later * 2
        kept += [(("x" + event[0], *event[1:]), at) for event, at in later]
    return [event for event, _ in kept], [at for _, at in kept]


def shop_of(events: list[Event], arrived: list[int]) -> History:
    return history_of(events_table(events, arrived=arrived))


def same(one: LevelRows, other: LevelRows, names: tuple[str, ...]) -> None:
    for name in names:
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name


ALL = tuple(field.name for field in fields(LevelRows))
CHANGES = ("delete", "scramble", "add")


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("at_most", [10_000, 40])
def test_nothing_that_arrives_at_or_after_the_training_as_of_matters(
    what: str, at_most: int
) -> None:
    """Not even who is sampled: customers not known yet take nobody's place."""
    events, arrived = late_events()
    before = levels_of(shop_of(events, arrived.tolist()), at_most=at_most)
    after = levels_of(
        shop_of(*changed(events, arrived, border=UNTIL_US, what=what)), at_most=at_most
    )
    assert len(before.as_of) > 200
    same(before, after, ALL)


@pytest.mark.parametrize("what", CHANGES)
def test_what_arrives_at_or_after_the_test_cutoff_is_not_in_the_levels_it_is_judged_with(
    what: str,
) -> None:
    """The windows of the early levels end sooner, so their labels were taken to be open:
    orders that were made before the test cutoff and arrived after it counted.
    """
    events, arrived = late_events()
    border, reach = FOLDS.test_us, FOLDS.gap_us + FOLDS.horizon_us
    before = material_of(shop_of(events, arrived.tolist()), folds=FOLDS)
    after = material_of(shop_of(*changed(events, arrived, border=border, what=what)), folds=FOLDS)
    seen = [one.levels.take(one.levels.as_of <= border) for one in (before, after)]
    same(*seen, tuple(name for name in ALL if not name.startswith("back")))
    for name, window in (("back", reach), ("back_early", FOLDS.gap_us + early_us(FOLDS))):
        closed = [rows.take(rows.as_of + window <= border) for rows in seen]
        assert len(closed[0].as_of) > 100
        same(*closed, (name,))
    for kind in KINDS:
        assert judged_with(before, kind) == judged_with(after, kind)


def judged_with(material: Material, kind: Kind) -> tuple[Level, object, list[float]]:
    """All that a ladder as of the test cutoff takes from the levels."""
    test = FOLDS.test_us
    levels = Levels(kind, material.levels, material.processes, FOLDS, test)
    at = [levels.at(cutoff.as_of_us) for cutoff in FOLDS.cutoffs]
    return levels.forecast(test), levels.rung(test), at


def test_the_level_rows_are_the_panels() -> None:
    """Populations and labels at the panel's cutoffs are told the same by both."""
    history = history_of(shop_events(60))
    material = material_of(history, folds=FOLDS)
    rows = material.levels
    for place, cutoff in enumerate(FOLDS.cutoffs):
        at = rows.take(rows.as_of == cutoff.as_of_us)
        for kind in KINDS:
            risk = kind == "dormancy_risk"
            mine = at.take(at.recalled & (at.dormant != risk))
            panel = material.panel.rows[kind]
            theirs = panel.take(panel.cutoff == place)
            assert len(mine.stage) == len(theirs.labels)
            np.testing.assert_array_equal(mine.back, (theirs.labels == 1) != risk)
            np.testing.assert_array_equal(mine.repeats, theirs.value.repeats)


def test_a_return_in_the_first_third_is_a_return() -> None:
    rows = levels_of(history_of(shop_events(60)))
    assert rows.back_early.any() and (rows.back & ~rows.back_early).any()
    assert not (rows.back_early & ~rows.back).any()


def test_the_sample_is_the_customers_with_the_lowest_hashes() -> None:
    history = history_of(shop_events(60))
    few = levels_of(history, at_most=10)
    last = few.as_of == UNTIL_US
    hashes = customer_hashes(history)
    chosen = np.sort(np.argsort(hashes)[:10])
    full = levels_of(history_of(shop_events(60)))
    assert 0 < np.count_nonzero(last) <= 10 < np.count_nonzero(full.as_of == UNTIL_US)
    first = np.minimum.reduceat(history.events.occurred_at, history.events.offsets[:-1])
    assert np.count_nonzero(last) == np.count_nonzero(first[chosen] < UNTIL_US)


def test_the_grid_holds_the_cutoffs_and_the_end_and_leaves_time_to_fall_asleep() -> None:
    as_ofs = level_as_ofs(FOLDS, STAGES, span_us=(START_US, UNTIL_US), timezone=BERLIN)
    assert (np.diff(as_ofs) > 0).all()
    assert set(FOLDS.as_ofs) <= set(as_ofs) and as_ofs[-1] == UNTIL_US
    reach = FOLDS.gap_us + FOLDS.horizon_us
    assert as_ofs[0] >= START_US + reach + 25 * DAY_US
    assert len(as_ofs) > 15


def test_a_short_history_is_measured_from_its_first_third_on() -> None:
    """Longer silences than the history would leave no cutoff at all."""
    slow = (replace(STAGES[0], silence_days=3_000.0),)
    as_ofs = level_as_ofs(FOLDS, slow, span_us=(START_US, UNTIL_US), timezone=BERLIN)
    assert as_ofs[0] < START_US + 0.45 * (UNTIL_US - START_US)


@pytest.mark.parametrize(
    ("horizon", "early"), [(90.0, 30.0), (30.0, 10.0), (2.0, 1.0), (1.0, 1.0), (0.5, 0.5)]
)
def test_the_early_window_is_a_third_but_a_day_at_least_and_never_longer(
    horizon: float, early: float
) -> None:
    folds = replace(FOLDS, horizon_us=round(horizon * DAY_US))
    assert early_us(folds) == round(early * DAY_US)


def test_buckets_one_after_the_other() -> None:
    one = levels_of(history_of(shop_events(30)))
    two = levels_of(history_of(shop_events(30, seed=2)))
    both = concat_levels([one, two])
    assert len(both.as_of) == len(one.as_of) + len(two.as_of)
    same(both.take(np.arange(len(one.as_of))), one, ALL)


def test_nobody_at_all() -> None:
    history = history_of(events_table([("looker", START_US, "visit", None)]))
    assert len(levels_of(history).as_of) == 0
