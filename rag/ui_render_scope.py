"""Records to HTML: what a question is asked of, collections, and how a visitor leaves."""

from __future__ import annotations

from collections.abc import Sequence

from rag.types import DocumentInfo, SignsIn
from rag.ui_render import escape
from rag.ui_scope import Choice
from rag.ui_texts import ENGLISH, LANGUAGES, Texts

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


def render_gather(
    texts: Texts, shown: str, choice: Choice, documents: Sequence[DocumentInfo], changeable: Sequence[str]
) -> str:
    """The filter by collection, where there is more than one, and what can be done with those that may be changed."""
    names = sorted({*_collections(documents), *changeable})
    filtered = ""
    if len(names) > 1:
        labels = [("", texts.ALL_COLLECTIONS), *((name, choice.label(texts, name)) for name in names)]
        filtered = f'<select id="look-gather" aria-label="{texts.LOOK_COLLECTION}">{_options(labels, shown)}</select>'
    managed = _manage(texts, shown, documents, changeable) if changeable else ""
    return f'<div class="look gather">{filtered}{managed}</div>' if filtered or managed else ""


def _manage(texts: Texts, shown: str, documents: Sequence[DocumentInfo], changeable: Sequence[str]) -> str:
    """Make a collection; rename the one that is shown, or delete it when it is empty. The usual one stays."""
    make = _name_form("make", "", texts.COLLECTION_NEW, texts.COLLECTION_MAKE)
    if not shown:
        return _folded(texts, make, texts.COLLECTION_PICK if len(changeable) > 1 else "")
    if shown == changeable[0]:
        return _folded(texts, make, texts.COLLECTION_USUAL.format(name=escape(shown)))
    rename = _name_form("relabel", shown, texts.COLLECTION_NAME, texts.RENAME)
    if any(each.collection == shown for each in documents):
        return _folded(texts, make + rename, texts.COLLECTION_FULL)
    drop = f'<button type="button" class="danger" data-scrap="{escape(shown)}">{texts.DELETE}</button>'
    return _folded(texts, make + rename + drop, "")


def _folded(texts: Texts, forms: str, note: str) -> str:
    told = f'<p class="note">{note}</p>' if note else ""
    return f'<details class="manage"><summary>{texts.COLLECTIONS_MANAGE}</summary><div>{forms}{told}</div></details>'


def _name_form(act: str, name: str, label: str, button: str) -> str:
    return (
        f'<form><input value="{escape(name)}" maxlength="63" aria-label="{label}" placeholder="{label}" '
        f'autocomplete="off"><button type="submit" data-{act}="{escape(name)}">{button}</button></form>'
    )


def render_move(texts: Texts, names: Sequence[str]) -> str:
    """Into which collection what is selected can be moved; nothing where there is but one."""
    if len(names) < 2:
        return ""
    options = _options([(name, name) for name in names], "")
    return (
        f"<form><label><span>{texts.MOVE_TO}</span><select>{options}</select></label>"
        f'<button type="submit" data-move="selected">{texts.MOVE}</button></form>'
    )


def render_target(texts: Texts, names: Sequence[str], target: str) -> str:
    """The collection that files are added to; nothing where there is but one."""
    if len(names) < 2:
        return ""
    options = _options([(name, name) for name in names], target or names[0])
    return f'<label class="target"><span>{texts.ADD_TO}</span><select>{options}</select></label>'


def _options(labels: Sequence[tuple[str, str]], chosen: str) -> str:
    return "".join(
        f'<option value="{escape(name)}"{" selected" if name == chosen else ""}>{escape(label)}</option>'
        for name, label in labels
    )


def render_sign_in() -> str:
    """Over the form of whoever must sign in; what language he speaks is not known yet."""
    told = "".join(f'<span lang="{each.LANG}">{each.SIGN_IN_FORM}</span>' for each in map(Texts, LANGUAGES))
    return f"<b>{ENGLISH.TITLE}</b>{told}"


def render_account(texts: Texts, signs_in: SignsIn, name: str) -> str:
    """Who is signed in and how to sign out, or how to sign in where that need not be; nothing where nobody can."""
    if name:
        told = texts.SIGNED_IN.format(name=f"<b><bdi>{escape(name)}</bdi></b>")
        title = f' title="{texts.SIGN_OUT_ALL}"' if signs_in == "form" else ""
        return f'<p class="account"><span>{told}</span><a href="logout?_target_url=/"{title}>{texts.SIGN_OUT}</a></p>'
    if signs_in != "huggingface":
        return ""
    return (
        f'<p class="account"><span>{texts.SIGN_IN_WHY}</span>'
        f'<a href="login/huggingface?_target_url=/">{texts.SIGN_IN}</a></p>'
    )


def render_leave(texts: Texts, hours: str, name: str, note: str, failed: bool) -> str:
    """How a visitor removes what is his. It stays for `hours`, or that of the account `name` until he removes it."""
    stays = texts.LEAVE_KEPT.format(name=escape(name)) if name else texts.LEAVE_TOLD.format(hours=hours)
    told = f'<p class="note{" bad" if failed else ""}" role="status">{escape(note)}</p>' if note else ""
    return (
        f'{told}<details class="leave"><summary>{texts.LEAVE}</summary><p class="note">'
        f"{stays} {texts.LEAVE_SURE}</p>"
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
