"""The words a preset writes for readers: names, labels and the noun for an order."""

from scoring.language import Text

PRESET_WORDS = (
    Text("Example Shop", "示例商城"),
    Text("order", "订单"),
    Text("registered, no purchase yet", "已注册未购买"),
    Text("has bought", "已购买"),
    Text("Example Credit", "示例信贷"),
    Text("loan", "贷款"),
    Text("registered, not applied", "已注册未申请"),
    Text("application started, not finished", "申请未提交"),
    Text("application in review", "申请审核中"),
    Text("credit refused", "授信未通过"),
    Text("credit granted, no loan yet", "已授信未借款"),
    Text("loan running", "贷款进行中"),
    Text("loan settled, no new loan", "已结清未再借"),
    Text("push message", "推送"),
    Text("text message", "短信"),
    Text("e-mail", "邮件"),
    Text("phone call", "电话"),
    Text("no offer", "无优惠"),
    Text("free shipping", "免运费"),
    Text("5 % coupon", "九五折券"),
    Text("voucher worth 10 EUR", "10 EUR代金券"),
    Text("opening fee waived", "免开户费"),
    Text("lower rate on the next loan", "下笔贷款利率优惠"),
)
"""Each value of `name`, `label` or `order_name` that people read."""
