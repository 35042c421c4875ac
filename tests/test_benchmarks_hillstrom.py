"""The e-mail benchmark on a small made-up file of the published format."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.hillstrom import GATED, MENS_TO_ALL, judge_split, summarise
from benchmarks.hillstrom_learners import PACKAGES, find_learners
from benchmarks.hillstrom_trial import MENS, MailTest, read_mail_test, sample_rows
from training.effect_sample import NO_CONTACT

ARMS = ["No E-Mail", "Mens E-Mail", "Womens E-Mail"]


@pytest.fixture(scope="module")
def test_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half of those with the men's e-mail order, and a tenth of the others."""
    rng = np.random.default_rng(5)
    n = 4000
    segment = rng.choice(ARMS, n)
    ordered = rng.random(n) < np.where(segment == "Mens E-Mail", 0.5, 0.1)
    visited = ordered | (rng.random(n) < 0.1)
    table = pd.DataFrame(
        {
            "recency": rng.integers(1, 13, n),
            "history_segment": "1) $0 - $100",
            "history": rng.gamma(2.0, 100.0, n).round(2),
            "mens": rng.integers(0, 2, n),
            "womens": rng.integers(0, 2, n),
            "zip_code": rng.choice(["Surburban", "Urban", "Rural"], n),
            "newbie": rng.integers(0, 2, n),
            "channel": rng.choice(["Phone", "Web", "Multichannel"], n),
            "segment": segment,
            "visit": visited.astype(int),
            "conversion": ordered.astype(int),
            "spend": np.where(ordered, 50.0, 0.0),
        }
    )
    file = tmp_path_factory.mktemp("hillstrom") / "hillstrom.csv"
    table.to_csv(file, index=False)
    return file


@pytest.fixture(scope="module")
def mail_test(test_file: Path) -> MailTest:
    return read_mail_test(test_file)


def test_profit_is_margin_less_the_e_mail(mail_test: MailTest) -> None:
    sent = mail_test.action != NO_CONTACT
    assert mail_test.profit == pytest.approx(0.4 * mail_test.spend - 0.01 * sent)


def test_nothing_of_the_half_judged_on_enters_what_is_learnt_from(mail_test: MailTest) -> None:
    learn, judge = np.arange(0, 2000), np.arange(2000, 4000)
    before, _ = sample_rows(mail_test, learn, judge, kind="order")
    other_way = np.r_[learn, judge[::-1]]
    later = replace(
        mail_test, ordered=mail_test.ordered[other_way], spend=mail_test.spend[other_way]
    )
    after, _ = sample_rows(later, learn, judge, kind="order")
    assert np.array_equal(before.log_odds0, after.log_odds0)
    assert np.array_equal(before.order_value, after.order_value)


def test_every_policy_is_judged_and_a_clear_winner_is_chosen(mail_test: MailTest) -> None:
    halves = [(np.arange(0, 2000), np.arange(2000, 4000)), (np.arange(2000, 4000), np.arange(2000))]
    splits = [judge_split(mail_test, *half, learners={}) for half in halves]
    assert [(one.chosen[GATED] == MENS).mean() for one in splits] == [1.0, 1.0]
    figures, bars = summarise(mail_test, splits)
    assert set(figures["policies"]) >= {GATED, MENS_TO_ALL, "no e-mail", "S", "T", "X", "DR"}
    nobody = figures["policies"]["no e-mail"]["profit_per_customer"]["value"]
    assert nobody == pytest.approx(0.4 * 0.1 * 50.0, abs=0.3)
    assert len(bars) == 4


def test_a_package_is_either_compared_with_or_named_as_missing() -> None:
    learners, missing = find_learners()
    for package in PACKAGES:
        assert (package in missing) != any(name.startswith(package) for name in learners)
        assert "Fix:" in missing.get(package, "Fix:")


@pytest.mark.real_data
def test_the_published_means_are_read() -> None:
    file = Path(os.environ.get("WINBACK_DATA", "../shared/data")) / "hillstrom/hillstrom.csv"
    if not file.exists():
        pytest.skip(f"{file} not found: set WINBACK_DATA to the folder with the public data")
    test = read_mail_test(file)
    means = [
        [figure[test.action == code].mean() for figure in (test.visited, test.ordered, test.spend)]
        for code in (-1, 0, 1)
    ]
    published = [[0.1062, 0.00573, 0.653], [0.1828, 0.01253, 1.423], [0.1514, 0.00884, 1.077]]
    assert len(test) == 64_000
    assert np.array(means) == pytest.approx(np.array(published), rel=2e-3)
