"""What report.html says in its own words, in every language; see docs/adr/0010-languages.md."""

from scoring.language import Noun, Text

WEEKDAYS = (
    Text("Monday", "星期一"),
    Text("Tuesday", "星期二"),
    Text("Wednesday", "星期三"),
    Text("Thursday", "星期四"),
    Text("Friday", "星期五"),
    Text("Saturday", "星期六"),
    Text("Sunday", "星期日"),
)
"""From Monday on, as `date.weekday` counts."""

CONTACTS = Noun("contact", "contacts", "次触达")
CUSTOMERS = Noun("customer", "customers", "位客户")
DAYS = Noun("day", "days", "天")
HOURS = Noun("hour", "hours", "小时")
ROWS = Noun("row has", "rows have", "行")

HEAD_WORDS = {
    "title": Text("Recall list {day} · {business}", "召回名单 {day} · {business}"),
    "heading": Text("Recall list for {day}", "{day} 召回名单"),
    "day": Text("{weekday}, {day}", "{day} {weekday}"),
    "as_of": Text("as of {moment}", "数据截至 {moment}"),
    "list": Text("list", "名单编号"),
    "menu": Text("Sections", "目录"),
    "tonight": Text("What to do tonight", "今晚要做什么"),
    "customers": Text("Who, and why", "联系谁，为什么"),
    "limits": Text("What limits us", "受什么限制"),
    "learning": Text("What we pay to learn", "学习的代价"),
    "left_out": Text("Who is left out, and why", "谁不在名单内，为什么"),
    "segments": Text("Segments and movement", "客户分群与变化"),
    "warnings": Text("Early warnings", "预警客户"),
    "trust": Text("How far to trust this", "可信程度"),
    "notes": Text("Know this first", "请先了解"),
}

TONIGHT_WORDS = {
    "nobody": Text("Nobody is listed tonight.", "今晚没有客户进入名单。"),
    "nobody_sent": Text(
        "Nobody is contacted tonight: everybody on the list is a control.",
        "今晚不触达任何客户：名单上都是对照客户。",
    ),
    "lead": Text(
        "Make {contacts} ({channels}). They should bring back about {returns} customers who "
        "would not return by themselves, and {gain} of profit.",
        "完成{contacts}（{channels}），预计额外带回约 {returns} 位不联系就不会回来的客户，"
        "增加利润 {gain}。",
    ),
    "contacts": Text("contacts to make", "要完成的触达"),
    "follow_ups": Text("follow-ups among them: {number}", "其中跟进：{number}"),
    "extra_returns": Text("extra returns expected", "预计额外回流"),
    "gain": Text("expected gain", "预期收益"),
    "range": Text("{low} to {high}", "{low} 至 {high}"),
    "spend": Text("expected spend", "预计支出"),
    "spend_parts": Text("contacts {cost}, offers {given}", "触达 {cost}，优惠 {given}"),
    "spend_high": Text("{level} sure to stay below {high}", "{level} 的把握不超过 {high}"),
    "per_return": Text("per extra return", "每次额外回流的成本"),
    "new_customer": Text("a new customer: {cost}", "获取一位新客：{cost}"),
    "interval": Text(
        "The ranges say how unsure the effects of contact are: if what is assumed and measured "
        "of them holds, the truth lies inside with a chance of {level}. Luck comes on top.",
        "区间表示触达效果有多不确定：若所作假设与测量成立，真实值有 {level} 的可能落在其中；"
        "偶然波动另计。",
    ),
    "per_channel": Text("Send per channel", "各渠道发送量"),
    "channel": Text("Channel", "渠道"),
    "number": Text("Contacts", "触达数"),
    "seats": Text("Seats", "名额"),
    "no_limit": Text("no limit", "不限"),
    "hours": Text("Local hours", "当地时间"),
    "cost": Text("Cost", "成本"),
    "file": Text("File to send from", "发送文件"),
    "per_hour": Text("Contacts per local hour", "每小时触达数（当地时间）"),
    "bar": Text("{label}: {total}", "{label}：{total}"),
    "bar_part": Text("{label}, {name}: {number}", "{label}，{name}：{number}"),
}

CUSTOMER_WORDS = {
    "top": Text(
        "The first {shown} of {listed} rows, the largest expected gain first. All of them are in "
        "recall_list.xlsx.",
        "名单共 {listed} 行，以下为前 {shown} 行，按预期收益从高到低排列；"
        "全部内容见 recall_list.xlsx。",
    ),
    "customer": Text("Customer", "客户"),
    "do": Text("What to do", "做什么"),
    "when": Text("When (local)", "当地时间"),
    "returns": Text(
        "Returns within {days} days: alone → contacted", "{days}天内回流概率：不联系 → 联系"
    ),
    "expected": Text("alone around {day}", "不联系约在 {day}"),
    "expected_later": Text("alone around {day} or later", "不联系约在 {day} 或更晚"),
    "returns_short": Text("returns within {days} days", "{days}天内回流"),
    "gain": Text("Gain, {currency}", "收益（{currency}）"),
    "why": Text("Why", "理由"),
    "control": Text("control: do not contact", "对照：不要联系"),
    "trial": Text("trial: drawn by chance", "试验：随机方案"),
    "follow_up": Text("follow-up", "跟进"),
    "not_sent": Text("not sent", "不发送"),
}

