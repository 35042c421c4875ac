"""The named rules of the contracts: what makes a row a reject."""

from collections.abc import Iterable
from dataclasses import dataclass

from features.contract import Kind
from features.ingestion_time import DAY_US, quote
from features.source import EventRules

MAX_TEXT = 256
MAX_AMOUNT = 1e12
PROPENSITY_TOLERANCE = 1e-6
ASSIGNED_ACTION = (
    "CASE WHEN channel IS NULL THEN 'none' ELSE channel || '/' || coalesce(offer, 'none') END"
)
"""SQL of the name of the action that a staged assignment gave."""

_1900_US = -2_208_988_800_000_000
_1990_US = 631_152_000_000_000
_CLOCK_TOLERANCE_US = 5 * 60 * 1_000_000

UNREADABLE_RULES = {
    "row_wrong_columns": "the line has too few or too many columns",
    "row_bad_quotes": "a quoted value is not closed, or goes on after its quote",
    "row_not_utf8": "the line holds bytes that are not UTF-8 (see the encoding setting)",
    "row_not_json": "the line is no JSON object",
}
"""Rules that the readers apply before any expression is evaluated."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to be rejected.

    `condition` is SQL over the staged columns; `column` the contract column it is about.
    """

    name: str
    column: str
    condition: str
    meaning: str


@dataclass(frozen=True, slots=True)
class ContractTerms:
    """What the rules need to know besides the row itself.

    `now_us` is the time of ingestion; `channels`, `offers` and `time_zones` the known names;
    `flags` and `attributes` map configured names to the staged columns that hold them.
    """

    now_us: int
    events: EventRules
    channels: tuple[str, ...]
    time_zones: tuple[str, ...]
    flags: dict[str, str]
    attributes: dict[str, str]
    offers: tuple[str, ...] = ("none",)


def contract_rules(kind: Kind, terms: ContractTerms) -> list[Rule]:
    """All rules of a contract, in the order in which a row is checked.

    A row is rejected for the first rule it breaks.
    """
    common = [
        Rule("where_fails", "where", "where_failed", "the `where` expression fails on the row"),
        *_text("customer_id", required=True),
    ]
    if kind == "events":
        return common + _event_rules(terms)
    if kind == "customers":
        return common + _customer_rules(terms)
    if kind == "assignments":
        return common + _assignment_rules(terms)
    return common + _contact_rules(terms)


def _event_rules(terms: ContractTerms) -> list[Rule]:
    rules = [
        *_time("occurred_at", terms, required=True),
        *_text("event_type", required=True),
    ]
    if terms.events.unknown == "error":
        rules.append(
            Rule(
                "event_type_unknown",
                "event_type",
                f"event_type NOT IN ({_listing(terms.events.types)})",
                "the event type is not in events.types",
            )
        )
    rules += _number("amount")
    rules.append(
        Rule(
            "order_amount_negative",
            "amount",
            f"amount < 0 AND event_type IN ({_listing(terms.events.orders)})",
            "an event that carries value has a negative amount; refunds have a type of their own",
        )
    )
    if terms.events.refunds:
        rules.append(
            Rule(
                "refund_amount_positive",
                "amount",
                f"amount > 0 AND event_type IN ({_listing(terms.events.refunds)})",
                "a refund has a positive amount; refunds are negative",
            )
        )
    rules += _number("discount", negative=False)
    rules += _time("arrived_at", terms)
    for name in ("event_id", "order_id", "category", "device"):
        rules += _text(name)
    return rules


def _customer_rules(terms: ContractTerms) -> list[Rule]:
    rules = [
        *_time("signup_at", terms, since=1900),
        *_text("timezone"),
        Rule(
            "timezone_unknown",
            "timezone",
            f"timezone NOT IN ({_listing(terms.time_zones)})",
            "no IANA time zone of that name",
        ),
        _flag("do_not_contact", "do_not_contact", "do_not_contact_not_boolean"),
        *_time("changed_at", terms, since=1900),
        *_time("arrived_at", terms),
    ]
    rules += [_flag(name, column, "flag_not_boolean") for name, column in terms.flags.items()]
    for name, column in terms.attributes.items():
        rules += _text(name, column=column, rule="attribute")
    return rules


def _contact_rules(terms: ContractTerms) -> list[Rule]:
    rules = [
        *_text("contact_id", required=True),
        *_time("sent_at", terms, required=True),
        *_text("channel", required=True),
        Rule(
            "channel_unknown",
            "channel",
            f"channel NOT IN ({_listing(terms.channels)})" if terms.channels else "true",
            "the channel is not configured under [channels]",
        ),
    ]
    for name in ("delivered_at", "opened_at", "clicked_at", "unsubscribed_at"):
        rules += _time(name, terms)
        rules.append(
            Rule(
                f"{name.removesuffix('_at')}_before_sent",
                name,
                f"{name}_us < sent_at_us - {_CLOCK_TOLERANCE_US}",
                f"{name} lies more than five minutes before sent_at",
            )
        )
    rules += _number("cost", negative=False)
    rules += _time("arrived_at", terms)
    for name in ("offer", "list_row_id", "outcome"):
        rules += _text(name)
    return rules


