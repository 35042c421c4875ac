"""Penalties learnt from the data: what is there is found, what is not is shrunk away."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from models.evidence_ridge import Groups, Part, Posterior, fit_evidence_ridge

Floats = NDArray[np.float64]
TRUE = np.array([0.8, -0.5, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0])


def groups(of: list[int], precision: list[float], *, free: bool = True) -> Groups:
    first = np.array(precision)
    return Groups(
        of=np.array(of, dtype=np.int64),
        precision=first,
        least=np.full(len(first), 1e-3) if free else first,
        most=np.full(len(first), 1e6) if free else first,
        behind=np.zeros(len(first)),
    )


def draw(n: int, seed: int = 1) -> tuple[Floats, Floats, Floats]:
    """A design, labels of `TRUE`, and the offset they were drawn with."""
    rng = np.random.default_rng(seed)
    design, offset = rng.normal(size=(n, len(TRUE))), rng.normal(-1.0, 0.7, n)
    labels = (rng.random(n) < expit(offset + design @ TRUE)).astype(np.float64)
    return design, labels, offset


def fit(
    design: Floats, labels: Floats, *, offset: Floats, groups: Groups, pieces: int = 1
) -> Posterior:
    """The fit on rows of one design, in so many parts."""
    parts = [
        Part(design[rows], np.eye(design.shape[1]), labels[rows], offset[rows])
        for rows in np.array_split(np.arange(len(labels)), pieces)
    ]
    return fit_evidence_ridge(parts, groups=groups)


TWO = groups([0, 0, 0, 1, 1, 1, 1, 1], [1.0, 1.0])


def test_planted_coefficients_are_found_and_noise_is_shrunk_away() -> None:
    design, labels, offset = draw(8000)
    noise = np.random.default_rng(8).normal(size=(8000, 60))
    design = np.c_[design[:, :3], noise]
    of = [0] * 3 + [1] * 60
    found = fit(design, labels, offset=offset, groups=groups(of, [1.0, 1.0]))
    weak = groups(of, [1.0, 1.0], free=False)
    plain = fit(design, labels, offset=offset, groups=weak)
    sd = np.sqrt(np.diag(found.covariance))
    assert (np.abs(found.mean[:3] - TRUE[:3]) < 4 * sd[:3]).all()
    assert np.abs(found.mean[3:]).max() < 0.02 < 0.06 < np.abs(plain.mean[3:]).max()
    assert found.precision[0] < 20 < 1000 < found.precision[1]


def test_with_fixed_penalties_it_is_the_penalised_likelihoods_maximum() -> None:
    design, labels, offset = draw(900)
    fixed = groups([0, 0, 0, 1, 1, 1, 1, 1], [2.0, 40.0], free=False)
    penalty = fixed.precision[fixed.of]

    def loss(b: Floats) -> tuple[float, Floats]:
        z = offset + design @ b
        value = np.logaddexp(0, z).sum() - labels @ z + 0.5 * penalty @ b**2
        return float(value), design.T @ (expit(z) - labels) + penalty * b

    best = minimize(loss, np.zeros(8), jac=True, method="BFGS", options={"gtol": 1e-8})
    found = fit(design, labels, offset=offset, groups=fixed)
    sd = np.sqrt(np.diag(found.covariance))
    assert (found.mean - best.x) / sd == pytest.approx(np.zeros(8), abs=0.02)
    chance = expit(offset + design @ found.mean)
    curvature = (design * (chance * (1 - chance))[:, None]).T @ design + np.diag(penalty)
    assert found.covariance == pytest.approx(np.linalg.inv(curvature), abs=1e-4)
    assert (found.precision == fixed.precision).all()


def test_the_offset_stands_for_what_is_known_already() -> None:
    design, labels, offset = draw(5000)
    known = fit(design, labels, offset=offset + design @ TRUE, groups=TWO)
    assert np.abs(known.mean).max() < 0.05


def test_the_order_of_rows_and_their_parts_do_not_matter() -> None:
    design, labels, offset = draw(2000)
    one = fit(design, labels, offset=offset, groups=TWO)
    order = np.random.default_rng(5).permutation(2000)
    other = fit(design[order], labels[order], offset=offset[order], groups=TWO, pieces=6)
    assert other.mean == pytest.approx(one.mean, abs=1e-8)
    assert other.covariance == pytest.approx(one.covariance, abs=1e-9)


def test_parts_that_read_few_coefficients_are_rows_of_the_whole_design() -> None:
    """Half of the rows know only the first three columns, added up for the first coefficient."""
    design, labels, offset = draw(2000)
    mixing = np.zeros((3, 8))
    mixing[:, 0], mixing[1, 4] = 1.0, 2.0
    whole = design.copy()
    whole[:1000] = design[:1000, :3] @ mixing
    expected = fit(whole, labels, offset=offset, groups=TWO)
    found = fit_evidence_ridge(
        [
            Part(design[:1000, :3], mixing, labels[:1000], offset[:1000]),
            Part(design[1000:], np.eye(8), labels[1000:], offset[1000:]),
        ],
        groups=TWO,
    )
    assert found.mean == pytest.approx(expected.mean, abs=1e-9)


def test_bounds_of_penalties_are_kept_and_a_backed_guess_holds_longer() -> None:
    design, labels, offset = draw(8000)
    bounded = replace(TWO, least=np.array([50.0, 1.0]), most=np.array([90.0, 60.0]))
    found = fit(design, labels, offset=offset, groups=bounded)
    assert found.precision[0] == 50.0
    assert found.precision[1] == 60.0
    backed = replace(TWO, behind=np.array([0.0, 50.0]))
    held = fit(design, labels, offset=offset, groups=backed)
    free = fit(design, labels, offset=offset, groups=TWO)
    assert held.precision[1] < free.precision[1]


def test_without_rows_the_prior_stays() -> None:
    found = fit(
        np.zeros((0, 2)),
        np.zeros(0),
        offset=np.zeros(0),
        groups=groups([0, 1], [4.0, 9.0], free=False),
    )
    assert found.mean == pytest.approx(np.zeros(2))
    assert found.covariance == pytest.approx(np.diag([1 / 4, 1 / 9]))


def test_a_matrix_without_an_inverse_is_refused() -> None:
    design = np.array([[np.nan, 1.0], [1.0, 0.0]])
    fixed = groups([0, 1], [4.0, 9.0], free=False)
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        fit(design, np.array([0.0, 1.0]), offset=np.zeros(2), groups=fixed)
