"""Every feature against the pandas oracle, on random histories."""

import numpy as np
import pandas as pd
import pytest
from feature_oracle import oracle_matrix
from feature_tables import AS_OFS, SPEC, history_of, microseconds, random_tables

from features.manifest import feature_manifest
from features.matrix import FeatureMatrix, build_matrix


def assert_equal_to_oracle(matrix: FeatureMatrix, expected: pd.DataFrame) -> None:
    frame = matrix.to_frame()
    assert list(frame.index) == list(expected.index)
    assert set(frame.columns) == set(expected.columns)
    for name in frame.columns:
        np.testing.assert_allclose(
            frame[name].to_numpy(dtype=float),
            expected[name].to_numpy(dtype=float),
            rtol=2e-6,
            atol=1e-6,
            err_msg=name,
        )


@pytest.mark.parametrize("seed", range(8))
def test_every_feature_equals_the_oracle(seed: int) -> None:
    tables = random_tables(seed)

    matrix = build_matrix(history_of(tables), spec=SPEC, as_ofs=microseconds(AS_OFS))

    assert_equal_to_oracle(matrix, oracle_matrix(tables, spec=SPEC, as_ofs=AS_OFS))


def test_the_oracle_covers_every_declared_feature_with_a_value() -> None:
    tables = random_tables(99, customers=40)

    expected = oracle_matrix(tables, spec=SPEC, as_ofs=AS_OFS)

    assert set(expected.columns) == {feature.name for feature in feature_manifest(SPEC)}
    constant = [name for name in expected.columns if expected[name].nunique() < 2]
    assert constant == []
