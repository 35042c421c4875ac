"""Cutoffs: midnights, a whole label window apart, nothing unfinished."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import DataError
from features.local_day import local_midnight_us
from training.folds import MIN_TRAINING, Folds, folds_before, last_midnight, plan_folds

BERLIN = ZoneInfo("Europe/Berlin")
DAY = 86_400_000_000


def instant(text: str) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000


def plan(first: str, last: str, until: str, **changes: object) -> Folds:
    settings: dict[str, object] = {
        "windows": (2.0, 30.0),
        "step_days": 28,
        "most": (8, 1),
        **changes,
    }
    return plan_folds(
        (instant(first), instant(last)),
        trained_until_us=local_midnight_us(date.fromisoformat(until), BERLIN),
        timezone=BERLIN,
        **settings,  # type: ignore[arg-type]
    )


def laid_out(folds: Folds) -> list[tuple[str, str]]:
    return [(cutoff.fold, cutoff.day.isoformat()) for cutoff in folds.cutoffs]


def test_a_literal_layout() -> None:
    folds = plan("2025-01-01", "2025-12-31T20:00:00", "2026-01-01", most=(3, 1))
    assert laid_out(folds) == [
        ("training", "2025-08-01"),
        ("training", "2025-08-29"),
        ("training", "2025-09-26"),
        ("between", "2025-09-30"),
        ("validation", "2025-10-28"),
        ("test", "2025-11-29"),
    ]
    # 2025-12-31 has begun but may not be over: the last window ends with the day before.
    assert last_midnight(folds.observed_until_us, BERLIN) == date(2025, 12, 31)
    assert folds.test_us == local_midnight_us(date(2025, 11, 29), BERLIN)


def test_a_literal_layout_with_several_validation_cutoffs() -> None:
    folds = plan("2025-01-01", "2025-12-31T20:00:00", "2026-01-01", most=(3, 3))
    assert laid_out(folds) == [
        ("training", "2025-06-06"),
        ("training", "2025-07-04"),
        ("training", "2025-08-01"),
        ("between", "2025-08-05"),
        ("validation", "2025-09-02"),
        ("validation", "2025-09-30"),
        ("validation", "2025-10-28"),
        ("test", "2025-11-29"),
    ]


def test_a_short_history_does_with_fewer_validation_cutoffs() -> None:
    """Never with none, and with fewer than three training cutoffs only where one is left."""
    found = []
    for first in ("2025-01-01", "2025-07-01", "2025-07-25", "2025-08-10"):
        folds = plan(first, "2025-12-31T20:00:00", "2026-01-01", most=(8, 3), step_days=14)
        found.append((len(folds.of("training")), len(folds.of("validation"))))
        assert folds.of("test")[0].day == date(2025, 11, 29)
    assert found == [(8, 3), (3, 2), (3, 1), (2, 1)]


@settings(max_examples=200, deadline=None)
@given(
    zone=st.sampled_from(["Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Apia"]),
    first=st.integers(0, 400),
    length=st.integers(40, 900),
    gap=st.sampled_from([0.0, 0.5, 2.0, 7.0]),
    horizon=st.sampled_from([1.0, 7.0, 30.0, 90.5]),
    step=st.integers(1, 40),
    behind=st.integers(-5, 40),
    most_validation=st.integers(1, 4),
)
def test_no_label_window_reaches_the_next_folds_cutoff(
    zone: str,
    first: int,
    length: int,
    gap: float,
    horizon: float,
    step: int,
    behind: int,
    most_validation: int,
) -> None:
    timezone = ZoneInfo(zone)
    begin = instant("2024-01-01T05:00:00") + first * DAY
    end = begin + length * DAY
    until = local_midnight_us(last_midnight(end - behind * DAY, timezone), timezone)
    try:
        folds = plan_folds(
            (begin, min(end, until - 1)),
            trained_until_us=until,
            timezone=timezone,
            windows=(gap, horizon),
            step_days=step,
            most=(5, most_validation),
        )
    except DataError:
        assert length - behind < 4 * (gap + horizon) + 6
        return
    reach = folds.gap_us + folds.horizon_us
    training, between = folds.of("training"), folds.of("between")
    validation, (test,) = folds.of("validation"), folds.of("test")
    assert training[-1].as_of_us + reach <= validation[0].as_of_us
    assert validation[-1].as_of_us + reach <= test.as_of_us
    assert test.as_of_us + reach <= folds.observed_until_us <= folds.trained_until_us
    assert training[0].as_of_us - reach >= begin
    assert 1 <= len(training) <= 5
    assert 1 <= len(validation) <= most_validation
    assert len(validation) == 1 or len(training) >= MIN_TRAINING
    # Between: too late for what validation judges, early enough for the fit that test judges.
    for cutoff in between:
        assert training[-1].as_of_us < cutoff.as_of_us < validation[0].as_of_us
        assert cutoff.as_of_us + reach > validation[0].as_of_us - (step + 1) * DAY
        assert cutoff.as_of_us + reach <= test.as_of_us
    assert list(folds.as_ofs) == sorted(set(folds.as_ofs))
    for cutoff in folds.cutoffs:
        assert cutoff.as_of_us == local_midnight_us(cutoff.day, timezone)


def test_nothing_after_the_training_as_of_moves_a_cutoff() -> None:
    known = plan("2025-01-01", "2025-11-30T23:00:00", "2025-12-01")
    assert plan("2025-01-01", "2026-11-30T23:00:00", "2025-12-01").cutoffs == known.cutoffs


def test_too_short_a_history_names_the_days_and_the_date_to_wait_for() -> None:
    with pytest.raises(DataError) as caught:
        plan("2025-09-01", "2025-11-30T20:00:00", "2025-12-01")
    text = str(caught.value)
    assert "span 90 complete days, 2025-09-01 to 2025-11-30, and it needs 129" in text
    assert "train on 2026-01-09 or later" in text


def test_the_date_to_wait_for_is_enough_and_the_day_before_is_not() -> None:
    plan("2025-09-01", "2026-01-08T20:00:00", "2026-01-09")
    with pytest.raises(DataError):
        plan("2025-09-01", "2026-01-07T20:00:00", "2026-01-08")


def test_folds_before_a_given_test_cutoff_are_those_of_a_run_that_ends_there() -> None:
    """What the backtest lays out at its origins is what a training of that day would."""
    run = plan("2025-01-01", "2025-11-30T20:00:00", "2025-12-01", most=(4, 2))
    again = folds_before(
        run.of("test")[0].day,
        first_us=instant("2025-01-01"),
        observed_until_us=run.observed_until_us,
        trained_until_us=run.trained_until_us,
        timezone=BERLIN,
        windows=(2.0, 30.0),
        step_days=28,
        most=(4, 2),
    )
    assert again == run
