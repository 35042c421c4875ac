"""How effects of contact are learnt: [effects] of winback.toml."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

_FORBID = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, config=_FORBID)
class EffectPlan:
    """When an estimator is allowed, and how much observational logs count.

    Attributes
    ----------
    at_most : the most demanding estimator that may serve; "auto" is no limit.
    arm_means_from, ridge_from, stack_from : treated customers who returned, below which the
        estimator is not tried: one mean per action; effects that depend on the customer;
        these with trees.
    observational_weight : what a row of a log that was not randomised counts against one
        of an experiment's, when it moves an assumption; 0 leaves such logs aside.
    estimated_propensities : also learn from imported assignments that came without
        propensities, at estimated ones: for those who know that chance assigned them.
    folds : parts of the customers for cross-fitting.
    max_rows : more assignments are sampled by customer.
    seed : of folds and trees.
    """

    at_most: Literal["auto", "priors", "arm_means", "ridge", "stack"] = "auto"
    arm_means_from: Annotated[int, Field(ge=1)] = 10
    ridge_from: Annotated[int, Field(ge=1)] = 200
    stack_from: Annotated[int, Field(ge=1)] = 1500
    observational_weight: Annotated[float, Field(ge=0, le=0.3)] = 0.2
    estimated_propensities: bool = False
    folds: Annotated[int, Field(ge=2, le=10)] = 5
    max_rows: Annotated[int, Field(ge=1000)] = 300_000
    seed: Annotated[int, Field(ge=0)] = 20260101
