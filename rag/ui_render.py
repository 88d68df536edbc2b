"""Records to HTML. Pure functions; every text that is not ours goes through `escape`."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Collection, Sequence

from rag import ui_texts as texts
from rag.types import Answer, Citation, DocumentInfo, PageImage, Passage, Progress, Timings, place
from rag.ui_session import TurnView, UploadRow

# Explicit direction overrides can make a file name or a sentence read as another one, and controls have no picture.
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_MARKER = re.compile(r" ?\[(\d+(?:\s*,\s*\d+)*)\]")
_OPEN_MARKER = re.compile(r" ?\[[\d,\s]*$")
_PARAGRAPH = re.compile(r"\s*\n\s*\n\s*")
_MB = 1_000_000


def escape(text: str) -> str:
    """Text for HTML, in an element or a quoted attribute, without invisible controls."""
    return html.escape(_UNSEEN.sub("", text), quote=True)


def render_status(state: Progress | str | None) -> str:
    """What loads right now, or why it failed; nothing when ready."""
    if state is None:
        return ""
    if isinstance(state, str):
        return f'<div class="status bad" role="alert">{escape(state)}</div>'
    return f'<div class="status"><span>{escape(state.what)}</span>{_amount(state)}{_bar(state)}</div>'


def render_documents(documents: Sequence[DocumentInfo], note: str = "") -> str:
    """The library's list; `note` is a message above it (a failed delete)."""
    head = f"<h2>{texts.LIBRARY} · {texts.count(len(documents), 'document')}</h2>"
    head += f'<p class="note bad" role="alert">{escape(note)}</p>' if note else ""
    if not documents:
        return f'{head}<p class="note">{texts.NO_DOCUMENTS}</p>'
    return f'{head}<ul class="docs">{"".join(map(_document, documents))}</ul>'


def _document(document: DocumentInfo) -> str:
    name, ready = escape(document.source), document.state == "ready"
    counts = [texts.count(document.pages, "page")] if document.pages else []
    detail = " · ".join([*counts, texts.count(document.chunks, "passage")])
    return (
        f'<li class="doc">{_name(document.source)}{_state(ready, texts.READY if ready else texts.FAILED)}'
        f'<button type="button" class="x" data-confirm aria-expanded="false" aria-label="{texts.DELETE} {name}">'
        f'<span aria-hidden="true">×</span></button>'
        f"<small>{' · '.join(filter(None, (detail if ready else '', escape(document.reason or ''))))}</small>"
        f'<span class="confirm" hidden><span>{texts.DELETE_ASK}</span>'
        f'<button type="button" class="danger" data-forget="{document.id}">{texts.DELETE}</button>'
        f'<button type="button" data-keep>{texts.KEEP}</button></span></li>'
    )


def render_uploads(rows: Sequence[UploadRow]) -> str:
    """The files that are on their way into the library, each in its own row."""
    return f'<ul class="docs">{"".join(map(_upload, rows))}</ul>' if rows else ""


def _upload(row: UploadRow) -> str:
    name = _name(row.path.name)
    if row.state == "failed":
        return f'<li class="doc">{name}{_state(False, texts.FAILED)}<small>{escape(row.reason)}</small></li>'
    if row.state in ("ready", "known"):
        return f'<li class="doc">{name}{_state(True, texts.KNOWN if row.state == "known" else texts.READY)}</li>'
    if row.state == "waiting":
        return f'<li class="doc">{name}<span class="soft">{texts.UPLOAD_WAITING}</span></li>'
    progress = row.progress or Progress(texts.UPLOAD_READING, 0, 0, "")
    label = f"<small>{escape(progress.what)} {_amount(progress)}</small>" if row.progress else ""
    return f'<li class="doc">{name}<span class="soft">{texts.UPLOAD_READING}</span>{label}{_bar(progress)}</li>'


def _name(source: str) -> str:
    name = escape(source)
    return f'<bdi class="name" title="{name}">{name}</bdi>'


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


def _amount(progress: Progress) -> str:
    if progress.unit == "B":
        parts = [f"{number / _MB:,.0f}" for number in (progress.done, progress.total) if number > 0]
        return f'<small class="num">{" of ".join(parts)} MB</small>' if parts else ""
    if progress.total <= 0:
        return ""
    return f'<small class="num">{progress.done:,} of {progress.total:,} {escape(progress.unit)}</small>'


