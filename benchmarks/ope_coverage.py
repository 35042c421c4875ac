"""Do intervals of a policy's value hold? `python -m benchmarks.ope_coverage --json`.

U4: the logit-additive world with eight actions and a control, one fixed policy, its true
value from two million customers. Logs of 20,000 rows are drawn again and again, once with
constant chances and once by a rule that contacts customers likely to return more, its
chances logged. Doubly robust intervals must cover the truth in 93 to 97 % of them. The
mean expectation of the outcome model (the direct method) is judged beside them, here only:
how rarely its interval covers is why `winback evaluate-policy` has no such figure.
METHODS.md section 2.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from benchmarks.report import Bar, document, publish
from benchmarks.uplift_world import ACTIONS, COST, DISCOUNT, MARGIN, World, draw_world
from training.clustered_mean import NORMAL_95, Mean, clustered_mean
from training.effect_sample import NO_CONTACT, EffectSample
from training.policy_outcome import fit_outcomes
from training.policy_support import Policy, no_contact
from training.policy_value import PolicyDifference, PolicyValue, evaluate_policies

Floats = NDArray[np.float64]

ROWS, REPLICATIONS, TRUTH_ROWS = 20_000, 500, 2_000_000
DIRECT_REPLICATIONS = 100
"""The direct method needs a fit of its own, and is far from any limit."""

FIRST_SEED = 1000
LEAST, MOST = 0.93, 0.97
DIRECT = 0.5
"""The direct method covers far less, or this world could not tell valid from invalid."""

GAIN = "dr_over_no_contact"
ESTIMATORS = ("dr", "ips", "snips", "switch_dr", GAIN, "direct_method")
_CONTROL, _FLOOR = 0.2, 0.1


@dataclass(frozen=True, slots=True)
class Truth:
    """True profit per customer of the policy, and over no contact."""

    value: float
    gain: float


def main() -> int:
    """Replicate; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=REPLICATIONS)
    parser.add_argument("--rows", type=int, default=ROWS, help="of each log")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    truth = true_value(np.random.default_rng(5))
    figures: dict[str, Any] = {
        "rows": arguments.rows,
        "replications": arguments.replications,
        "true_value": round(truth.value, 5),
        "true_gain_over_no_contact": round(truth.gain, 5),
    }
    bars = []
    for name, chances in LOGGING.items():
        found = replicate(chances, rows=arguments.rows, replications=arguments.replications)
        judged = {
            estimator: judge(means, truth.gain if estimator == GAIN else truth.value)
            for estimator, means in found.items()
        }
        figures[name] = judged
        covered, direct = (judged[one]["coverage"] for one in ("dr", "direct_method"))
        bars += [
            Bar(f"{name}: coverage of doubly robust intervals", covered, LEAST, "at least"),
            Bar(f"{name}: the same, not too wide", covered, MOST, "at most"),
            Bar(f"{name}: coverage of the direct method", direct, DIRECT, "below"),
        ]
    report = document(
        "ope_coverage", figures=figures, bars=bars, packages=["lightgbm", "numpy", "scipy"]
    )
    return publish(report, as_json=arguments.json)


def target(world: World) -> NDArray[np.int16]:
    """The policy to judge: a phone call, an e-mail, an SMS or nothing, by three features."""
    x = world.x
    named = [ACTIONS.index(name) for name in ("phone/none", "sms/none", "email/none")]
    chosen = np.where(x[:, 6] > 0.5, named[2], NO_CONTACT)
    chosen = np.where(x[:, 5] > 0.0, named[1], chosen)
    return np.where(x[:, 7] > 0.2, named[0], chosen).astype(np.int16)


def true_value(rng: np.random.Generator, customers: int = TRUTH_ROWS) -> Truth:
    """The target policy's value in the world itself."""
    world = draw_world("additive", customers, rng)
    action = target(world)
    contacted = action != NO_CONTACT
    gain = np.where(contacted, world.gain[np.arange(customers), action], 0.0)
    natural = world.p0 * MARGIN * world.order_value
    return Truth(float(np.mean(natural + gain)), float(np.mean(gain)))


def constant_chances(world: World) -> Floats:
    """A randomised campaign: a fifth is control, the rest in equal parts."""
    share = (1.0 - _CONTROL) / len(ACTIONS)
    return np.tile([_CONTROL, *[share] * len(ACTIONS)], (len(world.p0), 1))


