"""Every feature against the pandas oracle, on random histories."""

import importlib
import pkgutil

import numpy as np
import pandas as pd
import pytest
from feature_oracle import oracle_matrix
from feature_tables import AS_OFS, SPEC, history_of, microseconds, random_tables
from numba.core.dispatcher import Dispatcher

from features import kernels, return_counts, stage_state
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


def test_no_kernel_calls_a_kernel_of_another_file() -> None:
    """numba's cache notices changes in a kernel's own file only (docs/adr/0003)."""
    modules = [
        importlib.import_module(f"features.kernels.{module.name}")
        for module in pkgutil.iter_modules(kernels.__path__)
    ]
    dispatchers = [
        value
        for module in [*modules, return_counts, stage_state]
        for value in vars(module).values()
        if isinstance(value, Dispatcher) and value.py_func.__module__ == module.__name__
    ]
    assert len(dispatchers) >= 20
    foreign = [
        f"{kernel.py_func.__qualname__} calls {name}"
        for kernel in dispatchers
        for name in kernel.py_func.__code__.co_names
        if isinstance(kernel.py_func.__globals__.get(name), Dispatcher)
        and kernel.py_func.__globals__[name].py_func.__module__ != kernel.py_func.__module__
    ]
    assert foreign == []
