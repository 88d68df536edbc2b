"""What happens in a conversation: asking, stopping, asking again, opening proofs; keeping it and coming back to it."""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import gradio as gr

from rag import ui_export as export
from rag import ui_render as render
from rag import ui_render_talk as render_talk
from rag.types import ACCOUNT_HEADER, NAME_HEADER, Progress
from rag.ui_actions import Actions
from rag.ui_draw import Drawing
from rag.ui_guard import guard
from rag.ui_parts import Parts, Patch, number, text
from rag.ui_removal import Removal
from rag.ui_render_settings import read_options
from rag.ui_session import Session, TurnView, stream_alone, stream_turn
from rag.ui_texts import Texts, read_language

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


class TalkEvents:
    """Each function answers one event of the page; `ui.py` says which."""

    def __init__(self, parts: Parts, actions: Actions, draw: Drawing, gate: threading.Semaphore) -> None:
        self._parts, self._actions, self._draw, self._gate = parts, actions, draw, gate
        self._store = actions.conversations

    # ---- coming and waiting

    def enter(self, remembered: str, tab: Session, request: gr.Request) -> Patch:
        """A page was loaded: who looks at it, and the conversation that was open last."""
        visitor, conversation, settings = _read_memory(remembered)
        tab.owner = (visitor or secrets.token_urlsafe(32)) if self._actions.apart else ""
        if account := request.headers.get(ACCOUNT_HEADER):
            tab.owner, tab.name = self._actions.account(account), request.headers.get(NAME_HEADER, "")
        tab.adding = self._draw.batches.running(tab.who)  # begun before the page was loaded again
        tab.uploads = [row for batch in tab.adding for row in batch.rows]
        words = self._choose(tab, settings)
        if conversation is not None and not tab.turns:
            self._show(tab, conversation)
        draw = self._draw
        drawn = {**draw.settings(tab), **draw.conversations(tab), **draw.proof(tab), **draw.whose(tab)}
        return {**words, **self.poll(tab), **drawn}

    def choose(self, tab: Session, event: gr.EventData) -> Patch:
        """Answer as the settings say from now on; another language is seen at once."""
        if not tab.is_latest("settings", number(event, "serial")):
            return {self._parts.words: gr.skip()}
        names = ("language", "sources", "answer_tokens", "temperature", "model")
        words = self._choose(tab, {name: text(event, name) for name in names})
        if not words:
            return {self._parts.words: gr.skip()}
        return {**words, **self._draw.settings(tab), **self.poll(tab), **self._all(tab)}

    def _choose(self, tab: Session, settings: Mapping[str, object]) -> Patch:
        """Take settings over; what is to be drawn for another language."""
        tab.options = read_options(settings)
        language = read_language(str(settings.get("language", "")))
        if language == tab.texts.language:
            return {}
        tab.texts = Texts(language)
        return self._draw.words(tab)

    def poll(self, tab: Session) -> Patch:
        """Draw what loads, and what is being added since before the page was; the timer goes on until all is ready."""
        state, problem = guard(self._actions.starting, None)
        ready = state is None and not problem
        adding = [batch for batch in tab.adding if batch.running]
        library = self._draw.library(tab)
        if tab.adding and not adding:
            tab.adding = []
            tab.forget_listed()
        return {
            self._parts.talk.status: render.render_status(tab.texts, problem or state),
            self._parts.starting: gr.Timer(active=not ready or bool(adding)),
            **library,
            **self._draw.uploads(tab),
        }

    # ---- asking

    def converse(self, question: str, tab: Session) -> Iterator[Patch]:
        """Ask, and draw the answer as it comes."""
        parts, question = self._parts, question.strip()
        if not question or tab.pump is not None:
            return
        replaces = tab.take_back() if tab.editing else None
        conversation = tab.conversation
        buttons = {parts.talk.ask_button: gr.update(visible=False), parts.talk.stop_button: gr.update(visible=True)}
        tab.reader = None
        drawn: Patch = {}
        first = {parts.talk.ask_box: "", **buttons, **self._draw.editing(tab)}
        first[parts.proof] = render.render_proof(tab.texts, None)
        turn: TurnView | None = None
        try:
            scope = tab.choice.scope(tab.documents)
            with closing(
                stream_turn(
                    tab,
                    question,
                    lambda asked, history, options: self._actions.ask(tab.who, asked, history, options, scope),
                    lambda: self._starting(tab),
                    self._gate,
                )
            ) as steps:
                for step in steps:
                    turn = step
                    now = self._draw.talk(tab)
                    fresh = {part: value for part, value in now.items() if drawn.get(part) != value}
                    yield {**first, **fresh} or {parts.talk.answer: gr.skip()}
                    first, drawn = {}, now
        finally:  # also when the page was left meanwhile
            problem = self._keep(tab, turn, conversation, replaces) if turn is not None else ""
        if tab.open_first():
            yield self._draw.proof(tab)
        yield {
            parts.talk.ask_button: gr.update(visible=True),
            parts.talk.stop_button: gr.update(visible=False),
            **self._draw.library(tab),
            **self._draw.conversations(tab, problem),
        }

    def compare(self, tab: Session, event: gr.EventData) -> Iterator[Patch]:
        """Ask the model the question of an answer without the documents, beside it; what it says is kept with it."""
        at, talk = number(event, "compare"), self._parts.talk
        if at is None or at >= len(tab.turns) or tab.turns[at].answer is None or tab.pump is not None:
            return
        turn, problem = tab.turns[at], ""
        yield {talk.ask_button: gr.update(visible=False), talk.stop_button: gr.update(visible=True)}
        try:
            with closing(stream_alone(tab, at, self._actions.alone, lambda: self._starting(tab), self._gate)) as steps:
                for _ in steps:
                    yield self._draw.talk(tab)
        finally:  # also when the page was left meanwhile
            kept = turn.id
            if kept is not None:
                _, problem = guard(lambda: self._store.change_turn(tab.who, kept, turn.kept()), None)
        told = self._draw.conversations(tab, problem)
        yield {talk.ask_button: gr.update(visible=True), talk.stop_button: gr.update(visible=False), **told}

    def retry(self, tab: Session) -> Iterator[Patch]:
        """Ask the last question again; the new answer takes the place of the old one."""
        if tab.turns and tab.pump is None:
            tab.editing = True
            yield from self.converse(tab.turns[-1].question, tab)

    def edit(self, tab: Session) -> Patch:
        """Put the last question back into the ask box."""
        if not tab.turns or tab.pump is not None:
            return self._draw.editing(tab)
        tab.editing = True
        return {self._parts.talk.ask_box: tab.turns[-1].question, **self._draw.editing(tab)}

    def unedit(self, tab: Session) -> Patch:
        """Leave the last question as it was."""
        left = self._leave_editing(tab)
        return {**self._draw.editing(tab), **left}

    def start_with(self, tab: Session, event: gr.EventData) -> str:
        """One of the questions that are offered."""
        index, starters = number(event, "starter"), tab.starters()
        return starters[index] if index is not None and index < len(starters) else ""

    def stop(self, tab: Session) -> None:
        """Stop the answer."""
        if tab.pump is not None:
            tab.pump.stop()

    def cite(self, tab: Session, event: gr.EventData) -> Patch:
        """Open the passage of a number."""
        turn, source, serial = number(event, "turn"), number(event, "n"), number(event, "serial")
        if not tab.is_latest("cite", serial):  # it comes after what was chosen later
            return {self._parts.proof: gr.skip()}
        if tab.citation(turn, source) is None:
            return {self._parts.proof: render.render_problem(tab.texts, tab.texts.PROOF_LOST)}
        tab.shown, tab.opened, tab.reader = turn, source, None
        proof = self._draw.proof(tab)
        if (tab.shown, tab.opened, tab.reader) != (turn, source, None):  # it was overtaken by a later choice
            return {self._parts.proof: gr.skip()}
        return {**proof, **self._draw.talk(tab)}

    # ---- conversations

    def clear(self, tab: Session) -> Patch:
        """A new conversation; the one that was open stays in the list."""
        left = self._leave_editing(tab)
        tab.clear()
        return {**self._all(tab), **left}

    def reopen(self, tab: Session, event: gr.EventData) -> Patch:
        """Open a conversation of the list."""
        conversation = number(event, "reopen")
        left = self._leave_editing(tab)
        problem = self._show(tab, conversation) if conversation is not None else ""
        return {**self._all(tab, problem), **left}

    def rename(self, tab: Session, event: gr.EventData) -> Patch:
        """Give a conversation the name that was typed."""
        conversation, owner, problem = number(event, "rename"), tab.owner, ""
        if conversation is not None and owner is not None:
            _, problem = guard(lambda: self._store.rename(owner, conversation, text(event, "value")), None)
        return self._draw.conversations(tab, problem)

    def drop(self, tab: Session, event: gr.EventData) -> Patch:
        """Delete a conversation, in a moment."""
        conversation, owner = number(event, "drop"), tab.owner
        info = next((info for info in tab.kept if info.id == conversation), None)
        if info is None or owner is None:
            return self._all(tab)
        tab.removals.append(Removal(info.name, lambda: self._store.delete(owner, info.id), conversation=info.id))
        left: Patch = {}
        if tab.conversation == info.id:
            left = self._leave_editing(tab)
            tab.clear()
        return {**self._all(tab), **left, self._parts.undoing: gr.Timer(active=True)}

    def save(self, tab: Session, event: gr.EventData) -> Patch:
        """Give the browser a conversation as a file."""
        conversation, owner = number(event, "export"), tab.owner
        if conversation is None or owner is None:
            return self._draw.conversations(tab)
        as_json = text(event, "format") == "json"

        def written() -> tuple[str, str]:
            info = self._store.info(owner, conversation)
            turns = [turn for _, turn in self._store.turns(owner, conversation)]
            told = export.export_json(info, turns) if as_json else export.export_markdown(tab.texts, info, turns)
            return export.file_name(tab.texts, info, "json" if as_json else "md"), told

        file, problem = guard(written, None)
        if file is None:
            return self._draw.conversations(tab, problem)
        tab.sent += 1
        return {self._parts.outbox: render_talk.render_outbox(*file, tab.sent)}

    def _starting(self, tab: Session) -> Progress | str | None:
        """What an answer waits for: the start of all, then the model that was chosen, while the others go on."""
        state = self._actions.starting()
        return self._actions.loading(tab.options) if state is None else state

    def _leave_editing(self, tab: Session) -> Patch:
        """Empty the ask box of the question that was being edited; what else stands in it stays."""
        was, tab.editing = tab.editing, False
        return {self._parts.talk.ask_box: ""} if was else {}

    def _show(self, tab: Session, conversation: int) -> str:
        """Put a kept conversation into the tab; returns what to tell if that failed."""
        owner = tab.owner
        if owner is None:
            return ""
        turns, problem = guard(lambda: self._store.turns(owner, conversation), None)
        if turns is not None:
            tab.reopen(conversation, turns)
        return problem

    def _keep(self, tab: Session, turn: TurnView, conversation: int | None, replaces: int | None) -> str:
        """Keep a turn that has ended; returns what to tell if that failed. The tab may show another one by now."""
        owner = tab.owner
        if owner is None:
            return ""
        ids, problem = guard(lambda: self._store.add_turn(owner, conversation, turn.kept(), replaces), None)
        if ids is not None:
            turn.id = ids[1]
            if any(each is turn for each in tab.turns):
                tab.conversation = ids[0]
        return problem

    def _all(self, tab: Session, problem: str = "") -> Patch:
        draw = self._draw
        return {**draw.library(tab), **draw.proof(tab), **draw.editing(tab), **draw.conversations(tab, problem)}


def _read_memory(remembered: str) -> tuple[str, int | None, dict[str, object]]:
    """The visitor's secret, the conversation and the settings, as the browser sent them.

    What is not of that form counts for nothing.
    """
    try:
        told: Any = json.loads(remembered)
        visitor, conversation = str(told.get("visitor")), str(told.get("conversation"))
        settings = dict(told.get("settings", {}))
    except (ValueError, TypeError, AttributeError):
        return "", None, {}
    known = conversation.isascii() and conversation.isdigit() and len(conversation) < 16
    secret = visitor if _SECRET.fullmatch(visitor) else ""
    return secret, int(conversation) if known else None, settings