def confounded_chances(world: World) -> Floats:
    """A campaign that contacts the likely to return, and calls the rich; a tenth at random."""
    x, n_actions = world.x, len(ACTIONS)
    odds = np.zeros((len(x), n_actions + 1))
    odds[:, 0] = 1.5 - 0.8 * x[:, 0]
    for action in range(n_actions):
        calls = ACTIONS[action].startswith("phone/")
        odds[:, action + 1] = 0.7 * x[:, 3] - 0.4 if calls else 0.5 * x[:, 0]
    chances = np.exp(odds - odds.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    return np.asarray((1.0 - _FLOOR) * chances + _FLOOR / (n_actions + 1))


LOGGING: dict[str, Callable[[World], Floats]] = {
    "randomised": constant_chances,
    "confounded_but_logged": confounded_chances,
}


def draw_sample(world: World, chances: Floats, rng: np.random.Generator) -> EffectSample:
    """A log of the world: nothing of the truth is in it but what happened."""
    n, n_actions = len(world.p0), len(ACTIONS)
    drawn = (chances.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1).clip(0, n_actions)
    rows = np.arange(n)
    chance = np.column_stack([world.p0, world.p])[rows, drawn]
    returned = (rng.random(n) < chance).astype(np.int8)
    discount, cost = (np.append(0.0, prices)[drawn] for prices in (DISCOUNT, COST))
    return EffectSample(
        x=world.x,
        feature_names=tuple(f"x{at}" for at in range(world.x.shape[1])),
        # No model of natural returns helps the outcome model here.
        log_odds0=np.zeros(n),
        order_value=world.order_value,
        action=(drawn - 1).astype(np.int16),
        propensity=chances[rows, drawn],
        returned=returned,
        profit=returned * (MARGIN - discount) * world.order_value - cost,
        left=np.zeros(n, dtype=np.int8),
        cluster=np.arange(n, dtype=np.uint64),
        as_of_us=np.zeros(n, dtype=np.int64),
        actions=ACTIONS,
    )


def replicate(
    chances: Callable[[World], Floats], *, rows: int, replications: int
) -> dict[str, list[Mean]]:
    """Estimates of the policy's value on logs drawn again and again."""
    found = Parallel(n_jobs=-1)(
        delayed(_one)(chances, rows, number) for number in range(replications)
    )
    return {name: [one[name] for one in found if name in one] for name in ESTIMATORS}


def _one(chances: Callable[[World], Floats], rows: int, number: int) -> dict[str, Mean]:
    rng = np.random.default_rng(FIRST_SEED + number)
    world = draw_world("additive", rows, rng)
    sample = draw_sample(world, chances(world), rng)
    policy = Policy("target", target(world))
    report = evaluate_policies(sample, [policy, no_contact(rows)])
    value, difference = report.values[0], report.differences[0]
    found = {"direct_method": _direct(sample, policy)} if number < DIRECT_REPLICATIONS else {}
    if isinstance(value, PolicyValue):
        found |= {"dr": value.dr, "ips": value.ips, "snips": value.snips}
        if value.switch.value is not None:
            found["switch_dr"] = value.switch.value
    if isinstance(difference, PolicyDifference):
        found[GAIN] = difference.dr
    return found


def _direct(sample: EffectSample, policy: Policy) -> Mean:
    """Mean expectation of the outcome model, with the interval it seems to have."""
    return clustered_mean(fit_outcomes(sample, "profit").predict(policy.action), sample.cluster)


def judge(found: Sequence[Mean], truth: float) -> dict[str, float]:
    """Bias, spread and coverage of one estimator; `stated` are the logs it was not refused on."""
    value, se, low, high = (
        np.array([getattr(one, name) for one in found]) for name in ("value", "se", "low", "high")
    )
    return {
        "stated": len(found),
        "bias": round(float(np.mean(value - truth)), 5),
        "rmse": round(float(np.sqrt(np.mean((value - truth) ** 2))), 5),
        "mean_standard_error": round(float(np.mean(se)), 5),
        "coverage": round(float(np.mean((low <= truth) & (truth <= high))), 4),
        "above_interval": round(float(np.mean(truth > high)), 4),
        "below_interval": round(float(np.mean(truth < low)), 4),
        "coverage_of_normal_interval": round(
            float(np.mean(np.abs(value - truth) <= NORMAL_95 * se)), 4
        ),
    }


if __name__ == "__main__":
    sys.exit(main())
