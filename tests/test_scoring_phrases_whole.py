"""Whatever is known of a customer, no phrase is broken, in either language."""

import math
import re

from catalogues import latin_left
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.facts import Facts
from scoring.language import LANGUAGES, Language
from scoring.phrases import say_attribute
from scoring.reasons import PHRASES

_LABELS: dict[Language, dict[str, str]] = {
    "en": {"stage": "registered, no purchase yet", "email": "e-mail", "sms": "text message"},
    "zh": {"stage": "已注册，尚未购买", "email": "邮件", "sms": "短信"},
}
_NUMBERS = st.one_of(
    st.just(math.nan),
    st.sampled_from([0.0, 0.4, 1.0, 2.0]),
    st.floats(min_value=0, max_value=1e7),
)
_NAMES = (
    "recency_days_activity",
    "gap_days_mean",
    "active_days_90d",
    "active_days_365d",
    "orders_lifetime",
    "orders_365d",
    "orders_90d",
    "order_amount_mean",
    "spend_365d",
    "refunds_365d",
    "refund_share_365d",
    "discount_share_365d",
    "tenure_days",
    "tenure_days_signup",
    "categories_365d",
    "categories_lifetime",
    *(
        f"contacts_{word}_{what}"
        for word in ("any", "email", "sms")
        for what in ("unsubscribed", "sent_90d", "opened_90d", "clicked_90d")
    ),
)
_FEATURES = st.fixed_dictionaries({}, optional=dict.fromkeys(_NAMES, _NUMBERS))
_NOTHING = re.compile(r"\b(nan|inf|None)\b|[{}]")


@settings(max_examples=150, deadline=None)
@given(
    values=_FEATURES,
    silence=_NUMBERS,
    stage=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    member=st.sampled_from(["any", "email", "sms", "gone"]),
    noun=st.sampled_from(["order", "订单", "贷款"]),
    language=st.sampled_from(LANGUAGES),
)
def test_whatever_is_known_phrases_are_whole(
    values: dict[str, float],
    silence: float,
    stage: tuple[bool, bool, bool],
    member: str,
    noun: str,
    language: Language,
) -> None:
    entered, returns, tell = stage
    known = Facts(
        values=values,
        silence_days=silence,
        stage_label=_LABELS[language]["stage"],
        entered_with_order=entered,
        returns_with_order=returns,
        silent_without_order=entered,
        order=noun if language == "zh" or noun.isascii() else "order",
        currency="EUR",
        language=language,
        member=member,
        member_label=_LABELS[language].get(member, ""),
        channel_labels={word: _LABELS[language][word] for word in ("email", "sms")},
        tell_unsubscribed=tell,
    )
    for phrase in PHRASES.values():
        said = phrase(known)
        assert said is None or (said and said == said.strip() and not _NOTHING.search(said))
        if said is not None and language == "zh" and phrase is not say_attribute:
            assert latin_left(said, allowed={"EUR"}) == []
