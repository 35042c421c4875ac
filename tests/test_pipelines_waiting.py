"""Nights of a shop with two kinds of customers: some come every 60 days, some fade away."""

import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
import small_shop
from night_home import (
    AS_OF_US,
    CHANNELS,
    DAY,
    DAY_US,
    N_BUCKETS,
    copy_home,
    customer_rows,
    digests,
    fit_champions,
    make_night_home,
    night,
    serving,
)
from rich.console import Console
from small_ladder import ladder_of
from test_pipelines_nightly import decisions_of

from features.history_reader import read_history
from features.matrix import build_matrix, concat_matrices
from features.warehouse import Warehouse
from models.calibration import Calibration
from models.forest import Forest, ForestSettings, Sample, fit_forest
from pipelines import nightly_inputs
from pipelines.config import Config
from pipelines.explain import explain
from pipelines.explain_waiting import WaitingView
from pipelines.nightly import NightlyReport
from pipelines.render_night import render_explanation

CUSTOMERS = 600
RHYTHM_DAYS = 60.0
HORIZON_DAYS = 5
LEARNT_FROM_DAYS = range(20, 320, 20)
"""Days before the as-of on which training looks; the label window is over by then."""

Purchases = dict[str, np.ndarray]


def purchases() -> Purchases:
    """Days before the as-of (negative: after it) of each customer's purchases, ascending times.

    The even numbers come every 60 days, give or take six; the odd ones often at first, and
    ever less likely after each day of silence.
    """
    rng = np.random.default_rng(8)
    found = {}
    for number in range(CUSTOMERS):
        if number % 2 == 0:
            gaps = rng.normal(RHYTHM_DAYS, 6.0, size=16)
            ages = 700 + rng.uniform(0, 60) - np.cumsum(gaps)
        else:
            stop = rng.uniform(-60, 400)
            gaps = rng.exponential(12.0, size=60)
            ages = stop + 250 - np.cumsum(gaps)
            ages = ages[ages > stop]
        found[f"c{number:05d}"] = ages
    return found


