"""The list of features, for people who want to know what a model sees."""

from dataclasses import asdict, dataclass
from typing import Any

from features.errors import UsageError, describe
from features.manifest import Feature, feature_manifest, manifest_digest
from pipelines.config import Config


@dataclass(frozen=True, slots=True)
class FeatureCatalogue:
    """Features in matrix order, and the digest that models are checked against."""

    digest: str
    features: tuple[Feature, ...]

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return {
            "schema_version": 1,
            "manifest_digest": self.digest,
            "count": len(self.features),
            "features": [asdict(feature) for feature in self.features],
        }


def feature_catalogue(config: Config, *, block: str | None = None) -> FeatureCatalogue:
    """The features this configuration gives.

    Parameters
    ----------
    block : keep only features of this block.

    Raises
    ------
    UsageError : there is no such block.
    """
    spec = config.feature_spec()
    features = feature_manifest(spec)
    blocks = sorted({feature.block for feature in features})
    if block is not None and block not in blocks:
        raise UsageError(
            describe(
                "--block",
                f"no block {block!r}",
                expected=f"one of {', '.join(blocks)}",
                fix="leave --block out to see all features",
            )
        )
    kept = tuple(feature for feature in features if block in (None, feature.block))
    return FeatureCatalogue(digest=manifest_digest(spec), features=kept)
