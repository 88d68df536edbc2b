"""The words of the page. Plain text: whoever renders them escapes them."""

TITLE = "Footnote"

LIBRARY = "Library"
PROOF = "Proof and sources"
NEW_CHAT = "New conversation"
ADD_DOCUMENTS = "Add documents"
DROP_HERE = "drop files or choose them"
NO_DOCUMENTS = "Nothing here yet. What you add is listed here."

ASK_LABEL = "Your question"
ASK_PLACEHOLDER = "Ask your documents…"
ASK = "Ask"
STOP = "Stop"

EMPTY_LIBRARY_TITLE = "Start with your documents"
EMPTY_LIBRARY = (
    "Add a few files to the library. Then ask about them: every sentence of an answer carries a number, and "
    "every number opens the passage it came from."
)
EMPTY_TALK_TITLE = "What would you like to know?"
EMPTY_TALK = "Answers come from your documents alone. Choose a number in an answer to see the passage it rests on."
STARTERS = "Try one of these"

COPY = "Copy with sources"
COPIED = "Copied"
RETRY = "Ask again"
EDIT = "Edit question"
EDITING = "Your last question is being edited. What you send takes its place."
EDIT_CANCEL = "Leave it as it was"
SEARCHED = "Searched {count} for this. The nearest passages are in {names}."
SEARCHED_NOTHING_NEAR = "Searched {count} for this, and no passage came near."

CONVERSATIONS = "Conversations"
CONVERSATIONS_ALONE = "Only this browser can open them. Each is removed {hours} after its last question."
NO_CONVERSATIONS = "What you ask is kept here, to come back to."
NAME = "Name of the conversation"
MORE = "Rename, export or delete"
RENAME = "Rename"
EXPORT = "Save as {kind}"
DELETED = "Deleted: {name}"
UNDO = "Undo"
TODAY = "today"
YESTERDAY = "yesterday"

NO_PROOF = "Choose a number in an answer, or one of the passages read for it, and it opens here."
SOURCES = "Sources"
SOURCES_READ = "Passages read"
SOURCES_NEAR = "Nearest passages"
SOURCES_FACTS = "page · score"
SCORE = "how near the passage is to the question: 1 is nearest"
PROOF_LOST = "This passage is no longer there. Ask again to get the current ones."
PASSAGE_MARK = "cited passage"
PAGE_PICTURE = "Picture of {where} of {name}. The cited passage is marked; it stands below as text."
PAGE_PICTURE_UNMARKED = "Picture of {where} of {name}. The cited passage stands below as text."
PASSAGE_AS_TEXT = "The passage as text"
ENLARGE = "Enlarge"
NO_PICTURE = {
    "gone": "The file is no longer where it was read, so its page cannot be shown. This is the passage as it was read.",
    "changed": "The file has changed since it was read, so its page is not shown. This is the passage as it was read.",
    "unreadable": "The page cannot be drawn. This is the passage as it was read.",
    "unmarked": "Where the passage stands on this page is not known, so nothing is marked. Its text is below the page.",
}

DOCUMENTS = "Documents"
OPEN = "Open"
OPEN_ALL = "Open the list of all documents"
MORE_DOCUMENTS = "and {count} more"
BACK = "Back to the conversation"
LOOK = "Search by name"
LOOK_STATE = "State"
LOOK_SORT = "Sort by"
STATES = {"": "All states", "ready": "Ready", "failed": "Not added"}
COLUMNS = {
    "name": "Name",
    "state": "State",
    "pages": "Pages",
    "chunks": "Passages",
    "size": "Size",
    "updated": "Added",
}
ACTS = "Actions"
FOUND = "{found} of {all}"
NOTHING_FOUND = "No document is called that. Try fewer letters, or another state."
PICK = "Select"
PICK_ALL = "Select all {count}"
UNPICK = "Clear selection"
SELECTED = "{count} selected"
DOWNLOAD = "Download"
DOWNLOAD_OVER = "This download is over. Choose Download again in the page."
AGAIN = "Read again"
SPAN = "{first}–{last} of {all}"
BEFORE = "Earlier documents"
AFTER = "Further documents"
LEAF = "{at} of {all}"
LEAF_BEFORE = "Back"
LEAF_AFTER = "Forward"
EARLIER_KEPT = "What was read of it earlier still answers."
WAY_OUT = "Put that right and choose Read again, or delete it."
WAYS_OUT = {  # by what reading a file came to
    "partial": "",
    "empty": "If it holds pictures of text, see that RAG_OCR is not off.",
    "password": "Save a copy without one and add that.",
    "unsupported": "Save it as PDF or in another format that is read, and add that.",
    "corrupt": "Save it anew in the program it comes from and add that.",
    "too_large": "Split it and add the parts, or raise the limit that it names.",
    "timed_out": "Split it and add the parts, or raise RAG_PARSE_TIMEOUT.",
    "unreadable": "Put it back where it was and choose Read again, or delete it.",
}

SEARCHING = "Searching your documents"
READING = "Reading {count}"
WAITING_MODEL = "Your question waits for the model"
WAITING_TURN = "Another question is being answered; yours is next"
STOPPED = "stopped"
STOPPED_EARLY = "Stopped before the first word."
UNSUPPORTED = "not found in your documents"
UNEXPECTED = "Something went wrong on this machine. The details are in the log; asking again may help."
ADD_FAILED = "could not be added; the details are in the log"

READY = "ready"
PARTLY = "partly read"
FAILED = "not added"
KNOWN = "already there"
UPLOAD_WAITING = "waiting"
UPLOAD_READING = "reading"
DELETE = "Delete"


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: "1 page", "24 pages", "1,204 passages"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
