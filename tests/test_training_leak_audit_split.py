"""A column filled in for old rows only shows in the random split; drift does not fail."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from features.kernels.feature import DAY_US
from models.forest import ForestSettings
from training.leak_audit import AuditCutoffs, AuditRows, Check
from training.leak_audit_ranking import check_ranking
from training.leak_audit_split import _paired_gap, auc_error, check_splits

SETTINGS = ForestSettings(
    learning_rate=0.1, min_data_in_leaf=20, max_rounds=30, early_stopping_rounds=30, threads=1
)
N_CUTOFFS = 6
CUTOFFS = AuditCutoffs(
    as_ofs=np.arange(N_CUTOFFS, dtype=np.int64) * 28 * DAY_US,
    training=np.arange(N_CUTOFFS) < N_CUTOFFS - 2,
    reach_us=32 * DAY_US,
)


def panel(*, leak: str = "none", customers: int = 900, seed: int = 0) -> AuditRows:
    """Customers with a lasting propensity and a column that may know the outcome."""
    rng = np.random.default_rng(seed)
    n = customers * N_CUTOFFS
    customer = np.repeat(np.arange(customers), N_CUTOFFS)
    cutoff = np.tile(np.arange(N_CUTOFFS), customers)
    propensity = rng.normal(size=customers)[customer]
    labels = rng.random(n) < norm.cdf(propensity - 0.5)
    sign = np.where((cutoff == N_CUTOFFS - 1) & (leak == "turned round"), -1.0, 1.0)
    known = np.zeros(n)
    if leak == "filled in afterwards":
        known = np.where(cutoff < N_CUTOFFS - 1, 2.0 * labels, 0.0)
    elif leak == "partly":
        known = np.where((cutoff < N_CUTOFFS - 1) & (rng.random(n) < 0.4), 4.0 * labels, 0.0)
    values = np.stack(
        [sign * propensity + rng.normal(size=n), known + rng.normal(size=n), rng.normal(size=n)],
        axis=1,
    )
    return AuditRows(
        values.astype(np.float32),
        labels.astype(np.int8),
        cutoff.astype(np.int16),
        customer.astype(np.uint64),
    )


def checked(rows: AuditRows, **changes: Any) -> Check:
    named: dict[str, Any] = {
        "subject": "dormancy_risk",
        "names": ("a", "b", "c"),
        "categorical": np.zeros(3, dtype=np.bool_),
        "cutoffs": CUTOFFS,
        "settings": SETTINGS,
    }
    return check_splits(rows, **{**named, **changes})[0]


@pytest.mark.parametrize("seed", range(3))
def test_a_sound_panel_passes(seed: int) -> None:
    check = checked(panel(seed=seed))
    assert check.verdict == "passed", check.meaning
    assert abs(float(check.figures["gap_latest"])) < 0.03


def test_a_column_filled_in_afterwards_for_old_rows_fails() -> None:
    check = checked(panel(leak="filled in afterwards"))
    assert check.verdict == "failed"
    assert float(check.figures["gap.low"]) > 0.15
    assert check.fix is not None and "filled in afterwards" in check.fix


def test_a_column_partly_filled_in_asks_for_a_look() -> None:
    check = checked(panel(leak="partly"))
    assert check.verdict in ("warning", "failed")
    assert float(check.figures["gap.low"]) > 0


def test_behaviour_that_turns_round_is_drift_and_named_so() -> None:
    """An honest model loses all its skill here; that alone is at the edge, not a proof."""
    check = checked(panel(leak="turned round"))
    assert check.verdict != "passed"
    assert check.fix is not None


def test_columns_that_tell_together_what_none_tells_alone_are_named() -> None:
    rng = np.random.default_rng(4)
    rows = panel()
    copies = 2.0 * rows.labels[:, None] + rng.normal(size=(len(rows), 6))
    values = np.column_stack([rows.values, copies]).astype(np.float32)
    names = ("a", "b", "c", *(f"copy_{number}" for number in range(6)))
    named: dict[str, Any] = {
        "subject": "dormancy_risk",
        "names": names,
        "categorical": np.zeros(9, dtype=np.bool_),
    }
    leaky = replace(rows, values=values)
    alone = check_ranking(leaky, **named)
    assert alone.verdict == "passed"
    gap, whole = check_splits(leaky, cutoffs=CUTOFFS, settings=SETTINGS, **named)
    assert gap.verdict == "passed"
    assert whole.verdict == "failed"
    assert all(name.startswith("copy_") for name in whole.named)
    assert whole.fix is not None


def test_features_that_together_leave_little_of_the_error_are_named() -> None:
    """Below .98, but far above what the best of them alone can do."""
    rng = np.random.default_rng(5)
    rows = panel()
    copies = 1.05 * rows.labels[:, None] + rng.normal(size=(len(rows), 7))
    values = np.column_stack([rows.values, copies]).astype(np.float32)
    named: dict[str, Any] = {
        "subject": "dormancy_risk",
        "names": tuple(f"f{number}" for number in range(values.shape[1])),
        "categorical": np.zeros(values.shape[1], dtype=np.bool_),
    }
    leaky = replace(rows, values=values)
    best = float(check_ranking(leaky, **named).figures["best"])
    _, whole = check_splits(leaky, cutoffs=CUTOFFS, settings=SETTINGS, best_alone=best, **named)
    assert 0.95 < float(whole.figures["auc_time"]) < 0.98
    assert float(whole.figures["left_share"]) < 0.4
    assert whole.verdict == "failed"
    _, alone = check_splits(leaky, cutoffs=CUTOFFS, settings=SETTINGS, best_alone=0.95, **named)
    assert alone.verdict == "warning"


def test_a_sound_model_is_not_too_good() -> None:
    named: dict[str, Any] = {"subject": "dormancy_risk", "names": ("a", "b", "c")}
    _, whole = check_splits(
        panel(),
        categorical=np.zeros(3, dtype=np.bool_),
        cutoffs=CUTOFFS,
        settings=SETTINGS,
        **named,
    )
    assert whole.verdict == "passed"


def test_a_single_cutoff_cannot_be_split_in_time() -> None:
    rows = panel()
    only = rows.take(rows.cutoff == N_CUTOFFS - 1)
    assert checked(only).verdict == "not checked"


def test_few_labels_are_not_judged() -> None:
    rows = panel(customers=60)
    assert checked(rows).verdict == "not checked"


def test_the_same_rows_give_the_same_figures() -> None:
    rows = panel()
    assert checked(rows).to_json() == checked(rows).to_json()


def test_identical_scores_have_no_gap() -> None:
    rng = np.random.default_rng(1)
    scores, positive = rng.normal(size=500), rng.random(500) < 0.3
    gap = _paired_gap(positive, scores, scores)
    assert gap.value == gap.error == 0.0


def test_the_interval_of_a_paired_gap_covers_chance() -> None:
    """Two equally good noisy scores: 95 % of intervals hold 0."""
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        positive = rng.random(400) < 0.3
        shared = positive + rng.normal(size=400)
        gap = _paired_gap(positive, shared + rng.normal(size=400), shared + rng.normal(size=400))
        covered += abs(gap.value) < 1.96 * gap.error
    assert 180 <= covered <= 199


def test_the_error_of_an_auc_is_that_of_repeated_samples() -> None:
    rng = np.random.default_rng(3)
    found = [
        np.mean(rng.normal(1.0, 1.0, 80)[:, None] > rng.normal(0.0, 1.0, 200)[None, :])
        for _ in range(300)
    ]
    assert auc_error(float(np.mean(found)), 80, 200) == pytest.approx(np.std(found), rel=0.15)
