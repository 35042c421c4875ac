"""What a night is expected to bring: totals, and intervals of rows that are wrong together."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipelines.report import outlook
from pipelines.report.outlook import expect_totals
from scoring.arms import CONTACT, GHOST
from scoring.effects import assumed_effects
from scoring.gain import list_actions
from scoring.policy import Channel, Experiment, Offer

MARGIN = 0.4
SD = 0.2


def a_night(n_rows: int, *, sd: float = SD, ghosts: int = 0, spread: bool = False) -> Any:
    """Rows of one channel with a coupon of 10 %, all sent but the last `ghosts`."""
    channels = {"sms": Channel(label="sms", cost=0.05, effect_prior=0.3, effect_prior_sd=sd)}
    offers = {"none": Offer(label="none"), "coupon": Offer(label="coupon", discount=0.1)}
    actions = list_actions(channels, offers)
    natural = np.linspace(0.02, 0.4, n_rows) if spread else np.full(n_rows, 0.1)
    value = np.linspace(20.0, 90.0, n_rows) if spread else np.full(n_rows, 50.0)
    effects = assumed_effects(channels, offers).weigh(
        natural, np.empty((n_rows, 0)), names=(), actions=actions
    )
    arm = np.full(n_rows, CONTACT, dtype=np.int8)
    arm[n_rows - ghosts :] = GHOST
    return SimpleNamespace(
        listed=np.arange(n_rows),
        draws=SimpleNamespace(arm=arm),
        choices=SimpleNamespace(action=np.ones(n_rows, dtype=np.int16)),
        actions=actions,
        effects=effects,
        order_value=value,
        gains=effects.gains(order_value=value, terms=actions.terms(MARGIN)),
        experiment=Experiment(),
    )


def totals(night: Any) -> outlook.Outlook:
    return expect_totals(night, gross_margin=MARGIN, as_of_us=1_763_593_200_000_000)


def shifted(by: float) -> float:
    odds = 0.1 / 0.9 * np.exp(by)
    return float(odds / (1 + odds))


def test_totals_are_sums_over_the_rows_to_be_sent() -> None:
    found = totals(a_night(100, ghosts=40))
    contacted = shifted(0.3)
    assert found.extra_returns.expected == pytest.approx(60 * (contacted - 0.1), abs=0.01)
    assert found.returns_anyway == pytest.approx(6.0)
    assert found.given_away == pytest.approx(60 * contacted * 5.0, abs=0.01)
    assert found.gain.expected == pytest.approx(
        60 * ((contacted - 0.1) * 20.0 - contacted * 5.0 - 0.05), abs=0.01
    )


def test_the_interval_is_that_of_rows_which_are_wrong_together() -> None:
    found = totals(a_night(1000)).extra_returns
    low, high = (1000 * (shifted(0.3 + by) - 0.1) for by in (-1.645 * SD, 1.645 * SD))
    # The ends of 200 draws are known to about a third of a standard deviation.
    sd = (high - low) / 3.29
    assert found.low == pytest.approx(low, abs=0.4 * sd)
    assert found.high == pytest.approx(high, abs=0.4 * sd)
    few = totals(a_night(100)).extra_returns
    assert found.high - found.low == pytest.approx(10 * (few.high - few.low), rel=0.01)


def test_effects_that_are_certain_leave_no_interval() -> None:
    found = totals(a_night(50, sd=0.0))
    assert found.gain.high - found.gain.low < 0.02
    assert found.extra_returns.low <= found.extra_returns.expected <= found.extra_returns.high


def test_every_run_of_a_night_has_the_same_interval() -> None:
    assert totals(a_night(70, spread=True)) == totals(a_night(70, spread=True))


def test_blocks_change_nothing_and_a_sample_little(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = totals(a_night(3000, spread=True))
    monkeypatch.setattr(outlook, "_BLOCK_ROWS", 128)
    assert totals(a_night(3000, spread=True)) == whole
    monkeypatch.setattr(outlook, "_MOST_ROWS", 300)
    sampled = totals(a_night(3000, spread=True))
    assert sampled.gain.expected == whole.gain.expected
    assert sampled.gain.low == pytest.approx(whole.gain.low, rel=0.02)
    assert sampled.extra_returns.high == pytest.approx(whole.extra_returns.high, rel=0.02)


def test_a_night_without_contacts_brings_nothing() -> None:
    found = totals(a_night(5, ghosts=5))
    assert (found.gain.expected, found.gain.low, found.gain.high) == (0.0, 0.0, 0.0)
    assert found.given_away == 0.0
