from collections.abc import Sequence

import numpy as np
import pytest

from features.errors import UsageError
from models.contact_effect import EffectPriors
from training.observational_prior import ObservationalPrior, Verdict, discount_prior

CONFIGURED = EffectPriors(
    mean=np.array([0.2, 0.3, 0.4, 0.5]),
    channel_sd=np.array([0.2, 0.1]),
    offer_sd=np.array([0.0, 0.3]),
    moved=np.zeros(4, dtype=np.bool_),
)
"""Two channels a, b with two offers none, coupon; nothing is unsure about "none"."""


def observed(
    verdict: Verdict = "usable",
    weight: float = 0.2,
    mean: Sequence[float | None] = (1.0, 1.0, 0.5, None),
) -> ObservationalPrior:
    return ObservationalPrior(
        actions=("a/none", "a/coupon", "b/none", "b/coupon"),
        mean=np.array([0.0 if one is None else one for one in mean]),
        sd=np.array([np.inf if one is None else 0.1 for one in mean]),
        weight=weight,
        verdict=verdict,
        reasons=("why",),
    )


def test_precisions_add_up_at_the_weight() -> None:
    found = discount_prior(CONFIGURED, observed(mean=(1.0, None, None, None)))
    precision = 1 / 0.2**2 + 0.2 / 0.1**2
    assert found.mean[0] == pytest.approx((0.2 / 0.04 + 1.0 * 20) / precision)
    assert found.sd[0] == pytest.approx(precision**-0.5)
    # The other action of the channel learns as much; the other channel nothing.
    assert found.mean[1] - 0.3 == pytest.approx(found.mean[0] - 0.2)
    assert found.mean[2:] == pytest.approx([0.4, 0.5])
    assert found.moved.tolist() == [True, True, False, False]


def test_actions_share_what_their_channels_and_offers_have_in_common() -> None:
    rng = np.random.default_rng(1)
    draws = np.hstack([rng.normal(size=(400_000, 2)) * 0.2, rng.normal(size=(400_000, 2)) * 0.3])
    priors = EffectPriors(np.zeros(4), np.full(2, 0.2), np.full(2, 0.3), np.zeros(4, dtype=bool))
    truth = draws[:, [0, 0, 1, 1]] + draws[:, [2, 3, 2, 3]]
    seen = observed(mean=(0.3, None, 0.1, 0.2))
    found = discount_prior(priors, seen, 1.0)
    # The same by importance weights.
    known = np.isfinite(seen.sd)
    log = -0.5 * np.sum(((truth[:, known] - seen.mean[known]) / seen.sd[known]) ** 2, axis=1)
    weight = np.exp(log - log.max())
    assert found.mean == pytest.approx(np.average(truth, axis=0, weights=weight), abs=0.01)
    unknown = np.concatenate([found.channel_sd, found.offer_sd])
    centre = np.average(draws, axis=0, weights=weight)
    spread = np.average((draws - centre) ** 2, axis=0, weights=weight) ** 0.5
    assert unknown == pytest.approx(spread, abs=0.01)
    # No action looks surer than it is.
    exact = np.average((truth - found.mean) ** 2, axis=0, weights=weight) ** 0.5
    assert (found.sd > exact - 0.01).all()


def test_weight_one_counts_as_randomised_and_zero_as_nothing() -> None:
    full = discount_prior(CONFIGURED, observed(mean=(1.0, None, None, None)), 1.0)
    assert full.mean[0] == pytest.approx((0.2 / 0.04 + 1.0 / 0.01) / (25 + 100))
    assert discount_prior(CONFIGURED, observed(), 0.0) is CONFIGURED


def test_certainty_is_not_moved() -> None:
    certain = EffectPriors(CONFIGURED.mean, np.zeros(2), np.zeros(2), np.zeros(4, dtype=np.bool_))
    found = discount_prior(certain, observed())
    assert found.mean == pytest.approx(certain.mean)
    assert found.sd == pytest.approx(np.zeros(4))
    assert not found.moved.any()


@pytest.mark.parametrize("verdict", ["confounded", "untested", "no overlap", "too few"])
def test_a_study_that_failed_moves_nothing_whatever_weight_is_asked_for(verdict: Verdict) -> None:
    assert discount_prior(CONFIGURED, observed(verdict, 0.0), 0.3) is CONFIGURED


def test_a_weight_outside_0_to_1_and_other_actions_are_refused() -> None:
    with pytest.raises(UsageError, match=r"1\.5 is no weight"):
        discount_prior(CONFIGURED, observed(), 1.5)
    fewer = EffectPriors(np.zeros(2), np.ones(1), np.ones(2), np.zeros(2, dtype=np.bool_))
    with pytest.raises(UsageError, match="2 configured actions and 4 studied"):
        discount_prior(fewer, observed())


def test_json_has_null_where_there_is_no_estimate() -> None:
    document = observed(mean=(1.0, None, 0.5, None)).to_json()
    assert document["actions"]["a/coupon"] is None
    assert document["actions"]["a/none"] == {"mean": 1.0, "sd": 0.1}
    assert observed(mean=(1.0, None, 0.5, None)).used.tolist() == [True, False, True, False]
