"""Records to HTML: the conversation, its sources, and the conversations that are kept."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import date, datetime

from rag.types import Answer, Citation, ConversationInfo, Timings, place
from rag.ui_export import answer_text
from rag.ui_render import UNSEEN, amount_of, escape, name_of
from rag.ui_session import TurnView
from rag.ui_texts import Texts

_MARKER = re.compile(r" ?\[(\d+(?:\s*,\s*\d+)*)\]")
_OPEN_MARKER = re.compile(r" ?\[[\d,\s]*$")
_PARAGRAPH = re.compile(r"\s*\n\s*\n\s*")


def render_empty(texts: Texts, documents: int, starters: Sequence[str]) -> str:
    """What the conversation shows before the first question."""
    if not documents:
        add = f'<button type="button" class="add" data-add>{texts.ADD_DOCUMENTS}</button>'
        return f'<div class="empty"><h2>{texts.EMPTY_LIBRARY_TITLE}</h2><p>{texts.EMPTY_LIBRARY}</p>{add}</div>'
    tries = "".join(
        f'<button type="button" data-starter="{index}">{escape(text)}</button>' for index, text in enumerate(starters)
    )
    tries = f'<h3>{texts.STARTERS}</h3><div class="starters">{tries}</div>' if tries else ""
    return f'<div class="empty"><h2>{texts.EMPTY_TALK_TITLE}</h2><p>{texts.EMPTY_TALK}</p>{tries}</div>'


def render_turn(
    texts: Texts, turn: TurnView, index: int, opened: int | None, last: bool = False, busy: bool = False
) -> str:
    """A question and its answer as far as it has come. `opened`: the number whose passage is shown.

    `busy`: another answer is being written, so that no other can be asked for.
    """
    body = _answer(texts, turn, index, opened)
    if turn.alone is not None:
        body = _compared(texts, turn.alone, body)
    body += _acts(texts, turn, index, last, busy)
    return f'<article class="turn"><h2 class="q" dir="auto">{escape(turn.question)}</h2>{body}</article>'


def _compared(texts: Texts, alone: TurnView, grounded: str) -> str:
    """An answer from memory at the left of the one from the documents."""
    if alone.answer is not None:
        text = f'<div class="a">{_paragraphs(escape(alone.answer.text))}</div>'
        text += _meta(texts, alone.answer)
    elif alone.running and not alone.text:
        waits = alone.phase in ("waiting", "queued")
        text = f'<div class="a"><p class="phase">{_phase(texts, alone) if waits else texts.ALONE_WAITING}</p></div>'
    else:
        text = _unfinished(texts, alone, _paragraphs(escape(alone.text)))
    return (
        f'<div class="compare"><section class="alone" aria-label="{texts.ALONE}"><h3>{texts.ALONE}</h3>'
        f'<p class="tag">{texts.ALONE_NOTE}</p>{text}</section>'
        f'<section class="grounded" aria-label="{texts.WITH_DOCUMENTS}"><h3>{texts.WITH_DOCUMENTS}</h3>'
        f'<p class="tag">{texts.WITH_DOCUMENTS_NOTE}</p>{grounded}</section></div>'
    )


def _acts(texts: Texts, turn: TurnView, index: int, last: bool, busy: bool) -> str:
    """What can be done with a finished answer; only the last question can be asked again or edited."""
    acts = []
    if turn.answer is not None:
        copied = escape(answer_text(texts, turn.answer))
        acts.append(f'<button type="button" data-copy="{copied}" data-done="{texts.COPIED}">{texts.COPY}</button>')
        if not busy:
            compare = texts.COMPARE if turn.alone is None else texts.COMPARE_AGAIN
            acts.append(f'<button type="button" data-compare="{index}">{compare}</button>')
    if last and not turn.running and not busy:
        acts.append(f'<button type="button" data-retry>{texts.RETRY}</button>')
        acts.append(f'<button type="button" data-edit>{texts.EDIT}</button>')
    return f'<p class="acts">{"".join(acts)}</p>' if acts else ""


def _answer(texts: Texts, turn: TurnView, index: int, opened: int | None) -> str:
    if turn.answer is not None:
        if turn.answer.refused:
            text = _paragraphs(_linked(texts, turn.answer.text, turn.sources, index, opened))
            text += _searched(texts, turn)
            return f'<div class="a refuse">{text}</div>{_meta(texts, turn.answer)}'
        text = _paragraphs(_sentences(texts, turn.answer, index, opened))
        return f'<div class="a">{text}</div>{_meta(texts, turn.answer)}'
    text = _paragraphs(_linked(texts, _OPEN_MARKER.sub("", turn.text), turn.sources, index, opened))
    return _unfinished(texts, turn, text)


def _unfinished(texts: Texts, turn: TurnView, text: str) -> str:
    """What was written by now, or until it was stopped or failed."""
    if turn.phase == "failed":
        return f'<div class="a">{text}<p class="error" role="alert">{escape(texts.of(turn.error))}</p></div>'
    if turn.phase == "stopped":
        tag = f'<p class="meta"><span class="tag">{texts.STOPPED}</span></p>'
        return f'<div class="a">{text}</div>{tag}' if text else f'<p class="meta">{texts.STOPPED_EARLY}</p>'
    if text:
        return f'<div class="a writing">{text}</div>'
    return f'<div class="a"><p class="phase">{_phase(texts, turn)}</p></div>'


def _searched(texts: Texts, turn: TurnView) -> str:
    """What a refused question was asked of, and what came nearest."""
    count = texts.count(turn.searched, "document") + (f" ({escape(turn.asked)})" if turn.asked else "")
    names = ", ".join(dict.fromkeys(f"<bdi>{escape(source.source)}</bdi>" for source in turn.sources))
    if not names:
        return f'<p class="searched">{texts.SEARCHED_NOTHING_NEAR.format(count=count)}</p>'
    return f'<p class="searched">{texts.SEARCHED.format(count=count, names=names)}</p>'


def _phase(texts: Texts, turn: TurnView) -> str:
    seconds = texts.SECONDS.format(seconds=f"{turn.seconds:.0f}")
    clock = f' <span class="num">{seconds}</span>' if turn.seconds >= 2 else ""
    if turn.phase == "waiting" and turn.progress is not None:
        return f"{texts.WAITING_MODEL}: {escape(texts.of(turn.progress.what))} {amount_of(texts, turn.progress)}"
    if turn.phase == "queued":
        return f"{texts.WAITING_TURN}{clock}"
    if turn.phase == "reading":
        return texts.READING.format(count=texts.count(len(turn.sources), "passage")) + clock
    return texts.SEARCHING + clock


def _linked(texts: Texts, text: str, sources: Sequence[Citation], index: int, opened: int | None) -> str:
    """Escaped text whose [n] markers are buttons where a source has that number."""
    known = {source.number for source in sources}

    def link(marker: re.Match[str]) -> str:
        numbers = [int(number) for number in marker[1].split(",")]
        return _links(texts, [number for number in numbers if number in known], index, opened) or marker[0]

    return _MARKER.sub(link, escape(text))  # escaping leaves brackets and digits alone


def _sentences(texts: Texts, answer: Answer, index: int, opened: int | None) -> str:
    parts = []
    for sentence in answer.sentences:
        space = sentence.text[len(sentence.text.rstrip()) :]
        # A paragraph inside would tear the element apart, also one that shows once invisible controls are gone
        body = _PARAGRAPH.sub("\n", UNSEEN.sub("", sentence.text)).strip()
        if not body:
            parts.append(space)
        elif sentence.citations:
            parts.append(f"{escape(body)}{_links(texts, sentence.citations, index, opened)}{space}")
        else:
            why = f'title="{texts.UNSUPPORTED_WHY}"'
            parts.append(f'<span class="un" {why}>{escape(body)}</span>')
            parts.append(f'<span class="flag" {why}>{texts.UNSUPPORTED}</span>{space}')
    return "".join(parts)


def _links(texts: Texts, numbers: Collection[int], index: int, opened: int | None) -> str:
    return "".join(
        f'<button type="button" class="n{" on" if number == opened else ""}" data-turn="{index}" data-n="{number}" '
        f'aria-label="{texts.SOURCE_NUMBER.format(number=number)}" aria-pressed="{str(number == opened).lower()}">'
        f"{number}</button>"
        for number in numbers
    )


def _paragraphs(markup: str) -> str:
    return "".join(f'<p dir="auto">{part}</p>' for part in _PARAGRAPH.split(markup.strip()) if part)


def _meta(texts: Texts, answer: Answer) -> str:
    """The quiet footer of an answer; opened, it says what its figures are."""
    spent: Timings = answer.timings
    parts = {}
    if answer.sources:
        parts["read"] = texts.META_READ.format(count=texts.count(len(answer.sources), "source"))
    if spent.first_token_s > 0:
        parts["first"] = texts.META_FIRST.format(seconds=f"{spent.first_token_s:.1f}")
    parts["total"] = texts.META_TOTAL.format(seconds=f"{spent.total_s:.1f}")
    if spent.tokens_per_s > 0:
        parts["speed"] = texts.META_SPEED.format(speed=f"{spent.tokens_per_s:.0f}")
    parts["model"] = escape(answer.model)
    if spent.peak_memory_mb > 0:
        parts["memory"] = texts.META_MEMORY.format(memory=f"{spent.peak_memory_mb * 1.048576 / 1000:.1f}")
    shown = " · ".join(f"<span>{part}</span>" for part in parts.values())
    what = "".join(f"<li><b>{part}</b>: {texts.META_WHAT[name]}</li>" for name, part in parts.items())
    return f'<details class="meta"><summary>{shown}</summary><ul>{what}</ul></details>'


def render_sources(texts: Texts, turn: TurnView | None, index: int | None, opened: int | None) -> str:
    """The passages of a turn, the opened one marked."""
    if turn is None or not turn.sources:
        return ""
    refused = turn.answer is not None and turn.answer.refused
    head = f"<h2>{texts.SOURCES_NEAR if refused else texts.SOURCES_READ}<small>{texts.SOURCES_FACTS}</small></h2>"
    return head + "".join(_source(texts, source, index or 0, source.number == opened) for source in turn.sources)


def _source(texts: Texts, source: Citation, index: int, on: bool) -> str:
    where = place(source.page, source.page_label)
    printed = where.removeprefix("page ")
    facts = [escape(texts.place(where) if printed == where else texts.PAGE_SHORT.format(page=printed))] if where else []
    facts.append(f'<span title="{texts.SCORE}">{source.score:.2f}</span>')
    path = f'<small class="path" dir="auto">{escape(source.headings)}</small>' if source.headings else ""
    text = " ".join(source.text.split())
    if text.startswith(f"{source.heading} "):  # which stands above already
        text = text.removeprefix(source.heading).lstrip()
    return (
        f'<button type="button" class="src{" on" if on else ""}" data-turn="{index}" data-n="{source.number}" '
        f'aria-pressed="{str(on).lower()}"><span class="n{" on" if on else ""}">{source.number}</span>'
        f"{name_of(source.source)}<small>{' · '.join(facts)}</small>{path}"
        f'<span class="start" dir="auto">{escape(text[:240])}</span></button>'
    )


def render_editing(texts: Texts, editing: bool) -> str:
    """Above the ask box, while the last question is being edited."""
    if not editing:
        return ""
    cancel = f'<button type="button" data-unedit>{texts.EDIT_CANCEL}</button>'
    return f'<div class="editing" role="status"><span>{texts.EDITING}</span>{cancel}</div>'


def render_conversations(
    texts: Texts, kept: Sequence[ConversationInfo], shown: int | None, hours: str, note: str = ""
) -> str:
    """The conversations that can be reopened. `hours`: how long they stay where each browser has its own, else ""."""
    head = f"<h2>{texts.CONVERSATIONS}</h2>"
    head += f'<p class="note bad" role="alert">{escape(texts.of(note))}</p>' if note else ""
    if not kept:
        return f'{head}<p class="note">{texts.NO_CONVERSATIONS}</p>'
    alone = f'<p class="note">{texts.CONVERSATIONS_ALONE.format(hours=hours)}</p>' if hours else ""
    return f'{head}{alone}<ul class="docs">{"".join(_kept(texts, info, info.id == shown) for info in kept)}</ul>'


def _kept(texts: Texts, info: ConversationInfo, shown: bool) -> str:
    name, current = escape(info.name), ' aria-current="true"' if shown else ""
    day = texts.day(datetime.fromisoformat(info.updated).astimezone().date(), date.today())
    detail = f"{day} · {texts.count(info.turns, 'question')}"
    return (
        f'<li class="doc{" on" if shown else ""}">'
        f'<button type="button" class="name" data-reopen="{info.id}" title="{name}"{current}><bdi>{name}</bdi></button>'
        f'<button type="button" class="x" data-more aria-expanded="false" aria-label="{texts.MORE}: {name}">'
        f'<span aria-hidden="true">⋯</span></button><small>{detail}</small>'
        f'<form class="more" hidden><input value="{name}" maxlength="120" aria-label="{texts.NAME}" autocomplete="off">'
        f'<button type="submit" data-rename="{info.id}">{texts.RENAME}</button>'
        f'<button type="button" class="danger" data-drop="{info.id}">{texts.DELETE}</button>'
        f"{_export(texts, info.id, 'md', 'Markdown')}{_export(texts, info.id, 'json', 'JSON')}</form></li>"
    )


def _export(texts: Texts, number: int, suffix: str, kind: str) -> str:
    label = texts.EXPORT.format(kind=kind)
    return (
        f'<button type="button" data-export="{number}" data-format="{suffix}" aria-label="{label}" title="{label}">'
        f'<span aria-hidden="true">↓ </span>{kind}</button>'
    )


def render_undo(texts: Texts, label: str) -> str:
    """What was just deleted, while it can be taken back."""
    if not label:
        return ""
    told = texts.DELETED.format(name=f"<bdi>{escape(label)}</bdi>")
    undo = f'<button type="button" data-undo>{texts.UNDO}</button>'
    return f'<div class="undo" role="status"><span>{told}</span>{undo}</div>'


def render_memory(visitor: str, conversation: int | None) -> str:
    """What the browser is to remember; ui.js keeps it. Not shown."""
    return f'<i data-visitor="{escape(visitor)}" data-conversation="{conversation or ""}"></i>'


def render_outbox(name: str, text: str, serial: int) -> str:
    """A file for the browser to save; ui.js does so when the serial number is a new one. Not shown."""
    return f'<i data-name="{escape(name)}" data-text="{escape(text)}" data-serial="{serial}"></i>'


def render_offer(name: str, address: str, serial: int) -> str:
    """The same for a file that the browser fetches."""
    return f'<i data-name="{escape(name)}" data-href="{escape(address)}" data-serial="{serial}"></i>'
