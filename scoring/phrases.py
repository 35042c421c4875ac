"""How an operator would say it: one phrase per family of features, from the raw values."""

import math
from collections.abc import Callable

from scoring.facts import Facts
from scoring.language import (
    Language,
    Noun,
    join_texts,
    percent_text,
)
from scoring.phrase_words import (
    ATTRIBUTE,
    CATEGORY,
    CONTACTS,
    DAY,
    DISCOUNTS,
    MONTH,
    ORDER,
    ORDERS,
    PRESENCE,
    REFUND,
    REFUNDS,
    SILENCE,
    SPEND,
    TENURE,
    TIME,
    VARIETY,
    YEAR,
)

_MONTH_DAYS = 365.25 / 12

Phrase = Callable[[Facts], str | None]
"""Says one thing about a customer, or nothing if there is nothing true to say."""


def days_text(days: float, language: Language) -> str:
    """`1 day`, `94 days`; the days that have passed in full."""
    return DAY.count(int(days), language)


def say_silence(facts: Facts) -> str | None:
    """Silent for 94 days, usually orders every 21.

    Who was seen since on a stage that only an order moves is not called silent.
    """
    if not math.isfinite(facts.silence_days):
        return None
    seen = facts.value("recency_days_activity")
    was_seen = seen is not None and seen + 1 < facts.silence_days
    is_unordered = facts.entered_with_order and was_seen
    if facts.entered_with_order:
        text = SILENCE["no_order" if is_unordered else "silent"]
    else:
        text = SILENCE["on_stage" if was_seen else "silent_on_stage"]
    silence = text.say(
        facts.language,
        order=_order(facts),
        stage=facts.stage_label,
        days=days_text(facts.silence_days, facts.language),
    )
    gap = facts.value("gap_days_mean")
    if gap is None or gap < 1 or not facts.returns_with_order:
        return silence
    return facts.clauses(silence, _say_habit(facts, round(gap), is_unordered=is_unordered))


def _say_habit(facts: Facts, gap: int, *, is_unordered: bool) -> str:
    """Usually orders every 21."""
    every = SILENCE["gap_day" if gap == 1 else "gap_days"]
    if is_unordered:
        habit = SILENCE["usually"]
    else:
        habit = SILENCE["usually_orders" if _is_default(facts) else "usually_one"]
    days = every.say(facts.language, days=facts.number(gap))
    return habit.say(facts.language, gap=days, one=_one_order(facts))


def say_presence(facts: Facts) -> str | None:
    """Last seen 12 days ago, active on 3 days in the last 90.

    Where the last activity also began the silence, the silence is what is said.
    """
    last = facts.value("recency_days_activity")
    if last is None:
        return None
    if math.isfinite(facts.silence_days) and int(last) == int(facts.silence_days):
        return say_silence(facts)
    language = facts.language
    seen = PRESENCE["today" if last < 1 else "seen"].say(language, days=days_text(last, language))
    for window in (90, 365):
        days = facts.count(f"active_days_{window}d")
        if days:
            active = PRESENCE["active"].say(
                language, days=DAY.count(days, language), window=str(window)
            )
            return facts.clauses(seen, active)
    return seen


def say_spend(facts: Facts) -> str | None:
    """Spent 340 EUR in the last 365 days, 42 EUR an order; or 300 EUR after refunds.

    The amount of one order is that of the same 365 days, so that both figures fit.
    """
    if not facts.count("orders_lifetime") or facts.value("order_amount_mean") is None:
        return ORDERS["none_yet"].say(facts.language, order=_order(facts))
    orders = facts.count("orders_365d")
    if not orders:
        return _say_former_orders(facts)
    year = facts.value("spend_365d") or 0.0
    total = facts.money(year)
    refunded = facts.value("refund_share_365d") or 0.0
    if refunded > 0:
        kept = facts.money(year * max(1.0 - refunded, 0.0))
        if kept != total:
            total = SPEND["after_refunds"].say(facts.language, total=total, kept=kept)
    spent = SPEND["spent" if _is_default(facts) else "orders_of"].say(
        facts.language, total=total, orders=_orders(facts)
    )
    return facts.clauses(
        spent, _counted_orders(facts, 1) if orders == 1 else _say_each(facts, year / orders)
    )


def say_orders(facts: Facts) -> str | None:
    """Orders fell from 4 to 1 a quarter."""
    language = facts.language
    lifetime = facts.count("orders_lifetime")
    if not lifetime:
        return ORDERS["none_yet"].say(language, order=_order(facts))
    now, year = facts.count("orders_90d"), facts.count("orders_365d")
    before = round((year - now) * 90 / 275)
    if before != now and before > 0:
        change = "rose" if now > before else "fell" if now else "fell_to_none"
        return ORDERS[change].say(language, orders=_orders(facts), before=str(before), now=str(now))
    if year:
        return ORDERS["counted"].say(language, orders=_counted_orders(facts, year))
    return _say_former_orders(facts)


def _say_former_orders(facts: Facts) -> str:
    """No order in the last 365 days, 3 before, 42 EUR an order."""
    before = facts.number(facts.count("orders_lifetime"))
    former = ORDERS["former"].say(facts.language, order=_order(facts), before=before)
    mean = facts.value("order_amount_mean")
    return former if mean is None else facts.clauses(former, _say_each(facts, mean))


