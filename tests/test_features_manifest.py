"""The manifest: enough features, each explained, stable digests."""

from dataclasses import replace

from feature_tables import SPEC

from features.kernels.feature import column_words
from features.manifest import block_columns, feature_manifest, manifest_digest
from features.spec import FeatureSpec

SMALLEST = FeatureSpec(("purchase",), ("purchase",), ("purchase",))


def test_at_least_ninety_features_whatever_the_configuration() -> None:
    assert len(feature_manifest(SMALLEST)) >= 90


def test_every_feature_is_named_once_and_explained() -> None:
    features = feature_manifest(SPEC)
    assert len({feature.name for feature in features}) == len(features)
    assert {feature.unit for feature in features} == {
        "days", "count", "money", "share", "ratio", "flag", "code"
    }  # fmt: skip
    for feature in features:
        assert feature.meaning.endswith(".")
        assert feature.name.replace("_", "").isalnum()


def test_attributes_are_categorical_and_all_else_is_numeric() -> None:
    categorical = [f.name for f in feature_manifest(SPEC) if f.kind == "categorical"]
    assert categorical == ["attribute_city", "attribute_plan"]


def test_blocks_cover_the_columns_without_gaps() -> None:
    features = feature_manifest(SPEC)
    position = 0
    for block, columns in block_columns(SPEC).items():
        assert columns.start == position
        assert {feature.block for feature in features[columns]} <= {block}
        position = columns.stop
    assert position == len(features)


def test_the_digest_follows_everything_that_changes_a_column() -> None:
    digests = {
        manifest_digest(spec)
        for spec in (
            SPEC,
            replace(SPEC, orders=("purchase",)),
            replace(SPEC, channels=("email", "push")),
            SPEC.with_vocabulary((("Bern",), ("free", "gold"))),
        )
    }
    assert len(digests) == 4
    assert manifest_digest(replace(SPEC)) == manifest_digest(SPEC)


def test_odd_names_become_unique_words() -> None:
    assert column_words(["Add to cart", "add-to-cart", "é", "Kauf!"]) == (
        "add_to_cart",
        "add_to_cart_1",
        "unnamed",
        "kauf",
    )
