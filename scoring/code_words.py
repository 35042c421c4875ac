"""The codes of the list in a reader's words: arms, segments, evidence, times, models."""

from collections.abc import Mapping
from dataclasses import dataclass

from scoring.language import Text


@dataclass(frozen=True, slots=True)
class CodeWords:
    """One code of a column.

    Attributes
    ----------
    name : what stands in its place in a table or a chart.
    meaning : what it stands for, as one sentence of a glossary.
    """

    name: Text
    meaning: Text


ARM_WORDS = {
    "contact": CodeWords(
        Text("contact", "触达"),
        Text(
            "To be contacted with the action that gains most.",
            "按收益最高的方案触达。",
        ),
    ),
    "explore": CodeWords(
        Text("explore", "探索"),
        Text(
            "To be contacted with an action drawn by chance, so that other actions stay known.",
            "随机抽取一种方案触达，以便持续了解其他方案的效果。",
        ),
    ),
    "ghost": CodeWords(
        Text("ghost control", "当晚对照"),
        Text(
            "A control of this night: listed, but not to be contacted; proves what the list earns.",
            "当晚的对照客户：在名单内但不触达，用来证明名单带来了多少收益。",
        ),
    ),
    "holdout": CodeWords(
        Text("holdout control", "长期对照"),
        Text(
            "A lasting control: never to be contacted, on any list.",
            "长期对照客户：任何一期名单都不触达。",
        ),
    ),
}
"""By `scoring.arms.ARMS`."""

LIFE_CYCLE_WORDS = {
    "new": CodeWords(
        Text("new", "新客"),
        Text("Has not come a second time yet.", "来过一次，尚未再来。"),
    ),
    "active": CodeWords(
        Text("active", "活跃"),
        Text("Silent for no longer than usual.", "沉默时间未超过平时。"),
    ),
    "reactivated": CodeWords(
        Text("reactivated", "已回流"),
        Text("Has come back after having been dormant.", "曾经沉睡，现已回流。"),
    ),
    "cooling": CodeWords(
        Text("cooling", "降温"),
        Text("Silent for longer than usual.", "沉默时间比平时长。"),
    ),
    "at_risk": CodeWords(
        Text("at risk", "濒临沉睡"),
        Text("Silent for much longer than usual.", "沉默时间明显长于平时。"),
    ),
    "dormant": CodeWords(
        Text("dormant", "沉睡"),
        Text(
            "Silent beyond the stage's limit, or the customer's own.",
            "沉默天数已超过所在阶段或本人习惯的界限。",
        ),
    ),
    "lost": CodeWords(
        Text("lost", "流失"),
        Text("Dormant for so long that few return.", "沉睡已久，很少有人再回流。"),
    ),
}
"""By `features.life_cycle.LIFE_CYCLES`."""

PROMOTION_WORDS = {
    "neutral": CodeWords(
        Text("neutral", "优惠中性"),
        Text(
            "Nothing stands out: offers are for when the customer is about to leave.",
            "没有明显倾向：临近流失时再发优惠。",
        ),
    ),
    "enthusiast": CodeWords(
        Text("enthusiast", "优惠达人"),
        Text(
            "Finds discounts alone: sending offers gives money away.",
            "会自己找优惠：再发优惠等于白送。",
        ),
    ),
    "sensitive": CodeWords(
        Text("sensitive", "优惠敏感"),
        Text("Orders when there is an offer: send regularly.", "有优惠才下单：适合定期发送。"),
    ),
    "indifferent": CodeWords(
        Text("indifferent", "优惠无感"),
        Text("Offers change nothing: do not send any.", "优惠不起作用：不必发送。"),
    ),
}
"""By `scoring.promotion.PROMOTIONS`."""

