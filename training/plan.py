"""How a training run is laid out: cutoffs, folds and learner settings."""

from dataclasses import asdict, replace
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
    bagging_fraction: Annotated[float, Field(gt=0, le=1)] = 0.5
    lambda_l2: Annotated[float, Field(ge=0)] = 20.0
    extra_trees: bool = True
    max_rounds: Annotated[int, Field(ge=1, le=10_000)] = 1000
    early_stopping_rounds: Annotated[int, Field(ge=1)] = 40
    threads: Annotated[int, Field(ge=1, le=256)] = 2
    seed: Annotated[int, Field(ge=0)] = 20260101


@dataclass(frozen=True, slots=True, config=_FORBID)
class TreeSettings:
    """Learner settings of one model; what is left out is as in [training.learner]."""

    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    num_leaves: Annotated[int, Field(ge=2, le=1024)] | None = None
    min_data_in_leaf: Annotated[int, Field(ge=1)] | None = None
    feature_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    bagging_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    lambda_l2: Annotated[float, Field(ge=0)] | None = None
    extra_trees: bool | None = None


@dataclass(frozen=True, slots=True, config=_FORBID)
class ModelSettings:
    """Tree settings by model, as `winback train --tune` proposes them."""

    dormancy_risk: TreeSettings = Field(default_factory=TreeSettings)
    natural_return: TreeSettings = Field(default_factory=TreeSettings)


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
    natural_return_windows : "uncontacted" learns natural return from label windows without a
        contact, where enough are left; "all" from all of them.
    learner : LightGBM settings of all models.
    models : settings that differ by model.
    """

    as_of: str | None = None
    step_days: Annotated[int, Field(ge=1, le=365)] = 28
    max_cutoffs: Annotated[int, Field(ge=1, le=60)] = 8
    validation_cutoffs: Annotated[int, Field(ge=1, le=12)] = 3
    min_positives: Annotated[int, Field(ge=10)] = 50
    max_rows: Annotated[int, Field(ge=1000)] = 700_000
    calibration: Literal["auto", "isotonic", "platt"] = "auto"
    bootstrap_draws: Annotated[int, Field(ge=50, le=5000)] = 200
    natural_return_windows: Literal["uncontacted", "all"] = "uncontacted"
    learner: LearnerPlan = Field(default_factory=LearnerPlan)
    models: ModelSettings = Field(default_factory=ModelSettings)

    def for_model(self, kind: str) -> "TrainingPlan":
        """The plan of one model: its own tree settings are in `learner`."""
        own: TreeSettings | None = getattr(self.models, kind, None)
        return self if own is None else replace(self, learner=with_settings(self.learner, own))


def with_settings(learner: LearnerPlan, settings: TreeSettings) -> LearnerPlan:
    """A learner with other tree settings; what is left out stays."""
    given = {name: value for name, value in asdict(settings).items() if value is not None}
    return replace(learner, **given)
