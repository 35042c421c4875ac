"""Rules that tie the limits of segments in winback.toml to what segments there are."""

from collections.abc import Iterator, Mapping
from typing import Any

from features.life_cycle import LIFE_CYCLES
from features.stage import Stage
from features.value_tier import VALUE_TIERS
from pipelines.config_faults import unknown_name
from scoring.policy import NightLimits, SegmentLimit
from scoring.promotion import PROMOTIONS

Sections = Mapping[str, Any]

_KNOWN = {
    "life_cycle": (LIFE_CYCLES, "a state of the life cycle"),
    "value_tier": (VALUE_TIERS, "a value tier"),
    "promotion": (PROMOTIONS, "a promotion sensitivity"),
}
_BOUNDS = (("min_contacts", "max_contacts"), ("min_share", "max_share"))


def segment_limit_rules(sections: Sections) -> Iterator[str]:
    """Segments that nobody can be in, and limits that limit nothing or cannot be kept."""
    limits: NightLimits | None = sections.get("limits")
    if limits is None:
        return
    stages: tuple[Stage, ...] = sections.get("stages", ())
    names = [one.name for one in limits.segments]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f'limits.segments: "{name}" is there twice; expected each name once'
    for position, one in enumerate(limits.segments):
        place = f"limits.segments[{position}] ({one.name})"
        yield from _unknown_values(place, one)
        yield from _unknown_stages(place, one, stages)
        yield from _impossible_bounds(place, one)


def _unknown_values(place: str, limit: SegmentLimit) -> Iterator[str]:
    for field, (known, noun) in _KNOWN.items():
        for name in getattr(limit, field):
            if name not in known:
                yield unknown_name(f"{place}.{field}", name, known=known, noun=noun)


def _unknown_stages(place: str, limit: SegmentLimit, stages: tuple[Stage, ...]) -> Iterator[str]:
    recalled = tuple(stage.name for stage in stages if stage.silence_days is not None)
    for name in limit.stage:
        if stages and name not in recalled:
            noun = "a stage with silence_days"
            yield unknown_name(f"{place}.stage", name, known=recalled, noun=noun)


def _impossible_bounds(place: str, limit: SegmentLimit) -> Iterator[str]:
    bounds = [getattr(limit, name) for pair in _BOUNDS for name in pair]
    if all(bound is None for bound in bounds):
        yield (
            f"{place}: limits nothing; expected at least one of min_contacts, max_contacts, "
            "min_share, max_share"
        )
    for low, high in _BOUNDS:
        least, most = getattr(limit, low), getattr(limit, high)
        if least is not None and most is not None and least > most:
            yield (
                f"{place}: {low} {least:g} is more than {high} {most:g}; expected at most {most:g}"
            )
