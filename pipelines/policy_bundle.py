"""Models of contact effects that were asked for by alias or by folder."""

from dataclasses import dataclass
from pathlib import Path

from features.errors import ArtifactError, describe
from models.bundle import CONTACT_EFFECT, AnyBundle, EffectBundle, load_bundle
from pipelines.champions import CHALLENGER, CHAMPION, fetch_bundle, model_name
from pipelines.config import Config
from pipelines.tracking import check_store, connect, find_alias
from scoring.effects import NightEffects


@dataclass(frozen=True, slots=True)
class LoadedEffect:
    """A model of contact effects, how reports call it, and until when it knew outcomes.

    `trained_until_us` is its training as-of (us, UTC).
    """

    effects: NightEffects
    label: str
    trained_until_us: int


def load_effect(config: Config, asked: str) -> LoadedEffect:
    """The champion, the challenger, or the bundle in a folder.

    Parameters
    ----------
    asked : "champion", "challenger" or a folder.

    Raises
    ------
    ArtifactError : there is none, it is damaged, or it is a model of something else.
    TrackingUnreachableError : MLflow does not answer.
    """
    if asked in (CHAMPION, CHALLENGER):
        bundle, label = _registered(config, asked)
    else:
        bundle, label = load_bundle(Path(asked)), f"model {Path(asked).name}"
    if not isinstance(bundle, EffectBundle):
        raise ArtifactError(
            describe(
                f"--model {asked}",
                f"it is a model of {bundle.kind.replace('_', ' ')}",
                expected="a model of contact effects",
                fix=f"name the folder of a {CONTACT_EFFECT} bundle",
            )
        )
    effects = NightEffects(bundle.effect, bundle.attrition)
    return LoadedEffect(effects, label, bundle.trained_until_us)


def _registered(config: Config, alias: str) -> tuple[AnyBundle, str]:
    name = model_name(config, CONTACT_EFFECT)
    check_store(config)
    with connect(config, patient=False) as client:
        found = find_alias(client, name, alias)
        if found is None:
            raise ArtifactError(
                describe(
                    f"{alias} of {name}",
                    "no version in the registry has this alias",
                    expected="a model of contact effects that `winback train` registered",
                    fix="run `winback train`, or name a bundle's folder",
                )
            )
        return fetch_bundle(config, client, CONTACT_EFFECT, found), f"{alias} {found.version}"
