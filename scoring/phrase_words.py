"""The words of the phrases about a customer, in each language.

The noun for an order comes from the configuration and any noun must fit: Chinese counts
orders, loans and bookings alike with 笔.
"""

from scoring.language import Noun, Text

ORDER = Text("order", "订单")
"""The default noun; only with it may a phrase say that somebody orders or spends."""

DAY = Noun("day", "days", "天")
MONTH = Noun("month", "months", "个月")
YEAR = Noun("year", "years", "年")
REFUND = Noun("refund", "refunds", "笔退款")
CATEGORY = Noun("category", "categories", "个品类")
TIME = Noun("time", "times", "次")

SILENCE = {
    "no_order": Text("no {order} for {days}", "已{days}没有新{order}"),
    "silent": Text("silent for {days}", "已沉默{days}"),
    "on_stage": Text("{stage} for {days}", "{stage}，已持续{days}"),
    "silent_on_stage": Text("{stage}: silent for {days}", "{stage}：已沉默{days}"),
    "usually": Text("usually every {gap}", "平时每{gap}一笔"),
    "usually_orders": Text("usually orders every {gap}", "平时每{gap}下单一次"),
    "usually_one": Text("usually {one} every {gap}", "平时每{gap}一笔{one}"),
    "gap_day": Text("day", "天"),
    "gap_days": Text("{days}", "{days}天"),
}

PRESENCE = {
    "today": Text("last seen today", "最近1天内来过"),
    "seen": Text("last seen {days} ago", "最近一次活跃在{days}前"),
    "active": Text("active on {days} in the last {window}", "近{window}天内活跃{days}"),
}

SPEND = {
    "spent": Text("spent {total} in the last 365 days", "近365天消费{total}"),
    "orders_of": Text("{orders} of {total} in the last 365 days", "近365天{orders}共{total}"),
    "after_refunds": Text("{total} ({kept} after refunds)", "{total}（退款后{kept}）"),
    "each": Text("{amount} {one}", "每笔{one}{amount}"),
}

ORDERS = {
    "none_yet": Text("no {order} yet", "尚无{order}"),
    "fell": Text(
        "{orders} fell from {before} to {now} a quarter", "每季度{orders}由{before}笔降至{now}笔"
    ),
    "fell_to_none": Text(
        "{orders} fell from {before} to none a quarter", "每季度{orders}由{before}笔降至0笔"
    ),
    "rose": Text(
        "{orders} rose from {before} to {now} a quarter", "每季度{orders}由{before}笔升至{now}笔"
    ),
    "counted": Text("{orders} in the last 365 days", "近365天共{orders}"),
    "former": Text(
        "no {order} in the last 365 days, {before} before", "近365天无{order}，此前共{before}笔"
    ),
}

CONTACTS = {
    "contact": Text("contact", "触达"),
    "by_channel": Text("{label}", "{label}触达"),
    "none": Text("no {contact} in the last 90 days", "近90天没有{contact}"),
    "clicked": Text(
        "clicked {clicked} of {contacts} in the last 90 days", "近90天{contacts}，点击{clicked}次"
    ),
    "opened": Text(
        "opened {opened} of {contacts} in the last 90 days", "近90天{contacts}，打开{opened}次"
    ),
    "no_reaction": Text(
        "no reaction to {contacts} in the last 90 days", "近90天{contacts}，无反应"
    ),
    "unsubscribed": Text("unsubscribed from {channels}", "已退订{channels}"),
    "former_channel": Text("a channel no longer configured", "某个不再使用的渠道"),
}

REFUNDS = {
    "none": Text("no refund in the last 365 days", "近365天无退款"),
    "counted": Text("{refunds} in the last 365 days", "近365天{refunds}"),
    "share": Text("{share} of the money spent", "占消费额{share}"),
}

DISCOUNTS = {
    "none": Text("paid full price in the last 365 days", "近365天均按原价支付"),
    "mean": Text("got {share} off on average in the last 365 days", "近365天平均优惠{share}"),
}

TENURE = {
    "today": Text("new today", "1天内新加入"),
    "known": Text("known for {time}", "加入已有{time}"),
}

VARIETY = {
    "year": Text("interested in {categories} in the last 365 days", "近365天关注过{categories}"),
    "ever": Text("interested in {categories} so far", "至今关注过{categories}"),
}

ATTRIBUTE = Text("{name}: {value}", "{name}：{value}")
