"""The parts of the page: library at the left, conversation in the middle, proof at the right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from rag import ui_render as render
from rag import ui_render_documents as render_documents
from rag.ui_listing import Listing
from rag.ui_parts_scope import ScopeParts, build_gather, build_scope, build_target
from rag.ui_texts import ENGLISH

POLL_S = 1.0
# Settings that are not the server's own are kept in the browser, and all told at each change; the latest ones count
CHOOSE = """
element.addEventListener('change', () => {
    const fields = [...element.querySelectorAll('[name]')].filter(field => field.value !== field.dataset.default);
    const chosen = Object.fromEntries(fields.map(field => [field.name, field.value]));
    try { localStorage.setItem('footnote-settings', JSON.stringify(chosen)); } catch {}
    trigger('choose', {...chosen, serial: serial()});
});
"""
# Events may overtake one another: what a part sends has a number that grows, on the whole page
SERIAL = "const serial = () => (window.footnoteSerial = (window.footnoteSerial ?? 0) + 1);"
PRIVATE: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
Patch = dict[Any, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """The parts at the left."""

    brand: Any
    account: Any
    new_chat: Any
    upload: Any
    target: Any
    uploads: Any
    documents: Any
    conversations: Any
    leave: Any


@dataclass(frozen=True, slots=True)
class Talk:
    """The parts in the middle, while it is a conversation."""

    status: Any
    thread: Any
    answer: Any
    editing: Any
    ask_box: Any
    ask_button: Any
    stop_button: Any


@dataclass(frozen=True, slots=True)
class Shelf:
    """The parts in the middle, while it is the Documents view."""

    head: Any
    gather: Any
    bulk: Any
    rows: Any


@dataclass(frozen=True, slots=True)
class Parts:
    """All parts. Of the last five nothing is seen: words for ui.js, what the browser keeps and saves, two timers."""

    column: Column
    talk: Talk
    scope: ScopeParts
    shelf: Shelf
    sheet: Any
    proof: Any
    sources: Any
    settings: Any
    undo: Any
    words: Any
    memory: Any
    outbox: Any
    starting: Any
    undoing: Any


def build_parts() -> Parts:
    """Lay out the page, in English until somebody looks; call inside `gr.Blocks`."""
    with gr.Row(elem_id="app"):
        column = _build_column()
        talk, scope = _build_talk()
        shelf = _build_shelf()
        with gr.Column(elem_id="proof-pane"):
            sheet = part("sheet", render.render_sheet(ENGLISH))
            proof = part("proof", render.render_proof(ENGLISH, None), leaf="[data-leaf]")
            sources = part("sources", cite="[data-n]")
        settings = part("settings", script=CHOOSE)
        undo = part("undo", undo="[data-undo]")
        words, memory, outbox = part("words", render.render_words(ENGLISH)), part("memory"), part("outbox")
    starting, undoing = gr.Timer(POLL_S, active=False), gr.Timer(POLL_S, active=False)
    return Parts(
        column, talk, scope, shelf, sheet, proof, sources, settings, undo, words, memory, outbox, starting, undoing
    )


def _build_column() -> Column:
    with gr.Column(elem_id="library"):
        return Column(
            brand=part("brand", render.render_brand(ENGLISH)),
            account=part("account"),
            new_chat=gr.Button(ENGLISH.NEW_CHAT, elem_id="new-chat"),
            upload=gr.File(
                label=ENGLISH.ADD_DOCUMENTS,
                show_label=False,
                container=False,
                file_count="multiple",
                type="filepath",
                elem_id="upload",
            ),
            target=build_target(part),
            uploads=part("uploads", cancel="[data-cancel]"),
            documents=part(
                "documents",
                render.render_documents(ENGLISH, []),
                browse="[data-view]",
                read="[data-open]",
                forget="[data-forget]",
            ),
            conversations=part(
                "conversations",
                reopen="[data-reopen]",
                rename="[data-rename]",
                export="[data-export]",
                drop="[data-drop]",
            ),
            leave=part("leave", leave="[data-leave]"),
        )


def _build_talk() -> tuple[Talk, ScopeParts]:
    with gr.Column(elem_id="talk"):
        status = part("status")
        with gr.Column(elem_id="scroll"):
            thread = part("thread", cite="[data-n]", starter="[data-starter]", compare="[data-compare]")
            answer = part("answer", cite="[data-n]", retry="[data-retry]", edit="[data-edit]", compare="[data-compare]")
        with gr.Row(elem_id="composer"):
            scope = build_scope(part)
            return Talk(
                status,
                thread,
                answer,
                editing=part("editing", unedit="[data-unedit]"),
                ask_box=gr.Textbox(
                    label=ENGLISH.ASK_LABEL,
                    show_label=False,
                    container=False,
                    placeholder=ENGLISH.ASK_PLACEHOLDER,
                    lines=1,
                    max_lines=6,
                    max_length=4000,
                    autofocus=True,
                    elem_id="ask-box",
                ),
                ask_button=gr.Button(ENGLISH.ASK, variant="primary", elem_id="ask-button"),
                stop_button=gr.Button(ENGLISH.STOP, visible=False, elem_id="stop-button"),
            ), scope


def _build_shelf() -> Shelf:
    # What is looked for is sent while it is typed, a moment after the last letter
    look = """
    const told = id => element.querySelector(id).value;
    let waiting;
    const look = () => trigger(
        'look', {query: told('#look-for'), state: told('#look-state'), sort: told('#look-sort'), serial: serial()});
    element.addEventListener('input', e => {
        clearTimeout(waiting);
        waiting = setTimeout(look, e.target.id === 'look-for' ? 50 : 0);
    });
    """
    # All boxes of the page are told each time, so that no tick is lost when many are made quickly
    pick = """
    element.addEventListener('change', e => {
        if (!e.target.matches('[data-pick]')) return;
        const boxes = [...element.querySelectorAll('[data-pick]')];
        const told = on => boxes.filter(box => box.checked === on).map(box => box.dataset.pick).join(' ');
        trigger('pick', {on: told(true), off: told(false), serial: serial()});
    });
    """
    acts = {"again": "[data-again]", "forget": "[data-forget]"}
    with gr.Column(elem_id="shelf"):
        return Shelf(
            head=part("shelf-head", render_documents.render_shelf_head(ENGLISH, Listing(), "name"), look),
            gather=build_gather(part),
            bulk=part(
                "shelf-bulk",
                pickall="[data-pickall]",
                unpick="[data-unpick]",
                only="[data-only]",
                move="[data-move]",
                **acts,
            ),
            rows=part(
                "shelf-rows",
                script=pick,
                sort="[data-sort]",
                turn="[data-page]",
                read="[data-open]",
                original="[data-original]",
                **acts,
            ),
        )


def part(elem_id: str, value: str = "", script: str = "", **events: str) -> Any:
    """An HTML part of the page.

    `events`: a click on what matches the selector triggers it, with its data-* values and, in a form, what the form's
    first field holds as `value`, and a `serial()`. `script` runs once, when the part is there.
    """
    script += "".join(
        f"element.addEventListener('click', e => {{ const hit = e.target.closest('{selector}'); if (hit) "
        f"trigger('{event}', {{...hit.dataset, value: hit.form?.elements[0]?.value ?? '', serial: serial()}}); }});"
        for event, selector in events.items()
    )
    return gr.HTML(value, elem_id=elem_id, apply_default_css=False, js_on_load=f"{SERIAL}{script}" if script else None)


def number(event: gr.EventData, name: str) -> int | None:
    """A whole number that the browser sent along with an event; None if it is not one."""
    value = text(event, name)
    return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None


def text(event: gr.EventData, name: str) -> str:
    """A text that the browser sent along with an event; empty if it did not."""
    return str(getattr(event, name, ""))