VALUE_TIER_WORDS = {
    "low value, low frequency": CodeWords(
        Text("low value, low frequency", "低价值、低频"),
        Text("Spends little and buys seldom.", "消费金额低，购买次数少。"),
    ),
    "low value, high frequency": CodeWords(
        Text("low value, high frequency", "低价值、高频"),
        Text("Spends little but buys often.", "消费金额低，但购买次数多。"),
    ),
    "high value, low frequency": CodeWords(
        Text("high value, low frequency", "高价值、低频"),
        Text("Spends much but buys seldom.", "消费金额高，但购买次数少。"),
    ),
    "high value, high frequency": CodeWords(
        Text("high value, high frequency", "高价值、高频"),
        Text("Spends much and buys often.", "消费金额高，购买次数也多。"),
    ),
}
"""By `features.value_tier.VALUE_TIERS`."""

SEND_BASIS_WORDS = {
    "own": CodeWords(
        Text("own hours", "本人习惯"),
        Text(
            "The hour is that of the customer's own orders and visits.",
            "发送时间依据客户本人的下单和访问时间。",
        ),
    ),
    "segment": CodeWords(
        Text("similar customers' hours", "同类客户习惯"),
        Text(
            "Little is known of the customer: the hour is that of similar customers.",
            "客户本人的记录较少，发送时间依据同类客户的习惯。",
        ),
    ),
    "all": CodeWords(
        Text("all customers' hours", "全体客户习惯"),
        Text(
            "Little is known of the segment either: the hour is that of all customers.",
            "同类客户的记录也较少，发送时间依据全体客户的习惯。",
        ),
    ),
    "configured": CodeWords(
        Text("configured windows", "配置时段"),
        Text(
            "Nothing is known yet: the hour lies in the channel's configured windows.",
            "尚无任何记录，发送时间取自该渠道配置的时段。",
        ),
    ),
    "explore": CodeWords(
        Text("drawn by chance", "随机抽取"),
        Text(
            "The hour is drawn by chance, so that other hours stay known.",
            "随机抽取发送时间，以便持续了解其他时段的效果。",
        ),
    ),
}
"""By `scoring.customer_hours.SEND_BASES`."""

EVIDENCE_WORDS = {
    "rules": CodeWords(
        Text("assumption, not proven yet", "假设，尚未证实"),
        Text(
            "The effect is an assumption of the configuration.",
            "效果取自配置中的假设。",
        ),
    ),
    "response": CodeWords(
        Text("seen in past contacts, not proven", "由过往触达推断，尚未证实"),
        Text(
            "The effect is an assumption, corrected by past contacts that nobody randomised.",
            "效果为假设值，并按过往未经随机分组的触达作了修正。",
        ),
    ),
    "uplift": CodeWords(
        Text("measured against a control group", "已由对照组证实"),
        Text(
            "The effect of this action was measured against randomised controls.",
            "该方案的效果已与随机对照组比较测得。",
        ),
    ),
}
"""By `models.contact_effect.EVIDENCE`."""

RUNG_WORDS = {
    "priors": Text("priors", "先验假设"),
    "arm_means": Text("arm means", "各方案均值"),
    "ridge": Text("ridge", "岭回归"),
    "stack": Text("stack", "组合模型"),
}
"""What effects are estimated with, by `models.contact_effect.RUNGS`."""

MODEL_WORDS = {
    "dormancy_risk": Text("dormancy risk", "沉睡风险模型"),
    "natural_return": Text("natural return", "自然回流模型"),
    "return_time": Text("return time", "回流时间模型"),
    "contact_effect": Text("contact effect", "触达效果模型"),
}
"""By the kind of a model."""

CODE_WORDS: Mapping[str, Mapping[str, CodeWords]] = {
    "arm": ARM_WORDS,
    "life_cycle": LIFE_CYCLE_WORDS,
    "promotion": PROMOTION_WORDS,
    "value_tier": VALUE_TIER_WORDS,
    "send_basis": SEND_BASIS_WORDS,
    "evidence": EVIDENCE_WORDS,
}
"""By the list's column that holds the codes."""
