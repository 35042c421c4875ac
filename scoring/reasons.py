"""Why a model thinks so: families of features, ranked by what they contributed."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.kernels.feature import column_words
from features.manifest import feature_manifest
from features.spec import FeatureSpec
from features.stage import Stage
from scoring.facts import Facts
from scoring.language import Language
from scoring.phrases import (
    Phrase,
    say_attribute,
    say_contacts,
    say_discounts,
    say_orders,
    say_presence,
    say_refunds,
    say_silence,
    say_spend,
    say_tenure,
    say_variety,
)

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]

MAX_REASONS = 3

PHRASES: dict[str, Phrase] = {
    "silence": say_silence,
    "presence": say_presence,
    "spend": say_spend,
    "orders": say_orders,
    "contacts": say_contacts,
    "refunds": say_refunds,
    "discounts": say_discounts,
    "tenure": say_tenure,
    "variety": say_variety,
    "attribute": say_attribute,
}
"""How each family of features is put into words."""

_FAMILIES = tuple(PHRASES)
_SILENCE, _PRESENCE = _FAMILIES.index("silence"), _FAMILIES.index("presence")

_PREFIXES = (
    ("orders_", "orders"),
    ("activity_", "presence"),
    ("active_days_", "presence"),
    ("spend_", "spend"),
    ("order_", "spend"),
    ("refund", "refunds"),
    ("discount_", "discounts"),
    ("gap_", "silence"),
    ("overdue_", "silence"),
    ("decayed_orders_", "orders"),
    ("decayed_spend_", "spend"),
    ("decayed_activity_", "presence"),
    ("trend_orders_", "orders"),
    ("trend_spend_", "spend"),
    ("trend_act", "presence"),
    ("categor", "variety"),
    ("event_types_", "presence"),
    ("tenure_", "tenure"),
    ("contacts_", "contacts"),
    ("attribute_", "attribute"),
)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What is needed to talk about a feature matrix.

    Attributes
    ----------
    names : the matrix's columns.
    family : shape (n_features,), place in `PHRASES`.
    member : shape (n_features,), place in `members`.
    members : (family, word): the channel or attribute a column belongs to; the word is
        empty for families that have no members.
    members_of : places in `members` of the families that have any, by family.
    labels : how operators call a channel, by its word; empty for all channels together.
    values : known values of an attribute, by its word.
    """

    names: tuple[str, ...]
    family: Int64Array
    member: Int64Array
    members: tuple[tuple[str, str], ...]
    members_of: Mapping[str, tuple[int, ...]]
    labels: Mapping[str, str]
    values: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Wording:
    """How a business speaks of its customers.

    Attributes
    ----------
    language : that of the reasons.
    channel_labels : how operators call each channel, by configured name.
    order_name : how they call one order.
    currency : ISO 4217 code.
    """

    language: Language
    channel_labels: Mapping[str, str]
    order_name: str
    currency: str


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What reasons mention besides features.

    Attributes
    ----------
    stage, silence_days : shape (n,), places in `stages`, and days.
    orders : event types that are orders.
    wording : how the business speaks.
    tell_unsubscribed : whether having unsubscribed may be said; on a list of whom to
        contact it is no reason.
    """

    stage: NDArray[np.int16]
    silence_days: Float64Array
    stages: tuple[Stage, ...]
    orders: tuple[str, ...]
    wording: Wording
    tell_unsubscribed: bool = True


def learn_words(spec: FeatureSpec, *, channel_labels: Mapping[str, str]) -> Vocabulary:
    """Sort a specification's features into families.

    Parameters
    ----------
    channel_labels : how operators call each channel, by configured name.
    """
    channels = dict(
        zip(column_words(("any", *spec.channels)), ("any", *spec.channels), strict=True)
    )
    attributes = column_words(spec.attributes)
    order_types = {
        f"recency_days_type_{word}"
        for word, name in zip(column_words(spec.event_types), spec.event_types, strict=True)
        if name in spec.orders
    }
    names = tuple(feature.name for feature in feature_manifest(spec))
    keys = [_family(name, order_types, tuple(channels)) for name in names]
    members = tuple(sorted(set(keys)))
    families = tuple(PHRASES)
    return Vocabulary(
        names=names,
        family=np.array([families.index(family) for family, _ in keys], dtype=np.int64),
        member=np.array([members.index(key) for key in keys], dtype=np.int64),
        members=members,
        members_of={
            family: tuple(
                place for place, (name, word) in enumerate(members) if name == family and word
            )
            for family, word in members
            if word
        },
        labels={
            word: "" if name == "any" else channel_labels.get(name, name)
            for word, name in channels.items()
        },
        values=dict(zip(attributes, spec.vocabulary, strict=True)),
    )


def _family(name: str, order_types: set[str], channels: tuple[str, ...]) -> tuple[str, str]:
    if name.startswith("recency_"):
        silent = name == "recency_days_order" or name in order_types
        return ("silence" if silent else "presence"), ""
    family = next(family for prefix, family in _PREFIXES if name.startswith(prefix))
    if family == "attribute":
        return family, name.removeprefix("attribute_")
    if family == "contacts":
        rest = name.removeprefix("contacts_")
        fitting = [word for word in channels if rest.startswith(f"{word}_")]
        return family, max(fitting, key=len)
    return family, ""


def give_reasons(
    contributions: Float64Array,
    values: Float32Array,
    *,
    words: Vocabulary,
    circumstances: Circumstances,
    limit: int = MAX_REASONS,
) -> list[list[str]]:
    """Put what moved each customer's probability most into words.

    Families are ranked by the sum of their features' absolute contributions to the
    log-odds; each is said in one phrase from the customer's own feature values. A
    family about which nothing true can be said is passed over. Where only an order ends
    silence, the silence comes first: next to it, "last seen 9 days ago" cannot be
    misread.

    Parameters
    ----------
    contributions : log-odds, shape (n, n_features).
    values : feature values, same shape.

    Returns
    -------
    Up to `limit` phrases per row, the strongest first, but for silence.
    """
    weight = np.abs(contributions)
    family_weight = _summed(weight, words.family, len(PHRASES))
    member_weight = _summed(weight, words.member, len(words.members)).tolist()
    ranking = np.argsort(-family_weight, axis=1, kind="stable").tolist()
    weighty = (family_weight > 0).sum(axis=1).tolist()
    facts_of = _FactsOf(words, circumstances)
    rows = zip(
        ranking,
        weighty,
        member_weight,
        circumstances.stage.tolist(),
        circumstances.silence_days.tolist(),
        values,
        strict=True,
    )
    said = []
    for ranked, n_ranked, own_weight, stage, silence_days, own_values in rows:
        facts = facts_of.row(stage, silence_days, own_values)
        order = _in_order(ranked[:n_ranked], facts)
        said.append(_reasons_of_row(order, own_weight, facts, words, limit))
    return said


def _in_order(ranked: Sequence[int], facts: Facts) -> list[int]:
    """Families by weight; silence before them where being seen does not end it."""
    is_told = _SILENCE in ranked or _PRESENCE in ranked
    if not facts.silent_without_order or not is_told:
        return list(ranked)
    return [_SILENCE, *(place for place in ranked if place != _SILENCE)]


def _summed(weight: Float64Array, group: Int64Array, n_groups: int) -> Float64Array:
    summed = np.zeros((len(weight), n_groups), dtype=np.float64)
    for column, place in enumerate(group):
        summed[:, place] += weight[:, column]
    return summed


class _FactsOf:
    """Makes the facts of row after row; what a stage's rows share is worked out once."""

    def __init__(self, words: Vocabulary, circumstances: Circumstances) -> None:
        self._places = {name: place for place, name in enumerate(words.names)}
        wording, orders = circumstances.wording, circumstances.orders
        labels = {word: label for word, label in words.labels.items() if word != "any"}
        self._of_stage = [
            Facts(
                values={},
                silence_days=math.nan,
                stage_label=stage.label,
                entered_with_order=any(name in orders for name in stage.entered_by),
                returns_with_order=any(name in orders for name in stage.returns_by),
                silent_without_order=all(name in orders for name in stage.active_on),
                order=wording.order_name,
                currency=wording.currency,
                language=wording.language,
                channel_labels=labels,
                tell_unsubscribed=circumstances.tell_unsubscribed,
            )
            for stage in circumstances.stages
        ]

    def row(self, stage: int, silence_days: float, values: Float32Array) -> Facts:
        """Facts of one customer."""
        return replace(
            self._of_stage[stage],
            values=_RowValues(self._places, values),
            silence_days=silence_days,
        )


