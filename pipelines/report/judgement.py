"""How a model did when it was judged on data later than all it was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.baselines import RECENCY_RULE


@dataclass(frozen=True, slots=True)
class Judgement:
    """Figures of the out-of-time fold, as the training found them.

    Attributes
    ----------
    day : local date of the fold's cutoff, ISO 8601.
    auc : share of pairs, one customer of each outcome, that the model puts in the right order.
    log_loss, rule_log_loss : of the model, and of the recency rule on the same customers.
    verdict : "better", "worse" or "not proven yet", against the rule by log loss; null where
        the rule itself serves.
    """

    day: str
    auc: float
    log_loss: float
    rule_log_loss: float
    verdict: str | None


def judgement_of(metrics: Mapping[str, Any]) -> Judgement | None:
    """The judgement that a model's bundle keeps; null for kinds that no rule is compared with.

    Parameters
    ----------
    metrics : `Bundle.metrics`.
    """
    test = next((fold for fold in metrics.get("folds", ()) if fold["fold"] == "test"), None)
    if test is None:
        return None
    figures = {rung["name"]: rung["metrics"] for rung in test["ladder"]}
    shipped, rule = figures[metrics["shipped"]], figures[RECENCY_RULE]
    verdicts = {(one["baseline"], one["metric"]): one["verdict"] for one in test["differences"]}
    return Judgement(
        day=test["days"][-1],
        auc=round(shipped["auc"]["value"], 4),
        log_loss=round(shipped["log_loss"]["value"], 4),
        rule_log_loss=round(rule["log_loss"]["value"], 4),
        verdict=verdicts.get((RECENCY_RULE, "log_loss")),
    )