LIMIT_WORDS = {
    "none": Text(
        "No limit is configured: channels have seats for everybody, and there is no budget.",
        "没有配置任何限制：各渠道名额不限，也没有预算。",
    ),
    "free": Text(
        "Nothing limits tonight's list: every contact that pays is on it.",
        "今晚没有任何限制：值得做的触达都在名单内。",
    ),
    "seats": Text(
        "One more {name} seat tonight is worth {price}.", "今晚{name}多一个名额，可多得 {price}。"
    ),
    "budget": Text(
        "One {unit} more of tonight's budget is worth {price} of gain.",
        "今晚预算每增加 1 {unit}，收益可增加 {price}。",
    ),
    "rows": Text("One more row on the list is worth {price}.", "名单多一行，可多得 {price}。"),
    "segment_most": Text(
        "One more contact allowed for “{name}” is worth {price}.",
        "“{name}”的上限多一次触达，可多得 {price}。",
    ),
    "segment_least": Text(
        "The contacts promised to “{name}” cost {price} of gain for the last of them.",
        "“{name}”的保底触达，最后一次的代价为 {price}。",
    ),
    "segment_missed": Text(
        "“{name}” gets fewer contacts than promised: too few of its customers are worth contacting "
        "tonight, or other limits leave no room for them.",
        "“{name}”的触达数少于承诺：今晚值得触达的客户太少，或其他限制没有留出余地。",
    ),
    "full": Text("{name}: used up", "{name}：已用完"),
    "used": Text("{used} of {limit}", "{used} / {limit}"),
    "used_least": Text("{used}, at least {limit}", "{used}，至少 {limit}"),
    "slack": Text("{name}: not a limit tonight", "{name}：今晚没有形成限制"),
    "name_seats": Text("{name} seats", "{name}名额"),
    "name_budget": Text("budget", "预算"),
    "name_rows": Text("rows on the list", "名单行数"),
    "cautious": Text("{caution}: {sentence}", "{caution}：{sentence}"),
    "bound": Text(
        "The contacts chosen for their gain, trials left out, expect {value}. No other choice of "
        "them within these limits could expect more than {bound}: {reached} of it is reached.",
        "按收益选出的触达（不含试验）预期收益为 {value}；在这些限制之内，任何其他选法都不会超过 "
        "{bound}：已达到其 {reached}。",
    ),
}

LEARNING_WORDS = {
    "cost": Text(
        "Trials cost {cost} of expected gain tonight.", "今晚的试验使预期收益减少 {cost}。"
    ),
    "no_cost": Text("Trials cost nothing tonight.", "今晚的试验没有代价。"),
    "drawn": Text(
        "{cost} {rows} an action drawn by chance, so that we find out what works; for {other} it "
        "is not the best one, {on_trial} would not have been listed otherwise.",
        "{cost}{rows}采用随机抽取的方案，以便了解什么有效：其中{other}行不是当前最佳方案，"
        "{on_trial}行若非试验不会进入名单。",
    ),
    "controls": Text(
        "{ghosts} ({ghost_share} of each night's list, drawn by chance) and {holdouts} of the "
        "holdout are on the list and deliberately left alone: only against them can be shown "
        "what the contacts earned. The holdout is {holdout_share} of all customers, for good; "
        "on the list are only those of them who would be contacted tonight.",
        "名单上有{ghosts}（每晚名单随机抽取的 {ghost_share}）和{holdouts}（属于长期对照）"
        "特意不联系：只有与他们相比，才能证明触达带来了多少。长期对照为全体客户的 "
        "{holdout_share}，长期保留；名单上只列出其中今晚本应触达的客户。",
    ),
}

LEFT_OUT_WORDS = {
    "funnel": Text(
        "Of {scored} known customers {dormant} have been silent for longer than their stage "
        "allows (dormant), {eligible} may be contacted and {listed} are on the list.",
        "共有客户 {scored} 位，其中沉默超过所在阶段天数（沉睡） {dormant} 位，"
        "可触达 {eligible} 位，进入名单 {listed} 位。",
    ),
    "everybody": Text("Every scored customer is listed.", "所有评分客户都在名单内。"),
    "first_rule": Text("The first rule that holds is counted.", "按最先符合的规则计数。"),
    "number": Text("Customers", "客户数"),
    "reason": Text("Reason", "原因"),
    "closed": Text("Why channels were closed", "各渠道不可用的原因"),
    "closed_of": Text(
        "Of the customers who may be contacted at all; the first rule that holds is counted.",
        "仅统计可触达的客户；按最先符合的规则计数。",
    ),
    "open": Text("open to everybody", "对所有人可用"),
}

