"""The page: library at the left, conversation in the middle, proof at the right. All functions are injected."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import gradio as gr

from rag import ui_render as render
from rag import ui_texts as texts
from rag.errors import RagError
from rag.types import Answer, AnswerEvent, Citation, DocumentInfo, FileReport, Passage, Progress, Turn
from rag.ui_session import Pump, Session, UploadRow, stream_turn, stream_uploads

log = logging.getLogger(__name__)

POLL_S = 1.0
UPLOADS_KEPT_S = 3600
FONTS = ("Inter", "system-ui", "sans-serif")
PRIVATE: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
BRAND = (
    f'<h1>{texts.TITLE}<sup aria-hidden="true">[1]</sup></h1>'
    f'<button type="button" id="library-toggle" aria-controls="library" aria-expanded="false">{texts.LIBRARY}</button>'
)
SHEET = (
    f'<button type="button" id="sheet-toggle" aria-controls="proof-pane" aria-expanded="false">{texts.PROOF}</button>'
)

Patch = dict[Any, Any]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Actions:
    """What the page can do. Errors to show are RagError; anything else is logged and shown as a plain sentence.

    `ask` yields Sources, Tokens, an Answer, and closing it stops the model within a token. `add` copies the uploaded
    files into the library and yields progress and a FileReport for each. `passage` shows a citation, and in it what
    supports this answer best. `starting` says what loads right now, a str for a failure, None when ready.
    """

    ask: Callable[[str, Sequence[Turn]], Iterator[AnswerEvent]]
    documents: Callable[[], list[DocumentInfo]]
    add: Callable[[Sequence[Path]], Iterator[Progress | FileReport]]
    delete: Callable[[int], None]
    passage: Callable[[Citation, Answer | None], Passage]
    starting: Callable[[], Progress | str | None]


def launch_options() -> dict[str, Any]:
    """Keyword arguments for `Blocks.launch`: the looks, and nothing that calls another machine."""
    here = Path(__file__).parent
    fonts = [gr.themes.Font(name) for name in FONTS]
    words = f":root {{ --words-add: '{texts.ADD_DOCUMENTS}'; --words-drop: '{texts.DROP_HERE}'; }}"
    mono = [gr.themes.Font(name) for name in ("ui-monospace", "monospace")]
    return {
        "theme": gr.themes.Base(font=fonts, font_mono=mono).set(
            body_background_fill="#f6f7f8",
            body_background_fill_dark="#101317",
            body_text_color="#1d2126",
            body_text_color_dark="#e8eaed",
        ),
        "head": f"<style>{words}{(here / 'ui.css').read_text('utf-8')}</style>",
        "js": (here / "ui.js").read_text("utf-8"),
        "footer_links": [],
        "run_history": False,
        "share": False,
        "ssr_mode": False,
        "pwa": False,
        "enable_monitoring": False,
    }


def build_ui(actions: Actions, *, starters: Sequence[str] = (), answers_at_once: int = 1) -> gr.Blocks:
    """The page over these actions. `starters` are questions to offer, `answers_at_once` how many the model takes."""
    answer_gate, library_gate = threading.Semaphore(answers_at_once), threading.Semaphore(1)

    with gr.Blocks(
        title=texts.TITLE, analytics_enabled=False, fill_width=True, delete_cache=(600, UPLOADS_KEPT_S)
    ) as page:
        session = gr.State(Session())
        timer = gr.Timer(POLL_S, active=False)
        with gr.Row(elem_id="app"):
            with gr.Column(elem_id="library"):
                _part("brand", BRAND)
                new_chat = gr.Button(texts.NEW_CHAT, elem_id="new-chat")
                upload = gr.File(
                    label=texts.ADD_DOCUMENTS,
                    show_label=False,
                    container=False,
                    file_count="multiple",
                    type="filepath",
                    elem_id="upload",
                )
                uploads = _part("uploads")
                documents = _part("documents", render.render_documents([]), forget="[data-forget]")
            with gr.Column(elem_id="talk"):
                status = _part("status")
                with gr.Column(elem_id="scroll"):
                    thread = _part("thread", cite="[data-n]", starter="[data-starter]")
                    answer = _part("answer", cite="[data-n]")
                with gr.Row(elem_id="composer"):
                    ask_box = gr.Textbox(
                        label=texts.ASK_LABEL,
                        show_label=False,
                        container=False,
                        placeholder=texts.ASK_PLACEHOLDER,
                        lines=1,
                        max_lines=6,
                        max_length=4000,
                        autofocus=True,
                        elem_id="ask-box",
                    )
                    ask_button = gr.Button(texts.ASK, variant="primary", elem_id="ask-button")
                    stop_button = gr.Button(texts.STOP, visible=False, elem_id="stop-button")
            with gr.Column(elem_id="proof-pane"):
                _part("sheet", SHEET)
                proof = _part("proof", render.render_proof(None))
                sources = _part("sources", cite="[data-n]")

        def talk(tab: Session) -> Patch:
            """The conversation and its sources as they stand."""
            turns = [
                render.render_turn(turn, at, tab.opened if at == tab.shown else None)
                for at, turn in enumerate(tab.turns)
            ]
            return {
                thread: "".join(turns[:-1]) if turns else render.render_empty(len(tab.documents), starters),
                answer: turns[-1] if turns else "",
                sources: render.render_sources(tab.shown_turn(), tab.shown, tab.opened),
            }

        def library(tab: Session, note: str = "") -> Patch:
            """The library's list as it stands, and what of the conversation hangs on it."""
            tab.documents, problem = _guard(actions.documents, tab.documents)
            return {documents: render.render_documents(tab.documents, note or problem), **talk(tab)}

        def opened_proof(tab: Session) -> Patch:
            """The passage of the opened number."""
            citation = tab.citation(tab.shown, tab.opened)
            if citation is None:
                return {proof: render.render_proof(None)}
            turn = tab.shown_turn()
            passage, problem = _guard(lambda: actions.passage(citation, turn.answer if turn else None), None)
            return {proof: render.render_problem(problem) if problem else render.render_proof(passage)}

        def poll(tab: Session) -> Patch:
            state, problem = _guard(actions.starting, None)
            ready = state is None and not problem
            shown = render.render_status(problem or state)
            return {status: shown, timer: gr.Timer(active=not ready), **library(tab)}

        def converse(question: str, tab: Session) -> Iterator[Patch]:
            if not question.strip() or tab.pump is not None:
                return
            yield {ask_box: "", ask_button: gr.update(visible=False), stop_button: gr.update(visible=True)}
            drawn: Patch = {proof: render.render_proof(None)}
            yield drawn
            with closing(stream_turn(tab, question.strip(), actions.ask, actions.starting, answer_gate)) as steps:
                for _ in steps:
                    now = talk(tab)
                    yield {part: value for part, value in now.items() if drawn.get(part) != value} or {
                        answer: gr.skip()
                    }
                    drawn = now
            last = tab.turns[-1] if tab.turns else None
            if last and last.answer and last.answer.citations and tab.opened is None:
                tab.opened = last.answer.citations[0].number
                yield opened_proof(tab)
            yield {ask_button: gr.update(visible=True), stop_button: gr.update(visible=False), **library(tab)}

        def stop(tab: Session) -> None:
            if tab.pump is not None:
                tab.pump.stop()

        def clear(tab: Session) -> Patch:
            tab.clear()
            return {proof: render.render_proof(None), **library(tab)}

        def cite(tab: Session, event: gr.EventData) -> Patch:
            turn, number = _number(event, "turn"), _number(event, "n")
            if tab.citation(turn, number) is None:
                return {proof: render.render_problem(texts.PROOF_LOST)}
            tab.shown, tab.opened = turn, number
            return {**opened_proof(tab), **talk(tab)}

        def start_with(event: gr.EventData) -> str:
            index = _number(event, "starter")
            return starters[index] if index is not None and index < len(starters) else ""

        def take_uploads(paths: list[str] | None, tab: Session) -> Patch:
            tab.uploads = [row for row in tab.uploads if not row.finished]
            tab.uploads += [UploadRow(Path(path)) for path in paths or []]
            return {upload: None, uploads: render.render_uploads(tab.uploads)}

        def add(tab: Session) -> Iterator[Patch]:
            rows = [row for row in tab.uploads if row.state == "waiting" and not row.taken]
            for row in rows:
                row.taken = True
            pump = Pump[UploadRow](library_gate)  # not stopped with the tab: what was handed over is added
            pump.start(lambda: stream_uploads(rows, actions.add))
            for changed in pump.watch():
                if any(row.state == "ready" for row in changed):
                    tab.uploads = [row for row in tab.uploads if row.state != "ready"]
                    yield {uploads: render.render_uploads(tab.uploads), **library(tab)}
                else:
                    yield {uploads: render.render_uploads(tab.uploads)}
            after = library(tab)
            listed = {Path(each.source).name for each in tab.documents if each.state == "failed"}
            tab.uploads = [row for row in tab.uploads if row.state != "failed" or row.path.name not in listed]
            yield {uploads: render.render_uploads(tab.uploads), **after}

        def forget(tab: Session, event: gr.EventData) -> Patch:
            number = _number(event, "forget")
            document = next((each for each in tab.documents if each.id == number), None)
            if document is None:
                return library(tab)
            _, problem = _guard(lambda: actions.delete(document.id), None)
            citation = tab.citation(tab.shown, tab.opened)
            if not problem and citation is not None and citation.document_id == document.id:
                tab.opened = None
                return {**opened_proof(tab), **library(tab)}
            return library(tab, problem)

        conversation = [thread, answer, sources, proof, documents]
        asking = {
            "fn": converse,
            "inputs": [ask_box, session],
            "outputs": [ask_box, ask_button, stop_button, *conversation],
            **PRIVATE,
        }
        page.load(poll, session, [status, timer, *conversation], **PRIVATE)
        timer.tick(poll, session, [status, timer, *conversation], **PRIVATE)
        gr.on([ask_button.click, ask_box.submit], **asking)
        thread.starter(start_with, None, ask_box, **PRIVATE).then(**asking)
        stop_button.click(stop, session, None, queue=False, **PRIVATE)
        new_chat.click(clear, session, conversation, **PRIVATE)
        for part in (thread, answer, sources):
            part.cite(cite, session, conversation, **PRIVATE)
        upload.upload(take_uploads, [upload, session], [upload, uploads], trigger_mode="multiple", **PRIVATE).then(
            add, session, [uploads, *conversation], trigger_mode="multiple", **PRIVATE
        )
        documents.forget(forget, session, conversation, **PRIVATE)
        gr.events.api(_plain_ask(actions, answer_gate), api_name="ask", concurrency_limit=None)
    return cast(gr.Blocks, page)


