"""Proposed windows: where they come from, when there is none, and what they mean."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.silence_survival import return_rate
from training.definition_curve import ReturnCurve
from training.definition_meaning import People, weigh
from training.definition_window import lost_after, propose_by_cost, propose_by_rule


def curve_of(
    survivors: NDArray[np.float64], *, horizon_days: int = 30, returns: int = 1000
) -> ReturnCurve:
    rate = return_rate(survivors, horizon_days)
    return ReturnCurve(
        name="all",
        horizon_days=horizon_days,
        silences=2000,
        returns=returns,
        supported_days=len(survivors) - 1,
        survival=survivors,
        reached=np.linspace(2000, 100, len(survivors)).astype(np.int64),
        rate=rate,
        low=np.clip(rate - 0.01, 0, 1),
        high=rate + 0.01,
    )


def mixture(gone: float, mean_days: float, days: int) -> NDArray[np.float64]:
    """S(d) when a share is gone and the others return after exponential gaps."""
    return np.asarray(gone + (1 - gone) * np.exp(-np.arange(days + 1) / mean_days))


def nobody() -> People:
    none = np.zeros(0, dtype=np.bool_)
    return People(np.zeros(0), None, none, none)


def test_the_rule_gives_the_day_that_the_formula_gives() -> None:
    opinion = propose_by_rule(curve_of(mixture(0.4, 20, 400)), 0.10)
    # R(d, H) <= q solved for d, with a = e^(-d/m): (1-g) a (1 - e^(-H/m) - q) <= q g.
    a = 0.1 * 0.4 / (0.6 * (1 - np.exp(-30 / 20) - 0.1))
    assert opinion.window_days == np.ceil(-20 * np.log(a))
    assert opinion.reason is None
    assert opinion.earliest_days is not None
    assert opinion.latest_days is not None
    assert opinion.earliest_days < opinion.window_days < opinion.latest_days


def test_a_chance_that_rises_again_is_told() -> None:
    """Seasonal customers: the first day below the limit is not below it for good."""
    survivors = mixture(0.4, 20, 400)
    seasonal = survivors.copy()
    seasonal[250:] = survivors[250] * 0.7
    opinion = propose_by_rule(curve_of(seasonal), 0.10)
    steady = propose_by_rule(curve_of(survivors), 0.10)
    assert opinion.window_days == steady.window_days
    assert opinion.rises_to == pytest.approx(0.3, abs=0.01)
    assert steady.rises_to is None


def test_the_d_curve_gives_the_minimum_of_its_cost() -> None:
    gone, mean = 0.4, 20.0
    opinion, cost = propose_by_cost(curve_of(mixture(gone, mean, 400)), 1.0)
    assert cost is not None
    # 99 % of the returns come within mean * ln(100) days.
    assert cost.scale_days == np.ceil(mean * np.log(100))
    total = np.array(cost.false_alarm) + np.array(cost.waiting)
    assert opinion.window_days == int(np.argmin(total)) > 1
    # The derivative of R(d, inf) there is -1 / scale.
    day = int(opinion.window_days or 0)
    slope = (cost.false_alarm[day + 1] - cost.false_alarm[day - 1]) / 2
    assert slope == pytest.approx(-1 / cost.scale_days, rel=0.1)


def test_dearer_waiting_gives_a_shorter_window() -> None:
    curve = curve_of(mixture(0.4, 20, 400))
    windows = [propose_by_cost(curve, cost)[0].window_days or 0.0 for cost in (0.5, 1.0, 1.1)]
    assert windows == sorted(windows, reverse=True)
    opinion, cost = propose_by_cost(curve, 10.0)
    assert opinion.window_days is None
    assert "every day of waiting" in (opinion.reason or "")
    assert cost is not None


def test_lost_is_later_than_dormant() -> None:
    curve = curve_of(mixture(0.4, 20, 400))
    lost = lost_after(curve)
    window = propose_by_rule(curve, 0.10).window_days
    assert lost is not None
    assert window is not None
    assert lost > window
    meaning = weigh(window, curve, nobody(), capacity=10)
    assert meaning.warning_days == lost - window


@pytest.mark.parametrize(
    ("curve", "text"),
    [
        (curve_of(np.ones(200), returns=0), "none of 2000 silences ended"),
        (curve_of(mixture(0.4, 20, 20)), "horizon of 30 days is longer than the data"),
        (curve_of(mixture(0.97, 20, 400)), "already on the day after an event"),
        (curve_of(mixture(0.0, 40, 400)), "as far as the data reach, still"),
    ],
    ids=["no returns", "short data", "nobody returns", "everybody returns"],
)
def test_no_number_without_a_reason_for_it(curve: ReturnCurve, text: str) -> None:
    opinion = propose_by_rule(curve, 0.10)
    assert opinion.window_days is None
    assert text in (opinion.reason or "")


def test_who_never_returns_is_not_known_while_returns_go_on() -> None:
    curve = curve_of(mixture(0.4, 200, 300))
    opinion, cost = propose_by_cost(curve, 1.0)
    assert opinion.window_days is None
    assert cost is None
    assert "who never returns is not known" in (opinion.reason or "")
    meaning = weigh(50.0, curve, nobody(), capacity=None)
    assert meaning.false_alarm_rate is None
    assert meaning.missed is None


def test_the_meaning_counts_people() -> None:
    curve = curve_of(mixture(0.4, 20, 400))
    silence = np.array([1.0, 20.0, 49.9, 50.0, 60.0, 77.9, 78.0, 300.0])
    then = np.array([10.0, 50.0, 55.0, 90.0])
    people = People(
        silence_days=silence,
        silence_days_then=then,
        woke=np.array([True, True, True, False]),
        returned=np.array([True, False, True, False]),
    )
    meaning = weigh(50.0, curve, people, capacity=2)
    assert meaning.dormant == 5
    assert meaning.nights == 2.5
    # 50, 60 and 77.9 were below 50 four weeks ago; 78 had just reached it.
    assert meaning.new_per_night == pytest.approx(3 / 28)
    assert (meaning.dormant_then, meaning.woke_since, meaning.returned_since) == (3, 2, 1)
    assert meaning.expected_since == pytest.approx(sum(curve.rate[d] for d in (50, 55, 90)))
    gone = [0.4 / (0.4 + 0.6 * np.exp(-d / 20)) for d in (1, 20, 49)]
    assert meaning.missed == pytest.approx(sum(gone), rel=1e-3)
    assert meaning.missed_rate == pytest.approx(np.mean(gone), rel=1e-3)
    assert meaning.return_rate == pytest.approx(curve.rate[50])
    assert meaning.false_alarm_rate == pytest.approx(1 - gone_at(50), rel=1e-3)


def gone_at(day: int) -> float:
    return float(0.4 / (0.4 + 0.6 * np.exp(-day / 20)))


def test_all_dormant_or_none_leaves_the_rest_empty() -> None:
    curve = curve_of(mixture(0.4, 20, 400))
    none = np.zeros(3, dtype=np.bool_)
    silent = People(np.full(3, 90.0), np.full(3, 90.0), none, none)
    awake = People(np.full(3, 1.0), np.full(3, 1.0), none, none)
    all_dormant = weigh(50.0, curve, silent, capacity=0)
    assert (all_dormant.dormant, all_dormant.missed_rate, all_dormant.nights) == (3, None, None)
    no_dormant = weigh(50.0, curve, awake, capacity=5)
    assert (no_dormant.dormant, no_dormant.nights, no_dormant.dormant_then) == (0, 0.0, 0)


def test_a_window_beyond_the_data_has_counts_but_no_rates() -> None:
    meaning = weigh(5000.0, curve_of(mixture(0.4, 20, 400)), nobody(), capacity=1)
    assert meaning.return_rate is None
    assert meaning.false_alarm_rate is None
    assert meaning.silences_reached == 0
