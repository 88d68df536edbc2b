"""The page: library at the left, conversation in the middle, proof at the right. All functions are injected."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import gradio as gr

from rag.ui_actions import Actions
from rag.ui_documents import DocumentEvents
from rag.ui_draw import Drawing
from rag.ui_files import Files
from rag.ui_parts import PRIVATE, build_parts
from rag.ui_render_scope import render_sign_in
from rag.ui_scope import Choice
from rag.ui_scope_events import ScopeEvents
from rag.ui_service import build_service
from rag.ui_session import Session
from rag.ui_talk import TalkEvents
from rag.ui_texts import ENGLISH

UPLOADS_KEPT_S = 3600
# Of what the browser counts, none is held back, and Python passes over what was overtaken: "always_last" would repeat
# the first of the events that it held back, and not the last
COUNTED: dict[str, Any] = {"trigger_mode": "multiple", "queue": False, **PRIVATE}
FONTS = ("Inter", "system-ui", "sans-serif")
# A tab that is loaded again shows the conversation it had; a new tab, the one that was open last in this browser.
REMEMBERED = """() => {
  const told = { settings: { language: navigator.language } }, key = "footnote-conversation";
  try {
    told.visitor = localStorage.getItem("footnote-visitor");
    told.conversation = sessionStorage.getItem(key) ?? localStorage.getItem(key);
    Object.assign(told.settings, JSON.parse(localStorage.getItem("footnote-settings")));
  } catch { /* what cannot be read is as if it were not there */ }
  return [JSON.stringify(told), null];
}"""


def launch_options(files: Files) -> dict[str, Any]:
    """Keyword arguments for `Blocks.launch`: the looks, the originals, and nothing that calls another machine."""
    styles = (Path(__file__).parent / "ui.css").read_text("utf-8")
    fonts = [gr.themes.Font(name) for name in FONTS]
    mono = [gr.themes.Font(name) for name in ("ui-monospace", "monospace")]
    return {
        "theme": gr.themes.Base(font=fonts, font_mono=mono).set(
            body_background_fill="#f6f7f8",
            body_background_fill_dark="#101317",
            body_text_color="#1d2126",
            body_text_color_dark="#e8eaed",
        ),
        "head": f"<style>{styles}</style>",
        "js": (Path(__file__).parent / "ui.js").read_text("utf-8"),
        "auth_message": f"<style>{styles}</style>{render_sign_in()}",  # Gradio's form has no head of ours
        "app_kwargs": {"routes": [files.route]},
        "footer_links": [],
        "run_history": False,
        "share": False,
        "ssr_mode": False,
        "pwa": False,
        "enable_monitoring": False,
    }


def build_ui(
    actions: Actions,
    files: Files,
    *,
    answers_at_once: int = 1,
    visitor_hours: float = 24,
) -> gr.Blocks:
    """The page over these actions; `files` hands out originals, and belongs into `launch_options` as well.

    `answers_at_once` says how many the model takes, `visitor_hours` how long a
    visitor's conversation stays.
    """
    answer_gate, library_gate = threading.Semaphore(answers_at_once), threading.Semaphore(1)
    # Not seen: with one on the page Gradio has the addresses that a link of ours leads to. Made outside of the page it
    # adds no events of its own, which would be in the API.
    login = gr.LoginButton(visible=False, render=False) if actions.signs_in == "huggingface" else None

    with gr.Blocks(
        title=ENGLISH.TITLE, analytics_enabled=False, fill_width=True, delete_cache=(600, UPLOADS_KEPT_S)
    ) as page:
        session = gr.State(Session(choice=Choice(actions.asked)))
        remembered = gr.Textbox(visible=False)
        parts = build_parts()
        if login is not None:
            cast(Any, login).render()
        draw = Drawing(parts, actions, files, visitor_hours)
        talk = TalkEvents(parts, actions, draw, answer_gate)
        library = DocumentEvents(parts, actions, draw, files, library_gate)
        choosing = ScopeEvents(actions, draw)
        column, middle, shelf, outbox = parts.column, parts.talk, parts.shelf, parts.outbox

        # What an event may draw
        turns = [middle.thread, middle.answer, parts.sources, parts.proof]
        shelved = [shelf.rows, shelf.bulk, shelf.gather]
        scoped = [parts.scope.told, parts.scope.choices]
        lists = [
            column.documents,
            column.target,
            column.conversations,
            parts.memory,
            parts.undo,
            *scoped,
            *shelved,
            *turns,
        ]
        status = [middle.status, parts.starting, column.uploads]
        words = [parts.words, column.brand, column.account, column.new_chat, column.upload, shelf.head, parts.sheet]
        words += [middle.ask_box, middle.ask_button, middle.stop_button, parts.scope.look, column.leave]
        words += [parts.settings]
        asking = [middle.ask_box, middle.ask_button, middle.stop_button, middle.editing, *lists]

        page.load(talk.enter, [remembered, session], [*words, *status, *lists], js=REMEMBERED, **PRIVATE)
        parts.settings.choose(
            talk.choose,
            session,
            [*words, middle.editing, *status, *lists],
            **COUNTED,
        )
        parts.starting.tick(talk.poll, session, [*status, *lists], **PRIVATE)
        parts.undoing.tick(library.settle, session, [parts.undoing, *lists], **PRIVATE)

        ask = {"fn": talk.converse, "inputs": [middle.ask_box, session], "outputs": asking, **PRIVATE}
        gr.on([middle.ask_button.click, middle.ask_box.submit], **ask)
        middle.thread.starter(talk.start_with, session, middle.ask_box, **PRIVATE).then(**ask)
        middle.stop_button.click(talk.stop, session, None, queue=False, **PRIVATE)
        middle.answer.retry(talk.retry, session, asking, **PRIVATE)
        middle.answer.edit(talk.edit, session, [middle.ask_box, middle.editing], **PRIVATE)
        middle.editing.unedit(talk.unedit, session, [middle.ask_box, middle.editing], **PRIVATE)
        for cited in (middle.thread, middle.answer, parts.sources):
            cited.cite(talk.cite, session, turns, trigger_mode="multiple", **PRIVATE)
        for answered in (middle.thread, middle.answer):
            answered.compare(talk.compare, session, asking, **PRIVATE)

        leaving = [middle.ask_box, middle.editing, *lists]
        column.new_chat.click(talk.clear, session, leaving, **PRIVATE)
        column.conversations.reopen(talk.reopen, session, leaving, **PRIVATE)
        column.conversations.rename(talk.rename, session, lists, **PRIVATE)
        column.conversations.export(talk.save, session, [outbox, *lists], **PRIVATE)
        column.conversations.drop(talk.drop, session, [parts.undoing, *leaving], **PRIVATE)

        column.upload.upload(
            library.take_uploads,
            [column.upload, session],
            [column.upload, column.uploads],
            trigger_mode="multiple",
            **PRIVATE,
        ).then(library.add, session, [column.uploads, *lists], trigger_mode="multiple", **PRIVATE)
        column.uploads.cancel(library.cancel, session, [column.uploads, *lists], queue=False, **PRIVATE)
        column.documents.browse(library.browse, session, lists, **PRIVATE)
        shelf.head.look(library.look, session, shelved, **COUNTED)
        shelf.rows.sort(library.sort, session, shelved, queue=False, **PRIVATE)
        shelf.rows.turn(library.turn, session, shelved, queue=False, **PRIVATE)
        shelf.rows.pick(library.pick, session, shelf.bulk, **COUNTED)
        shelf.bulk.pickall(library.pick_all, session, shelved, **PRIVATE)
        shelf.bulk.unpick(library.unpick, session, shelved, **PRIVATE)
        shelf.rows.original(library.original, session, [outbox, *lists], **PRIVATE)
        parts.proof.leaf(library.leaf, session, parts.proof, **PRIVATE)
        for listed in (column.documents, shelf.rows):
            listed.read(library.read, session, lists, **PRIVATE)
        for listed in (shelf.rows, shelf.bulk):
            listed.again(library.read_again, session, lists, trigger_mode="multiple", **PRIVATE)
        for listed in (column.documents, shelf.rows, shelf.bulk):
            listed.forget(library.forget, session, [parts.undoing, *lists], **PRIVATE)
        column.leave.leave(library.leave, session, [column.uploads, column.leave, middle.editing, *lists], **PRIVATE)
        parts.scope.choices.choose(choosing.choose, session, parts.scope.told, **COUNTED)
        parts.scope.look.look(choosing.look, session, scoped, **COUNTED)
        parts.scope.told.every(choosing.every, session, scoped, **PRIVATE)
        shelf.bulk.only(choosing.only, session, [*scoped, *shelved], **PRIVATE)
        shelf.gather.gather(choosing.gather, session, [column.target, *shelved], queue=False, **PRIVATE)
        column.target.addto(choosing.add_to, session, column.target, queue=False, **PRIVATE)
        shelf.gather.make(choosing.make, session, lists, **PRIVATE)
        shelf.gather.relabel(choosing.relabel, session, lists, **PRIVATE)
        shelf.gather.scrap(choosing.scrap, session, lists, **PRIVATE)
        shelf.bulk.move(choosing.move, session, lists, **PRIVATE)
        parts.undo.undo(library.undo, session, [parts.undoing, *lists], **PRIVATE)

        build_service(actions, answer_gate, library_gate)
    return cast(gr.Blocks, page)
