"""Settings of the whole test run, and the small shop that nights are tested on."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from models.bundle import Bundle
    from pipelines.config import Config

# As the command does: waiting OpenMP threads must not spin, or LightGBM crawls on busy machines.
# What loads LightGBM is imported after this, inside the fixtures.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Our matrices are small; BLAS threads would only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> "Config":
    """One warehouse for all tests that only read it."""
    from night_home import make_night_home

    return make_night_home(tmp_path_factory.mktemp("shop") / "home")


@pytest.fixture
def shop(home: "Config", tmp_path: Path) -> "Config":
    """The same shop with a lists folder and decisions of its own."""
    from night_home import copy_home

    return copy_home(home, tmp_path / "home")


@pytest.fixture
def champions(home: "Config", monkeypatch: pytest.MonkeyPatch) -> "dict[str, Bundle]":
    """Both champions, without MLflow; tests may change them."""
    from night_home import fit_champions, serving

    from pipelines import nightly_inputs

    bundles = dict(fit_champions(home))
    monkeypatch.setattr(nightly_inputs, "champion", serving(bundles))
    return bundles