def render_empty(documents: int, starters: Sequence[str]) -> str:
    """What the conversation shows before the first question."""
    if not documents:
        add = f'<button type="button" class="add" data-add>{texts.ADD_DOCUMENTS}</button>'
        return f'<div class="empty"><h2>{texts.EMPTY_LIBRARY_TITLE}</h2><p>{texts.EMPTY_LIBRARY}</p>{add}</div>'
    tries = "".join(
        f'<button type="button" data-starter="{index}">{escape(text)}</button>' for index, text in enumerate(starters)
    )
    tries = f'<h3>{texts.STARTERS}</h3><div class="starters">{tries}</div>' if tries else ""
    return f'<div class="empty"><h2>{texts.EMPTY_TALK_TITLE}</h2><p>{texts.EMPTY_TALK}</p>{tries}</div>'


def render_turn(turn: TurnView, index: int, opened: int | None) -> str:
    """A question and its answer as far as it has come. `opened`: the number whose passage is shown."""
    body = _answer(turn, index, opened)
    return f'<article class="turn"><h2 class="q" dir="auto">{escape(turn.question)}</h2>{body}</article>'


def _answer(turn: TurnView, index: int, opened: int | None) -> str:
    if turn.answer is not None:
        if turn.answer.refused:
            text = _paragraphs(_linked(turn.answer.text, turn.sources, index, opened))
            return f'<div class="a refuse">{text}</div><p class="meta">{_meta(turn.answer)}</p>'
        text = _paragraphs(_sentences(turn.answer, index, opened))
        return f'<div class="a">{text}</div><p class="meta">{_meta(turn.answer)}</p>'
    text = _paragraphs(_linked(_OPEN_MARKER.sub("", turn.text), turn.sources, index, opened))
    if turn.phase == "failed":
        return f'<div class="a">{text}<p class="error" role="alert">{escape(turn.error)}</p></div>'
    if turn.phase == "stopped":
        tag = f'<p class="meta"><span class="tag">{texts.STOPPED}</span></p>'
        return f'<div class="a">{text}</div>{tag}' if text else f'<p class="meta">{texts.STOPPED_EARLY}</p>'
    if text:
        return f'<div class="a writing">{text}</div>'
    return f'<div class="a"><p class="phase">{_phase(turn)}</p></div>'


def _phase(turn: TurnView) -> str:
    clock = f' <span class="num">{turn.seconds:.0f} s</span>' if turn.seconds >= 2 else ""
    if turn.phase == "waiting" and turn.progress is not None:
        return f"{texts.WAITING_MODEL}: {escape(turn.progress.what)} {_amount(turn.progress)}"
    if turn.phase == "queued":
        return f"{texts.WAITING_TURN}{clock}"
    if turn.phase == "reading":
        return texts.READING.format(count=texts.count(len(turn.sources), "passage")) + clock
    return texts.SEARCHING + clock


def _linked(text: str, sources: Sequence[Citation], index: int, opened: int | None) -> str:
    """Escaped text whose [n] markers are buttons where a source has that number."""
    known = {source.number for source in sources}

    def link(marker: re.Match[str]) -> str:
        numbers = [int(number) for number in marker[1].split(",")]
        return _links([number for number in numbers if number in known], index, opened) or marker[0]

    return _MARKER.sub(link, escape(text))  # escaping leaves brackets and digits alone


def _sentences(answer: Answer, index: int, opened: int | None) -> str:
    parts = []
    for sentence in answer.sentences:
        space = sentence.text[len(sentence.text.rstrip()) :]
        # A paragraph inside would tear the element apart, also one that shows once invisible controls are gone
        body = _PARAGRAPH.sub("\n", _UNSEEN.sub("", sentence.text)).strip()
        if not body:
            parts.append(space)
        elif sentence.citations:
            parts.append(f"{escape(body)}{_links(sentence.citations, index, opened)}{space}")
        else:
            parts.append(f'<span class="un">{escape(body)}</span><span class="flag">{texts.UNSUPPORTED}</span>{space}')
    return "".join(parts)


def _links(numbers: Collection[int], index: int, opened: int | None) -> str:
    return "".join(
        f'<button type="button" class="n{" on" if number == opened else ""}" data-turn="{index}" data-n="{number}" '
        f'aria-label="Source {number}" aria-pressed="{str(number == opened).lower()}">{number}</button>'
        for number in numbers
    )


def _paragraphs(markup: str) -> str:
    return "".join(f'<p dir="auto">{part}</p>' for part in _PARAGRAPH.split(markup.strip()) if part)


