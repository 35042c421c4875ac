from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from small_log import ACTIONS, draw_customers, draw_log
from small_shop import BUSINESS

from features.errors import ArtifactError
from models.attrition import configured_attrition
from models.contact_effect import EffectPriors, assumed_effect
from models.effect_design import EffectBasis
from pipelines.config import Config, parse_config
from pipelines.policy_model import effect_policy
from pipelines.policy_rows import NOT_LISTED, PolicyRows
from scoring.effects import NightEffects
from training.effect_sample import NO_CONTACT

CHANNELS = """
[channels.email]
label = "e-mail"
cost = 0.01
[channels.sms]
label = "SMS"
cost = 5.0
[offers.none]
label = "no offer"
[offers.coupon]
label = "coupon"
discount = 0.05
"""
NAMES = ("email/none", "email/coupon", "sms/none", "sms/coupon")


@pytest.fixture(scope="module")
def config() -> Config:
    return parse_config((BUSINESS + CHANNELS).encode(), place="test", home=Path())


def rows_of(n: int = 200) -> PolicyRows:
    rng = np.random.default_rng(1)
    sample = replace(draw_log(draw_customers(n, rng), rng), actions=NAMES)
    return PolicyRows(
        sample=sample,
        columns={},
        closed=np.zeros((n, len(NAMES)), dtype=np.bool_),
        recommended=np.full(n, NOT_LISTED, dtype=np.int16),
        gain=np.full(n, np.nan),
        day=np.full(n, date(2026, 1, 1), dtype=object),
    )


def effect_of(shifts: list[float]) -> NightEffects:
    n = len(shifts)
    priors = EffectPriors(
        mean=np.array(shifts),
        channel_sd=np.full(2, 0.1),
        offer_sd=np.full(2, 0.1),
        moved=np.zeros(n, dtype=np.bool_),
    )
    return NightEffects(
        assumed_effect(priors, channels=("email", "sms"), offers=("none", "coupon")),
        configured_attrition(("email", "sms"), [0.0, 0.0]),
    )


def test_the_largest_gain_decides_and_a_loss_is_no_contact(config: Config) -> None:
    rows = rows_of()
    found = effect_policy(rows, effect_of([0.3, 0.3, 0.3, 0.3]), config, name="champion")
    # The same effect for less money: never the SMS; a coupon costs margin, so never that.
    assert set(found.policy.action.tolist()) <= {NO_CONTACT, 0}
    assert found.score is not None
    assert found.contact is not None
    assert ((found.score > 0) == (found.policy.action != NO_CONTACT)).all()
    worse = effect_policy(rows, effect_of([-0.3] * 4), config, name="champion")
    assert (worse.policy.action == NO_CONTACT).all()
    assert (worse.contact == 0).any()


def test_closed_actions_are_not_chosen(config: Config) -> None:
    rows = rows_of()
    rows.closed[:50, :2] = True
    rows.closed[:10, 2:] = True
    found = effect_policy(rows, effect_of([1.0, 0.0, 1.0, 0.0]), config, name="champion")
    assert found.contact is not None
    assert found.score is not None
    assert (found.policy.action[:10] == NO_CONTACT).all()
    assert not np.isfinite(found.score[:10]).any()
    assert set(found.contact[10:50].tolist()) <= {2, 3}
    assert 0 in found.policy.action[50:]


def test_effects_of_other_actions_are_refused(config: Config) -> None:
    rows = replace(rows_of(), sample=replace(rows_of().sample, actions=ACTIONS))
    with pytest.raises(ArtifactError, match="sms/coupon"):
        effect_policy(rows, effect_of([0.1] * 4), config, name="model challenger")


def test_effects_of_other_features_are_refused(config: Config) -> None:
    basis = EffectBasis(features=("a", "b"), centre=np.zeros(3), scale=np.ones(3))
    effects = effect_of([0.1] * 4)
    effects = replace(effects, effect=replace(effects.effect, basis=basis))
    with pytest.raises(ArtifactError, match="other features"):
        effect_policy(rows_of(), effects, config, name="model challenger")
