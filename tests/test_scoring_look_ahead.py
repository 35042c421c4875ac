"""Looking ahead: from what is known tonight, and to the very numbers of tonight at zero days."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from night_home import AS_OF_US, DAY, DAY_US, copy_home
from test_pipelines_nightly import scramble_future

from models.bundle import Bundle
from pipelines.config import Config
from pipelines.look_ahead import look_ahead_of
from pipelines.nightly_inputs import build_scorer, load_champions, night_policy, open_warehouse
from pipelines.scored_night import score_customers
from scoring.look_ahead import returns_within
from scoring.scored import ScoredCustomers
from scoring.scorer import Scorer
from scoring.waiting import Ahead

pytestmark = pytest.mark.usefixtures("champions")


def scorer_of(config: Config) -> Scorer:
    return build_scorer(
        config, open_warehouse(config), night_policy(config, DAY), load_champions(config)
    )


def asked_of(scored: ScoredCustomers) -> np.ndarray:
    """Customers with a probability, of the first and the last bucket."""
    known = np.flatnonzero(~np.isnan(scored.p_natural))
    return known[scored.bucket[known] != 1][::3]


def look(config: Config, days: float) -> tuple[ScoredCustomers, np.ndarray, Ahead]:
    scorer = scorer_of(config)
    scored = score_customers(config, scorer)
    asked = asked_of(scored)
    return scored, asked, look_ahead_of(scorer, scored, days=days, threads=1)(asked)


def test_zero_days_ahead_is_tonight(home: Config) -> None:
    scored, asked, found = look(home, 0)
    assert len(asked) > 50
    assert found.p_natural.tobytes() == scored.p_natural[asked].tobytes()
    assert found.effect_x.tobytes() == scored.effect_x[asked].tobytes()
    assert not found.p_return.any()


def test_customers_are_as_silent_as_now_only_longer(home: Config) -> None:
    scored, asked, found = look(home, 7)
    column = scored.effect_names.index("recency_days_order")
    now, then = (np.expm1(x[:, column]) for x in (scored.effect_x[asked], found.effect_x))
    assert then - now == pytest.approx(7.0, abs=1e-3)
    assert (found.p_natural != scored.p_natural[asked]).any()


def test_models_of_different_vocabularies_read_their_own_features(
    home: Config, champions: dict[str, Bundle]
) -> None:
    risk = champions["dormancy_risk"]
    spec = risk.spec.with_vocabulary((("Ulm", "Berlin"),))
    champions["dormancy_risk"] = replace(risk, spec=spec)
    scored, asked, found = look(home, 0)
    assert found.p_natural.tobytes() == scored.p_natural[asked].tobytes()


def test_what_comes_later_is_not_seen(home: Config, tmp_path: Path) -> None:
    """Within the days looked ahead, too: a rerun finds them in the warehouse."""
    _, _, expected = look(home, 7)
    config = copy_home(home, tmp_path / "home")
    scramble_future(config)
    _, _, found = look(config, 7)
    assert AS_OF_US + 5 * DAY_US < AS_OF_US + 7 * DAY_US
    for name in ("p_natural", "effect_x", "p_return"):
        assert getattr(found, name).tobytes() == getattr(expected, name).tobytes()


def test_part_of_the_horizon_has_part_of_the_returns() -> None:
    p = np.array([0.0, 0.19, 0.75, 1.0])
    assert returns_within(p, days=15, horizon_days=30).tolist() == pytest.approx([0, 0.1, 0.5, 1])
    assert returns_within(p, days=30, horizon_days=30) == pytest.approx(p)
