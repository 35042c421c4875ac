"""What is known of one customer, as phrases ask for it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from scoring.language import Language, join_clauses, money_text, number_text


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one customer.

    Attributes
    ----------
    values : feature values by name; NaN where undefined.
    silence_days : days of silence as the stage counts it.
    stage_label : how operators call the stage.
    entered_with_order : whether an order puts customers on this stage.
    returns_with_order : whether a return from this stage is an order.
    silent_without_order : whether only an order ends silence on this stage.
    order : how operators call one order; the default noun is said in their language.
    language : that of the phrases.
    currency : ISO 4217 code.
    member : the channel or attribute that moved the probability most within its family.
    member_label : how operators call that channel; the attribute's value for attributes.
    channel_labels : how operators call each channel, by its word in feature names.
    tell_unsubscribed : whether having unsubscribed may be said.
    """

    values: Mapping[str, float]
    silence_days: float
    stage_label: str
    entered_with_order: bool
    returns_with_order: bool
    silent_without_order: bool
    order: str
    currency: str
    language: Language
    member: str = ""
    member_label: str = ""
    channel_labels: Mapping[str, str] = field(default_factory=dict)
    tell_unsubscribed: bool = True

    def value(self, name: str) -> float | None:
        """The feature's value, null where it is undefined or unknown."""
        value = self.values.get(name)
        return None if value is None or not math.isfinite(value) else float(value)

    def count(self, name: str) -> int:
        """The feature's value as a whole number, zero where it is undefined."""
        return round(self.value(name) or 0.0)

    def number(self, number: float) -> str:
        """A whole number in the facts' language."""
        return number_text(number, language=self.language)

    def money(self, amount: float) -> str:
        """An amount in the facts' language and currency."""
        return money_text(amount, self.currency, language=self.language)

    def clauses(self, *clauses: str) -> str:
        """Clauses of one sentence."""
        return join_clauses(clauses, language=self.language)
