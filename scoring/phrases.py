"""How an operator would say it: one phrase per family of features, from the raw values."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_MONTH_DAYS = 365.25 / 12
_GROUP_SPACE = "\u202f"
"""Narrow and never broken: 1 234 stays one number wherever it is shown."""


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
    order : how operators call one order.
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


Phrase = Callable[[Facts], str | None]
"""Says one thing about a customer, or nothing if there is nothing true to say."""


def days_text(days: float) -> str:
    """`1 day`, `94 days`; the days that have passed in full."""
    return _counted(int(days), "day")


def number_text(number: float, *, decimals: int = 0) -> str:
    """A number with its thousands set apart by narrow no-break spaces."""
    return f"{number:,.{decimals}f}".replace(",", _GROUP_SPACE)


def money_text(amount: float, currency: str) -> str:
    """Whole units from ten on, two decimals below."""
    return f"{number_text(amount, decimals=0 if abs(amount) >= 10 else 2)} {currency}"


def say_silence(facts: Facts) -> str | None:
    """Silent for 94 days, usually orders every 21.

    Who was seen since on a stage that only an order moves is not called silent.
    """
    if not math.isfinite(facts.silence_days):
        return None
    days = days_text(facts.silence_days)
    seen = facts.value("recency_days_activity")
    was_seen = seen is not None and seen + 1 < facts.silence_days
    is_unordered = facts.entered_with_order and was_seen
    if is_unordered:
        silence = f"no {facts.order} for {days}"
    elif facts.entered_with_order:
        silence = f"silent for {days}"
    elif was_seen:
        silence = f"{facts.stage_label} for {days}"
    else:
        silence = f"{facts.stage_label}: silent for {days}"
    gap = facts.value("gap_days_mean")
    if gap is None or gap < 1 or not facts.returns_with_order:
        return silence
    usual = "day" if round(gap) == 1 else number_text(round(gap))
    habit = "usually orders" if facts.order == "order" else f"usually {_one(facts.order)}"
    return f"{silence}, {'usually' if is_unordered else habit} every {usual}"


def say_presence(facts: Facts) -> str | None:
    """Last seen 12 days ago, active on 3 days in the last 90.

    Where the last activity also began the silence, the silence is what is said.
    """
    last = facts.value("recency_days_activity")
    if last is None:
        return None
    if math.isfinite(facts.silence_days) and int(last) == int(facts.silence_days):
        return say_silence(facts)
    seen = "last seen today" if last < 1 else f"last seen {days_text(last)} ago"
    recent, year = facts.count("active_days_90d"), facts.count("active_days_365d")
    if recent:
        return f"{seen}, active on {_counted(recent, 'day')} in the last 90"
    if year:
        return f"{seen}, active on {_counted(year, 'day')} in the last 365"
    return seen


def say_spend(facts: Facts) -> str | None:
    """Spent 340 EUR in the last 365 days, 42 EUR an order; or 300 EUR after refunds.

    The amount of one order is that of the same 365 days, so that both figures fit.
    """
    if not facts.count("orders_lifetime") or facts.value("order_amount_mean") is None:
        return f"no {facts.order} yet"
    orders = facts.count("orders_365d")
    if not orders:
        return _say_former_orders(facts)
    year = facts.value("spend_365d") or 0.0
    total = money_text(year, facts.currency)
    refunded = facts.value("refund_share_365d") or 0.0
    if refunded > 0:
        kept = money_text(year * max(1.0 - refunded, 0.0), facts.currency)
        total = f"{total} ({kept} after refunds)" if kept != total else total
    each = f"{money_text(year / orders, facts.currency)} {_one(facts.order)}"
    detail = _counted(1, facts.order) if orders == 1 else each
    if facts.order == "order":
        return f"spent {total} in the last 365 days, {detail}"
    return f"{_plural(facts.order)} of {total} in the last 365 days, {detail}"


def say_orders(facts: Facts) -> str | None:
    """Orders fell from 4 to 1 a quarter."""
    lifetime = facts.count("orders_lifetime")
    if not lifetime:
        return f"no {facts.order} yet"
    now, year = facts.count("orders_90d"), facts.count("orders_365d")
    before = round((year - now) * 90 / 275)
    if before > now:
        return f"{_plural(facts.order)} fell from {before} to {now or 'none'} a quarter"
    if now > before > 0:
        return f"{_plural(facts.order)} rose from {before} to {now} a quarter"
    if year:
        return f"{_counted(year, facts.order)} in the last 365 days"
    return _say_former_orders(facts)


def _say_former_orders(facts: Facts) -> str:
    """No order in the last 365 days, 3 before, 42 EUR an order."""
    before = number_text(facts.count("orders_lifetime"))
    former = f"no {facts.order} in the last 365 days, {before} before"
    mean = facts.value("order_amount_mean")
    if mean is None:
        return former
    return f"{former}, {money_text(mean, facts.currency)} {_one(facts.order)}"


def say_contacts(facts: Facts) -> str | None:
    """Opened 3 of 5 e-mails in the last 90 days."""
    word, label = facts.member, facts.member_label or "contact"
    if facts.tell_unsubscribed and facts.count(f"contacts_{word}_unsubscribed"):
        return _say_unsubscribed(facts)
    sent = facts.count(f"contacts_{word}_sent_90d")
    if not sent:
        return f"no {label} in the last 90 days"
    opened = min(facts.count(f"contacts_{word}_opened_90d"), sent)
    clicked = min(facts.count(f"contacts_{word}_clicked_90d"), sent)
    what = _counted(sent, label)
    if clicked:
        return f"clicked {clicked} of {what} in the last 90 days"
    if opened:
        return f"opened {opened} of {what} in the last 90 days"
    return f"no reaction to {what} in the last 90 days"


def _say_unsubscribed(facts: Facts) -> str:
    """Unsubscribed from e-mail and text messages."""
    words = tuple(facts.channel_labels) if facts.member == "any" else (facts.member,)
    # A label of one word is the medium (e-mail); of several, one message of it.
    left = [
        _plural(label) if " " in label else label
        for word in words
        if facts.count(f"contacts_{word}_unsubscribed")
        and (label := facts.channel_labels.get(word, facts.member_label))
    ]
    return f"unsubscribed from {' and '.join(left) or 'a channel no longer configured'}"


def say_refunds(facts: Facts) -> str | None:
    """2 refunds in the last 365 days, 12 % of the money spent."""
    refunds = facts.count("refunds_365d")
    if not refunds:
        return "no refund in the last 365 days"
    share = facts.value("refund_share_365d")
    told = f"{_counted(refunds, 'refund')} in the last 365 days"
    return told if share is None else f"{told}, {round(100 * share)} % of the money spent"


def say_discounts(facts: Facts) -> str | None:
    """Got 14 % off on average in the last 365 days."""
    share = facts.value("discount_share_365d")
    if share is None:
        return None
    percent = round(100 * share)
    if percent == 0:
        return "paid full price in the last 365 days"
    return f"got {percent} % off on average in the last 365 days"


def say_tenure(facts: Facts) -> str | None:
    """Known for 14 months."""
    days = facts.value("tenure_days")
    signup = facts.value("tenure_days_signup")
    if signup is not None:
        days = signup if days is None else max(days, signup)
    if days is None:
        return None
    if days < 90:
        return "new today" if days < 1 else f"known for {days_text(days)}"
    if days < 730:
        return f"known for {_counted(int(days / _MONTH_DAYS), 'month')}"
    return f"known for {_counted(int(days / 365.25), 'year')}"


def say_variety(facts: Facts) -> str | None:
    """Interested in 5 categories in the last 365 days."""
    year, lifetime = facts.count("categories_365d"), facts.count("categories_lifetime")
    if year:
        return f"interested in {_counted(year, 'category', 'categories')} in the last 365 days"
    if lifetime:
        return f"interested in {_counted(lifetime, 'category', 'categories')} so far"
    return None


def say_attribute(facts: Facts) -> str | None:
    """City tier: 2."""
    if not facts.member_label:
        return None
    return f"{facts.member.replace('_', ' ')}: {facts.member_label}"


def _counted(number: int, noun: str, plural: str | None = None) -> str:
    return f"1 {noun}" if number == 1 else f"{number_text(number)} {plural or _plural(noun)}"


def _plural(noun: str) -> str:
    return noun if noun.endswith("s") or noun.isupper() else f"{noun}s"


def _one(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