class _RowValues(Mapping[str, float]):
    """One row of the feature matrix by name; phrases ask for a few of its many values."""

    __slots__ = ("_places", "_values")

    def __init__(self, places: Mapping[str, int], values: Float32Array) -> None:
        self._places = places
        self._values = values

    def __getitem__(self, name: str) -> float:
        return float(self._values[self._places[name]])

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _reasons_of_row(
    ranking: Sequence[int],
    member_weight: Sequence[float],
    facts: Facts,
    words: Vocabulary,
    limit: int,
) -> list[str]:
    said: list[str] = []
    for place in ranking:
        family = _FAMILIES[place]
        phrase = PHRASES[family](_about_member(facts, family, member_weight, words))
        if phrase is not None and phrase not in said:
            said.append(phrase)
        if len(said) == limit:
            break
    return said


def _about_member(
    facts: Facts, family: str, member_weight: Sequence[float], words: Vocabulary
) -> Facts:
    """The facts with the family's strongest channel or attribute filled in."""
    places = words.members_of.get(family)
    if not places:
        return facts
    word = words.members[max(places, key=member_weight.__getitem__)][1]
    if family == "contacts":
        label = words.labels[word]
    else:
        code = facts.value(f"attribute_{word}")
        known = words.values[word]
        label = known[int(code)] if code is not None and 0 <= int(code) < len(known) else ""
    return replace(facts, member=word, member_label=label)
