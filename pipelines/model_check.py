"""Whether a model serves this configuration: the night's gate, and training's reason to replace."""

from dataclasses import dataclass
from typing import Literal

from features.errors import ArtifactError, describe
from features.spec import FeatureSpec
from models.bundle import AnyBundle, EffectBundle, stages_digest
from pipelines.config import Config

_RETRAIN = (
    "run `winback train`, which replaces champions that cannot serve, or restore the "
    "configuration the model was trained with"
)
_PLACES = {
    "event_types": "events.types",
    "activity": "events.activity",
    "orders": "events.orders",
    "refunds": "events.refunds",
    "channels": "channels",
    "attributes": "sources.customers.attributes",
}


class UnfitModelError(ArtifactError):
    """A model was trained for another configuration."""


@dataclass(frozen=True, slots=True)
class Absence:
    """Why a model that a night can do without does not serve.

    Attributes
    ----------
    cause : there is none that could be read, or it was trained for another configuration.
    fault : the fault's own text, in English as all faults are.
    """

    cause: Literal["missing", "unfit"]
    fault: str


def absence_of(error: ArtifactError) -> Absence:
    """What a fault of reading or checking a model comes to."""
    return Absence("unfit" if isinstance(error, UnfitModelError) else "missing", str(error))


def configuration_differences(config: Config, bundle: AnyBundle) -> tuple[str, ...]:
    """What differs from the configuration a model was trained with; empty if it can serve.

    Feature inputs, the ladder and the label window decide; money and caps do not, offers only
    for effects of contact.
    """
    different = _spec_differences(config.feature_spec(), bundle.spec)
    if bundle.stages_digest != stages_digest(config.stages):
        different.append("stages")
    if bundle.gap_days != config.windows.gap_days:
        different.append(f"windows.gap_days (trained with {bundle.gap_days:g})")
    if bundle.horizon_days != config.windows.horizon_days:
        different.append(f"windows.horizon_days (trained with {bundle.horizon_days:g})")
    if isinstance(bundle, EffectBundle) and bundle.effect.design.offers != tuple(config.offers):
        different.append("offers")
    return tuple(different)


def check_bundle(config: Config, bundle: AnyBundle, *, place: str) -> None:
    """Refuse a model that was trained for another configuration.

    Parameters
    ----------
    place : how the error names the model.

    Raises
    ------
    UnfitModelError : names what differs: feature inputs, the ladder, or the label window.
    """
    different = configuration_differences(config, bundle)
    if different:
        raise UnfitModelError(
            describe(
                place,
                f"trained for another configuration; different: {', '.join(different)}",
                expected="a model trained with this winback.toml",
                fix=_RETRAIN,
            )
        )


def _spec_differences(configured: FeatureSpec, trained: FeatureSpec) -> list[str]:
    return [
        place
        for name, place in _PLACES.items()
        if getattr(configured, name) != getattr(trained, name)
    ]
