"""Records to HTML: the library, the proof. Pure functions; every text that is not ours goes through `escape`."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence

from rag.types import DocumentInfo, PageImage, Passage, Progress, Recording, place
from rag.ui_texts import Texts
from rag.ui_uploads import UploadRow

# Explicit direction overrides can make a file name or a sentence read as another one, and controls have no picture.
UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_MB = 1_000_000
LISTED = 30  # documents in the narrow list; the Documents view has them all


def escape(text: str) -> str:
    """Text for HTML, in an element or a quoted attribute, without invisible controls."""
    return html.escape(UNSEEN.sub("", text), quote=True)


def render_brand(texts: Texts) -> str:
    """The head of the page."""
    return (
        f'<h1>{texts.TITLE}<sup aria-hidden="true">[1]</sup></h1>'
        '<button type="button" id="settings-open" aria-controls="settings" aria-expanded="false">'
        f"{texts.SETTINGS}</button>"
        '<button type="button" id="library-toggle" aria-controls="library" aria-expanded="false">'
        f"{texts.LIBRARY}</button>"
    )


def render_sheet(texts: Texts) -> str:
    """What opens the proof on a phone."""
    return (
        '<button type="button" id="sheet-toggle" aria-controls="proof-pane" aria-expanded="false">'
        f"{texts.PROOF}</button>"
    )


def render_words(texts: Texts) -> str:
    """The words that ui.js puts where no element of ours is: regions' names, the field for files. Not shown."""
    words = {
        "lang": texts.LANG,
        "library": texts.LIBRARY,
        "talk": texts.REGION_TALK,
        "shelf": texts.DOCUMENTS,
        "proof-pane": texts.REGION_PROOF,
        "add": texts.ADD_DOCUMENTS,
        "drop": texts.DROP_HERE,
    }
    return f"<i {' '.join(f'data-{name}={chr(34)}{escape(text)}{chr(34)}' for name, text in words.items())}></i>"


def render_status(texts: Texts, state: Progress | str | None) -> str:
    """What loads right now, or why it failed; nothing when ready."""
    if state is None:
        return ""
    if isinstance(state, str):
        return f'<div class="status bad" role="alert">{escape(texts.of(state))}</div>'
    return (
        f'<div class="status"><span>{escape(texts.of(state.what))}</span>{amount_of(texts, state)}{_bar(state)}</div>'
    )


def render_documents(texts: Texts, documents: Sequence[DocumentInfo], note: str = "") -> str:
    """The library's list, its beginning if it is long; `note` is a message above it (a failed delete)."""
    head = f"<h2>{texts.LIBRARY} · {texts.count(len(documents), 'document')}</h2>"
    if documents:
        head += f'<button type="button" data-view="documents" aria-label="{texts.OPEN_ALL}">{texts.OPEN}</button>'
    head = f'<div class="head">{head}</div>'
    head += f'<p class="note bad" role="alert">{escape(texts.of(note))}</p>' if note else ""
    if not documents:
        return f'{head}<p class="note">{texts.NO_DOCUMENTS}</p>'
    rest = len(documents) - LISTED
    more = f'<p class="note">{texts.MORE_DOCUMENTS.format(count=f"{rest:,}")}</p>' if rest > 0 else ""
    return f'{head}<ul class="docs">{"".join(_document(texts, each) for each in documents[:LISTED])}</ul>{more}'


def _document(texts: Texts, document: DocumentInfo) -> str:
    name, ready = escape(document.source), document.state == "ready"
    counts = [texts.count(document.pages, "page")] if document.pages else []
    detail = " · ".join([*counts, texts.count(document.chunks, "passage")])
    opened = f'<button type="button" class="name" data-open="{document.id}" title="{name}"><bdi>{name}</bdi></button>'
    forget = (
        f'<button type="button" class="x" data-forget="{document.id}" aria-label="{texts.DELETE} {name}">'
        f'<span aria-hidden="true">×</span></button>'
    )
    return (
        f'<li class="doc">{opened if ready else name_of(document.source)}'
        f"{_state(ready, state_word(texts, document))}"
        f"{'' if document.read_only else forget}"
        f"<small>{' · '.join(filter(None, (detail if ready else '', escape(document.reason or ''))))}</small></li>"
    )


