"""The read-me of a workbook, and the names of its sheets, in words."""

from scoring.language import Text

READ_ME = Text("Read me", "使用说明")
WHOLE_LIST = Text("Recall list", "召回名单")
EARLY_WARNINGS = Text("Early warnings", "预警名单")

TITLE = Text("Recall list of {day}: {business}", "{business} {day} 召回名单")
ABOUT = {
    "list": Text("List", "名单编号"),
    "as_of": Text("Made with what was known at", "数据截止时点"),
    "expires": Text("The last row is void from", "最后一行失效时间"),
    "rows": Text("Rows", "行数"),
    "currency": Text("Money is in", "金额单位"),
    "models": Text("Models", "模型版本"),
    "config": Text("Configuration", "配置摘要"),
}
ROW_COUNTS = Text(
    "{listed}, of which {sent} are to be contacted and {controls} are controls",
    "共{listed}行，其中{sent}行需要触达，{controls}行为对照客户",
)
NOBODY = Text("Nobody is listed.", "名单为空。")
UTC_TIME = Text("{moment} UTC", "{moment}（UTC）")

HOW_TO_USE = Text("How to use it", "使用方法")
STEPS = (
    Text(
        "Work down the sheet of your channel. It holds only rows to be sent, the earliest first. "
        "The sheet of the whole list holds controls, too, and is ordered by rank.",
        "请按所属渠道的工作表从上到下处理。渠道工作表只含需要发送的行，按发送时间排序；"
        "总名单工作表还包含对照客户，按排名排序。",
    ),
    Text(
        "Never contact a control (arm ghost or holdout), by any tool: the controls are what later "
        "proves what the list has earned.",
        "请勿以任何方式触达对照客户（分组为 ghost 或 holdout）：名单的收益要靠对照客户来证明。",
    ),
    Text(
        "Send at the time of the row, never once its window has ended, and use no row that is "
        "void. Times of the customer are on the customer's clock, the others in UTC.",
        "请在该行的发送时间发送，超过最晚发送时间不得再发，失效的行不得使用。"
        "客户当地时间以客户所在时区为准，其余时间为UTC。",
    ),
)
FEED_BACK = Text("How to feed back", "结果回传")
FEED_BACK_STEPS = (
    Text(
        "Hand the row's name (list_row_id) to the sending tool together with the customer, and "
        "get both back with every contact: sent_at, channel, offer, and what became of it.",
        "请把名单行号（list_row_id）连同客户编号一起交给发送工具，并随每次触达一起取回："
        "sent_at（发送时间）、channel（渠道）、offer（优惠）以及结果。",
    ),
    Text(
        "Read that file in with `winback ingest contacts FILE`. What is not reported counts as "
        "sent until contacts of later days arrive, so that nobody is contacted twice.",
        "用 `winback ingest contacts FILE` 导入该文件。未回传的行在之后的触达记录到达之前按已发送"
        "计算，以免重复触达。",
    ),
)

EVIDENCE = Text("What the uplift rests on", "回流提升的依据")
EVIDENCE_ROWS = Text("{rows} rows: {meaning}", "{rows}行：{meaning}")
ARMS = Text("Arms", "分组")
SHEETS = Text("Sheets", "工作表")
SHEET_OF_LIST = Text("All rows by rank, controls included.", "全部行，按排名排序，含对照客户。")
SHEET_OF_CHANNEL = Text(
    "Rows to be sent by {channel}, the earliest first.", "经{channel}发送的行，按发送时间排序。"
)
SHEET_OF_WARNINGS = Text(
    "Customers of high frequency a month ago who are not dormant yet but order less than they used "
    "to, the largest value at stake first. They are not on the list for that.",
    "一个月前为高频、尚未沉睡但下单比以往减少的客户，按可能损失的金额排序，不因此列入名单。",
)
LIFE_CYCLES = Text("Life cycle", "生命周期")
PROMOTIONS = Text("Promotion", "优惠敏感度")
SEND_BASES = Text("Hour taken from", "时间依据")
STAGES = Text("Stages", "阶段")
CHANNELS = Text("Channels", "渠道")
OFFERS = Text("Offers", "优惠")
SEND_BEFORE_LOCAL = Text("Send before (customer's time)", "最晚发送（客户当地）")
MEANING_OF_SEND_BEFORE = Text(
    "Not to be sent from here on, on the customer's clock. Of this workbook alone.",
    "到此时刻（客户当地时间）起不得再发送。仅见于本工作簿。",
)
COLUMNS = Text("Columns", "各列含义")
COLUMNS_OF_WARNINGS = Text("Columns of the early warnings", "预警名单各列含义")
COLUMN_HEADS = (
    Text("Header", "表头"),
    Text("Name in CSV and Parquet", "CSV 与 Parquet 中的列名"),
    Text("Meaning", "含义"),
)
LIMITS = Text("Limits of this workbook", "本工作簿的限制")
LIMIT_NOTES = (
    Text(
        "A sheet holds the first {rows} rows by rank; all rows are in the CSV and Parquet files.",
        "每个工作表只含排名最前的{rows}行；全部行见 CSV 与 Parquet 文件。",
    ),
    Text(
        "Text that a spreadsheet could run as a formula has an apostrophe before it. Cells are "
        "cut at {signs} characters. Numbers look rounded. The Parquet file has all as it is.",
        "可能被电子表格当作公式执行的文本前加了撇号；单元格超过{signs}个字符会被截断；"
        "数字显示时已取整。Parquet 文件保留原值。",
    ),
    Text(
        "It is a copy to read: what is changed in it goes nowhere by itself.",
        "本工作簿仅供查看：在其中所做的修改不会自动生效。",
    ),
)