SEGMENT_WORDS = {
    "life_cycle": Text("Where customers stand", "客户所处阶段"),
    "dormant_told": Text(
        "“Dormant” here also counts who is silent past the own gaps between orders, and leaves "
        "out who is lost; the list goes by the stage's days of silence alone ({dormant} are "
        "dormant so). The two counts differ in meaning: they need not be equal.",
        "此处的“沉睡”还包括沉默超出本人下单间隔的客户，但不含已流失的客户；"
        "名单只看所在阶段的沉默天数（按此沉睡 {dormant} 位）。两者含义不同，数字不必相等。",
    ),
    "promotion": Text("What offers do to them", "优惠对他们的作用"),
    "movement": Text("Movement within the last month", "最近一个月的变化"),
    "movement_told": Text(
        "Down the side: where customers were a month ago. Across: where they are now. "
        "{up} moved up, {down} slid down, {joined} are new.",
        "左侧为一个月前的分群，上方为现在的分群。上升 {up} 位，下滑 {down} 位，新增 {joined} 位。",
    ),
    "no_movement": Text("There is no earlier month to compare with yet.", "尚无可比较的上月数据。"),
    "from_to": Text("a month ago ↓ now →", "一个月前 ↓ 现在 →"),
}

TIER_WORDS = (
    Text("low value, rare", "低价值低频"),
    Text("low value, often", "低价值高频"),
    Text("high value, rare", "高价值低频"),
    Text("high value, often", "高价值高频"),
)
"""By place in `features.value_tier.VALUE_TIERS`, short enough for a column of a phone."""

WARNING_WORDS = {
    "none": Text("No frequent customer is sliding away.", "没有高频客户正在下滑。"),
    "told": Text(
        "Frequent a month ago and not dormant yet, but ordering less than usual: {number}. Shown "
        "here: {shown}, the largest value at stake first. All are in early_warnings.csv.",
        "一个月前为高频、尚未沉睡，但下单比平时减少：{number}。此处列出 {shown} 位，"
        "按可能损失的金额从高到低；全部见 early_warnings.csv。",
    ),
    "customer": Text("Customer", "客户"),
    "orders": Text("Orders in {days} days", "{days}天内下单天数"),
    "orders_told": Text("{recent}, usually {usual}", "{recent}，平时 {usual}"),
    "last": Text("Last order", "上次下单"),
    "last_told": Text("{days} ago", "{days}前"),
    "risk": Text("Risk of dormancy", "沉睡风险"),
    "stake": Text("At stake, {currency}", "可能损失（{currency}）"),
    "reason": Text("Why", "理由"),
}

TRUST_WORDS = {
    "evidence": Text("What the effects rest on", "效果的依据"),
    "fresh": Text("Data", "数据"),
    "latest": Text(
        "The latest event known at the as-of happened at {moment}, {age} before it.",
        "截止时点已知的最新事件发生于 {moment}，早于截止时点 {age}。",
    ),
    "under_hour": Text("less than an hour", "不到1小时"),
    "no_event": Text("No event is known.", "没有任何事件。"),
    "models": Text("Models", "模型"),
    "model": Text("Model", "模型"),
    "version": Text("Version", "版本"),
    "trained": Text("Trained until", "训练数据截至"),
    "age": Text("Age", "距今"),
    "source": Text("Read from", "来源"),
    "judged": Text("On later data", "后期数据检验"),
    "judged_told": Text(
        "two customers in the right order: {auc}; log loss {loss}, recency rule {rule}: "
        "{verdict} ({day})",
        "两位客户排序正确：{auc}；对数损失 {loss}，近期规则 {rule}：{verdict}（{day}）",
    ),
    "not_judged": Text("no rule to compare with", "没有可比较的规则"),
    "judged_note": Text(
        "Judged at training, on customers and days that the model had not seen. By chance half of "
        "the pairs would be in the right order. Log loss is the error of the probabilities: less "
        "is better. The recency rule knows the days of silence alone.",
        "训练时用模型未见过的客户与日期检验。随机排序的正确率为一半；对数损失为概率误差，越小越好；"
        "近期规则只看沉默天数。",
    ),
    "config": Text("configuration", "配置"),
}

SOURCE_WORDS = {
    "registry": Text("model registry", "模型库"),
    "local copy": Text("local copy: registry unreachable", "本地副本：模型库无法连接"),
    "local copy, store lost": Text("local copy: registry lost", "本地副本：模型库已丢失"),
}
"""By `pipelines.registry.Source`."""

VERDICT_WORDS = {
    "better": Text("better", "更好"),
    "worse": Text("worse", "更差"),
    "not proven yet": Text("not proven to be better", "尚未证明更好"),
}
"""By `training.ladder.Verdict`."""

RULE_SERVES = Text("the rule itself serves", "采用规则本身")

PAGE_WORDS = {
    "head": HEAD_WORDS,
    "tonight": TONIGHT_WORDS,
    "customers": CUSTOMER_WORDS,
    "limits": LIMIT_WORDS,
    "learning": LEARNING_WORDS,
    "left_out": LEFT_OUT_WORDS,
    "segments": SEGMENT_WORDS,
    "warnings": WARNING_WORDS,
    "trust": TRUST_WORDS,
    "source": SOURCE_WORDS,
}
"""By section of the page."""