def _meta(answer: Answer) -> str:
    spent: Timings = answer.timings
    parts = [f"{texts.count(len(answer.sources), 'source')} read"]
    if spent.first_token_s > 0:
        parts.append(f"first word {spent.first_token_s:.1f} s")
    parts.append(f"{spent.total_s:.1f} s in all")
    if spent.tokens_per_s > 0:
        parts.append(f"{spent.tokens_per_s:.0f} tokens/s")
    parts.append(escape(answer.model))
    if spent.peak_memory_mb > 0:
        parts.append(f"{spent.peak_memory_mb * 1.048576 / 1000:.1f} GB memory")
    return " · ".join(f"<span>{part}</span>" for part in parts)


def render_sources(turn: TurnView | None, index: int | None, opened: int | None) -> str:
    """The passages of a turn, the opened one marked."""
    if turn is None or not turn.sources:
        return ""
    refused = turn.answer is not None and turn.answer.refused
    head = f"<h2>{texts.SOURCES_NEAR if refused else texts.SOURCES_READ}<small>{texts.SOURCES_FACTS}</small></h2>"
    return head + "".join(_source(source, index or 0, source.number == opened) for source in turn.sources)


def _source(source: Citation, index: int, on: bool) -> str:
    where = place(source.page, source.page_label)
    facts = [escape(f"p. {where.removeprefix('page ')}" if where.startswith("page ") else where)] if where else []
    facts.append(f'<span title="{texts.SCORE}">{source.score:.2f}</span>')
    return (
        f'<button type="button" class="src{" on" if on else ""}" data-turn="{index}" data-n="{source.number}" '
        f'aria-pressed="{str(on).lower()}"><span class="n{" on" if on else ""}">{source.number}</span>'
        f"{_name(source.source)}<small>{' · '.join(facts)}</small>"
        f'<span class="start" dir="auto">{escape(" ".join(source.text.split())[:240])}</span></button>'
    )


def render_proof(passage: Passage | None) -> str:
    """The cited passage under the file's name and page: on the picture of its page, and in the text around it."""
    if passage is None:
        return f'<div class="hint">{texts.NO_PROOF}</div>'
    image, problem = passage.image, passage.problem
    enlarge = f'<button type="button" id="enlarge" aria-pressed="false">{texts.ENLARGE}</button>' if image else ""
    head = f"<header>{_name(passage.source)}<small>{_where(passage)}</small>{enlarge}</header>"
    note = f'<p class="note bad" role="status">{texts.NO_PICTURE[problem]}</p>' if problem else ""
    text = (
        f'<div class="page" dir="auto" tabindex="0">{escape(passage.before)}'
        f'<mark aria-label="{texts.PASSAGE_MARK}">{_passage(passage)}</mark>{escape(passage.after)}</div>'
    )
    if image is None:
        return head + note + text
    unfolded = " open" if problem else ""
    folded = f"<details{unfolded}><summary>{texts.PASSAGE_AS_TEXT}</summary>{text}</details>"
    return head + note + _leaf(image, passage) + folded


def _where(passage: Passage) -> str:
    """ "page 11 of 24", or "page xi (11 of 24)" where the document calls it that, or "slide 11"."""
    named = place(passage.page, passage.page_label)
    if not named.startswith("page "):
        return escape(named)
    count = f" of {passage.pages}" if passage.pages else ""
    if passage.page_label and passage.page_label != str(passage.page):
        return f"page {escape(passage.page_label)} ({passage.page}{count})"
    return f"page {passage.page}{count}"


def _passage(passage: Passage) -> str:
    """The cited text, the sentences in it that support the answer best marked stronger."""
    parts, at = [], 0
    for start, end in passage.best:
        parts.append(f"{escape(passage.text[at:start])}<strong>{escape(passage.text[start:end])}</strong>")
        at = end
    return "".join(parts) + escape(passage.text[at:])


def _leaf(image: PageImage, passage: Passage) -> str:
    """The picture of a page. It travels in the page itself, so that no address can be asked for another's pages."""
    alt = (texts.PAGE_PICTURE if image.marks else texts.PAGE_PICTURE_UNMARKED).format(
        where=_where(passage), name=escape(passage.source)
    )
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


def render_problem(message: str) -> str:
    """A message in place of the passage that could not be shown."""
    return f'<div class="hint bad" role="alert">{escape(message)}</div>'
