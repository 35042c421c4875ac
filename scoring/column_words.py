"""The list's columns in a reader's words: headers and what each column says."""

from dataclasses import dataclass

from scoring.language import Text


@dataclass(frozen=True, slots=True)
class ColumnWords:
    """One column of the recall list.

    Attributes
    ----------
    header : what stands above it in a workbook or a report.
    meaning : one sentence of the read-me; what an empty cell means, where there can be one.
        `{days}` are those within which a return counts.
    """

    header: Text
    meaning: Text


COLUMN_WORDS = {
    "list_id": ColumnWords(
        Text("List", "名单编号"),
        Text("The list's date and a digest of its content.", "名单日期加内容摘要。"),
    ),
    "as_of": ColumnWords(
        Text("As of (UTC)", "截止时点（UTC）"),
        Text(
            "Only what had happened and arrived before this instant was used.",
            "只使用此时点之前已发生并已到达的数据。",
        ),
    ),
    "rank": ColumnWords(
        Text("Rank", "排名"),
        Text(
            "1, 2, 3, … by expected gain, controls included.",
            "按预期收益从高到低排列，包含对照客户。",
        ),
    ),
    "list_row_id": ColumnWords(
        Text("Row of the list", "名单行号"),
        Text(
            "Hand it to the sending tool, so that every contact names its row.",
            "请随任务交给发送工具，使每次触达都能对应到名单中的行。",
        ),
    ),
    "customer_id": ColumnWords(
        Text("Customer", "客户编号"),
        Text("The customer's id, as ingested.", "客户编号，与导入数据一致。"),
    ),
    "stage": ColumnWords(
        Text("Stage", "所在阶段"),
        Text(
            "The stage of the ladder that the customer is on, by its configured name.",
            "客户在阶梯中所处的阶段，以配置中的名称表示。",
        ),
    ),
    "value_tier": ColumnWords(
        Text("Value and frequency", "价值与频次"),
        Text(
            "Spend and orders of the last 365 days, each high or low.",
            "近365天的消费金额与订单数，各分高低两档。",
        ),
    ),
    "life_cycle": ColumnWords(
        Text("Life cycle", "生命周期"),
        Text(
            "Where the customer is between new and lost.",
            "客户处于从新客到流失的哪个时期。",
        ),
    ),
    "promotion": ColumnWords(
        Text("Promotion", "优惠敏感度"),
        Text(
            "How the customer takes to offers, from the history of coupons.",
            "根据用券记录判断客户对优惠的反应。",
        ),
    ),
    "arm": ColumnWords(
        Text("Arm", "分组"),
        Text(
            "contact and explore are to be contacted; ghost and holdout are controls: "
            "do not contact them.",
            "contact（触达）与 explore（探索）需要触达；ghost（当晚对照）与 "
            "holdout（长期对照）为对照客户，请勿触达。",
        ),
    ),
    "channel": ColumnWords(
        Text("Channel", "渠道"),
        Text(
            "How to contact the customer; for controls the channel they would have got.",
            "触达所用渠道；对照客户则为其本应使用的渠道。",
        ),
    ),
    "offer": ColumnWords(
        Text("Offer", "优惠"),
        Text(
            "What to promise on return; none is no offer.",
            "承诺给回流客户的优惠；none 表示不给优惠。",
        ),
    ),
    "send_at_utc": ColumnWords(
        Text("Send at (UTC)", "发送时间（UTC）"),
        Text("When to send. Empty for controls.", "何时发送。对照客户为空。"),
    ),
    "send_at_local": ColumnWords(
        Text("Send at (customer's time)", "发送时间（客户当地）"),
        Text(
            "The same instant on the customer's clock. Empty for controls.",
            "同一时刻的客户当地时间。对照客户为空。",
        ),
    ),
    "send_window_end_utc": ColumnWords(
        Text("Send before (UTC)", "最晚发送（UTC）"),
        Text(
            "Not to be sent from here on. Empty for controls.",
            "到此时刻起不得再发送。对照客户为空。",
        ),
    ),
    "send_basis": ColumnWords(
        Text("Hour taken from", "时间依据"),
        Text(
            "Whose habits the hour of sending rests on. Empty for controls.",
            "发送时间依据谁的习惯。对照客户为空。",
        ),
    ),
    "expires_at": ColumnWords(
        Text("Void from (UTC)", "失效时间（UTC）"),
        Text("The row must not be used from here on.", "到此时刻起该行作废。"),
    ),
    "p_dormant": ColumnWords(
        Text("Dormancy risk", "沉睡风险"),
        Text(
            "Probability of no return within {days} days. Empty for who is dormant already.",
            "{days}天内不再回流的概率。已沉睡的客户为空。",
        ),
    ),
    "p_return_natural": ColumnWords(
        Text("Returns alone", "自然回流概率"),
        Text(
            "Probability of a return within {days} days without a contact.",
            "不触达时，{days}天内回流的概率。",
        ),
    ),
    "p_return_contacted": ColumnWords(
        Text("Returns if contacted", "触达后回流概率"),
        Text(
            "The same after this contact, within {days} days, too.",
            "按本行方案触达后，{days}天内回流的概率。",
        ),
    ),
    "uplift": ColumnWords(
        Text("Uplift", "回流提升"),
        Text("The difference of the two.", "触达后与自然回流概率之差。"),
    ),
    "uplift_low": ColumnWords(
        Text("Uplift, low", "提升下限"),
        Text("Lower end of the uplift's 95 % interval.", "回流提升95%区间的下限。"),
    ),
    "uplift_high": ColumnWords(
        Text("Uplift, high", "提升上限"),
        Text("Upper end of the uplift's 95 % interval.", "回流提升95%区间的上限。"),
    ),
    "expected_gain": ColumnWords(
        Text("Expected gain", "预期收益"),
        Text(
            "Extra profit to be expected of this contact, all costs taken off.",
            "本次触达预期带来的额外利润，已扣除全部成本。",
        ),
    ),
    "contact_cost": ColumnWords(
        Text("Cost of contact", "触达成本"),
        Text("What sending costs; 0 for controls.", "发送本身的费用；对照客户为0。"),
    ),
    "expected_cost": ColumnWords(
        Text("Expected cost", "预期成本"),
        Text(
            "Sending and what the offer is expected to give away on return; 0 for controls.",
            "发送费用加上回流时预期让出的优惠金额；对照客户为0。",
        ),
    ),
    "propensity": ColumnWords(
        Text("Probability of this row", "分配概率"),
        Text(
            "With what probability chance gave the customer this arm and action.",
            "客户被随机分到此分组与方案的概率。",
        ),
    ),
    "evidence": ColumnWords(
        Text("Evidence", "证据"),
        Text(
            "What the uplift rests on: rules is an assumption, response one moved by past "
            "contacts, uplift a measurement.",
            "回流提升的依据：rules（假设）、response（由过往触达推断）、uplift（对照实测）。",
        ),
    ),
    "next_order_expected": ColumnWords(
        Text("Next return expected", "预计下次回流"),
        Text(
            "Expected date of the next return without a contact. Empty without a model of "
            "return times.",
            "不触达时预计下次回流的日期。没有回流时间模型时为空。",
        ),
    ),
    "next_order_low": ColumnWords(
        Text("Next return from", "回流最早"),
        Text(
            "One return in ten comes before this date. Empty beyond the model's horizon.",
            "十次中有一次早于此日期。超出模型预测期时为空。",
        ),
    ),
    "next_order_high": ColumnWords(
        Text("Next return until", "回流最晚"),
        Text(
            "One return in ten comes after this date. Empty beyond the model's horizon.",
            "十次中有一次晚于此日期。超出模型预测期时为空。",
        ),
    ),
    "follow_up_of": ColumnWords(
        Text("Follows up row", "跟进自"),
        Text(
            "The row of an earlier list that this one follows up. Empty for a first contact.",
            "本行所跟进的此前名单行。首次触达为空。",
        ),
    ),
    "follow_up_channel": ColumnWords(
        Text("Next channel", "下一渠道"),
        Text(
            "Where to follow up if there is no return. Empty if no further step is planned.",
            "若未回流，下一步使用的渠道。没有后续步骤时为空。",
        ),
    ),
    "follow_up_at": ColumnWords(
        Text("Follow up on", "跟进日期"),
        Text(
            "The date whose list carries that out; CSV and Parquet hold the midnight that "
            "begins it, in UTC.",
            "由该日期的名单执行；CSV 与 Parquet 中为该日零点对应的UTC时刻。",
        ),
    ),
    "reason_1": ColumnWords(
        Text("Why", "原因一"),
        Text(
            "What moved the model most for this customer. Empty if there is nothing to say.",
            "对该客户的模型判断影响最大的因素。无可说明时为空。",
        ),
    ),
    "reason_2": ColumnWords(
        Text("Why, too", "原因二"),
        Text("What moved it next. Empty likewise.", "影响次之的因素。无可说明时为空。"),
    ),
    "reason_3": ColumnWords(
        Text("And why", "原因三"),
        Text("What moved it next. Empty likewise.", "影响再次之的因素。无可说明时为空。"),
    ),
    "model_version": ColumnWords(
        Text("Models", "模型版本"),
        Text("The models that the row rests on.", "生成该行所用的模型及版本。"),
    ),
    "config_hash": ColumnWords(
        Text("Configuration", "配置摘要"),
        Text(
            "Digest of the configuration that was in force.",
            "当时生效的配置文件的摘要。",
        ),
    ),
}
"""By column of `scoring.recall_list.SCHEMA`."""
