"""The words of a night's notes, in each language."""

from scoring.language import Noun, Text

DAYS = Noun("day", "days", "天")
RANKS = Noun("rank", "ranks", "名")
LISTED = Noun("listed customer has", "listed customers have", "位客户")
ACTIONS = Noun("action", "actions", "种方案")

QUOTED = Text('"{code}"', "“{code}”")
OR = Text("{one} or {other}", "{one}或{other}")

MODEL_NOTES = {
    "saw_later_data": Text(
        "The model saw data after this as-of ({models}, trained until {day}); figures are "
        "optimistic.",
        "模型用到了截止时点之后的数据（{models}，训练数据截至{day}），各项数字偏乐观。",
    ),
    "unreachable": Text(
        "MLflow was unreachable: the last local champion was used for {models}.",
        "无法连接 MLflow：{models}使用了本地保存的最近一个正式版本。",
    ),
    "store_lost": Text(
        "MLflow has lost its registered models (train again): the last local champion was used "
        "for {models}.",
        "MLflow 中已注册的模型丢失（请重新训练）：{models}使用了本地保存的最近一个正式版本。",
    ),
    "version": Text("{model} version {version}", "{model}（版本{version}）"),
}

DATE_NOTES = {
    "future": Text(
        "The as-of lies in the future: events until then are missing.",
        "截止时点在未来：到那时为止的事件尚不齐全。",
    ),
    "stale": Text(
        "The latest known event is {days} older than the as-of: newer ones may be missing, and "
        "customers may look more silent than they are.",
        "已知的最新事件比截止时点早{days}：可能缺少更新的数据，客户会显得比实际更沉默。",
    ),
}

CONTACT_NOTES = {
    "unreported": Text(
        "No contact of the list of {day} or since had arrived before the as-of: its rows count "
        "as sent for caps and pauses until contacts of their channel that were sent after they "
        "expired arrive.",
        "截止时点之前没有收到{day}名单及之后的任何触达记录：在收到同一渠道失效之后发送的触达记录"
        "之前，该名单各行在频次上限和最短间隔中按已发送计算。",
    ),
    "contaminated": Text(
        "Controls were contacted in the last {days}: {told}. What the controls would prove is "
        "weakened by that: keep the tool that did it off them.",
        "近{days}内有对照客户被触达：{told}。这会削弱对照组的证明力，请让相关工具避开对照客户。",
    ),
    "contaminated_channel": Text(
        "{channel}: {number} ({holdout} to the holdout, {ghost} to ghosts)",
        "{channel}{number}次（长期对照{holdout}次，当晚对照{ghost}次）",
    ),
}

LIST_NOTES = {
    "no_return_time": Text(
        "The next_order columns are empty: {cause}", "next_order 各列为空：{cause}"
    ),
    "no_channel": Text(
        "No channel is configured: the list is empty.", "没有配置任何渠道：名单为空。"
    ),
    "quiet": Text(
        "Quiet hours leave no send window of {channels}: check the configured hours.",
        "免打扰时段之外，{channels}没有可发送的时间：请检查配置的发送时段。",
    ),
    "no_capacity": Text("Capacity is 0 on {channels}.", "{channels}的容量为0。"),
    "no_order": Text(
        "No order with an amount above 0 is known: order values, and so all gains, are zero. Is "
        "`amount` mapped in [sources.events]?",
        "没有金额大于 0 的订单：订单价值为零，因此所有收益都为零。请检查 [sources.events] 中的 "
        "`amount`。",
    ),
    "unknown_zone": Text(
        "{customers} no known time zone: their times are allowed in every zone they may live in.",
        "名单上有{customers}时区未知：其发送时间在所有可能的时区内都符合规定。",
    ),
    "workbook_cut": Text("The workbook holds the first {ranks} only.", "工作簿只包含前{ranks}。"),
}

NOBODY_NOTES = {
    "no_records": Text(
        "Nobody is listed: no customer records were ingested, so no channel has consent. Fix: "
        "`winback ingest customers FILE`, mapped in [sources.customers]; or empty `requires`.",
        "名单为空：没有导入客户资料，任何渠道都没有授权。处理办法：运行 "
        "`winback ingest customers FILE`（在 [sources.customers] 中配置映射），或清空 `requires`。",
    ),
    "reasons": Text("Nobody is listed. Reasons: {reasons}.", "名单为空。原因：{reasons}。"),
    "reason": Text("{words} ({number})", "{words}（{number}）"),
    "not_scored": Text("Nobody is listed. No customer was scored.", "名单为空。没有客户被评分。"),
}

EFFECT_NOTES = {
    "assumed": Text(
        "Effects of contact are the configuration's assumptions, not proven yet (evidence "
        '"rules"). {cause}',
        "触达效果取自配置中的假设，尚未证实（证据等级“rules”）。{cause}",
    ),
    "unmeasured": Text(
        "Effects of contact are assumptions, not proven yet (evidence {evidence}): no action is "
        "measured against its control so far. The lists' controls are what will prove them.",
        "触达效果为假设，尚未证实（证据等级{evidence}）：目前没有任何方案与对照组比较测量过，"
        "要靠名单中的对照客户来证实。",
    ),
    "measured": Text(
        "Effects of contact are measured for {measured} of {actions} (estimator: {estimator}).",
        "{actions}中，{measured}种的触达效果已经实测（估计方法：{estimator}）。",
    ),
    "partly_measured": Text(
        "Effects of contact are measured for {measured} of {actions} (estimator: {estimator}); "
        "of the other {left} they are assumed, not proven yet.",
        "{actions}中，{measured}种的触达效果已经实测（估计方法：{estimator}）；"
        "其余{left}种仍为假设，尚未证实。",
    ),
}

CAUSES_IN_CHINESE = {
    "missing": "没有可用的模型，请运行 `winback train`。",
    "unfit": "已有模型是按另一份配置训练的，请重新运行 `winback train`。",
}
"""By the cause of an `Absence`; English readers get the fault's own text, with its details."""
