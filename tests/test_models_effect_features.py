"""The features of effects: few, named, finite and on a ridge's scale."""

import numpy as np
import pytest
from feature_tables import AS_OFS, SPEC, history_of, microseconds, random_tables

from features.manifest import feature_manifest
from features.matrix import FeatureMatrix, build_matrix
from features.spec import FeatureSpec
from models.effect_features import LONG_AGO_DAYS, effect_features

BARE = FeatureSpec(("view", "purchase"), ("view", "purchase"), ("purchase",))


@pytest.fixture(scope="module")
def matrix() -> FeatureMatrix:
    history = history_of(random_tables(3, customers=40))
    return build_matrix(history, spec=SPEC, as_ofs=microseconds(AS_OFS))


def test_every_column_is_a_feature_and_finite(matrix: FeatureMatrix) -> None:
    x, names = effect_features(matrix.values, SPEC)
    assert x.shape == (len(matrix.values), len(names))
    assert 20 <= len(names) <= 35
    assert len(set(names)) == len(names)
    assert set(names) <= {feature.name for feature in feature_manifest(SPEC)}
    assert np.isfinite(x).all()
    assert np.abs(x).max() < 20


def test_days_counts_and_money_are_logarithms_and_shares_are_not(matrix: FeatureMatrix) -> None:
    x, names = effect_features(matrix.values, SPEC)
    orders = matrix.column("orders_lifetime").astype(np.float64)
    np.testing.assert_allclose(x[:, names.index("orders_lifetime")], np.log1p(orders))
    share = matrix.column("discount_share_lifetime").astype(np.float64)
    known = np.isfinite(share)
    assert known.any()
    column = x[:, names.index("discount_share_lifetime")]
    np.testing.assert_allclose(column[known], share[known])
    assert not column[~known].any()


def test_what_never_happened_is_long_ago(matrix: FeatureMatrix) -> None:
    values = np.full((1, matrix.values.shape[1]), np.nan, dtype=np.float32)
    x, names = effect_features(values, SPEC)
    assert x[0, names.index("recency_days_order")] == np.log1p(LONG_AGO_DAYS)
    assert x[0, names.index("orders_365d")] == 0.0


def test_without_channels_there_are_no_columns_of_contacts() -> None:
    values = np.zeros((2, len(feature_manifest(BARE))), dtype=np.float32)
    x, names = effect_features(values, BARE)
    assert x.shape[1] == len(names)
    assert not any(name.startswith("contacts_") for name in names)


def test_a_channel_called_any_keeps_its_own_columns() -> None:
    spec = FeatureSpec(("buy",), ("buy",), ("buy",), channels=("any", "sms"))
    values = np.zeros((1, len(feature_manifest(spec))), dtype=np.float32)
    _, names = effect_features(values, spec)
    assert "contacts_any_1_sent_30d" in names
    assert "contacts_any_sent_30d" in names