def render_uploads(texts: Texts, rows: Sequence[UploadRow]) -> str:
    """The files that are on their way into the library, each in its own row, under how many are left."""
    if not rows:
        return ""
    left = sum(not row.finished for row in rows)
    cancel = f'<button type="button" data-cancel>{texts.UPLOAD_CANCEL}</button>'
    head = f'<div class="head"><h2>{texts.UPLOADS_LEFT.format(count=f"{left:,}")}</h2>{cancel}</div>' if left else ""
    return f'{head}<ul class="docs">{"".join(_upload(texts, row) for row in rows)}</ul>'


def _upload(texts: Texts, row: UploadRow) -> str:
    name = name_of(row.path.name)
    if row.state == "failed":
        return f'<li class="doc">{name}{_state(False, texts.FAILED)}<small>{escape(texts.of(row.reason))}</small></li>'
    if row.state in ("ready", "known"):
        return f'<li class="doc">{name}{_state(True, texts.KNOWN if row.state == "known" else texts.READY)}</li>'
    if row.state == "waiting":
        return f'<li class="doc">{name}<span class="soft">{texts.UPLOAD_WAITING}</span></li>'
    progress = row.progress or Progress(texts.UPLOAD_READING, 0, 0, "")
    doing = texts.UPLOAD_EMBEDDING if progress.unit == "chunks" else texts.UPLOAD_READING
    what = "" if progress.what in (row.path.name, texts.UPLOAD_READING) else f"{escape(texts.of(progress.what))} "
    amount = amount_of(texts, progress) if progress.unit != "files" else ""
    label = f"<small>{what}{amount}</small>" if what or amount else ""
    return f'<li class="doc">{name}<span class="soft">{doing}</span>{label}{_bar(progress)}</li>'


def name_of(source: str) -> str:
    """A file's name, cut where the room ends, whole on hover; its own direction moves nothing around it."""
    name = escape(source)
    return f'<bdi class="name" title="{name}">{name}</bdi>'


def state_word(texts: Texts, document: DocumentInfo) -> str:
    """Whether a document answers, and whether all of it does."""
    if document.state != "ready":
        return texts.FAILED
    return texts.PARTLY if document.outcome == "partial" else texts.READY


def _state(good: bool, word: str) -> str:
    return f'<span class="{"ok" if good else "bad"}">{word}</span>'


def _bar(progress: Progress) -> str:
    if progress.total <= 0:
        return f'<span class="bar busy" role="progressbar" aria-label="{escape(progress.what)}"><i></i></span>'
    percent = max(0, min(100, round(100 * progress.done / progress.total)))
    return (
        f'<span class="bar" role="progressbar" aria-label="{escape(progress.what)}" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{percent}"><i style="width:{percent}%"></i></span>'
    )


def amount_of(texts: Texts, progress: Progress) -> str:
    """How much of it is done, in its unit."""
    if progress.unit == "B":
        done, total = (f"{number / _MB:,.0f}" for number in (progress.done, progress.total))
        told = texts.AMOUNT_BYTES.format(done=done, total=total) if progress.done and progress.total else ""
        told = told or (f"{total if progress.total else done} MB" if progress.done or progress.total else "")
        return f'<small class="num">{told}</small>' if told else ""
    if progress.total <= 0:
        return ""
    return f'<small class="num">{escape(texts.amount(progress.done, progress.total, progress.unit))}</small>'


