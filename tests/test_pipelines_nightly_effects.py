"""A night with a model of effects, without one, and with one of other offers."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from night_home import DAY, copy_home, night, read_list

from models.attrition import LEAST_SHARE, configured_attrition
from models.bundle import EffectBundle
from models.contact_effect import ContactEffect, Evidence
from pipelines.config import Config
from pipelines.explain import explain
from pipelines.nightly_inputs import load_champions, night_policy
from scoring.effects import assumed_effects, configured_priors

MEASURED: tuple[Evidence, ...] = ("uplift", "uplift", "uplift", "rules", "rules", "rules")


def effect_bundle(config: Config, champions: dict[str, Any], **changes: Any) -> EffectBundle:
    """What a training would have made: effects twice the assumed ones, known exactly."""
    origin = champions["natural_return"]
    assumed = assumed_effects(config.channels, config.offers).effect
    effect: ContactEffect = replace(
        assumed,
        rung="arm_means",
        evidence=MEASURED,
        prior_mean=2.0 * assumed.prior_mean,
        covariance=0.01 * assumed.covariance,
    )
    return EffectBundle(
        spec=origin.spec,
        stages_digest=origin.stages_digest,
        gap_days=origin.gap_days,
        horizon_days=origin.horizon_days,
        trained_until_us=origin.trained_until_us,
        metrics={},
        winback_version=origin.winback_version,
        effect=replace(effect, **changes),
        attrition=configured_attrition(tuple(config.channels), [0.001] * len(config.channels)),
    )


def log_odds(p: float) -> float:
    return float(np.log(p / (1 - p)))


def test_measured_effects_are_on_the_list_with_their_evidence(
    shop: Config, champions: dict[str, Any]
) -> None:
    champions["contact_effect"] = effect_bundle(shop, champions)
    report = night(shop)
    table = read_list(report)
    prior = configured_priors(shop.channels, shop.offers)
    names = champions["contact_effect"].effect.actions
    by_action = dict(zip(names, zip(prior.mean, prior.sd, MEASURED, strict=True), strict=True))
    for row in table.to_pylist():
        mean, sd, evidence = by_action[f"{row['channel']}/{row['offer']}"]
        assert row["evidence"] == evidence
        base = log_odds(row["p_return_natural"])
        assert log_odds(row["p_return_contacted"]) - base == pytest.approx(2 * mean, abs=1e-3)
        low = 1 / (1 + np.exp(-(base + 2 * mean - 1.96 * 0.1 * sd))) - row["p_return_natural"]
        assert row["uplift_low"] == pytest.approx(low, abs=2e-6)
        assert row["uplift_low"] <= row["uplift"] <= row["uplift_high"]
    assert {"uplift", "rules"} == set(table["evidence"].to_pylist())
    assert "contact-effect/3" in table["model_version"][0].as_py()
    told = "\n".join(report.summary.notes)
    assert "Effects of contact are measured for 3 of 6 actions (estimator: arm means)" in told
    assert "of the other 3 they are assumed, not proven yet" in told


def test_feedback_can_name_every_row(shop: Config, champions: dict[str, Any]) -> None:
    champions["contact_effect"] = effect_bundle(shop, champions)
    rows = read_list(night(shop)).to_pylist()
    assert [row["list_row_id"] for row in rows] == [
        f"{row['list_id']}/{row['rank']}" for row in rows
    ]


def test_without_such_a_model_assumptions_serve_and_the_night_says_why(
    shop: Config, champions: dict[str, Any]
) -> None:
    report = night(shop)
    table = read_list(report)
    assert set(table["evidence"].to_pylist()) == {"rules"}
    (note,) = [one for one in report.summary.notes if "Effects of contact" in one]
    assert note == (
        "Effects of contact are the configuration's assumptions, not proven yet (evidence "
        '"rules"). no champion of contact_effect'
    )
    assert "contact-effect" not in table["model_version"][0].as_py()
    assert explain(shop, table["customer_id"][0].as_py()).day == DAY


def test_a_model_of_other_offers_is_left_aside_with_a_note(
    home: Config, champions: dict[str, Any], tmp_path: Any
) -> None:
    champions["contact_effect"] = effect_bundle(home, champions)
    toml = (home.home / "winback.toml").read_text()
    gift = '[offers.gift]\nlabel = "a gift"\ncost_on_return = 2.0\neffect_prior = 0.1\n'
    config = copy_home(home, tmp_path / "home", toml=toml + gift)
    report = night(config)
    assert set(read_list(report)["evidence"].to_pylist()) == {"rules"}
    (note,) = [one for one in report.summary.notes if "Effects of contact" in one]
    assert "not proven yet" in note
    assert "trained for another configuration; different: offers" in note


def test_a_model_that_still_assumes_follows_the_configuration(
    home: Config, champions: dict[str, Any], tmp_path: Any
) -> None:
    """Nothing was fitted: tonight's assumptions are those of tonight's file."""
    bundle = effect_bundle(home, champions, evidence=("rules",) * 6)
    champions["contact_effect"] = replace(bundle, effect=replace(bundle.effect, rung="priors"))
    toml = (home.home / "winback.toml").read_text()
    config = copy_home(
        home, tmp_path / "home", toml=toml.replace("effect_prior = 0.15", "effect_prior = 0.9")
    )
    report = night(config)
    rows = [row for row in read_list(report).to_pylist() if row["channel"] == "email"]
    for row in rows:
        moved = log_odds(row["p_return_contacted"]) - log_odds(row["p_return_natural"])
        expected = 0.9 + (0.4 if row["offer"] == "coupon" else 0.0)
        assert moved == pytest.approx(expected, abs=1e-3)
    assert rows
    (note,) = [one for one in report.summary.notes if "Effects of contact" in one]
    assert note.startswith('Effects of contact are assumptions, not proven yet (evidence "rules")')


def test_shares_that_nobody_could_follow_are_those_of_the_configuration(
    shop: Config, champions: dict[str, Any]
) -> None:
    """A model that only repeats an older file gives way; one that has seen contacts stays."""
    bundle = effect_bundle(shop, champions)
    policy = night_policy(shop, DAY)
    configured = [channel.unsubscribe_share for channel in shop.channels.values()]
    for attrition, shares in (
        (bundle.attrition, configured),
        (replace(bundle.attrition, rung="shares"), [0.001] * len(configured)),
    ):
        champions["contact_effect"] = replace(bundle, attrition=attrition)
        found = load_champions(shop).believed(policy).attrition.probability(np.zeros((1, 0)), ())
        assert found[0] == pytest.approx(np.maximum(shares, LEAST_SHARE))
