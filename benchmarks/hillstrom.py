"""The product's choice on a real e-mail test, U2: `python -m benchmarks.hillstrom --json`.

Hillstrom's randomised test (64,000 customers; none, men's, women's e-mail; METHODS.md section
2), profit = .4 spend - .01 per e-mail. 50 random half splits: every policy is learnt on one
half and judged on the other by the doubly robust scores of training/policy_value.py.

The gated policy is the product's: natural return from the controls, training/effect_fit.py's
ladder with the product's own thresholds, the action of highest expected gain. A return is an
order, as in the retail preset. Visits are 18 times as frequent but stand in for money;
--compare-returns judges both inside the halves to learn from, and found no difference on
2026-11-22: visits minus orders 0.00003 a customer [-0.10, 0.10]. The policy learnt from visits
is reported beside it and counts for no bar.

The splits overlap: benchmarks/split_means.py says which intervals respect that. Bars are held
against the wider one, the JSON has both. "gated minus T-learner" comes twice: the point is what
the benchmark was asked for, the lower bound what METHODS.md calls significant.

Third-party learners (extra "bench", benchmarks/hillstrom_learners.py) are compared on the same
splits where installed; without them the JSON names what is missing and why.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from benchmarks.hillstrom_learners import Learner, find_learners, installed_versions
from benchmarks.hillstrom_trial import (
    ACTIONS,
    MENS,
    PRIORS,
    TERMS,
    WOMENS,
    MailTest,
    Return,
    Rows,
    read_mail_test,
    sample_rows,
)
from benchmarks.meta_learners import LEARNERS, predict_outcomes, trial_of
from benchmarks.report import Bar, document, publish, raw_data
from benchmarks.split_means import SplitMean, mean_of_estimates, mean_over_splits
from features.errors import DataError
from models.action_value import expected_gains
from models.contact_effect import ContactEffect
from training.clustered_mean import Mean
from training.effect_fit import EffectFit, fit_contact_effect
from training.effect_plan import EffectPlan
from training.effect_sample import NO_CONTACT, EffectSample
from training.policy_support import Policy, Refused
from training.policy_value import open_ledger
from training.uplift_curves import measure_uplift

Float64Array = NDArray[np.float64]
Actions = NDArray[np.int16]

SPLITS = 50
SEED = 2008
GATED, MENS_TO_ALL, T_LEARNER = "gated", "men's e-mail to all", "T"
INNER_SHARE = 0.9
"""Share of a half that --compare-returns learns from; it judges on the rest of that half."""

MOST_LOST = 0.02
"""Share of men's-to-all's value that the gated policy may lose, at the interval's low end."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One split.

    Attributes
    ----------
    judged : the customers of the half judged on.
    chosen : every policy's action for each of them.
    scores : doubly robust profit of each of them under no contact and each action, (n, 1 + A).
    rung : what the product's effect was learnt with, from orders and from visits.
    visit_rate : AUTOC of the women's e-mail on visits, ranked by the product's effect.
    """

    judged: Rows
    chosen: Mapping[str, Actions]
    scores: Float64Array
    rung: Mapping[Return, str]
    visit_rate: Mean

    def earned(self, policy: str) -> Float64Array:
        """Each judged customer's score under a policy."""
        chosen = self.chosen[policy]
        return np.asarray(self.scores[np.arange(len(chosen)), chosen + 1])


