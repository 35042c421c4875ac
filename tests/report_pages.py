"""A report with everything on it, long words included, in every language."""

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
from test_pipelines_report import SUMMARY
from test_scoring_recall_list import control, row, table_of

from pipelines.report.limit_prices import LimitPrice
from pipelines.report.outlook import Interval, Outlook
from pipelines.report.page import build_page
from pipelines.report.page_parts import Labels
from scoring.arms import ARMS
from scoring.early_warning_table import JOINT, REASONS, SCHEMA
from scoring.language import LANGUAGES, Language

__all__ = ["LANGUAGES", "empty_page", "rich_page"]

_CHANNELS = {
    "en": {"push": "push message", "sms": "text message", "email": "e-mail", "phone": "phone call"},
    "zh": {"push": "应用推送", "sms": "短信", "email": "电子邮件", "phone": "电话回访"},
}
_OFFERS = {"en": {"none": "no offer", "coupon": "5 % coupon"}, "zh": {"none": "无", "coupon": "券"}}
_STAGES = {"en": {"buyer": "has bought"}, "zh": {"buyer": "已购买"}}
_REASONS = {
    "en": (
        "silent for 94 days, usually orders every 21",
        "spent 1\u202f187 EUR in the last 365 days, more than nine in ten",
        "clicked 1 of 12 e-mails in the last 90 days",
    ),
    "zh": ("已沉默94天，通常每21天下单一次", "近365天消费 1,187 EUR", "近90天12封邮件中点击1封"),
}
_NOTE = {
    "en": "Effects of contact are assumptions, not proven yet: controls will prove them.",
    "zh": "触达效果为假设，尚未证实：名单中的对照客户将用于证实。",
}
_LONG_ID = "customer-of-a-foreign-system-0123456789-0123456789"


def rich_page(language: Language) -> bytes:
    """The page of a night with controls, trials, follow-ups, prices and warnings."""
    return build_page(
        _summary(language),
        _rows(language),
        warnings=_warnings(),
        labels=Labels(
            channels=_CHANNELS[language], offers=_OFFERS[language], stages=_STAGES[language]
        ),
    ).content


def empty_page() -> bytes:
    """The page of a night on which nobody is listed and nothing is limited."""
    nobody = dict.fromkeys(ARMS, 0)
    summary = replace(
        _summary("en"),
        listed=0,
        list_id=None,
        by_arm=nobody,
        by_channel=dict.fromkeys(_CHANNELS["en"], nobody),
        by_hour={name: {} for name in _CHANNELS["en"]},
        by_evidence={"rules": 0, "response": 0, "uplift": 0},
        prices=(),
        bound=0.0,
        last_event=None,
    )
    labels = Labels(channels=_CHANNELS["en"], offers=_OFFERS["en"], stages=_STAGES["en"])
    return build_page(
        summary, _rows("en").slice(0, 0), warnings=SCHEMA.empty_table(), labels=labels
    ).content


def _summary(language: Language):  # type: ignore[no-untyped-def]
    arms = dict(zip(ARMS, (1200, 140, 160, 40), strict=True))
    hours = {"09": 12, "12": 340, "19": 700, "20": 300}
    return replace(
        SUMMARY,
        language=language,
        business="Example Shop" if language == "en" else "示例商店",
        listed=6160,
        by_arm={arm: 4 * count for arm, count in arms.items()},
        by_channel=dict.fromkeys(_CHANNELS["en"], arms),
        by_hour=dict.fromkeys(_CHANNELS["en"], hours),
        seats={"push": None, "sms": 400, "email": 123_456, "phone": 40},
        by_evidence={"rules": 1200, "response": 3000, "uplift": 1160},
        follow_ups=212,
        exclusions={
            "not_dormant": 1_234_567,
            "cap_30d": 597,
            "gain_below_minimum": 100,
            "no_eligible_channel": 3,
        },
        channel_blocks={
            "push": {"no_consent_or_unreachable:app_installed": 7_654_321},
            "sms": {},
            "email": {"unsubscribed": 12, "no_send_window": 4},
            "phone": {"not_in_stage": 1},
        },
        outlook=Outlook(
            gain=Interval(1_234_567.0, -98_765.0, 2_345_678.0),
            extra_returns=Interval(12_345.6, 7.5, 34_567.0),
            returns_anyway=5_000.0,
            given_away=123_456.0,
        ),
        spend=234_567.0,
        spend_high=345_678.0,
        prices=(
            LimitPrice("seats", "phone", price=1.13, used=40, limit=40),
            LimitPrice("budget", "", price=0.43, used=345_678, limit=350_000),
            LimitPrice("segment_most", "customers of the north", 0.2, used=100, limit=100),
            LimitPrice("segment_least", "new customers", price=0.08, used=120, limit=120),
            LimitPrice("rows", "", price=0.0, used=6160, limit=10_000),
        ),
        models=tuple(
            replace(SUMMARY.models[0], kind=kind, trained_until=SUMMARY.as_of - timedelta(days=12))
            for kind in ("dormancy_risk", "natural_return", "return_time", "contact_effect")
        ),
        notes=(_NOTE[language],) * 2,
    )


def _rows(language: Language) -> pa.Table:
    texts = dict(zip(("reason_1", "reason_2", "reason_3"), _REASONS[language], strict=True))
    return table_of(
        row(1, customer_id=_LONG_ID, offer="coupon", follow_up_of="2025-11-16-abc/7", **texts),
        control(2, channel="phone", **texts),
        row(3, arm="explore", channel="push", **texts),
        row(4, channel="sms", reason_1=_REASONS[language][0]),
    )


def _warnings() -> pa.Table:
    one = {
        "stage": "buyer",
        "life_cycle": "cooling",
        "tier_then": "high value, high frequency",
        "tier_now": "high value, low frequency",
        "promotion": "neutral",
        "orders_recent": 1,
        "orders_usual": 4.25,
        "chance_of_so_few": 0.004,
        "p_dormant": 0.43,
        "last_order_days": 38.5,
        "yearly_spend": 12_345.0,
        "value_at_stake": 5_308.35,
    }
    reasons = (JOINT.join(REASONS), *REASONS)
    rows = [
        {"rank": place, "customer_id": f"{_LONG_ID}{place}", "reason": reason, **one}
        for place, reason in enumerate(reasons, start=1)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)