def _part(elem_id: str, value: str = "", **events: str) -> Any:
    """An HTML part of the page. `events`: a click on what matches the selector triggers it with its data-* values."""
    script = "".join(
        f"element.addEventListener('click', e => {{ const hit = e.target.closest('{selector}'); "
        f"if (hit) trigger('{event}', {{...hit.dataset}}); }});"
        for event, selector in events.items()
    )
    return gr.HTML(value, elem_id=elem_id, apply_default_css=False, js_on_load=script or None)


def _number(event: gr.EventData, name: str) -> int | None:
    """A whole number that the browser sent along with an event; None if it is not one."""
    value = str(getattr(event, name, ""))
    return int(value) if value.isascii() and value.isdigit() else None


def _guard(work: Callable[[], Value], fallback: Value) -> tuple[Value, str]:
    """The result of `work` and no message, or the fallback and what to tell."""
    try:
        return work(), ""
    except RagError as error:
        return fallback, str(error)
    except Exception:
        log.exception("an action of the page failed")
        return fallback, texts.UNEXPECTED


def _plain_ask(actions: Actions, gate: threading.Semaphore) -> Callable[[str], dict[str, Any]]:
    """The one public endpoint: a question in, the answer and its citations out."""

    def ask(question: str) -> dict[str, Any]:
        """Answer a question from the documents."""
        pump = Pump[AnswerEvent](gate)
        pump.start(lambda: actions.ask(question, ()))
        try:
            events = [event for batch in pump.watch() for event in batch]
        except RagError as error:
            raise gr.Error(str(error), print_exception=False) from error
        finally:
            pump.stop()
        answer = next(event for event in events if isinstance(event, Answer))
        citations = [asdict(citation) for citation in answer.citations]
        return {"answer": answer.text, "refused": answer.refused, "citations": citations, "model": answer.model}

    return ask
