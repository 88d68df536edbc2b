"""Records to HTML: the Documents view, and a document's text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from rag.types import DocumentInfo
from rag.ui_listing import PAGE, Listing
from rag.ui_render import escape, name_of, state_word
from rag.ui_texts import Texts

_COLUMNS = ("name", "state", "pages", "chunks", "size", "updated")
_UNITS = ("B", "kB", "MB", "GB")


def render_shelf_head(texts: Texts, listing: Listing, sorted_by: str) -> str:
    """Above the list; drawn again for another language alone, so that nobody loses what is being typed."""
    states = _options(texts.STATES, listing.state)
    sorts = _options({name: texts.COLUMNS[name] for name in _COLUMNS}, sorted_by)
    return (
        f'<div class="title"><h2>{texts.DOCUMENTS}</h2>'
        f'<button type="button" data-view="">{texts.BACK}</button></div><div class="look">'
        f'<input type="search" id="look-for" value="{escape(listing.query)}" placeholder="{texts.LOOK}" '
        f'aria-label="{texts.LOOK}" autocomplete="off">'
        f'<select id="look-state" aria-label="{texts.LOOK_STATE}">{states}</select>'
        f'<select id="look-sort" aria-label="{texts.LOOK_SORT}">{sorts}</select></div>'
    )


def _options(labels: Mapping[str, str], chosen: str) -> str:
    return "".join(
        f'<option value="{value}"{" selected" if value == chosen else ""}>{label}</option>'
        for value, label in labels.items()
    )


def render_bulk(texts: Texts, listing: Listing, found: int, changeable: bool = True, move: str = "") -> str:
    """What can be done with the selection; `changeable`: whether any of it may be read again or deleted.

    `move` chooses the collection that it is moved to, in HTML.
    """
    if not listing.selected:
        return ""
    count = texts.count(len(listing.selected), "document")
    change = (
        f'{move}<button type="button" data-again="selected">{texts.AGAIN}</button>'
        f'<button type="button" class="danger" data-forget="selected">{texts.DELETE}</button>'
    )
    every = f'<button type="button" data-pickall>{texts.PICK_ALL.format(count=f"{found:,}")}</button>'
    return (
        f'<div class="bulk"><strong role="status">{texts.SELECTED.format(count=count)}</strong>'
        f"{every if len(listing.selected) < found else ''}"
        f'<button type="button" data-unpick>{texts.UNPICK}</button>'
        f'<button type="button" data-only data-view="">{texts.ASK_THESE}</button>{change if changeable else ""}</div>'
    )


def render_shelf(
    texts: Texts, listing: Listing, documents: Sequence[DocumentInfo], busy: Mapping[int, str], note: str = ""
) -> str:
    """The list: one page of what was found. `busy` says what is being done with a document, by its id."""
    head = f'<p class="note bad" role="alert">{escape(texts.of(note))}</p>' if note else ""
    if not documents:
        return f'{head}<p class="hint">{texts.NO_DOCUMENTS}</p>'
    found = listing.found(documents)
    rows = listing.rows(found)
    all_of = texts.count(len(documents), "document")
    count = all_of if len(found) == len(documents) else texts.FOUND.format(found=f"{len(found):,}", all=all_of)
    told = f'<p class="found" role="status">{count}</p>'
    if not found:
        empty = not any(each.collection == listing.collection for each in documents) and bool(listing.collection)
        return f'{head}{told}<p class="hint">{texts.COLLECTION_EMPTY if empty else texts.NOTHING_FOUND}</p>'
    heads = "".join(_column(texts, name, listing) for name in _COLUMNS)
    body = "".join(
        _row(texts, document, document.id in listing.selected, busy.get(document.id, "")) for document in rows
    )
    return (
        f'{head}{told}<table><thead><tr><td></td>{heads}<th scope="col" class="do">{texts.ACTS}</th></tr></thead>'
        f"<tbody>{body}</tbody></table>{_pages(texts, listing, len(found))}"
    )


def _column(texts: Texts, name: str, listing: Listing) -> str:
    on = name == listing.sort
    way = "descending" if listing.descending else "ascending"
    arrow = f'<span aria-hidden="true">{"↓" if listing.descending else "↑"}</span>' if on else ""
    return (
        f'<th scope="col" class="{name}"{f" aria-sort={way}" if on else ""}>'
        f'<button type="button" data-sort="{name}">{texts.COLUMNS[name]}{arrow}</button></th>'
    )


def _row(texts: Texts, document: DocumentInfo, selected: bool, busy: str) -> str:
    name, ready, number = escape(document.source), document.state == "ready", document.id
    state = escape(texts.of(busy)) if busy else state_word(texts, document)
    kind = "soft" if busy else "ok" if ready and not document.reason else "bad"
    reason = f'<tr class="why"><td></td><td colspan="7">{_reason(texts, document)}</td></tr>' if document.reason else ""
    opened = (
        f'<button type="button" class="name" data-open="{number}" title="{name}"><bdi>{name}</bdi></button>'
        if ready
        else name_of(document.source)
    )
    change = _act("again", number, texts.AGAIN, name, "↻") + _act("forget", number, texts.DELETE, name, "×")
    return (
        f'<tr{" class=on" if selected else ""}><td class="pick"><input type="checkbox" data-pick="{number}" '
        f'aria-label="{texts.PICK} {name}"{" checked" if selected else ""}></td>'
        f'<th scope="row" class="name">{opened}</th><td class="state {kind}">{state}</td>'
        f"{_number(texts, document.pages, 'page')}{_number(texts, document.chunks, 'passage')}"
        f'<td class="num">{_size(document.size)}</td><td class="num">{_when(texts, document.updated)}</td>'
        f'<td class="do">{_act("original", number, texts.DOWNLOAD, name, "↓")}'
        f"{'' if document.read_only else change}</td></tr>{reason}"
    )


def _number(texts: Texts, number: int, unit: str) -> str:
    """A number; its unit is for a narrow window, where no column says it."""
    if not number:
        return '<td class="num none">–</td>'
    return f'<td class="num" data-unit="{texts.count(number, unit).lstrip("0123456789,")}">{number:,}</td>'


def _act(act: str, number: int, label: str, name: str, sign: str) -> str:
    return (
        f'<button type="button" data-{act}="{number}" aria-label="{label}: {name}" title="{label}">'
        f'<span aria-hidden="true">{sign}</span></button>'
    )


def _reason(texts: Texts, document: DocumentInfo) -> str:
    """Why a document, or part of it, could not be read, and what to do about it."""
    reason = document.reason or ""
    way = "" if ";" in reason else texts.WAYS_OUT.get(document.outcome, texts.WAY_OUT)
    kept = f" {texts.EARLIER_KEPT}" if document.outcome == "ready" else ""
    return f"{escape(reason[:1].upper() + reason[1:].rstrip('.'))}.{f' {way}' if way else ''}{kept}"


def _pages(texts: Texts, listing: Listing, found: int) -> str:
    if found <= PAGE:
        return ""
    first, last = listing.page * PAGE + 1, min(found, (listing.page + 1) * PAGE)
    return (
        f'<div class="turn-pages">{_step("page", listing.page - 1, texts.BEFORE, "‹", listing.page == 0)}'
        f'<span class="num">{texts.SPAN.format(first=f"{first:,}", last=f"{last:,}", all=f"{found:,}")}</span>'
        f"{_step('page', listing.page + 1, texts.AFTER, '›', last == found)}</div>"
    )


def _step(what: str, to: int, label: str, sign: str, end: bool) -> str:
    return (
        f'<button type="button" data-{what}="{max(to, 0)}" aria-label="{label}" title="{label}"'
        f'{" disabled" if end else ""}><span aria-hidden="true">{sign}</span></button>'
    )


def _size(size: int) -> str:
    number, unit = float(size), 0
    while number >= 1000 and unit < len(_UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.0f} {_UNITS[unit]}" if unit == 0 or number >= 10 else f"{number:.1f} {_UNITS[unit]}"


def _when(texts: Texts, updated: str) -> str:
    try:
        when = datetime.fromisoformat(updated).astimezone()
    except ValueError:
        return escape(updated)
    return f'<time datetime="{escape(updated)}">{texts.DATE.format(when)}</time>'


def render_text(texts: Texts, source: str, leaves: Sequence[tuple[str, str]], at: int) -> str:
    """A leaf of a document's text, as it was read. `leaves`: where each stands, in words, and its text."""
    where, text = leaves[at] if leaves else ("", "")
    steps = ""
    if len(leaves) > 1:
        count = texts.LEAF.format(at=f"{at + 1:,}", all=f"{len(leaves):,}")
        back = _step("leaf", at - 1, texts.LEAF_BEFORE, "‹", at == 0)
        forward = _step("leaf", at + 1, texts.LEAF_AFTER, "›", at == len(leaves) - 1)
        steps = f'<span class="turn-pages">{back}<span class="num">{count}</span>{forward}</span>'
    return (
        f'<header class="reader">{name_of(source)}<small>{escape(texts.place(where))}</small>{steps}</header>'
        f'<div class="page" dir="auto" tabindex="0" role="region" aria-label="{escape(source)}">{escape(text)}</div>'
    )