def _say_each(facts: Facts, amount: float) -> str:
    """42 EUR an order."""
    return SPEND["each"].say(facts.language, amount=facts.money(amount), one=_one_order(facts))


def say_contacts(facts: Facts) -> str | None:
    """Opened 3 of 5 e-mails in the last 90 days."""
    word, language = facts.member, facts.language
    if facts.tell_unsubscribed and facts.count(f"contacts_{word}_unsubscribed"):
        return _say_unsubscribed(facts)
    sent = facts.count(f"contacts_{word}_sent_90d")
    if not sent:
        return CONTACTS["none"].say(language, contact=_contact(facts))
    opened = min(facts.count(f"contacts_{word}_opened_90d"), sent)
    clicked = min(facts.count(f"contacts_{word}_clicked_90d"), sent)
    reaction = "clicked" if clicked else "opened" if opened else "no_reaction"
    return CONTACTS[reaction].say(
        language,
        contacts=_counted_contacts(facts, sent),
        clicked=str(clicked),
        opened=str(opened),
    )


def _say_unsubscribed(facts: Facts) -> str:
    """Unsubscribed from e-mail and text messages."""
    words = tuple(facts.channel_labels) if facts.member == "any" else (facts.member,)
    left = [
        _medium(label, facts.language)
        for word in words
        if facts.count(f"contacts_{word}_unsubscribed")
        and (label := facts.channel_labels.get(word, facts.member_label))
    ]
    channels = left or [CONTACTS["former_channel"].say(facts.language)]
    return CONTACTS["unsubscribed"].say(
        facts.language, channels=join_texts(channels, language=facts.language)
    )


def _medium(label: str, language: Language) -> str:
    """In English a label of one word is the medium (e-mail); of several, one message of it."""
    return _plural(label) if language == "en" and " " in label else label


def say_refunds(facts: Facts) -> str | None:
    """2 refunds in the last 365 days, 12 % of the money spent."""
    language = facts.language
    refunds = facts.count("refunds_365d")
    if not refunds:
        return REFUNDS["none"].say(language)
    told = REFUNDS["counted"].say(language, refunds=REFUND.count(refunds, language))
    share = facts.value("refund_share_365d")
    if share is None:
        return told
    percent = percent_text(share, language=language)
    return facts.clauses(told, REFUNDS["share"].say(language, share=percent))


def say_discounts(facts: Facts) -> str | None:
    """Got 14 % off on average in the last 365 days."""
    share = facts.value("discount_share_365d")
    if share is None:
        return None
    text = DISCOUNTS["mean" if round(100 * share) else "none"]
    return text.say(facts.language, share=percent_text(share, language=facts.language))


def say_tenure(facts: Facts) -> str | None:
    """Known for 14 months."""
    days = facts.value("tenure_days")
    signup = facts.value("tenure_days_signup")
    if signup is not None:
        days = signup if days is None else max(days, signup)
    if days is None:
        return None
    if days < 1:
        return TENURE["today"].say(facts.language)
    if days < 90:
        number, unit = int(days), DAY
    elif days < 730:
        number, unit = int(days / _MONTH_DAYS), MONTH
    else:
        number, unit = int(days / 365.25), YEAR
    return TENURE["known"].say(facts.language, time=unit.count(number, facts.language))


def say_variety(facts: Facts) -> str | None:
    """Interested in 5 categories in the last 365 days."""
    for when, name in (("year", "categories_365d"), ("ever", "categories_lifetime")):
        number = facts.count(name)
        if number:
            return VARIETY[when].say(
                facts.language, categories=CATEGORY.count(number, facts.language)
            )
    return None


def say_attribute(facts: Facts) -> str | None:
    """City tier: 2."""
    if not facts.member_label:
        return None
    name = facts.member.replace("_", " ")
    return ATTRIBUTE.say(facts.language, name=name, value=facts.member_label)


def _is_default(facts: Facts) -> bool:
    return facts.order in (ORDER.en, ORDER.zh)


def _order(facts: Facts) -> str:
    return ORDER.say(facts.language) if _is_default(facts) else facts.order


def _orders(facts: Facts) -> str:
    """Orders; Chinese has no plural."""
    return _plural(_order(facts)) if facts.language == "en" else _order(facts)


def _one_order(facts: Facts) -> str:
    """An order; what counts it in Chinese stands in the texts."""
    return _one(_order(facts)) if facts.language == "en" else _order(facts)


def _counted_orders(facts: Facts, number: int) -> str:
    order = _order(facts)
    return Noun(order, _plural(order), f"笔{order}").count(number, facts.language)


def _contact(facts: Facts) -> str:
    """E-mail, or contact where all channels are meant."""
    if facts.member == "any" or not facts.member_label:
        return CONTACTS["contact"].say(facts.language)
    return CONTACTS["by_channel"].say(facts.language, label=facts.member_label)


def _counted_contacts(facts: Facts, number: int) -> str:
    """5 e-mails; Chinese counts how many times, after the noun."""
    contact = _contact(facts)
    if facts.language == "zh":
        return contact + TIME.count(number, "zh")
    return Noun(contact, _plural(contact), contact).count(number, "en")


def _plural(noun: str) -> str:
    return noun if noun.endswith("s") or noun.isupper() else f"{noun}s"


def _one(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
