"""The early-warning benchmark's arithmetic: pooled shares and a customer bootstrap."""

import numpy as np
import pytest

from benchmarks.early_warning import Watched, judge


def watched(seed: int, *, n: int = 300) -> Watched:
    """Every fifth is warned of and falls silent in half of the cases, the others in a tenth."""
    rng = np.random.default_rng(seed)
    warned = np.arange(n) % 5 == 0
    holds = np.stack([warned, np.zeros(n, np.bool_), warned & (np.arange(n) % 2 == 0)])
    silent = rng.random(n) < np.where(warned, 0.5, 0.1)
    return Watched(np.arange(n), holds, np.ones(n, np.bool_), silent)


def test_shares_are_pooled_over_as_ofs() -> None:
    parts = [watched(seed) for seed in range(4)]
    figures = judge(parts)
    silent = np.concatenate([one.silent for one in parts])
    warned = np.concatenate([one.holds.any(axis=0) for one in parts])
    assert figures["as_ofs"] == 4
    assert figures["rows"]["warned"] == warned.sum() == 240
    assert figures["rows"]["frequent, not warned"] == 960
    assert figures["silent_share"]["warned"] == pytest.approx(silent[warned].mean(), abs=1e-4)
    assert figures["silent_share"]["pace_dropped"] is None
    gap = figures["warned_minus_frequent"]
    assert gap["value"] == pytest.approx(silent[warned].mean() - silent[~warned].mean(), abs=1e-4)
    assert 0.2 < gap["low"] < gap["value"] < gap["high"] < 0.6


def test_a_customer_seen_often_counts_as_one() -> None:
    once = judge([watched(1)])["warned_minus_frequent"]
    often = judge([watched(1)] * 9)["warned_minus_frequent"]
    assert often == once
