"""How a training run is laid out: cutoffs, folds and learner settings."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

_FORBID = ConfigDict(extra="forbid")
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True, config=_FORBID)
class LearnerPlan:
    """LightGBM settings shared by both models.

    Small trees on few features each: on the validation folds of Online Retail II, CDNOW and
    the simulated shop this had a lower log loss than 31 leaves on most features in six of
    six models, most of all where rows are few.
    """

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.05
    num_leaves: Annotated[int, Field(ge=2, le=1024)] = 8
    min_data_in_leaf: Annotated[int, Field(ge=1)] = 200
    feature_fraction: Annotated[float, Field(gt=0, le=1)] = 0.3
    bagging_fraction: Annotated[float, Field(gt=0, le=1)] = 0.8
    lambda_l2: Annotated[float, Field(ge=0)] = 20.0
    extra_trees: bool = True
    max_rounds: Annotated[int, Field(ge=1, le=10_000)] = 1000
    early_stopping_rounds: Annotated[int, Field(ge=1)] = 40
    threads: Annotated[int, Field(ge=1, le=256)] = 2
    seed: Annotated[int, Field(ge=0)] = 20260101


@dataclass(frozen=True, slots=True, config=_FORBID)
class TrainingPlan:
    """Cutoffs, sampling and quality limits of `winback train`.

    Attributes
    ----------
    as_of : local date; training reads only what had arrived before it. Null: all data.
    step_days : distance between training cutoffs.
    max_cutoffs : at most this many training cutoffs, the latest first.
    validation_cutoffs : at most this many; fewer where the history is short.
    min_positives : fewest positives (and negatives) a fold may have.
    max_rows : panel rows above this are sampled by customer hash.
    calibration : isotonic needs 2,000 positives, so "auto" picks it only from there on.
    bootstrap_draws : customer-bootstrap draws behind every interval.
    """

    as_of: str | None = None
    step_days: Annotated[int, Field(ge=1, le=365)] = 28
    max_cutoffs: Annotated[int, Field(ge=1, le=60)] = 8
    validation_cutoffs: Annotated[int, Field(ge=1, le=12)] = 3
    min_positives: Annotated[int, Field(ge=10)] = 50
    max_rows: Annotated[int, Field(ge=1000)] = 2_000_000
    calibration: Literal["auto", "isotonic", "platt"] = "auto"
    bootstrap_draws: Annotated[int, Field(ge=50, le=5000)] = 200
    learner: LearnerPlan = Field(default_factory=LearnerPlan)
