"""Past contacts on known truth: is confounding taken out where it can be, and told where not?

Small logs are drawn many times, with contacts at random, by a recorded trait and by one nobody
recorded. Then whole shops are simulated, ingested and studied: the same customers and effects,
contacted by lots, by a rule of recency and money, and by somebody with hidden knowledge.

Example: python -m benchmarks.contact_study --replications 200 --json
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.contact_worlds import ACTIONS, QUICK, SHIFTS, Rule, contact_world, true_shift
from benchmarks.report import Bar, document, publish
from features.contract import Kind
from pipelines.config import load_config
from pipelines.contact_study import run_contact_study
from pipelines.ingest import run_ingest
from pipelines.init import write_config
from pipelines.simulate.app import simulate_plan
from pipelines.simulate.files import CONTACTS_NAME, CUSTOMERS_NAME, EVENTS_PATTERN
from pipelines.simulate.plan import SimulationPlan
from pipelines.simulate.worlds import WorldPlan
from training.contact_study import ContactStudy, study_rows
from training.contact_verdict import StudyPlan

PACKAGES = ("lightgbm", "numpy", "scikit-learn", "scipy")
END = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SHOPS = (
    ("none", "human"),
    ("constant", "human"),
    ("constant", "randomised"),
    ("constant", "confounded"),
)
"""World of effects and who decided about contacts."""


def replicate(rule: Rule, replications: int, plan: StudyPlan, *, rows: int) -> dict[str, float]:
    """Shares over many small logs: placebos passed, intervals that hold the truth.

    Parameters
    ----------
    rule : what decided about contacts.
    replications : logs to draw.
    plan : of the studies.
    rows : of each log.
    """
    truths = {name: true_shift(shift) for name, shift in zip(ACTIONS, SHIFTS, strict=True)}
    passed, held, plain, errors = [], [], [], []
    for seed in range(replications):
        study = study_rows(contact_world(rows, seed=seed, rule=rule), plan)
        overall = study.placebo.overall if study.placebo is not None else None
        if overall is not None and overall.shift is not None and overall.sd is not None:
            passed.append(overall.covers_zero())
            errors.append(overall.shift / overall.sd)
        for one in study.actions:
            effect = one.effect
            if effect is None or effect.shift is None or effect.sd is None:
                continue
            held.append(abs(effect.shift - truths[one.name]) <= 1.96 * effect.sd)
            naive = np.inf if effect.naive is None else effect.naive
            plain.append(abs(naive - truths[one.name]) <= 1.96 * effect.sd)
    return {
        "placebos": float(len(passed)),
        "placebo_passed": float(np.mean(passed)),
        "placebo_mean_error": float(np.mean(errors)),
        "placebo_error_spread": float(np.std(errors)),
        "coverage": float(np.mean(held)),
        "coverage_of_plain_difference": float(np.mean(plain)),
    }


def study_shop(world: str, policy: str, *, customers: int, days: int) -> ContactStudy:
    """Simulate a shop, ingest it and study its contacts."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        raw = home / "raw"
        plan = SimulationPlan(
            preset="retail",
            customers=customers,
            days=days,
            end=END,
            seed=7,
            world=WorldPlan(world=world, policy=policy, gamma=4.0),
        )
        simulate_plan(plan, out=raw)
        write_config("retail", home)
        config = load_config(home)
        files: tuple[tuple[Kind, str], ...] = (
            ("customers", CUSTOMERS_NAME),
            ("events", EVENTS_PATTERN),
            ("contacts", CONTACTS_NAME),
        )
        for kind, name in files:
            run_ingest(config, kind, [str(raw / name)], now=NOW)
        return run_contact_study(config, as_of=END, track=False, now=NOW).study


def describe_shop(study: ContactStudy) -> dict[str, Any]:
    """The figures of all contacts together."""
    found: dict[str, Any] = {"verdict": study.prior.verdict, "contacted": study.contacted}
    if study.any_contact is not None and study.any_contact.effect is not None:
        found["effect"] = study.any_contact.effect.to_json()
        found["smd_after"] = study.any_contact.overlap.smd_after
    if study.placebo is not None and study.placebo.overall is not None:
        found["placebo"] = study.placebo.overall.to_json()
    return found


def shop_bars(shops: dict[str, dict[str, Any]]) -> Iterator[Bar]:
    """What the simulated shops must show."""
    no_effect, by_rule = shops["none/human"]["effect"], shops["constant/human"]["effect"]
    by_lot = shops["constant/randomised"]["effect"]
    error = float(np.hypot(by_rule["sd"], by_lot["sd"]))
    hidden = shops["constant/confounded"]
    yield Bar(
        "no effect, contacts by rule: adjusted, standard errors from 0",
        abs(no_effect["shift"]) / no_effect["sd"],
        2.0,
        "at most",
    )
    yield Bar(
        "no effect, contacts by rule: plain difference, standard errors from 0",
        abs(no_effect["naive"]) / no_effect["sd"],
        4.0,
        "at least",
    )
    yield Bar(
        "same effect by rule and by lot, standard errors apart",
        abs(by_rule["shift"] - by_lot["shift"]) / error,
        2.0,
        "at most",
    )
    yield Bar(
        "hidden knowledge is called confounded",
        float(hidden["verdict"] == "confounded"),
        1.0,
        "at least",
    )


def small_bars(small: dict[str, dict[str, float]]) -> Iterator[Bar]:
    """What the small logs must show."""
    # Placebos of random contacts pass at 95 %, give or take three standard errors of the share.
    error = float(3.0 * np.sqrt(0.05 * 0.95 / small["random"]["placebos"]))
    rate = small["random"]["placebo_passed"]
    yield Bar("random contacts: placebo passed", rate, 0.95 - error, "at least")
    yield Bar("random contacts: placebo passed", rate, 0.95 + error, "at most")
    yield Bar("recorded rule: coverage", small["observed"]["coverage"], 0.9, "at least")
    yield Bar(
        "recorded rule: coverage of the plain difference",
        small["observed"]["coverage_of_plain_difference"],
        0.3,
        "at most",
    )
    yield Bar("hidden rule: placebo passed", small["hidden"]["placebo_passed"], 0.05, "at most")


def main() -> int:
    """Parse the command line, study, print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contact_study", description=__doc__)
    parser.add_argument("--replications", type=int, default=100)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--customers", type=int, default=12_000)
    parser.add_argument("--days", type=int, default=600)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rules: tuple[Rule, ...] = ("random", "observed", "hidden")
    small = {
        rule: replicate(rule, options.replications, QUICK, rows=options.rows) for rule in rules
    }
    shops = {
        f"{world}/{policy}": describe_shop(
            study_shop(world, policy, customers=options.customers, days=options.days)
        )
        for world, policy in SHOPS
    }
    makers: tuple[tuple[Callable[[Any], Iterator[Bar]], Any], ...] = (
        (small_bars, small),
        (shop_bars, shops),
    )
    report = document(
        "contact_study",
        figures={"small_logs": small, "shops": shops},
        bars=[bar for maker, figures in makers for bar in maker(figures)],
        packages=PACKAGES,
    )
    return publish(report, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
