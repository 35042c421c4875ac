"""A feature that nearly is the label raises the alarm; rare categories and noise do not."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from training.leak_audit import AuditRows
from training.leak_audit_ranking import check_ranking, cross_fitted_auc, single_feature_aucs

Rng = np.random.Generator


def rows_of(columns: list[Any], labels: Any, *, customers: int | None = None) -> AuditRows:
    n = len(labels)
    customer = np.arange(n) if customers is None else np.arange(n) % customers
    return AuditRows(
        np.stack([np.asarray(column, dtype=np.float32) for column in columns], axis=1),
        np.asarray(labels, dtype=np.int8),
        np.zeros(n, dtype=np.int16),
        customer.astype(np.uint64),
    )


def labels_of(rng: Rng, n: int = 4000, share: float = 0.2) -> Any:
    return (rng.random(n) < share).astype(np.int8)


def checked(columns: list[Any], labels: Any, *, codes: tuple[int, ...] = ()) -> Any:
    names = tuple(f"f{number}" for number in range(len(columns)))
    categorical = np.isin(np.arange(len(columns)), codes)
    return check_ranking(
        rows_of(columns, labels), subject="natural_return", names=names, categorical=categorical
    )


def test_the_rank_auc_is_the_textbook_one() -> None:
    rng = np.random.default_rng(1)
    labels = labels_of(rng)
    tied = np.round(labels + rng.normal(0, 1.0, len(labels)), 1)
    found = single_feature_aucs(
        rows_of([tied, -tied], labels), categorical=np.zeros(2, dtype=np.bool_)
    )
    expected = roc_auc_score(labels, tied.astype(np.float32))
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert np.all(found >= expected - 1e-12)


def test_noise_raises_no_alarm() -> None:
    rng = np.random.default_rng(2)
    labels = labels_of(rng)
    check = checked([rng.normal(size=len(labels)) for _ in range(40)], labels)
    assert check.verdict == "passed"
    assert max(v for k, v in check.figures.items() if k.startswith("auc.")) < 0.6


def planted(kind: str, labels: Any, rng: Rng) -> Any:
    n = len(labels)
    if kind == "grows with the label":
        return labels * 3.0 + rng.normal(size=n)
    if kind == "falls with the label":
        return -5.0 * labels + rng.normal(size=n)
    if kind == "missing for the label":
        return np.where(labels == 1, np.nan, rng.normal(size=n))
    if kind == "missing without the label":
        return np.where(labels == 1, rng.normal(size=n), np.nan)
    if kind == "far from the middle":
        return np.where(labels == 1, 9.0 * rng.choice([-1, 1], n), 0.0) + rng.normal(size=n)
    raise AssertionError(kind)


@pytest.mark.parametrize(
    "kind",
    [
        "grows with the label",
        "falls with the label",
        "missing for the label",
        "missing without the label",
        "far from the middle",
    ],
)
def test_a_planted_number_is_named(kind: str) -> None:
    rng = np.random.default_rng(3)
    labels = labels_of(rng)
    check = checked([rng.normal(size=len(labels)), planted(kind, labels, rng)], labels)
    assert check.verdict == "failed"
    assert check.named == ("f1",)
    assert "f1" in check.meaning and check.fix is not None


def test_a_planted_category_is_named_whatever_its_codes() -> None:
    rng = np.random.default_rng(4)
    labels = labels_of(rng)
    churned = np.where(labels == 1, rng.choice([3.0, 17.0], len(labels)), 8.0)
    check = checked([churned], labels, codes=(0,))
    assert check.named == ("f0",)


def test_a_missing_category_is_a_category() -> None:
    rng = np.random.default_rng(5)
    labels = labels_of(rng)
    check = checked([np.where(labels == 1, np.nan, 2.0)], labels, codes=(0,))
    assert check.named == ("f0",)


def test_rare_categories_do_not_look_like_leaks() -> None:
    """In one sample, ranking 2,000 codes of two rows each by their own rate gives 0.98."""
    rng = np.random.default_rng(6)
    labels = labels_of(rng, share=0.5)
    codes = rng.integers(0, 2000, len(labels)).astype(np.float64)
    assert checked([codes], labels, codes=(0,)).verdict == "passed"
    everyone = np.ones(len(labels), dtype=np.bool_)
    half = np.arange(len(labels)) % 2 == 0
    found = cross_fitted_auc(codes.astype(np.int64), labels == 1, half)
    assert abs(found - 0.5) < 0.05
    assert cross_fitted_auc(np.zeros(len(labels), dtype=np.int64), labels == 1, everyone) == 0.5


@pytest.mark.parametrize("positives", [0, 49])
def test_too_few_positives_are_not_judged(positives: int) -> None:
    labels = np.zeros(3000, dtype=np.int8)
    labels[:positives] = 1
    check = checked([labels.astype(np.float64)], labels)
    assert check.verdict == "not checked"
    assert str(positives) in check.meaning


def test_missing_everywhere_is_no_information() -> None:
    rng = np.random.default_rng(7)
    labels = labels_of(rng)
    check = checked([np.full(len(labels), np.nan), np.zeros(len(labels))], labels)
    assert check.verdict == "passed"
    assert check.figures["auc.f0"] == check.figures["auc.f1"] == 0.5


def test_the_sample_is_of_whole_customers_and_repeatable() -> None:
    rng = np.random.default_rng(8)
    rows = rows_of([rng.normal(size=20_000)], labels_of(rng, 20_000), customers=4000)
    one, other = rows.sampled(5000), rows.sampled(5000)
    assert 4000 < len(one) < 6000
    assert one.values.tobytes() == other.values.tobytes()
    counts = np.unique(one.customer, return_counts=True)[1]
    assert set(counts.tolist()) == {5}
    assert rows.sampled(20_000) is rows
