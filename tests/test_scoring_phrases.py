"""Phrases about a customer: every form of each, in both languages."""

import math
from dataclasses import replace

import pytest

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
from scoring.reasons import PHRASES

NAN = math.nan


def facts(
    silence_days: float = 94.6,
    *,
    order: bool = True,
    entered: bool = True,
    noun: str = "order",
    member: str = "",
    label: str = "",
    tell_unsubscribed: bool = True,
    language: Language = "en",
    **values: float,
) -> Facts:
    """Facts of a buyer with the given feature values."""
    return Facts(
        values=values,
        silence_days=silence_days,
        stage_label="registered, no purchase yet",
        entered_with_order=entered,
        returns_with_order=order,
        silent_without_order=entered,
        order=noun,
        currency="EUR",
        language=language,
        member=member,
        member_label=label,
        channel_labels={"email": "e-mail", "sms": "text message"},
        tell_unsubscribed=tell_unsubscribed,
    )


CASES: list[tuple[Phrase, Facts, str | None]] = [
    (say_silence, facts(gap_days_mean=21.4), "silent for 94 days, usually orders every 21"),
    (say_silence, facts(gap_days_mean=1.2), "silent for 94 days, usually orders every day"),
    (say_silence, facts(1.0, gap_days_mean=NAN), "silent for 1 day"),
    (
        say_silence,
        facts(gap_days_mean=21.4, recency_days_activity=12.0),
        "no order for 94 days, usually every 21",
    ),
    (
        say_silence,
        facts(9, entered=False, order=False, gap_days_mean=30, recency_days_activity=9.0),
        "registered, no purchase yet: silent for 9 days",
    ),
    (
        say_silence,
        facts(9, entered=False, order=False, recency_days_activity=1.0),
        "registered, no purchase yet for 9 days",
    ),
    (
        say_silence,
        facts(46, entered=False, noun="loan", gap_days_mean=132, recency_days_activity=46),
        "registered, no purchase yet: silent for 46 days, usually a loan every 132",
    ),
    (say_silence, facts(NAN), None),
    (
        say_presence,
        facts(recency_days_activity=12.9, active_days_90d=3, active_days_365d=9),
        "last seen 12 days ago, active on 3 days in the last 90",
    ),
    (
        say_presence,
        facts(recency_days_activity=0.4, active_days_90d=1),
        "last seen today, active on 1 day in the last 90",
    ),
    (
        say_presence,
        facts(recency_days_activity=100, active_days_365d=2),
        "last seen 100 days ago, active on 2 days in the last 365",
    ),
    (say_presence, facts(recency_days_activity=500), "last seen 500 days ago"),
    (say_presence, facts(recency_days_activity=NAN), None),
    (say_presence, facts(recency_days_activity=94.6, active_days_365d=2), "silent for 94 days"),
    (
        say_spend,
        facts(orders_lifetime=9, order_amount_mean=99.0, spend_365d=1340, orders_365d=8),
        "spent 1\u202f340 EUR in the last 365 days, 168 EUR an order",
    ),
    (
        say_spend,
        facts(
            orders_lifetime=2,
            order_amount_mean=356,
            spend_365d=335,
            orders_365d=1,
            refund_share_365d=NAN,
        ),
        "spent 335 EUR in the last 365 days, 1 order",
    ),
    (
        say_spend,
        facts(
            orders_lifetime=2,
            order_amount_mean=200,
            spend_365d=400,
            orders_365d=2,
            refund_share_365d=0.25,
        ),
        "spent 400 EUR (300 EUR after refunds) in the last 365 days, 200 EUR an order",
    ),
    (
        say_spend,
        facts(orders_lifetime=2, order_amount_mean=4.5, spend_365d=0),
        "no order in the last 365 days, 2 before, 4.50 EUR an order",
    ),
    (say_spend, facts(orders_lifetime=0, order_amount_mean=NAN), "no order yet"),
    (
        say_orders,
        facts(orders_lifetime=20, orders_90d=1, orders_365d=13),
        "orders fell from 4 to 1 a quarter",
    ),
    (
        say_orders,
        facts(orders_lifetime=20, orders_90d=0, orders_365d=6),
        "orders fell from 2 to none a quarter",
    ),
    (
        say_orders,
        facts(orders_lifetime=9, orders_90d=5, orders_365d=8),
        "orders rose from 1 to 5 a quarter",
    ),
    (
        say_orders,
        facts(orders_lifetime=1, orders_90d=1, orders_365d=1),
        "1 order in the last 365 days",
    ),
    (
        say_orders,
        facts(orders_lifetime=7, orders_90d=0, orders_365d=0),
        "no order in the last 365 days, 7 before",
    ),
    (say_orders, facts(orders_lifetime=0), "no order yet"),
    (
        say_orders,
        facts(orders_lifetime=3, orders_365d=3, noun="loan"),
        "loans fell from 1 to none a quarter",
    ),
    (
        say_spend,
        facts(
            orders_lifetime=2, order_amount_mean=9150, spend_365d=18300, orders_365d=2, noun="loan"
        ),
        "loans of 18\u202f300 EUR in the last 365 days, 9\u202f150 EUR a loan",
    ),
    (say_spend, facts(orders_lifetime=0, noun="loan"), "no loan yet"),
    (
        say_contacts,
        facts(
            member="email", label="e-mail", contacts_email_sent_90d=5, contacts_email_opened_90d=3
        ),
        "opened 3 of 5 e-mails in the last 90 days",
    ),
    (
        say_contacts,
        facts(
            member="email",
            label="e-mail",
            contacts_email_sent_90d=5,
            contacts_email_opened_90d=3,
            contacts_email_clicked_90d=1,
        ),
        "clicked 1 of 5 e-mails in the last 90 days",
    ),
    (
        say_contacts,
        facts(member="phone", label="phone call", contacts_phone_sent_90d=1),
        "no reaction to 1 phone call in the last 90 days",
    ),
    (
        say_contacts,
        facts(member="sms", label="SMS", contacts_sms_sent_90d=2),
        "no reaction to 2 SMS in the last 90 days",
    ),
    (say_contacts, facts(member="any", label="contact"), "no contact in the last 90 days"),
    (
        say_contacts,
        facts(member="any", label="contact", contacts_any_unsubscribed=1),
        "unsubscribed from a channel no longer configured",
    ),
    (
        say_contacts,
        facts(
            member="any",
            label="contact",
            contacts_any_unsubscribed=1,
            contacts_email_unsubscribed=1,
            contacts_sms_unsubscribed=1,
        ),
        "unsubscribed from e-mail and text messages",
    ),
    (
        say_contacts,
        facts(
            member="any",
            label="contact",
            tell_unsubscribed=False,
            contacts_any_unsubscribed=1,
            contacts_any_sent_90d=4,
        ),
        "no reaction to 4 contacts in the last 90 days",
    ),
    (
        say_contacts,
        facts(member="email", label="e-mail", contacts_email_unsubscribed=1),
        "unsubscribed from e-mail",
    ),
    (
        say_refunds,
        facts(refunds_365d=2, refund_share_365d=0.123),
        "2 refunds in the last 365 days, 12 % of the money spent",
    ),
    (say_refunds, facts(refunds_365d=1, refund_share_365d=NAN), "1 refund in the last 365 days"),
    (say_refunds, facts(refunds_365d=0), "no refund in the last 365 days"),
    (
        say_discounts,
        facts(discount_share_365d=0.14),
        "got 14 % off on average in the last 365 days",
    ),
    (say_discounts, facts(discount_share_365d=0.001), "paid full price in the last 365 days"),
    (say_discounts, facts(discount_share_365d=NAN), None),
    (say_tenure, facts(tenure_days=0.5), "new today"),
    (say_tenure, facts(tenure_days=1.2), "known for 1 day"),
    (say_tenure, facts(tenure_days=100.0, tenure_days_signup=430.0), "known for 14 months"),
    (say_tenure, facts(tenure_days=731.0, tenure_days_signup=NAN), "known for 2 years"),
    (say_tenure, facts(), None),
    (say_variety, facts(categories_365d=1), "interested in 1 category in the last 365 days"),
    (
        say_variety,
        facts(categories_365d=0, categories_lifetime=4),
        "interested in 4 categories so far",
    ),
    (say_variety, facts(), None),
    (say_attribute, facts(member="city_tier", label="2"), "city tier: 2"),
    (say_attribute, facts(member="city_tier", label=""), None),
]


