"""The words of the page, in every language it speaks. Plain text: whoever renders them escapes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Generic, Literal, TypeVar, cast, get_args

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

Value = TypeVar("Value")


class Text(Generic[Value]):
    """A row of the table: what stands under its name in `Texts`, in English and in Chinese (simplified)."""

    def __init__(self, en: Value, zh: Value) -> None:
        self.words: dict[Language, Value] = {"en": en, "zh": zh}

    def __get__(self, texts: Texts, _: type[Texts]) -> Value:
        return self.words[texts.language]


@dataclass(frozen=True)
class Texts:
    """The words in one language: `texts.ASK`. A text with a part to fill in is filled by `str.format`."""

    language: Language = "en"

    LANG = Text("en", "zh-Hans")  # of the page, for the browser and for screen readers
    TITLE = Text("Footnote", "Footnote")

    LIBRARY = Text("Library", "资料库")
    PROOF = Text("Proof and sources", "出处与来源")
    NEW_CHAT = Text("New conversation", "新对话")
    ADD_DOCUMENTS = Text("Add documents", "添加文档")
    DROP_HERE = Text("drop files or choose them", "拖放或选择文件")
    NO_DOCUMENTS = Text("Nothing here yet. What you add is listed here.", "还没有文档。添加的文档会列在这里。")

    SETTINGS = Text("Settings", "设置")
    SETTINGS_CLOSE = Text("Close the settings", "关闭设置")
    SETTINGS_KEPT = Text(
        "Kept in this browser, for your own questions only.", "保存在这个浏览器里，只影响你自己的提问。"
    )
    SETTINGS_RESET = Text("Reset", "恢复默认")
    LANGUAGE_NAMES = Text({"en": "English", "zh": "中文"}, {"en": "English", "zh": "中文"})
    SET_LANGUAGE = Text("Language", "语言")
    SET_LANGUAGE_HELP = Text(
        "Of this page. Answers come in the language the model chooses.", "页面的语言。回答用什么语言由模型决定。"
    )
    SET_SOURCES = Text("Passages", "段落数")
    SET_SOURCES_HELP = Text(
        "At most {most}. Fewer let an answer begin sooner; it may then miss what another passage holds.",
        "最多 {most} 个。少一些，回答来得更快，但可能漏掉别处的内容。",
    )
    SET_TOKENS = Text("Length of an answer", "回答长度")
    SET_TOKENS_HELP = Text(
        "In tokens, about three quarters of a word each; at most {most}. Longer answers take longer to write.",
        "以词元计，约合四分之三个英文单词；最多 {most}。回答越长，耗时越久。",
    )
    SET_TEMPERATURE = Text("Temperature", "随机性")
    SET_TEMPERATURE_HELP = Text(
        "0 always takes the likeliest word. More varies the wording, at no cost in time, and errs more often.",
        "0 表示总是选最可能的词。越高措辞越多变，不费时间，但更容易出错。",
    )
    SET_MODEL = Text("Model", "模型")
    SET_MODEL_HELP = Text(
        "Another model is loaded when it is first asked, which can take minutes.",
        "首次使用另一个模型时需要加载，可能要几分钟。",
    )
    SET_MODEL_ONE = Text("The only one set up on this server.", "这台服务器上只配置了这一个。")
    MODEL_DEFAULT = Text("the server's default", "服务器默认模型")

    COMPARE = Text("Compare with the model alone", "与模型直接回答对比")
    COMPARE_AGAIN = Text("Compare again", "重新对比")
    ALONE = Text("The model alone", "模型直接回答")
    ALONE_NOTE = Text("from memory, without your documents: no proof", "凭记忆作答，未查阅文档，没有依据")
    ALONE_WAITING = Text("Asking the model without your documents", "正在让模型脱离文档作答")
    WITH_DOCUMENTS = Text("With your documents", "依据你的文档")
    WITH_DOCUMENTS_NOTE = Text("every number opens its proof", "点击编号可查看依据")

    REGION_TALK = Text("Conversation", "对话")
    REGION_PROOF = Text("Proof", "出处")

    ASK_LABEL = Text("Your question", "你的问题")
    ASK_PLACEHOLDER = Text("Ask your documents…", "向你的文档提问…")
    ASK = Text("Ask", "提问")
    STOP = Text("Stop", "停止")

    EMPTY_LIBRARY_TITLE = Text("Start with your documents", "先添加文档")
    EMPTY_LIBRARY = Text(
        "Add a few files to the library. Then ask about them: every sentence of an answer carries a number, and "
        "every number opens the passage it came from.",
        "先往资料库里添加几个文件，然后就可以提问。回答的每句话都带有编号，点击编号即可查看它所依据的原文。",
    )
    EMPTY_TALK_TITLE = Text("What would you like to know?", "想了解什么？")
    EMPTY_TALK = Text(
        "Answers come from your documents alone. Choose a number in an answer to see the passage it rests on.",
        "回答只依据你的文档。点击回答中的编号，即可查看它所依据的原文。",
    )
    STARTERS = Text("Try one of these", "可以这样问")

    STARTER = Text("What does {name} say about “{topic}”?", "{name} 关于“{topic}”是怎么说的？")

    COPY = Text("Copy with sources", "复制（含来源）")
    COPIED = Text("Copied", "已复制")
    RETRY = Text("Ask again", "重新提问")
    EDIT = Text("Edit question", "修改问题")
    EDITING = Text(
        "Your last question is being edited. What you send takes its place.", "正在修改上一个问题，发送后将取代它。"
    )
    EDIT_CANCEL = Text("Leave it as it was", "不修改了")
    SEARCHED = Text(
        "Searched {count} for this. The nearest passages are in {names}.",
        "已为此检索 {count}，最接近的段落来自 {names}。",
    )
    SEARCHED_NOTHING_NEAR = Text(
        "Searched {count} for this, and no passage came near.", "已为此检索 {count}，没有找到相近的段落。"
    )

    CONVERSATIONS = Text("Conversations", "对话记录")
    CONVERSATIONS_ALONE = Text(
        "Only this browser can open them. Each is removed {hours} after its last question.",
        "只有这个浏览器能打开它们。每段对话在最后一次提问 {hours}后删除。",
    )
    NO_CONVERSATIONS = Text("What you ask is kept here, to come back to.", "你的提问会保存在这里，方便以后查看。")
    NAME = Text("Name of the conversation", "对话名称")
    MORE = Text("Rename, export or delete", "重命名、导出或删除")
    RENAME = Text("Rename", "重命名")
    EXPORT = Text("Save as {kind}", "另存为 {kind}")
    DELETED = Text("Deleted: {name}", "已删除：{name}")
    UNDO = Text("Undo", "撤销")
    TODAY = Text("today", "今天")
    YESTERDAY = Text("yesterday", "昨天")
    WEEKDAYS = Text(
        ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"),
    )
    DAY = Text("{0.day} {0:%B}", "{0.month}月{0.day}日")
    DAY_OF_YEAR = Text("{0.day} {0:%B %Y}", "{0.year}年{0.month}月{0.day}日")
    DATE = Text("{0.day} {0:%b %Y}", "{0.year}年{0.month}月{0.day}日")

    NO_PROOF = Text(
        "Choose a number in an answer, or one of the passages found for it, and it opens here.",
        "点击回答中的编号，或下方列出的段落，原文会在这里打开。",
    )
    SOURCES = Text("Sources", "来源")
    SOURCES_READ = Text("Passages found", "找到的段落")
    SOURCES_NEAR = Text("Nearest passages", "最接近的段落")
    SOURCES_FACTS = Text("page · score", "页码 · 得分")
    SOURCE_NUMBER = Text("Source {number}", "来源 {number}")
    SCORE = Text("how near the passage is to the question: 1 is nearest", "段落与问题的接近程度，1 为最接近")
    PROOF_LOST = Text(
        "This passage is no longer there. Ask again to get the current ones.", "这个段落已不存在，请重新提问。"
    )
    PASSAGE_MARK = Text("cited passage", "引用的段落")
    PAGE_PICTURE = Text(
        "Picture of {where} of {name}. The cited passage is marked; it stands below as text.",
        "{name} {where}的图像。引用的段落已标出，文字见下方。",
    )
    PAGE_PICTURE_UNMARKED = Text(
        "Picture of {where} of {name}. The cited passage stands below as text.",
        "{name} {where}的图像。引用的段落文字见下方。",
    )
    PICTURE = Text(
        "The picture {name}. The cited passage is marked; it stands below as text.",
        "图像 {name}。引用的段落已标出，文字见下方。",
    )
    PICTURE_UNMARKED = Text(
        "The picture {name}. The cited passage stands below as text.", "图像 {name}。引用的段落文字见下方。"
    )
    RECORDING = Text("Recording {name}, at {at}, where the passage is heard", "录音 {name}，{at} 处是引用的段落")
    PLAY_FROM = Text("Play from {at}", "从 {at} 播放")
    NOT_PLAYED = Text(
        "This browser does not play recordings of this kind. What is said at {at} stands below; the file can be "
        "downloaded in Documents.",
        "这个浏览器无法播放这种录音。{at} 处所说的内容见下方；文件可在“文档”中下载。",
    )
    NO_RECORDING = Text(
        {
            "gone": "The file is no longer where it was read, so it cannot be played. This is the passage as it was "
            "heard.",
            "changed": "The file has changed since it was heard, so it is not played. This is the passage as it was "
            "heard.",
        },
        {
            "gone": "文件已不在原来的位置，无法播放。以下是当时听写的段落。",
            "changed": "文件在听写之后有改动，因此不播放。以下是当时听写的段落。",
        },
    )
    PASSAGE_AS_TEXT = Text("The passage as text", "段落文字")
    ENLARGE = Text("Enlarge", "放大")
    NO_PICTURE = Text(
        {
            "gone": "The file is no longer where it was read, so its page cannot be shown. This is the passage as it "
            "was read.",
            "changed": "The file has changed since it was read, so its page is not shown. This is the passage as it "
            "was read.",
            "unreadable": "The page cannot be drawn. This is the passage as it was read.",
            "unmarked": "Where the passage stands on this page is not known, so nothing is marked. Its text is below "
            "the page.",
        },
        {
            "gone": "文件已不在原来的位置，无法显示页面。以下是当时读取的段落。",
            "changed": "文件在读取之后有改动，因此不显示页面。以下是当时读取的段落。",
            "unreadable": "页面无法绘制。以下是当时读取的段落。",
            "unmarked": "无法确定段落在页面上的位置，因此没有标记。文字见页面下方。",
        },
    )
    PAGE = Text("page {page}", "第 {page} 页")
    PAGE_OF = Text("page {page} of {pages}", "第 {page} 页，共 {pages} 页")
    PAGE_LABELLED = Text("page {label} ({page})", "页码 {label}（第 {page} 页）")
    PAGE_LABELLED_OF = Text("page {label} ({page} of {pages})", "页码 {label}（第 {page} 页，共 {pages} 页）")
    PAGE_SHORT = Text("p. {page}", "第 {page} 页")
    PLACES = Text(  # by what the name of a place begins with; {} is the rest of it
        {"page ": "page {}", "slide ": "slide {}", "sheet ": "sheet {}", "chapter ": "chapter {}"},
        {"page ": "第 {} 页", "slide ": "幻灯片 {}", "sheet ": "工作表 {}", "chapter ": "第 {} 章"},
    )

    DOCUMENTS = Text("Documents", "文档")
    OPEN = Text("Open", "打开")
    OPEN_ALL = Text("Open the list of all documents", "打开全部文档列表")
    MORE_DOCUMENTS = Text("and {count} more", "另有 {count} 个")
    BACK = Text("Back to the conversation", "返回对话")
    LOOK = Text("Search by name", "按名称搜索")
    LOOK_STATE = Text("State", "状态")
    LOOK_SORT = Text("Sort by", "排序")
    STATES = Text(
        {"": "All states", "ready": "Ready", "failed": "Not added"},
        {"": "所有状态", "ready": "可用", "failed": "未添加"},
    )
    COLUMNS = Text(
        {
            "name": "Name",
            "state": "State",
            "pages": "Pages",
            "chunks": "Passages",
            "size": "Size",
            "updated": "Added",
        },
        {"name": "名称", "state": "状态", "pages": "页数", "chunks": "段落", "size": "大小", "updated": "添加时间"},
    )
    ACTS = Text("Actions", "操作")
    FOUND = Text("{found} of {all}", "找到 {found} 个，共 {all}")
    NOTHING_FOUND = Text(
        "No document is called that. Try fewer letters, or another state.",
        "没有这个名称的文档。试试少输几个字，或换一种状态。",
    )
    PICK = Text("Select", "选择")
    PICK_ALL = Text("Select all {count}", "全选 {count} 个")
    UNPICK = Text("Clear selection", "取消选择")
    SELECTED = Text("{count} selected", "已选 {count}")
    DOWNLOAD = Text("Download", "下载")
    DOWNLOAD_OVER = Text(
        "This download is over. Choose Download again in the page.", "下载链接已失效，请在页面中重新点击“下载”。"
    )
    AGAIN = Text("Read again", "重新读取")
    SPAN = Text("{first}–{last} of {all}", "{first}–{last}，共 {all}")
    BEFORE = Text("Earlier documents", "前面的文档")
    AFTER = Text("Further documents", "后面的文档")
    LEAF = Text("{at} of {all}", "{at} / {all}")
    LEAF_BEFORE = Text("Back", "上一页")
    LEAF_AFTER = Text("Forward", "下一页")
    EARLIER_KEPT = Text("What was read of it earlier still answers.", "以前读取的内容仍可用于回答。")
    WAY_OUT = Text("Put that right and choose Read again, or delete it.", "请解决后点击“重新读取”，或将它删除。")
    WAYS_OUT = Text(  # by what reading a file came to
        {
            "partial": "",
            "empty": "If it holds pictures of text, see that RAG_OCR is not off.",
            "password": "Save a copy without one and add that.",
            "unsupported": "Save it as PDF or in another format that is read, and add that.",
            "corrupt": "Save it anew in the program it comes from and add that.",
            "too_large": "Split it and add the parts, or raise the limit that it names.",
            "timed_out": "Split it and add the parts, or raise RAG_PARSE_TIMEOUT.",
            "unreadable": "Put it back where it was and choose Read again, or delete it.",
        },
        {
            "partial": "",
            "empty": "如果里面是文字的图片，请确认没有关闭 RAG_OCR。",
            "password": "请另存一份不带密码的副本再添加。",
            "unsupported": "请另存为 PDF 或其他支持的格式再添加。",
            "corrupt": "请用原来的程序重新保存后再添加。",
            "too_large": "请拆分后分别添加，或提高它提到的上限。",
            "timed_out": "请拆分后分别添加，或提高 RAG_PARSE_TIMEOUT。",
            "unreadable": "请把文件放回原处并点击“重新读取”，或将它删除。",
        },
    )

    SEARCHING = Text("Searching your documents", "正在检索你的文档")
    READING = Text("Reading {count}", "正在阅读 {count}")
    WAITING_MODEL = Text("Your question waits for the model", "问题在等待模型就绪")
    WAITING_TURN = Text("Another question is being answered; yours is next", "正在回答另一个问题，接下来就是你的")
    SECONDS = Text("{seconds} s", "{seconds} 秒")
    STOPPED = Text("stopped", "已停止")
    STOPPED_EARLY = Text("Stopped before the first word.", "在写出第一个字之前已停止。")
    UNSUPPORTED = Text("not found in your documents", "文档中没有依据")
    UNSUPPORTED_WHY = Text(
        "None of the passages that were found holds this sentence. Check it before you rely on it.",
        "找到的段落里没有这句话的依据，采用前请核实。",
    )
    UNEXPECTED = Text(
        "Something went wrong on this machine. The details are in the log; asking again may help.",
        "这台机器上出了点问题，详情见日志。可以再试一次。",
    )
    ADD_FAILED = Text("could not be added; the details are in the log", "无法添加，详情见日志")

    META_WHAT = Text(
        {
            "read": "passages found for this answer; a fact is answered from the one that states it",
            "first": "from your question to the first word",
            "total": "from your question to the last word",
            "speed": "how fast the model wrote, once it had begun; a token is about three quarters of a word",
            "model": "the model that wrote the answer",
            "memory": "the most memory that Footnote has taken on this machine since it started",
        },
        {
            "read": "为这个回答找到的段落；事实性问题只依据其中写明答案的那一段",
            "first": "从提问到写出第一个字",
            "total": "从提问到写完",
            "speed": "模型开始写之后的速度；一个词元约合四分之三个英文单词",
            "model": "写出回答的模型",
            "memory": "Footnote 启动以来在这台机器上占用内存的峰值",
        },
    )
    META_READ = Text("{count} found", "找到 {count}")
    META_FIRST = Text("first word {seconds} s", "首字 {seconds} 秒")
    META_TOTAL = Text("{seconds} s in all", "共 {seconds} 秒")
    META_SPEED = Text("{speed} tokens/s", "{speed} 词元/秒")
    META_MEMORY = Text("{memory} GB memory", "内存 {memory} GB")

    READY = Text("ready", "可用")
    PARTLY = Text("partly read", "部分可读")
    FAILED = Text("not added", "未添加")
    KNOWN = Text("already there", "已存在")
    UPLOAD_WAITING = Text("waiting", "等待中")
    UPLOADS_LEFT = Text("Adding · {count} left", "正在添加 · 还剩 {count} 个")
    UPLOAD_CANCEL = Text("Cancel", "取消")
    UPLOAD_EMBEDDING = Text("embedding", "向量化")
    UPLOAD_READING = Text("reading", "读取中")
    DELETE = Text("Delete", "删除")

    # Whose documents these are, and which of them are asked
    YOURS = Text("Yours", "你的文档")
    SHARED = Text("Shared library", "共享资料库")
    LEAVE = Text("Remove my documents and conversations", "删除我的文档和对话")
    LEAVE_TOLD = Text(
        "Only this browser can list, open and ask what you add here. It goes {hours} after you last used it, and so do "
        "your conversations.",
        "只有这个浏览器能列出、打开和提问你添加的内容。最后一次使用 {hours}后会自动删除，对话也一样。",
    )
    LEAVE_KEPT = Text(
        "Only {name} can list, open and ask what you add here. It stays until you remove it, and so do your "
        "conversations.",
        "只有 {name} 能列出、打开和提问你添加的内容。内容和对话会一直保留，直到你删除。",
    )
    LEAVE_SURE = Text("This cannot be undone.", "删除后无法恢复。")
    LEAVE_NOW = Text("Remove all of it now", "立即全部删除")
    LEFT = Text("Your documents and conversations are removed.", "你的文档和对话已删除。")
    SIGNED_IN = Text("Signed in as {name}", "已登录：{name}")
    SIGN_OUT = Text("Sign out", "退出登录")
    SIGN_OUT_ALL = Text("In every browser", "在所有浏览器中退出")
    SIGN_IN_FORM = Text("Sign in to ask your documents.", "登录后即可向文档提问。")
    SIGN_IN = Text("Sign in with Hugging Face", "用 Hugging Face 登录")
    SIGN_IN_WHY = Text("To keep what you add:", "想长期保留你添加的内容：")
    AND_MORE = Text(" and {count} more", " 等，另有 {count} 个")
    ASKED_OF = Text("Asked of", "提问范围：")
    ASKED_ALL = Text("all documents", "全部文档")
    ASK_ALL = Text("Ask all", "全部")
    ASK_THESE = Text("Ask only these", "只问这些")
    CHOOSE = Text("Choose", "选择")
    CHOOSE_LABEL = Text("Choose what is asked", "选择提问范围")
    CHOOSE_LOOK = Text("Find a document by name", "按名称查找文档")
    CHOOSE_COLLECTIONS = Text("Collections", "文档集")
    CHOOSE_DOCUMENTS = Text("Single documents", "单个文档")
    CHOOSE_MORE = Text("{count} more: type a part of the name", "另有 {count} 个：输入名称的一部分")
    ALL_COLLECTIONS = Text("All collections", "全部文档集")
    LOOK_COLLECTION = Text("Collection", "文档集")
    COLLECTIONS_MANAGE = Text("Collections", "管理文档集")
    COLLECTION_NEW = Text("Name of a new collection", "新文档集的名称")
    COLLECTION_MAKE = Text("Make", "新建")
    COLLECTION_NAME = Text("Name of this collection", "此文档集的名称")
    COLLECTION_PICK = Text("To rename or delete one, list it first.", "要重命名或删除某个文档集，请先列出它。")
    COLLECTION_USUAL = Text(
        "{name} is the collection that this library is set to; it stays as it is.",
        "{name} 是资料库设定的文档集，不能更改。",
    )
    COLLECTION_FULL = Text(
        "It can be deleted when it is empty: move or delete its documents first.",
        "清空后才能删除：请先移走或删除其中的文档。",
    )
    COLLECTION_EMPTY = Text(
        "Nothing in this collection yet. Add documents while it is listed, or select some and move them here.",
        "这个文档集还是空的。列出它时添加的文档会放在这里，也可以选中文档后移动过来。",
    )
    MOVE_TO = Text("Move to", "移动到")
    MOVE = Text("Move", "移动")
    ADD_TO = Text("Add to", "添加到")

    COUNTS = Text(  # one|many
        {
            "page": "{} page|{} pages",
            "passage": "{} passage|{} passages",
            "document": "{} document|{} documents",
            "source": "{} source|{} sources",
            "question": "{} question|{} questions",
            "hour": "{} hour|{} hours",
            "minute": "{} minute|{} minutes",
        },
        {
            "page": "{} 页",
            "passage": "{} 个段落",
            "document": "{} 个文档",
            "source": "{} 个来源",
            "question": "{} 个问题",
            "hour": "{} 小时",
            "minute": "{} 分钟",
        },
    )
    AMOUNT = Text("{done} of {total} {unit}", "{done} / {total} {unit}")
    AMOUNT_BYTES = Text("{done} of {total} MB", "{done} / {total} MB")
    UNITS = Text(  # of a Progress
        {"pages": "pages", "passages": "passages", "chunks": "passages", "files": "files", "steps": "steps"},
        {"pages": "页", "passages": "个段落", "chunks": "个段落", "files": "个文件", "steps": "步"},
    )

    def count(self, number: int, noun: str) -> str:
        """A number with its noun: "1 page", "24 pages", "1,204 passages"."""
        one, _, many = self.COUNTS[noun].partition("|")
        return (one if number == 1 else many or one).format(f"{number:,}")

    def amount(self, done: int, total: int, unit: str) -> str:
        """How much of something is done: "3 of 12 pages"."""
        return self.AMOUNT.format(done=f"{done:,}", total=f"{total:,}", unit=self.UNITS.get(unit, unit))

    def place(self, where: str) -> str:
        """The name of a place as `types.place` gives it, in this language as far as it has one."""
        known = next((name for name in self.PLACES if where.startswith(name)), None)
        return self.PLACES[known].format(where.removeprefix(known)) if known else where

    def day(self, day: date, today: date) -> str:
        """A day in words: today, yesterday, Friday, 3 March, 3 March 2025."""
        ago = (today - day).days
        if ago < 2:
            return self.TODAY if ago < 1 else self.YESTERDAY
        if ago < 7:
            return self.WEEKDAYS[day.weekday()]
        return (self.DAY if day.year == today.year else self.DAY_OF_YEAR).format(day)

    def of(self, message: str) -> str:
        """A message in this language if it is one of the page's own; one from elsewhere as it is."""
        own = _OWN.get(message)
        return own.words[self.language] if own else message


ENGLISH = Texts("en")  # for what does not know who reads it: `Texts.of` puts it into the reader's language
TABLE: dict[str, Text[object]] = {name: row for name, row in vars(Texts).items() if isinstance(row, Text)}
_OWN = {row.words["en"]: cast(Text[str], row) for row in TABLE.values() if isinstance(row.words["en"], str)}


def read_language(wanted: str) -> Language:
    """The language nearest to what a browser names ("zh-CN"); English for any that the page does not speak."""
    spoken = wanted.partition("-")[0].lower()
    return next((language for language in LANGUAGES if language == spoken), "en")