def fit_on_truth(config: Config, ages: Purchases) -> Forest:
    """A forest of natural returns, learnt from what the dormant did before the as-of."""
    spec = fit_champions(config)["natural_return"].spec
    warehouse = Warehouse.open(config.warehouse_path, n_buckets=N_BUCKETS)
    as_ofs = sorted(AS_OF_US - day * DAY_US for day in LEARNT_FROM_DAYS)
    matrix = concat_matrices(
        [
            build_matrix(read_history(warehouse, bucket, spec=spec), spec=spec, as_ofs=as_ofs)
            for bucket in range(N_BUCKETS)
        ]
    )
    dormant = matrix.column("recency_days_order") >= 25
    days = (AS_OF_US - matrix.as_of) / DAY_US
    labels = [
        bool(((ages[name] <= day - 2) & (ages[name] > day - 2 - HORIZON_DAYS)).any())
        for name, day in zip(matrix.customer_id, days, strict=True)
    ]
    rows = Sample(matrix.values[dormant], np.array(labels, dtype=np.int8)[dormant])
    settings = ForestSettings(max_rounds=60, min_data_in_leaf=20, threads=1)
    return fit_forest(rows, validation=rows, names=matrix.names, categorical=(), settings=settings)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The shop, with few controls and no list that is full."""
    ages = purchases()
    rows = [
        (name, AS_OF_US - round(age * DAY_US), "purchase", 80.0)
        for name, own in ages.items()
        for age in own[own > 0]
    ]
    channels = CHANNELS.replace("holdout_share = 0.1", "holdout_share = 0.0")
    channels = channels.replace("ghost_share = 0.2", "ghost_share = 0.02")
    channels = channels.replace("capacity = 40\n", "")
    channels = channels.replace(
        "explore_share = 0.2", "explore_share = 0.02\ncold_explore_share = 0.02"
    )
    folder = tmp_path_factory.mktemp("town")
    with pytest.MonkeyPatch.context() as patch:
        text = small_shop.BUSINESS.replace("horizon_days = 30", f"horizon_days = {HORIZON_DAYS}")
        patch.setattr(small_shop, "BUSINESS", text)
        return make_night_home(
            folder / "home",
            channels=channels,
            events=small_shop.events_table(rows),
            customers=customer_rows(CUSTOMERS),
            contacts=[],
        )


@pytest.fixture(scope="module")
def bundles(town: Config) -> dict[str, object]:
    """The small models, that of natural returns learnt on this shop."""
    found = fit_champions(town, horizon_days=float(HORIZON_DAYS))
    ladder = ladder_of(fit_on_truth(town, purchases()), calibration=Calibration("platt"))
    return found | {"natural_return": replace(found["natural_return"], ladder=ladder)}


@pytest.fixture(autouse=True)
def champions(bundles: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(nightly_inputs, "champion", serving(bundles))
    yield


@pytest.fixture(scope="module")
def nights(
    town: Config, bundles: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Config, NightlyReport]]:
    """The same night as configured by default, and with waiting switched off."""
    text = (town.home / "winback.toml").read_text()
    folder = tmp_path_factory.mktemp("nights")
    off = "[waiting]\ndays = 0\n"
    homes = {
        "waiting": copy_home(town, folder / "waiting"),
        "hasty": copy_home(town, folder / "hasty", toml=text + off),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nightly_inputs, "champion", serving(bundles))
        return {name: (config, night(config)) for name, config in homes.items()}


def exclusions_of(config: Config) -> dict[str, str | None]:
    table = decisions_of(config)
    return dict(zip(table["customer_id"].to_pylist(), table["exclusion"].to_pylist(), strict=True))


def silence_of() -> dict[str, float]:
    return {name: own[own > 0].min() for name, own in purchases().items() if (own > 0).any()}


def comes_in_rhythm(name: str) -> bool:
    return int(name[1:]) % 2 == 0


def test_who_comes_every_60_days_is_left_alone_on_the_45th(
    nights: dict[str, tuple[Config, NightlyReport]],
) -> None:
    hasty, found = (exclusions_of(nights[name][0]) for name in ("hasty", "waiting"))
    due_soon = [
        name
        for name, days in silence_of().items()
        if comes_in_rhythm(name) and 42 <= days < 48 and hasty[name] is None
    ]
    assert len(due_soon) >= 10
    held = [name for name in due_soon if found[name] == "not_yet"]
    # One in twenty-five is drawn to be listed on trial.
    assert len(held) >= 0.85 * len(due_soon)


def test_who_fades_away_is_not_waited_for(
    nights: dict[str, tuple[Config, NightlyReport]],
) -> None:
    hasty, found = (exclusions_of(nights[name][0]) for name in ("hasty", "waiting"))
    fading = [name for name, code in hasty.items() if code is None and not comes_in_rhythm(name)]
    assert len(fading) >= 100
    assert sum(found[name] == "not_yet" for name in fading) <= 0.02 * len(fading)
    overdue = [
        name
        for name, days in silence_of().items()
        if comes_in_rhythm(name) and days >= 60 and hasty[name] is None
    ]
    assert overdue
    assert sum(found[name] == "not_yet" for name in overdue) <= 0.1 * len(overdue)


def test_they_are_counted_and_nobody_is_without_waiting(
    nights: dict[str, tuple[Config, NightlyReport]],
) -> None:
    config, report = nights["waiting"]
    codes = list(exclusions_of(config).values())
    assert report.summary.exclusions["not_yet"] == codes.count("not_yet") > 20
    assert report.summary.scored == report.summary.listed + sum(report.summary.exclusions.values())
    assert "not_yet" not in exclusions_of(nights["hasty"][0]).values()


def test_winback_explain_tells_what_is_waited_for(
    nights: dict[str, tuple[Config, NightlyReport]],
) -> None:
    config, _ = nights["waiting"]
    held = [name for name, code in exclusions_of(config).items() if code == "not_yet"]
    for name in held[:4]:
        found = explain(config, name, as_of=DAY)
        assert found.meaning == "is worth more within days: held back for a better night"
        assert found.waiting is not None
        assert found.waiting.better_on == DAY + timedelta(days=7)
        assert found.waiting.later_gain > found.waiting.gain > 0
        assert 0 < found.waiting.p_return < 1
        best = max(view.gain for view in found.channels if view.gain is not None)
        assert found.waiting.gain == pytest.approx(best, abs=2e-4)
        assert found.to_json()["waiting"]["better_on"] == "2025-11-27"
        assert not found.notes
        told = io.StringIO()
        render_explanation(found, Console(width=400, file=told))
        assert "one on 2025-11-27" in told.getvalue()
    listed = next(name for name, code in exclusions_of(config).items() if code is None)
    assert explain(config, listed, as_of=DAY).waiting is None


def test_what_comes_later_holds_nobody_back(
    nights: dict[str, tuple[Config, NightlyReport]], tmp_path: Path
) -> None:
    """Purchases of the very days that are looked ahead are in the warehouse at a rerun."""
    config, report = nights["waiting"]
    again = copy_home(config, tmp_path / "again")
    shutil.rmtree(again.lists_path)
    rows = [
        (name, AS_OF_US - round(age * DAY_US), "purchase", 80.0)
        for name, own in purchases().items()
        for age in own[own <= 0]
    ]
    assert any(at < AS_OF_US + 7 * DAY_US for _, at, _, _ in rows)
    warehouse = Warehouse.open(again.warehouse_path, n_buckets=N_BUCKETS)
    warehouse.append("events", small_shop.events_table(rows))
    before, after = digests(report.folder), digests(night(again).folder)
    assert before.pop("manifest.json") != after.pop("manifest.json")
    assert after == before
    assert exclusions_of(again) == exclusions_of(config)


def test_gains_that_are_compared_say_what_caution_takes_off() -> None:
    view = WaitingView(better_on=date(2025, 11, 27), gain=1.5, later_gain=2.0, p_return=0.1)
    assert view.sentence("EUR", caution=0.0).startswith("A contact tonight is expected to gain")
    assert view.sentence("EUR", caution=0.5).startswith(
        "After taking off 0.5 standard errors, a contact tonight is expected to gain 1.50 EUR"
    )
