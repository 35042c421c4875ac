"""What a model of contact effects would do: the open action of the largest expected gain."""

import numpy as np
from scipy.special import expit

from features.errors import ArtifactError, describe
from models.action_value import ActionTerms, expected_gains
from models.contact_effect import ContactEffect
from pipelines.config import Config
from pipelines.effect_rows import action_prices
from pipelines.policy_rows import PolicyRows
from pipelines.policy_sources import ScoredPolicy
from scoring.gain import list_actions
from training.effect_sample import NO_CONTACT
from training.policy_support import Policy


def effect_policy(
    rows: PolicyRows, effect: ContactEffect, config: Config, *, name: str
) -> ScoredPolicy:
    """Contact each row with the action that promises most, nobody for whom none promises any.

    Actions whose channel the night had closed to the customer are not chosen.

    Parameters
    ----------
    rows : the assignments, with features as the effect was learnt on.
    effect : shifts of the return's log-odds.
    config : prices of the actions.
    name : how reports call the policy.

    Raises
    ------
    ArtifactError : the effect is of other actions or features than the configured ones.
    """
    sample = rows.sample
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
    shifts = effect.means(sample.log_odds0, sample.x)
    prices = action_prices(config)
    gains = expected_gains(
        expit(sample.log_odds0),
        expit(sample.log_odds0[:, None] + shifts),
        order_value=sample.order_value,
        attrition_cost=list_actions(config.channels, config.offers).attrition_cost,
        terms=ActionTerms(
            discount=prices.discount,
            cost_on_return=prices.cost_on_return,
            contact_cost=prices.contact_cost,
            gross_margin=prices.gross_margin,
        ),
    )
    gains = np.where(rows.closed, -np.inf, gains)
    best, score = gains.argmax(axis=1).astype(np.int16), gains.max(axis=1, initial=-np.inf)
    action = np.where(score > 0.0, best, NO_CONTACT).astype(np.int16)
    return ScoredPolicy(Policy(name, action), contact=best, score=score)
