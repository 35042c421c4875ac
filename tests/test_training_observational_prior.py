from dataclasses import dataclass

import numpy as np
import pytest

from features.errors import UsageError
from training.observational_prior import ObservationalPrior, Verdict, discount_prior


@dataclass(frozen=True)
class Priors:
    mean: np.ndarray
    sd: np.ndarray


CONFIGURED = Priors(np.array([0.2, 0.3, 0.4]), np.array([0.2, 0.0, 0.1]))


def observed(verdict: Verdict = "usable", weight: float = 0.2) -> ObservationalPrior:
    return ObservationalPrior(
        actions=("a/none", "b/none", "c/none"),
        mean=np.array([1.0, 1.0, 0.0]),
        sd=np.array([0.1, 0.1, np.inf]),
        weight=weight,
        verdict=verdict,
        reasons=("why",),
    )


def test_precisions_add_up_at_the_weight_and_what_is_certain_or_unknown_stays() -> None:
    found = discount_prior(CONFIGURED, observed())
    precision = 1 / 0.2**2 + 0.2 / 0.1**2
    assert found.mean == pytest.approx([(0.2 / 0.04 + 1.0 * 20) / precision, 0.3, 0.4])
    assert found.sd == pytest.approx([precision**-0.5, 0.0, 0.1])
    assert found.moved.tolist() == [True, False, False]


def test_weight_one_counts_as_randomised_and_zero_as_nothing() -> None:
    full = discount_prior(CONFIGURED, observed(), 1.0)
    assert full.mean[0] == pytest.approx((0.2 / 0.04 + 1.0 / 0.01) / (25 + 100))
    none = discount_prior(CONFIGURED, observed(), 0.0)
    assert none.mean == pytest.approx(CONFIGURED.mean)
    assert none.sd == pytest.approx(CONFIGURED.sd)
    assert not none.moved.any()


@pytest.mark.parametrize("verdict", ["confounded", "untested", "no overlap", "too few"])
def test_a_study_that_failed_moves_nothing_whatever_weight_is_asked_for(verdict: Verdict) -> None:
    found = discount_prior(CONFIGURED, observed(verdict, 0.0), 0.3)
    assert found.mean == pytest.approx(CONFIGURED.mean)
    assert not found.moved.any()


def test_a_weight_outside_0_to_1_and_other_actions_are_refused() -> None:
    with pytest.raises(UsageError, match=r"1\.5 is no weight"):
        discount_prior(CONFIGURED, observed(), 1.5)
    with pytest.raises(UsageError, match="2 configured actions and 3 studied"):
        discount_prior(Priors(np.zeros(2), np.ones(2)), observed())


def test_json_has_null_where_there_is_no_estimate() -> None:
    document = observed().to_json()
    assert document["actions"]["c/none"] is None
    assert document["actions"]["a/none"] == {"mean": 1.0, "sd": 0.1}
    assert observed().moved.tolist() == [True, True, False]