IN_CHINESE = {
    "silent for 94 days, usually orders every 21": "已沉默94天，平时每21天下单一次",
    "silent for 94 days, usually orders every day": "已沉默94天，平时每天下单一次",
    "silent for 1 day": "已沉默1天",
    "no order for 94 days, usually every 21": "已94天没有新订单，平时每21天一笔",
    "registered, no purchase yet: silent for 9 days": "已注册，尚未购买：已沉默9天",
    "registered, no purchase yet for 9 days": "已注册，尚未购买，已持续9天",
    "registered, no purchase yet: silent for 46 days, usually a loan every 132": (
        "已注册，尚未购买：已沉默46天，平时每132天一笔贷款"
    ),
    "last seen 12 days ago, active on 3 days in the last 90": (
        "最近一次活跃在12天前，近90天内活跃3天"
    ),
    "last seen today, active on 1 day in the last 90": "最近1天内来过，近90天内活跃1天",
    "last seen 100 days ago, active on 2 days in the last 365": (
        "最近一次活跃在100天前，近365天内活跃2天"
    ),
    "last seen 500 days ago": "最近一次活跃在500天前",
    "silent for 94 days": "已沉默94天",
    "spent 1\u202f340 EUR in the last 365 days, 168 EUR an order": (
        "近365天消费1,340 EUR，每笔订单168 EUR"
    ),
    "spent 335 EUR in the last 365 days, 1 order": "近365天消费335 EUR，1笔订单",
    "spent 400 EUR (300 EUR after refunds) in the last 365 days, 200 EUR an order": (
        "近365天消费400 EUR（退款后300 EUR），每笔订单200 EUR"
    ),
    "no order in the last 365 days, 2 before, 4.50 EUR an order": (
        "近365天无订单，此前共2笔，每笔订单4.50 EUR"
    ),
    "no order yet": "尚无订单",
    "orders fell from 4 to 1 a quarter": "每季度订单由4笔降至1笔",
    "orders fell from 2 to none a quarter": "每季度订单由2笔降至0笔",
    "orders rose from 1 to 5 a quarter": "每季度订单由1笔升至5笔",
    "1 order in the last 365 days": "近365天共1笔订单",
    "no order in the last 365 days, 7 before": "近365天无订单，此前共7笔",
    "loans fell from 1 to none a quarter": "每季度贷款由1笔降至0笔",
    "loans of 18\u202f300 EUR in the last 365 days, 9\u202f150 EUR a loan": (
        "近365天贷款共18,300 EUR，每笔贷款9,150 EUR"
    ),
    "no loan yet": "尚无贷款",
    "opened 3 of 5 e-mails in the last 90 days": "近90天邮件触达5次，打开3次",
    "clicked 1 of 5 e-mails in the last 90 days": "近90天邮件触达5次，点击1次",
    "no reaction to 1 phone call in the last 90 days": "近90天电话触达1次，无反应",
    "no reaction to 2 SMS in the last 90 days": "近90天短信触达2次，无反应",
    "no contact in the last 90 days": "近90天没有触达",
    "unsubscribed from a channel no longer configured": "已退订某个不再使用的渠道",
    "unsubscribed from e-mail and text messages": "已退订邮件、短信",
    "no reaction to 4 contacts in the last 90 days": "近90天触达4次，无反应",
    "unsubscribed from e-mail": "已退订邮件",
    "2 refunds in the last 365 days, 12 % of the money spent": "近365天2笔退款，占消费额12%",
    "1 refund in the last 365 days": "近365天1笔退款",
    "no refund in the last 365 days": "近365天无退款",
    "got 14 % off on average in the last 365 days": "近365天平均优惠14%",
    "paid full price in the last 365 days": "近365天均按原价支付",
    "new today": "1天内新加入",
    "known for 1 day": "加入已有1天",
    "known for 14 months": "加入已有14个月",
    "known for 2 years": "加入已有2年",
    "interested in 1 category in the last 365 days": "近365天关注过1个品类",
    "interested in 4 categories so far": "至今关注过4个品类",
    "city tier: 2": "city tier：2",
}
"""What the same cases are in Chinese."""