def render_proof(texts: Texts, passage: Passage | None, address: str = "") -> str:
    """The cited passage under the file's name and page: on the picture of its page, and in the text around it.

    One that was heard stands under what plays it; `address` is where the recording comes from.
    """
    if passage is None:
        return f'<div class="hint">{texts.NO_PROOF}</div>'
    image, problem = passage.image, passage.problem
    enlarge = f'<button type="button" id="enlarge" aria-pressed="false">{texts.ENLARGE}</button>' if image else ""
    head = f"<header>{name_of(passage.source)}<small>{_where(texts, passage)}</small>{enlarge}</header>"
    why = (texts.NO_RECORDING if passage.recording else texts.NO_PICTURE)[problem] if problem else ""
    note = f'<p class="note bad" role="status">{why}</p>' if why else ""
    text = (
        f'<div class="page" dir="auto" tabindex="0">{escape(passage.before)}'
        f'<mark aria-label="{texts.PASSAGE_MARK}">{_passage(passage)}</mark>{escape(passage.after)}</div>'
    )
    if passage.recording and address:
        return head + _player(texts, passage.source, passage.recording, address) + text
    if image is None:
        return head + note + text
    unfolded = " open" if problem else ""
    folded = f"<details{unfolded}><summary>{texts.PASSAGE_AS_TEXT}</summary>{text}</details>"
    return head + note + _leaf(texts, image, passage) + folded


def _player(texts: Texts, source: str, recording: Recording, address: str) -> str:
    """A recording that stands at the moment where the passage begins, and waits to be played."""
    kind = "video" if recording.media_type.startswith("video/") else "audio"
    at, second = _clock(recording.second), f"{recording.second:.2f}"
    label = texts.RECORDING.format(name=escape(source), at=at)
    return (
        f'<figure class="player"><{kind} controls preload="metadata" src="{escape(address)}#t={second}" '
        f'data-at="{second}" aria-label="{label}"></{kind}>'
        f'<figcaption><button type="button" data-seek>{texts.PLAY_FROM.format(at=at)}</button>'
        f'<span class="bad" role="alert" hidden>{texts.NOT_PLAYED.format(at=at)}</span></figcaption></figure>'
    )


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _where(texts: Texts, passage: Passage) -> str:
    """ "page 11 of 24", or "page xi (11 of 24)" where the document calls it that, or "slide 11"."""
    named = place(passage.page, passage.page_label)
    if not named.startswith("page "):
        return escape(texts.place(named))
    if passage.page_label and passage.page_label != str(passage.page):
        form = texts.PAGE_LABELLED_OF if passage.pages else texts.PAGE_LABELLED
    else:
        form = texts.PAGE_OF if passage.pages else texts.PAGE
    return escape(form.format(label=passage.page_label, page=passage.page, pages=passage.pages))


def _passage(passage: Passage) -> str:
    """The cited text, the sentences in it that support the answer best marked stronger."""
    parts, at = [], 0
    for start, end in passage.best:
        parts.append(f"{escape(passage.text[at:start])}<strong>{escape(passage.text[start:end])}</strong>")
        at = end
    return "".join(parts) + escape(passage.text[at:])


def _leaf(texts: Texts, image: PageImage, passage: Passage) -> str:
    """The picture of a page. It travels in the page itself, so that no address can be asked for another's pages."""
    where, name = _where(texts, passage), escape(passage.source)
    if where:
        alt = (texts.PAGE_PICTURE if image.marks else texts.PAGE_PICTURE_UNMARKED).format(where=where, name=name)
    else:
        alt = (texts.PICTURE if image.marks else texts.PICTURE_UNMARKED).format(name=name)
    data = base64.b64encode(image.data).decode("ascii")
    marks = "".join(
        f'<i class="{"best" if mark.best else "rest"}" style="left:{mark.left:.4%};top:{mark.top:.4%};'
        f'width:{mark.width:.4%};height:{mark.height:.4%}"></i>'
        for mark in image.marks
    )
    return (
        f'<div class="leaf" tabindex="0"><div class="sheet">'
        f'<img src="data:{image.media_type};base64,{data}" alt="{alt}" width="{image.width}" height="{image.height}">'
        f'<div class="marks{" on-dark" if image.dark else ""}" aria-hidden="true">{marks}</div></div></div>'
    )


def render_problem(texts: Texts, message: str) -> str:
    """A message in place of the passage that could not be shown."""
    return f'<div class="hint bad" role="alert">{escape(texts.of(message))}</div>'
