"""Levels recovered from a world whose seasons are known, and forecast from the past alone."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from scipy.special import expit
from small_ladder import PROCESS

from models.bundle import Kind
from models.purchase_process import PurchaseProcess
from models.purchase_rung import return_log_odds
from training.folds import Cutoff, Folds
from training.labels import DAY_US
from training.level_fit import Levels, fit_processes
from training.levels import LevelRows, early_us

STEP_US = 14 * DAY_US
FIRST_US = 1_640_995_200_000_000
HORIZON = 30.0
REACH_US = 32 * DAY_US
Times = np.ndarray


def folds_until(test_us: int) -> Folds:
    day = date(2024, 1, 1)
    return Folds(
        cutoffs=(Cutoff("test", day, test_us),),
        gap_us=2 * DAY_US,
        horizon_us=round(HORIZON * DAY_US),
        observed_until_us=test_us + REACH_US,
        trained_until_us=test_us + REACH_US,
    )


def season(at: Times | int) -> Times:
    """A wave of a year, 0.9 high: a factor of six between the odds of its best and worst."""
    return 0.9 * np.cos(2 * np.pi * (np.asarray(at) - FIRST_US) / (364 * DAY_US))


def world(
    n_steps: int, level: np.ndarray, *, customers: int = 1_500, seed: int = 1, dormant: bool = True
) -> tuple[LevelRows, dict[int, dict[int, PurchaseProcess]]]:
    """Customers who return as MBG/NBD tells, moved by each cutoff's level (log-odds)."""
    rng = np.random.default_rng(seed)
    as_of = np.repeat(FIRST_US + STEP_US * np.arange(n_steps), customers)
    n = len(as_of)
    age = rng.integers(20, 400, size=n).astype(np.float64)
    repeats = np.minimum(rng.poisson(2.0, size=n), age).astype(np.float64)
    last = np.where(repeats > 0, np.floor(rng.uniform(0.1, 1.0, size=n) * age), 0.0)
    shift = np.repeat(level, customers)

    def chance(days: float) -> np.ndarray:
        raw = return_log_odds(PROCESS, (repeats, last, age), horizon_days=days)
        return np.asarray(expit(raw + shift))

    # One draw for both windows: who is back early is back.
    draw = rng.random(n)
    rows = LevelRows(
        as_of=as_of,
        stage=np.zeros(n, dtype=np.int16),
        recalled=np.ones(n, dtype=np.bool_),
        dormant=np.full(n, dormant),
        repeats=repeats,
        last_days=last,
        age_days=age,
        back=draw < chance(HORIZON),
        back_early=draw < chance(early_us(folds_until(FIRST_US)) / DAY_US),
    )
    return rows, {at: {0: PROCESS} for at in np.unique(as_of).tolist()}


def levels_at(
    test_step: int, level: np.ndarray, *, kind: Kind = "natural_return", seed: int = 1
) -> tuple[Levels, int]:
    rows, processes = world(len(level), level, seed=seed, dormant=kind == "natural_return")
    test_us = FIRST_US + STEP_US * test_step
    return Levels(kind, rows, processes, folds_until(test_us), test_us), test_us


@pytest.mark.parametrize("step", [30, 34, 39, 42, 47])
def test_a_season_seen_last_year_is_expected_again(step: int) -> None:
    """Nearer the truth than no level at all, and than the last level seen, on the whole."""
    truth = season(FIRST_US + STEP_US * np.arange(52))
    levels, test_us = levels_at(step, truth)
    found = levels.forecast(test_us)
    assert found.rule == "season"
    error = abs(found.value - truth[step])
    assert error < 0.35  # the lines take the mean of the levels seen, which is not quite 0
    last = found.seen[max(found.seen)]
    assert error < max(abs(last - truth[step]), abs(truth[step])) + 0.05
    assert max(found.seen) + REACH_US <= test_us


def test_forecasts_of_a_season_beat_none_and_the_last_level_over_a_year() -> None:
    truth = season(FIRST_US + STEP_US * np.arange(54))
    errors = []
    for step in range(28, 54, 3):
        levels, test_us = levels_at(step, truth, seed=step)
        found = levels.forecast(test_us)
        last = found.seen[max(found.seen)]
        errors.append(np.abs(np.array([found.value, last, 0.0]) - truth[step]))
    forecast, persisting, none = np.mean(errors, axis=0)
    assert forecast < 0.15
    assert forecast < 0.4 * persisting and forecast < 0.4 * none


def test_half_of_this_years_difference_from_last_year_is_kept() -> None:
    """From one year on everybody returns less: the forecast goes half of the way."""
    steps = np.arange(52)
    truth = season(FIRST_US + STEP_US * steps) - np.where(steps >= 28, 1.0, 0.0)
    levels, test_us = levels_at(44, truth)
    found = levels.forecast(test_us)
    assert found.rule == "season"
    middle = levels.at(FIRST_US + STEP_US * 18)
    assert found.value - middle == pytest.approx(-0.5, abs=0.2)


