"""The early warnings' columns and codes in a reader's words."""

from scoring.code_words import CodeWords
from scoring.column_words import COLUMN_WORDS, ColumnWords
from scoring.language import Text

WARNING_COLUMN_WORDS = {
    "rank": ColumnWords(
        COLUMN_WORDS["rank"].header,
        Text("1, 2, 3, … by the value at stake.", "按可能损失的金额从高到低排列。"),
    ),
    "customer_id": COLUMN_WORDS["customer_id"],
    "stage": COLUMN_WORDS["stage"],
    "life_cycle": COLUMN_WORDS["life_cycle"],
    "tier_then": ColumnWords(
        Text("Tier a month ago", "一个月前分层"),
        Text("Value and frequency a month ago.", "一个月前的价值与频次分层。"),
    ),
    "tier_now": ColumnWords(
        Text("Tier now", "当前分层"), Text("Value and frequency now.", "当前的价值与频次分层。")
    ),
    "promotion": COLUMN_WORDS["promotion"],
    "orders_recent": ColumnWords(
        Text("Order days, last 60 days", "近60天下单天数"),
        Text("Days with an order in the last 60 days.", "近60天内有订单的天数。"),
    ),
    "orders_usual": ColumnWords(
        Text("Order days, usual", "通常下单天数"),
        Text(
            "What the customer's own earlier pace lets expect in as many days.",
            "按客户自己以往的节奏，同样长的时间内应有的下单天数。",
        ),
    ),
    "chance_of_so_few": ColumnWords(
        Text("Chance of so few", "偶然概率"),
        Text(
            "Probability of so few orders, or fewer, if the pace were unchanged.",
            "若节奏未变，出现如此少或更少订单的概率。",
        ),
    ),
    "p_dormant": ColumnWords(
        COLUMN_WORDS["p_dormant"].header,
        Text("Probability of no return within {days} days.", "{days}天内不再回流的概率。"),
    ),
    "last_order_days": ColumnWords(
        Text("Days since last order", "距上次下单天数"),
        Text("Days from the last order to the as-of.", "从上次下单到截止时点的天数。"),
    ),
    "yearly_spend": ColumnWords(
        Text("Spend of a year", "近一年消费"),
        Text("Spend of the last 365 days, refunds taken off.", "近365天消费金额，已扣除退款。"),
    ),
    "value_at_stake": ColumnWords(
        Text("Value at stake", "可能损失金额"),
        Text("Spend of a year times the risk of dormancy.", "近一年消费乘以沉睡风险。"),
    ),
    "reason": ColumnWords(
        Text("Why", "预警原因"),
        Text(
            "What has changed; see below. Several reasons have + between them.",
            "发生了什么变化，见下文；多个原因以 + 相连。",
        ),
    ),
}
"""By column of `scoring.early_warning_table.SCHEMA`."""

WARNING_REASON_WORDS = {
    "frequency_tier_dropped": CodeWords(
        Text("tier has dropped", "分层下降"),
        Text("Of low frequency now.", "现在为低频。"),
    ),
    "pace_dropped": CodeWords(
        Text("own pace has dropped", "节奏变慢"),
        Text(
            "Orders less than the own earlier pace explains by chance.",
            "下单比以往少，且难以用偶然解释。",
        ),
    ),
    "silence_past_own_rhythm": CodeWords(
        Text("silent past the own rhythm", "沉默超出自身节奏"),
        Text(
            "Silent for longer than the customer's own gaps between orders lets expect.",
            "沉默时间已超过客户自己以往的下单间隔。",
        ),
    ),
}
"""By `scoring.early_warning_table.REASONS`."""