_WORDS = {"loan": "贷款", "e-mail": "邮件", "phone call": "电话", "SMS": "短信", "contact": ""}


def chinese(known: Facts) -> Facts:
    """The same facts of a business that speaks Chinese."""
    return replace(
        known,
        language="zh",
        order=_WORDS.get(known.order, known.order),
        member_label=_WORDS.get(known.member_label, known.member_label),
        channel_labels={"email": "邮件", "sms": "短信"},
        stage_label="已注册，尚未购买",
    )


@pytest.mark.parametrize(("phrase", "known", "expected"), CASES)
def test_phrases(phrase: Phrase, known: Facts, expected: str | None) -> None:
    assert phrase(known) == expected


@pytest.mark.parametrize(("phrase", "known", "expected"), CASES)
def test_chinese_phrases(phrase: Phrase, known: Facts, expected: str | None) -> None:
    assert phrase(chinese(known)) == (None if expected is None else IN_CHINESE[expected])


def test_every_family_is_tested() -> None:
    assert {phrase for phrase, _, _ in CASES} == set(PHRASES.values())


def test_the_default_noun_is_said_in_chinese() -> None:
    known = chinese(facts(gap_days_mean=21.4))
    assert known.order == "order"
    assert say_silence(known) == say_silence(replace(known, order="订单"))


def test_any_noun_fits_into_chinese_phrases() -> None:
    known = chinese(
        facts(noun="预订", gap_days_mean=7, orders_lifetime=3, orders_365d=3, order_amount_mean=20)
    )
    assert say_silence(known) == "已沉默94天，平时每7天一笔预订"
    assert say_orders(known) == "每季度预订由1笔降至0笔"
    assert say_spend(replace(known, values={**known.values, "spend_365d": 60.0})) == (
        "近365天预订共60 EUR，每笔预订20 EUR"
    )
