"""Exclusion codes in an operator's words."""

from scoring.caution_words import caution_text
from scoring.eligibility import FLAG_RULE
from scoring.language import Language, Text

EXCLUSION_WORDS = {
    "no_stage": Text(
        "has not reached the first milestone of the ladder", "尚未到达阶梯的第一个里程碑"
    ),
    "stage_not_recalled": Text(
        "is on a stage from which nobody is recalled", "所在阶段的客户不在召回范围"
    ),
    "not_dormant": Text("is not dormant", "尚未沉睡"),
    "do_not_contact": Text("is marked do-not-contact", "已标记为禁止联系"),
    "open_complaint": Text("has an open complaint", "有未处理完的投诉"),
    "control_window": Text(
        "was a control of an earlier list, whose window is not over yet",
        "是此前名单的对照客户，观察窗口尚未结束",
    ),
    "cap_1d": Text(
        "was contacted (or held out) as often as the caps allow in the last day",
        "近1天的触达次数已达上限（长期对照视同触达）",
    ),
    "cap_7d": Text(
        "was contacted (or held out) as often as the caps allow in the last 7 days",
        "近7天的触达次数已达上限（长期对照视同触达）",
    ),
    "cap_30d": Text(
        "was contacted (or held out) as often as the caps allow in the last 30 days",
        "近30天的触达次数已达上限（长期对照视同触达）",
    ),
    "recent_order": Text("has ordered within the last few days", "近几天内有新订单"),
    "in_follow_up": Text(
        "is in a running follow-up, whose next step is due on a later night",
        "正在跟进中，下一步安排在之后的名单",
    ),
    "min_pause": Text(
        "was contacted (or held out) too recently for the shortest pause",
        "距上次触达（长期对照视同触达）的间隔短于最短间隔",
    ),
    "no_channel_configured": Text("no channel is configured", "没有配置任何渠道"),
    "no_eligible_channel": Text("has no channel that may be used tonight", "今晚没有可用的渠道"),
    "gain_below_minimum": Text(
        "no allowed contact gains more than the minimum", "任何可用方案的收益都不高于下限"
    ),
    "capacity_full": Text(
        "the channels were full when the customer's turn came", "轮到该客户时渠道容量已满"
    ),
    "list_full": Text("the list had reached its most rows", "名单已达行数上限"),
    "outbid": Text(
        "would gain, but others bring more for tonight's places and money",
        "有收益，但今晚的名额与预算留给了收益更高的客户",
    ),
    "budget_spent": Text(
        "tonight's budget was spent when the customer's turn came", "轮到该客户时今晚预算已用完"
    ),
    "segment_full": Text(
        "a limit of the customer's segment was reached", "所属客群已达到配置的上限"
    ),
    "not_yet": Text(
        "is worth more within days: held back for a better night",
        "几天内触达收益更高：暂缓，留待更合适的一晚",
    ),
    "not_in_stage": Text("the channel is not used on this stage", "该阶段不使用此渠道"),
    "unsubscribed": Text("the customer has unsubscribed from the channel", "客户已退订此渠道"),
    "channel_cap_1d": Text(
        "the channel's cap for 1 day is reached", "此渠道近1天的触达次数已达上限"
    ),
    "channel_cap_7d": Text(
        "the channel's cap for 7 days is reached", "此渠道近7天的触达次数已达上限"
    ),
    "channel_cap_30d": Text(
        "the channel's cap for 30 days is reached", "此渠道近30天的触达次数已达上限"
    ),
    "follow_up_step": Text(
        "the running follow-up has its turn on another channel", "正在进行的跟进轮到其他渠道"
    ),
    "no_send_window": Text("quiet hours leave no send window", "免打扰时段之外没有可发送的时间"),
}
"""By `scoring.night.EXCLUSIONS` and `scoring.eligibility.CHANNEL_RULES`."""

CONFIG_KEYS = {
    "recent_order": "caps.recent_order_days",
    "gain_below_minimum": "list.min_gain",
    "list_full": "list.max_rows",
}
"""Where a code's limit is set, for those who may change it."""

_CAUTIOUS = Text("{meaning} {caution}", "{caution}，{meaning}")

_FLAG = Text(
    'the flag "{flag}" is not true: no consent, or not reachable',
    "标记“{flag}”不为真：未授权或无法触达",
)


def explain_code(code: str, *, language: Language, caution: float = 0.0) -> str:
    """What an exclusion code of a customer or a channel means.

    Parameters
    ----------
    caution : standard errors taken off gains before they were compared with the minimum.
    """
    rule, _, flag = code.partition(":")
    if rule == FLAG_RULE:
        return _FLAG.say(language, flag=flag)
    meaning = EXCLUSION_WORDS[code].say(language)
    if code == "gain_below_minimum" and caution > 0:
        told = caution_text(caution, language=language)
        return _CAUTIOUS.say(language, meaning=meaning, caution=told)
    return meaning
