"""Small logs of contacts whose effects are known, to test what is inferred from them."""

from typing import Literal

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from training.contact_rows import ContactRows
from training.contact_verdict import StudyPlan
from training.propensity_forests import PropensityPlan

ACTIONS = ("email/none", "email/coupon", "sms/none", "sms/coupon")
SHIFTS = np.array([0.3, 0.6, 0.0, 0.5])
SEEN, UNSEEN = 0.8, 0.6
"""Weights of the recorded and the unrecorded trait on the log-odds of a return."""
QUICK = StudyPlan(
    propensity=PropensityPlan(contact_rounds=20, channel_rounds=10, offer_rounds=5),
    outcome_rounds=20,
)
TINY = StudyPlan(
    propensity=PropensityPlan(contact_rounds=5, channel_rounds=3, offer_rounds=2, folds=2),
    outcome_rounds=5,
)
DAY_US = 86_400_000_000

Rule = Literal["random", "observed", "hidden"]


def contact_world(
    n: int,
    *,
    seed: int,
    rule: Rule,
    share: float = 0.4,
    shifts: np.ndarray = SHIFTS,
    per_customer: int = 2,
) -> ContactRows:
    """Customers at cutoffs, contacted at random, by what is recorded, or by what is not.

    Two traits raise returns and signs of life before alike: one is a feature, one nobody
    recorded. `rule` says which of them decides about contacts.
    """
    rng = np.random.default_rng(seed)
    owner = np.arange(n) // per_customer
    customers = int(owner.max()) + 1
    seen = rng.normal(size=customers)[owner]
    unseen = rng.normal(size=customers)[owner]
    other = rng.normal(size=(n, 2))
    base = logit(share)
    score = {"random": np.zeros(n), "observed": 1.0 * seen, "hidden": 1.0 * unseen}[rule]
    contacted = rng.uniform(size=n) < expit(base + score)
    which = rng.choice(len(ACTIONS), size=n, p=[0.4, 0.3, 0.2, 0.1])
    action = np.where(contacted, which, -1).astype(np.int16)
    chance = expit(-1.5 + SEEN * seen + UNSEEN * unseen + np.append(shifts, 0.0)[action])
    before = expit(-0.5 + SEEN * seen + UNSEEN * unseen)
    x = np.column_stack([seen, other]).astype(np.float32)
    hashes = rng.integers(0, 2**63, size=customers).astype(np.uint64)
    return ContactRows(
        x=x,
        x_before=x,
        feature_names=("seen", "noise_a", "noise_b"),
        action=action,
        possible=np.ones((n, len(ACTIONS)), dtype=np.bool_),
        returned=(rng.uniform(size=n) < chance).astype(np.int8),
        before=(rng.uniform(size=n) < before).astype(np.int8),
        testable=np.ones(n, dtype=np.bool_),
        later=np.zeros(n, dtype=np.bool_),
        cluster=hashes[owner],
        as_of_us=(rng.integers(0, 20, size=n) * 7 * DAY_US).astype(np.int64),
        actions=ACTIONS,
    )


def true_shift(shift: float) -> float:
    """The shift given what is recorded: averaged over the unrecorded trait it is smaller."""
    points, weights = np.polynomial.hermite_e.hermegauss(31)
    weights /= weights.sum()
    grid = np.linspace(-3.0, 3.0, 61)
    mass = np.exp(-(grid**2) / 2)
    mass /= mass.sum()

    def chance(extra: float) -> np.ndarray:
        given = expit(-1.5 + SEEN * grid[:, None] + UNSEEN * points + extra)
        return np.asarray(given @ weights)

    base, target = logit(chance(0.0)), mass @ chance(shift)
    return float(brentq(lambda c: mass @ expit(base + c) - target, -5.0, 5.0))