def main() -> int:
    """Judge all policies on all splits; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, default=SPLITS)
    parser.add_argument(
        "--compare-returns",
        action="store_true",
        help="inside the halves to learn from only: is an order or a visit the better return?",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    data = raw_data("hillstrom", ["hillstrom/hillstrom.csv"])
    if data is None:
        return 2
    start = perf_counter()
    test = read_mail_test(Path(data) / "hillstrom/hillstrom.csv")
    halves = [_halves(len(test), split) for split in range(arguments.splits)]
    bars: list[Bar] = []
    if arguments.compare_returns:
        figures = compare_returns(test, [learn for learn, _ in halves])
    else:
        learners, missing = find_learners()
        splits = [judge_split(test, *half, learners=learners) for half in halves]
        figures, bars = summarise(test, splits)
        figures["third_party"] = {"versions": installed_versions(), "missing": missing}
    figures["seconds"] = round(perf_counter() - start, 1)
    packages = ["lightgbm", "numpy", "pandas", "scikit-learn", "scipy"]
    report = document("hillstrom", figures=figures, bars=bars, packages=packages)
    return publish(report, as_json=arguments.json)


def judge_split(
    test: MailTest, learn: Rows, judge: Rows, *, learners: Mapping[str, Learner]
) -> Judged:
    """Learn every policy on one half and judge it on the other."""
    orders, judged = sample_rows(test, learn, judge, kind="order")
    visits, judged_visits = sample_rows(test, learn, judge, kind="visit")
    by_orders, by_visits = learn_effect(orders), learn_effect(visits)
    chosen: dict[str, Actions] = {
        "no e-mail": _constant(NO_CONTACT, judged),
        MENS_TO_ALL: _constant(MENS, judged),
        "women's e-mail to all": _constant(WOMENS, judged),
        GATED: choose(by_orders.model, judged),
        "gated, visits as returns": choose(by_visits.model, judged_visits),
    }
    trial = trial_of(orders, orders.profit, binary=False)
    new = np.c_[judged.x, judged.log_odds0]
    for name in LEARNERS:
        outcomes = predict_outcomes(name, trial, new)
        chosen[name.upper()] = _best(outcomes[:, 1:] - outcomes[:, :1])
    chosen |= {name: _best(learner(trial, new)) for name, learner in learners.items()}
    return Judged(
        judged=judge,
        chosen=chosen,
        scores=action_scores(judged),
        rung={"order": by_orders.report.rung, "visit": by_visits.report.rung},
        visit_rate=_womens_visit_rate(by_visits.model, judged_visits),
    )


def learn_effect(sample: EffectSample) -> EffectFit:
    """The product's effect with its own thresholds."""
    return fit_contact_effect(sample, priors=PRIORS, terms=TERMS, plan=EffectPlan())


def choose(effect: ContactEffect, sample: EffectSample) -> Actions:
    """The product's action: the highest expected gain, no contact where none gains."""
    shifts = effect.means(sample.log_odds0, sample.x)
    gains = expected_gains(
        expit(sample.log_odds0),
        expit(sample.log_odds0[:, None] + shifts),
        order_value=sample.order_value,
        attrition_cost=np.zeros(len(ACTIONS)),
        terms=TERMS,
    )
    return _best(gains)


def action_scores(sample: EffectSample) -> Float64Array:
    """Doubly robust profit of each row under no contact and each action, shape (n, 1 + A)."""
    ledger = open_ledger(sample, "profit")
    codes = range(NO_CONTACT, len(ACTIONS))
    return np.column_stack(
        [ledger.scores(Policy(f"{code}", _constant(code, sample))) for code in codes]
    )


def compare_returns(test: MailTest, halves: Sequence[Rows]) -> dict[str, Any]:
    """Profit by what counts as a return, learnt and judged inside the halves to learn from."""
    kinds: tuple[Return, ...] = ("order", "visit")
    judged: list[Rows] = []
    found: dict[str, list[Float64Array]] = {kind: [] for kind in (*kinds, MENS_TO_ALL)}
    for split, half in enumerate(halves):
        order = np.random.default_rng([SEED, split, 1]).permutation(half)
        cut = int(INNER_SHARE * len(half))
        first, second = np.sort(order[:cut]), np.sort(order[cut:])
        samples = {kind: sample_rows(test, first, second, kind=kind) for kind in kinds}
        scores = action_scores(samples["order"][1])
        rows = np.arange(len(second))
        judged.append(second)
        found[MENS_TO_ALL].append(scores[:, MENS + 1])
        for kind, (learnt, other) in samples.items():
            chosen = choose(learn_effect(learnt).model, other)
            found[kind].append(scores[rows, chosen + 1])

    ratio = (1.0 - INNER_SHARE) / INNER_SHARE

    def minus(name: str, other: str) -> dict[str, Any]:
        pairs = zip(found[name], found[other], strict=True)
        gaps = [one - two for one, two in pairs]
        mean = mean_over_splits(gaps, judged, customers=len(test), judged_per_learnt=ratio)
        return mean.to_json()

    return {
        "splits": len(halves),
        "visit minus order": minus("visit", "order"),
        **{f"{kind} minus {MENS_TO_ALL}": minus(kind, MENS_TO_ALL) for kind in kinds},
    }


