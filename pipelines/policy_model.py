"""What a model of contact effects would do: the open action of the largest expected gain."""

import numpy as np
from scipy.special import expit

from features.errors import ArtifactError, describe
from pipelines.config import Config
from pipelines.policy_rows import PolicyRows
from pipelines.policy_sources import ScoredPolicy
from scoring.effects import NightEffects
from scoring.gain import list_actions
from training.effect_sample import NO_CONTACT
from training.policy_support import Policy


def effect_policy(
    rows: PolicyRows, effects: NightEffects, config: Config, *, name: str
) -> ScoredPolicy:
    """Contact each row with the action that promises most, nobody for whom none promises any.

    Actions whose channel the night had closed to the customer are not chosen.

    Parameters
    ----------
    rows : the assignments, with features as the effect was learnt on.
    effects : what contacts change, and how likely they lose the channel.
    config : prices of the actions.
    name : how reports call the policy.

    Raises
    ------
    ArtifactError : the effect is of other actions or features than the configured ones.
    """
    sample, effect = rows.sample, effects.effect
    if effect.actions != sample.actions:
        raise ArtifactError(
            describe(
                name,
                "its effects are of other channels and offers than those configured",
                examples=sorted(set(effect.actions) ^ set(sample.actions)),
                expected=f"effects of {', '.join(sample.actions)}",
                fix="run `winback train` with this configuration",
            )
        )
    if effect.basis is not None and effect.basis.features != sample.feature_names:
        raise ArtifactError(
            describe(
                name,
                "its effects depend on other features than those of this configuration",
                examples=sorted(set(effect.basis.features) ^ set(sample.feature_names)),
                expected=f"{len(sample.feature_names)} features of the configured events",
                fix="run `winback train` with this configuration",
            )
        )
    actions = list_actions(config.channels, config.offers)
    weighed = effects.weigh(
        expit(sample.log_odds0), sample.x, names=sample.feature_names, actions=actions
    )
    gains = weighed.gains(
        order_value=sample.order_value, terms=actions.terms(config.business.gross_margin)
    )
    gains = np.where(rows.closed, -np.inf, gains)
    best, score = gains.argmax(axis=1).astype(np.int16), gains.max(axis=1, initial=-np.inf)
    action = np.where(score > 0.0, best, NO_CONTACT).astype(np.int16)
    return ScoredPolicy(Policy(name, action), contact=best, score=score)
