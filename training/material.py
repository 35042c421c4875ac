"""What all models of a training run are fitted from."""

from dataclasses import dataclass

from features.manifest import feature_manifest
from features.spec import FeatureSpec
from training.folds import Folds
from training.level_fit import Processes
from training.levels import LevelRows
from training.panel import Panel
from training.uncontacted import WindowChoice


@dataclass(frozen=True, slots=True)
class Material:
    """What all models of a run are fitted from.

    Attributes
    ----------
    panel, folds : rows and cutoffs.
    levels, processes : level rows, and the purchase processes fitted on them.
    spec : specification the panel was built with.
    windows : which windows natural return is learnt from; null where there was no choice.
    stages_digest : `models.bundle.stages_digest` of the ladder of stages.
    """

    panel: Panel
    folds: Folds
    levels: LevelRows
    processes: Processes
    spec: FeatureSpec
    stages_digest: str
    windows: WindowChoice | None = None

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns of the panel's values."""
        return tuple(feature.name for feature in feature_manifest(self.spec))