def summarise(test: MailTest, splits: Sequence[Judged]) -> tuple[dict[str, Any], list[Bar]]:
    """Values, paired differences and the visit RATE, averaged over the splits; and the bars."""
    judged = [one.judged for one in splits]

    def mean(scores: Callable[[Judged], Float64Array]) -> SplitMean:
        return mean_over_splits([scores(one) for one in splits], judged, customers=len(test))

    def minus(name: str, other: str) -> SplitMean:
        return mean(lambda one: one.earned(name) - one.earned(other))

    mens = mean(lambda one: one.earned(MENS_TO_ALL))
    to_mens, to_t = minus(GATED, MENS_TO_ALL), minus(GATED, T_LEARNER)
    rate = mean_of_estimates(
        np.array([one.visit_rate.value for one in splits]),
        np.array([one.visit_rate.se for one in splits]),
    )

    def table_row(name: str) -> dict[str, Any]:
        return {
            "profit_per_customer": mean(lambda one: one.earned(name)).to_json(),
            "minus_mens_to_all": minus(name, MENS_TO_ALL).to_json(),
            "gated_minus_this": minus(GATED, name).to_json(),
            "shares_none_mens_womens": _shares(splits, name),
        }

    figures = {
        "splits": len(splits),
        "customers": len(test),
        "rungs": {kind: dict(Counter(one.rung[kind] for one in splits)) for kind in splits[0].rung},
        "policies": {name: table_row(name) for name in splits[0].chosen},
        "womens_visit_autoc": rate.to_json(),
    }
    bars = [
        Bar(
            "gated minus men's to all, lower 95 % bound, share of the latter's value",
            to_mens.low / mens.value,
            -MOST_LOST,
            "at least",
        ),
        Bar("gated minus T-learner", to_t.value, 0.0, "at least"),
        Bar("gated minus T-learner, lower 95 % bound", to_t.low, 0.0, "at least"),
        Bar("women's e-mail, visit RATE, lower 95 % bound", rate.low, 0.0, "at least"),
    ]
    return figures, bars


def _halves(n: int, split: int) -> tuple[Rows, Rows]:
    order = np.random.default_rng([SEED, split]).permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def _womens_visit_rate(effect: ContactEffect, sample: EffectSample) -> Mean:
    """AUTOC on the customers who got the women's e-mail or none."""
    rows = sample.take(sample.action != MENS)
    # Of two arms left, each was as likely as the other.
    rows = replace(rows, propensity=np.full(len(rows), 0.5))
    shift = effect.means(rows.log_odds0, rows.x)[:, WOMENS]
    gain = expit(rows.log_odds0 + shift) - expit(rows.log_odds0)
    found = measure_uplift(
        rows,
        Policy("women's e-mail", _constant(WOMENS, rows)),
        gain,
        outcome="returns",
        rng=np.random.default_rng(SEED),
    )
    if isinstance(found, Refused):
        raise DataError(found.text)
    return found.autoc


def _shares(splits: Sequence[Judged], policy: str) -> list[float]:
    counts = [
        np.bincount(one.chosen[policy] + 1, minlength=1 + len(ACTIONS)) / len(one.judged)
        for one in splits
    ]
    return [round(float(share), 4) for share in np.mean(counts, axis=0)]


def _constant(action: int, sample: EffectSample) -> Actions:
    return np.full(len(sample), action, dtype=np.int16)


def _best(gains: Float64Array) -> Actions:
    """The action of highest gain, no contact where none is above zero; shape (n,)."""
    best = gains.argmax(axis=1)
    gaining = gains[np.arange(len(best)), best] > 0.0
    return np.where(gaining, best, NO_CONTACT).astype(np.int16)


if __name__ == "__main__":
    sys.exit(main())