def _assignment_rules(terms: ContractTerms) -> list[Rule]:
    return [
        *_text("assignment_id", required=True),
        *_time("assigned_at", terms, required=True),
        *_text("channel"),
        Rule(
            "channel_unknown",
            "channel",
            f"channel NOT IN ({_listing(terms.channels)})"
            if terms.channels
            else "channel IS NOT NULL",
            "the channel is not configured under [channels]; null means assigned to no contact",
        ),
        *_text("offer"),
        Rule(
            "offer_without_channel",
            "offer",
            "channel IS NULL AND offer <> 'none'",
            "an offer, but no channel that brings it",
        ),
        Rule(
            "offer_unknown",
            "offer",
            f"offer NOT IN ({_listing(terms.offers)})",
            "the offer is not configured under [offers]",
        ),
        *_text("experiment"),
        *_propensity_rules(terms),
        *_time("arrived_at", terms),
    ]


def _propensity_rules(terms: ContractTerms) -> list[Rule]:
    """A propensity of zero cannot have happened, and shares that do not add up are no shares."""
    not_a_number, not_finite, _ = _number("propensity")
    names = [f"{channel}/{offer}" for channel in terms.channels for offer in terms.offers]
    shares, values = "propensities", "map_values(propensities)"
    assigned = f"{shares}[{ASSIGNED_ACTION}]"
    return [
        not_a_number,
        not_finite,
        Rule("propensity_not_positive", "propensity", "propensity <= 0", "zero or below"),
        Rule("propensity_above_one", "propensity", "propensity > 1", "above one"),
        Rule(
            "propensities_unreadable",
            shares,
            f"{shares}_failed",
            "neither a map nor a JSON object of numbers by action name",
        ),
        Rule(
            "propensities_action_unknown",
            shares,
            f"NOT list_has_all([{_listing(('none', *names))}], map_keys({shares}))",
            'an action that is neither "none" nor a configured "channel/offer"',
        ),
        Rule(
            "propensities_not_finite",
            shares,
            f"len(list_filter({values}, lambda x: x IS NULL OR NOT isfinite(x))) > 0",
            "an action whose share is null, infinite or NaN",
        ),
        Rule("propensities_negative", shares, f"list_min({values}) < 0", "a share below zero"),
        Rule(
            "propensities_sum_not_one",
            shares,
            f"{shares} IS NOT NULL AND NOT abs(coalesce(list_sum({values}), 0) - 1) "
            f"<= {PROPENSITY_TOLERANCE!r}",
            "the shares do not sum to 1",
        ),
        Rule(
            "propensities_without_action",
            shares,
            f"{shares} IS NOT NULL AND coalesce({assigned}, 0) <= 0",
            "the assigned action is not among them, or its share is zero",
        ),
        Rule(
            "propensity_disagrees",
            "propensity",
            f"abs(propensity - {assigned}) > {PROPENSITY_TOLERANCE!r}",
            "propensity is not the assigned action's share in propensities",
        ),
    ]


def _text(
    name: str, *, column: str | None = None, rule: str | None = None, required: bool = False
) -> list[Rule]:
    column, rule = column or name, rule or name
    rules = [
        Rule(f"{rule}_fails", name, f"{column}_failed", "its expression fails on the row"),
        Rule(
            f"{rule}_too_long",
            name,
            f"length({column}) > {MAX_TEXT}",
            f"longer than {MAX_TEXT} characters",
        ),
    ]
    if required:
        missing = Rule(f"{rule}_missing", name, f"{column} IS NULL", "null or blank")
        rules.insert(1, missing)
    return rules


def _time(
    name: str, terms: ContractTerms, *, required: bool = False, since: int = 1990
) -> list[Rule]:
    earliest = _1900_US if since == 1900 else _1990_US
    rules = [
        Rule(
            f"{name}_unparsable",
            name,
            f"{name}_failed",
            "not a time: expected ISO 8601, or text that fits time_format",
        ),
        Rule(
            f"{name}_before_{since}",
            name,
            f"{name}_us < {earliest}",
            f"lies before {since}",
        ),
        Rule(
            f"{name}_in_future",
            name,
            f"{name}_us > {terms.now_us + DAY_US}",
            "lies more than a day after the time of ingestion",
        ),
    ]
    if required:
        rules.insert(1, Rule(f"{name}_missing", name, f"{name}_us IS NULL", "null or blank"))
    return rules


def _number(name: str, *, negative: bool = True) -> list[Rule]:
    rules = [
        Rule(f"{name}_not_a_number", name, f"{name}_failed", "not a number"),
        Rule(f"{name}_not_finite", name, f"NOT isfinite({name})", "infinite or NaN"),
        Rule(f"{name}_absurd", name, f"abs({name}) > {MAX_AMOUNT!r}", "beyond 1e12"),
    ]
    if not negative:
        rules.append(Rule(f"{name}_negative", name, f"{name} < 0", "below zero"))
    return rules


def _flag(name: str, column: str, rule: str) -> Rule:
    return Rule(
        rule, name, f"{column}_failed", "neither true nor false (true, t, yes, y, 1 and opposites)"
    )


def _listing(names: Iterable[str]) -> str:
    return ", ".join(quote(name) for name in names)