def test_windows_beyond_the_last_complete_day_are_no_levels() -> None:
    """Data that end before the training as-of: nobody can be seen to return after them."""
    rows, processes = world(30, np.zeros(30))
    until = FIRST_US + STEP_US * 30
    observed = until - 70 * DAY_US
    silent = rows.as_of + REACH_US > observed
    rows = replace(rows, back=rows.back & ~silent, back_early=rows.back_early & ~silent)
    folds = replace(folds_until(until - REACH_US), observed_until_us=observed)
    found = Levels("natural_return", rows, processes, folds, until).forecast(until)
    assert max(found.seen) + REACH_US <= observed
    assert abs(found.value) < 0.1


def test_a_level_seen_is_the_level_that_was() -> None:
    truth = season(FIRST_US + STEP_US * np.arange(40))
    levels, _ = levels_at(39, truth)
    found = np.array([levels.at(FIRST_US + STEP_US * step) for step in range(36)])
    middle = found.mean() - truth[:36].mean()  # the lines' intercept takes the mean
    np.testing.assert_allclose(found - middle, truth[:36], atol=0.3)
    # Between two cutoffs the levels are joined by straight lines; beyond them the last holds.
    between = levels.at(FIRST_US + STEP_US * 10 + STEP_US // 2)
    assert between == pytest.approx((found[10] + found[11]) / 2)
    assert levels.at(FIRST_US - STEP_US) == found[0]


def test_less_than_a_year_is_expected_to_be_half_way_from_its_mean() -> None:
    """Half a year at one level, then a jump: half of it is believed to stay."""
    truth = np.where(np.arange(16) < 8, -0.6, 0.6)
    levels, test_us = levels_at(15, truth)
    found = levels.forecast(test_us)
    assert found.rule == "average"
    mean = float(np.mean(list(found.seen.values())))
    last = found.seen[max(found.seen)]
    assert mean < found.value < last


def test_nothing_moves_where_no_level_moved() -> None:
    levels, test_us = levels_at(40, np.zeros(52))
    found = levels.forecast(test_us)
    assert abs(found.value) < 0.05
    assert np.ptp(list(found.seen.values())) < 0.1


def test_dormancy_risk_is_natural_return_turned_round() -> None:
    truth = season(FIRST_US + STEP_US * np.arange(40))
    back, test_us = levels_at(36, truth)
    away, _ = levels_at(36, truth, kind="dormancy_risk")
    assert away.forecast(test_us).value == pytest.approx(-back.forecast(test_us).value, abs=0.01)
    for step in range(0, 34, 5):
        at = FIRST_US + STEP_US * step
        assert away.at(at) == pytest.approx(-back.at(at), abs=0.01)


def test_only_windows_that_have_ended_are_used() -> None:
    """Cutoffs later than what may be known change nothing."""
    truth = season(FIRST_US + STEP_US * np.arange(52))
    rows, processes = world(52, truth)
    test_us = FIRST_US + STEP_US * 36
    past = rows.take(rows.as_of <= test_us)
    later = replace(rows, back=np.where(rows.as_of > test_us - REACH_US, ~rows.back, rows.back))
    early_reach = 2 * DAY_US + early_us(folds_until(test_us))
    later = replace(
        later,
        back_early=np.where(rows.as_of > test_us - early_reach, ~rows.back_early, rows.back_early),
    )
    found = [
        Levels("natural_return", known, processes, folds_until(test_us), test_us)
        for known in (past, rows, later)
    ]
    assert found[0].forecast(test_us) == found[1].forecast(test_us) == found[2].forecast(test_us)
    assert found[0].rung(test_us) == found[1].rung(test_us) == found[2].rung(test_us)


def test_the_rung_takes_the_process_of_its_as_of_and_the_lines_of_all_cutoffs() -> None:
    levels, test_us = levels_at(40, np.full(52, 0.7))
    rung = levels.rung(test_us)
    assert rung.by_stage[0].process is PROCESS
    assert rung.horizon_days == HORIZON and rung.label_is_return == 1
    # Labels follow the process's log-odds plus 0.7.
    assert rung.by_stage[0].slope == pytest.approx(1.0, abs=0.1)
    assert rung.by_stage[0].intercept == pytest.approx(0.7, abs=0.15)


def test_a_stage_empty_at_the_as_of_takes_the_rate_of_all() -> None:
    """Not the line's intercept, which means the odds where the process says one half."""
    levels, test_us = levels_at(40, np.full(52, 0.7))
    rung, elsewhere = levels.rung(test_us), levels.rung(test_us + 1)
    assert elsewhere.by_stage[0].process is None
    assert elsewhere.by_stage[0].intercept == elsewhere.fallback == rung.fallback
    assert elsewhere.fallback < rung.by_stage[0].intercept - 0.5


def test_without_rows_there_is_no_level() -> None:
    rows, processes = world(10, np.zeros(10))
    folds = folds_until(FIRST_US)
    for none in (
        Levels("natural_return", rows.take(rows.as_of < 0), {}, folds, FIRST_US),
        Levels("dormancy_risk", rows, processes, folds, FIRST_US),  # nobody is awake
        Levels("natural_return", rows, processes, folds, FIRST_US),  # no window has ended
    ):
        found = none.forecast(FIRST_US)
        assert (found.value, found.rule, dict(found.seen)) == (0.0, "none", {})
        assert none.at(FIRST_US) == 0.0
        assert none.rung(FIRST_US).by_stage == {}


@pytest.mark.parametrize("everybody", [False, True])
def test_one_label_only_gives_finite_levels_that_do_not_move(everybody: bool) -> None:
    rows, processes = world(40, np.zeros(40), customers=50)
    alike = np.full(len(rows.back), everybody)
    test_us = FIRST_US + STEP_US * 36
    levels = Levels(
        "natural_return",
        replace(rows, back=alike, back_early=alike),
        processes,
        folds_until(test_us),
        test_us,
    )
    found = levels.forecast(test_us)
    assert np.isfinite(found.value) and abs(found.value) < 0.5
    assert np.isfinite(list(found.seen.values())).all()
    line = levels.rung(test_us).by_stage[0]
    assert np.isfinite([line.slope, line.intercept]).all()


def test_a_shop_to_which_nobody_returns_has_processes_and_a_rung() -> None:
    """One purchase per customer: repeats are 0 everywhere, so nothing tells them apart."""
    rows, _ = world(6, np.zeros(6), customers=60)
    nobody = np.zeros(len(rows.back), dtype=np.bool_)
    zero = np.zeros(len(rows.repeats))
    once = replace(rows, repeats=zero, last_days=zero, back=nobody, back_early=nobody)
    processes = fit_processes(once)
    assert len(processes) == 6
    assert not any(one.informed for by_stage in processes.values() for one in by_stage.values())
    test_us = FIRST_US + STEP_US * 5
    levels = Levels("natural_return", once, processes, folds_until(test_us), test_us)
    counts = (zero[:5], zero[:5], np.array([1.0, 10.0, 100.0, 300.0, 1000.0]))
    odds = return_log_odds(processes[test_us][0], counts, horizon_days=HORIZON)
    assert (odds < -2).all()
    assert abs(levels.forecast(test_us).value) < 0.5


def test_stages_without_customers_old_enough_have_no_process() -> None:
    """All were born today: no time has passed in which anybody could return."""
    rows, _ = world(2, np.zeros(2), customers=20)
    newborn = replace(rows, age_days=np.zeros(40), repeats=np.zeros(40), last_days=np.zeros(40))
    assert [dict(found) for found in fit_processes(newborn).values()] == [{}, {}]


def test_every_stage_has_a_process_and_a_line_of_its_own() -> None:
    rows, processes = world(20, np.zeros(20))
    stage = (np.arange(len(rows.as_of)) % 2).astype(np.int16)
    always = replace(rows, stage=stage, back=np.where(stage == 1, True, rows.back))
    both = {at: {0: PROCESS, 1: PROCESS} for at in processes}
    test_us = FIRST_US + STEP_US * 18
    rung = Levels("natural_return", always, both, folds_until(test_us), test_us).rung(test_us)
    assert sorted(rung.by_stage) == [0, 1]
    assert rung.by_stage[0].intercept == pytest.approx(0.0, abs=0.2)
    assert rung.by_stage[1].intercept > 2


def test_a_plain_rung_takes_the_process_at_its_word() -> None:
    """No line is fitted where labels are few; a stage without a process keeps its rate."""
    rows, processes = world(20, np.full(20, 0.7))
    stage = (np.arange(len(rows.as_of)) % 2).astype(np.int16)
    test_us = FIRST_US + STEP_US * 18
    levels = Levels(
        "natural_return", replace(rows, stage=stage), processes, folds_until(test_us), test_us
    )
    plain, fitted = levels.rung(test_us, plain=True), levels.rung(test_us)
    assert (plain.by_stage[0].slope, plain.by_stage[0].intercept) == (1.0, 0.0)
    assert fitted.by_stage[0].intercept == pytest.approx(0.7, abs=0.2)
    assert plain.by_stage[1] == fitted.by_stage[1]
    assert plain.by_stage[1].process is None
