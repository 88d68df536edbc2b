"""Records to HTML: what a question is asked of, collections, and how a visitor leaves."""

from __future__ import annotations

from collections.abc import Sequence

from rag.types import DocumentInfo
from rag.ui_render import escape
from rag.ui_scope import Choice
from rag.ui_texts import Texts

_LISTED = 30  # documents that can be ticked at a time


def render_told(texts: Texts, choice: Choice, documents: Sequence[DocumentInfo]) -> str:
    """Under the ask box: what the next question is asked of. Nothing where there is nothing to ask."""
    if not documents:
        return ""
    chosen = choice.told(texts, documents)
    asked = len(choice.asked(documents))
    whole = asked == sum(each.state == "ready" for each in documents)
    count = texts.ASKED_ALL if whole and not chosen else texts.count(asked, "document")
    told = f"<bdi>{escape(chosen)}</bdi>" if chosen else count
    every = f'<button type="button" data-every>{texts.ASK_ALL}</button>' if chosen else ""
    return (
        f'<div class="told"><span role="status">{texts.ASKED_OF} {told}</span>{every}'
        f'<button type="button" id="scope-toggle" aria-expanded="false" aria-controls="scope-panel" '
        f'aria-label="{texts.CHOOSE_LABEL}">{texts.CHOOSE}</button></div>'
    )


def render_look(texts: Texts) -> str:
    """The field above what can be chosen; never drawn again, so that nobody loses what is being typed."""
    return (
        f'<input type="search" placeholder="{texts.CHOOSE_LOOK}" aria-label="{texts.CHOOSE_LOOK}" autocomplete="off">'
    )


def render_choices(texts: Texts, choice: Choice, documents: Sequence[DocumentInfo]) -> str:
    """What can be chosen: the collections, where there is more than one, and the documents that are looked for."""
    names = _collections(documents)
    shown = ""
    if len(names) > 1:
        asked = set(choice.collections or (choice.usual if not choice.documents else ()))
        boxes = [_box("collection", name, choice.label(texts, name), name in asked) for name in names]
        shown += f"<fieldset><legend>{texts.CHOOSE_COLLECTIONS}</legend>{''.join(boxes)}</fieldset>"
    words = choice.query.casefold().split()
    found = [
        each for each in documents if each.state == "ready" and all(word in each.source.casefold() for word in words)
    ]
    found.sort(key=lambda each: each.id not in choice.documents)
    boxes = [_box("document", str(each.id), each.source, each.id in choice.documents) for each in found[:_LISTED]]
    rest = len(found) - _LISTED
    more = f'<p class="note">{texts.CHOOSE_MORE.format(count=f"{rest:,}")}</p>' if rest > 0 else ""
    nothing = "" if boxes else f'<p class="note">{texts.NOTHING_FOUND}</p>'
    return f"{shown}<fieldset><legend>{texts.CHOOSE_DOCUMENTS}</legend>{''.join(boxes)}</fieldset>{more}{nothing}"


def render_gather(texts: Texts, shown: str, choice: Choice, documents: Sequence[DocumentInfo]) -> str:
    """The filter by collection, where there is more than one."""
    names = _collections(documents)
    if len(names) < 2:
        return ""
    options = "".join(
        f'<option value="{escape(name)}"{" selected" if name == shown else ""}>{escape(label)}</option>'
        for name, label in [("", texts.ALL_COLLECTIONS), *((name, choice.label(texts, name)) for name in names)]
    )
    return f'<div class="look"><select id="look-gather" aria-label="{texts.LOOK_COLLECTION}">{options}</select></div>'


def render_leave(texts: Texts, hours: str, note: str, failed: bool) -> str:
    """How a visitor removes what is his; `hours`: how long it stays, "" where there are no visitors."""
    if not hours:
        return ""
    told = f'<p class="note{" bad" if failed else ""}" role="status">{escape(note)}</p>' if note else ""
    return (
        f'{told}<details class="leave"><summary>{texts.LEAVE}</summary><p class="note">'
        f"{texts.LEAVE_TOLD.format(hours=hours)} {texts.LEAVE_SURE}</p>"
        f'<button type="button" class="danger" data-leave>{texts.LEAVE_NOW}</button></details>'
    )


def _collections(documents: Sequence[DocumentInfo]) -> list[str]:
    return sorted({each.collection for each in documents})


def _box(kind: str, value: str, label: str, on: bool) -> str:
    checked = " checked" if on else ""
    return (
        f'<label><input type="checkbox" data-choose="{kind}" value="{escape(value)}"{checked}>'
        f"<bdi>{escape(label)}</bdi></label>"
    )
