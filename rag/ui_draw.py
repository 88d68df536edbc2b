"""A tab's records onto the parts of the page."""

from __future__ import annotations

import gradio as gr

from rag import ui_render as render
from rag import ui_render_documents as render_documents
from rag import ui_render_scope as render_scope
from rag import ui_render_talk as render_talk
from rag.types import Citation, DocumentInfo, Passage
from rag.ui_actions import Actions
from rag.ui_files import Files
from rag.ui_guard import guard
from rag.ui_parts import Parts, Patch
from rag.ui_render_settings import render_settings
from rag.ui_session import Session
from rag.ui_uploads import Batches


class Drawing:
    """Draws what a tab holds, each function its own parts.

    `files` hands out recordings, `hours` is how long a visitor's conversation stays.
    """

    def __init__(self, parts: Parts, actions: Actions, files: Files, hours: float) -> None:
        self.parts, self.actions, self._files = parts, actions, files
        self._hours = hours
        self.batches = Batches()

    def words(self, tab: Session) -> Patch:
        """What stands on the page whatever happens, in the tab's language."""
        texts, parts = tab.texts, self.parts
        return {
            parts.words: render.render_words(texts),
            parts.column.brand: render.render_brand(texts),
            parts.column.new_chat: texts.NEW_CHAT,
            parts.column.upload: gr.update(label=texts.ADD_DOCUMENTS),
            parts.talk.ask_box: gr.update(label=texts.ASK_LABEL, placeholder=texts.ASK_PLACEHOLDER),
            parts.talk.ask_button: texts.ASK,
            parts.talk.stop_button: texts.STOP,
            parts.shelf.head: render_documents.render_shelf_head(texts, tab.listing, tab.sorted_by),
            parts.sheet: render.render_sheet(texts),
            parts.scope.look: render_scope.render_look(texts),
            **self.whose(tab),
        }

    def settings(self, tab: Session) -> Patch:
        """The panel of settings."""
        return {self.parts.settings: render_settings(tab.texts, self.actions.limits, tab.options)}

    def talk(self, tab: Session) -> Patch:
        """The conversation and its sources as they stand."""
        texts, last = tab.texts, len(tab.turns) - 1
        turns = [
            render_talk.render_turn(
                texts, turn, at, tab.opened if at == tab.shown else None, at == last, tab.pump is not None
            )
            for at, turn in enumerate(tab.turns)
        ]
        empty = render_talk.render_empty(texts, len(tab.documents), tab.starters())
        return {
            self.parts.talk.thread: "".join(turns[:-1]) if turns else empty,
            self.parts.talk.answer: turns[-1] if turns else "",
            self.parts.sources: render_talk.render_sources(texts, tab.shown_turn(), tab.shown, tab.opened),
        }

    def library(self, tab: Session, note: str = "") -> Patch:
        """The library's list as it stands, and what of the conversation hangs on it."""
        tab.documents, problem = guard(lambda: self._documents(tab), tab.documents)
        self._gather(tab)
        if not tab.turns:
            tab.topics, _ = guard(lambda: self.actions.topics(tab.documents), tab.topics)
        told = note or problem or tab.failed_removal()
        shown = render.render_documents(tab.texts, tab.documents, told)
        drawn = {self.parts.column.documents: shown, **self.undo(tab), **self.talk(tab), **self.scope(tab)}
        return {**drawn, **self.target(tab), **(self.shelf(tab, told) if tab.listing.shown else {})}

    def target(self, tab: Session) -> Patch:
        """The collection that files are added to."""
        return {self.parts.column.target: render_scope.render_target(tab.texts, tab.collections, tab.target)}

    def shelf(self, tab: Session, note: str = "") -> Patch:
        """The Documents view, over the documents that the tab knows of."""
        tab.listing.selected &= {each.id for each in tab.documents}
        rows = render_documents.render_shelf(tab.texts, tab.listing, tab.documents, tab.busy, note)
        gather = render_scope.render_gather(
            tab.texts, tab.listing.collection, tab.choice, tab.documents, tab.collections
        )
        return {self.parts.shelf.rows: rows, self.parts.shelf.gather: gather, **self.bulk(tab)}

    def bulk(self, tab: Session) -> Patch:
        """What can be done with the selected documents."""
        found = len(tab.listing.found(tab.documents)) if tab.listing.selected else 0
        changeable = any(each.id in tab.listing.selected and not each.read_only for each in tab.documents)
        move = render_scope.render_move(tab.texts, tab.collections)
        return {self.parts.shelf.bulk: render_documents.render_bulk(tab.texts, tab.listing, found, changeable, move)}

    def scope(self, tab: Session) -> Patch:
        """What the next question is asked of."""
        return {
            **self.asked(tab),
            self.parts.scope.choices: render_scope.render_choices(tab.texts, tab.choice, tab.documents),
        }

    def asked(self, tab: Session) -> Patch:
        """The same in words alone: what was just ticked is not drawn again under the hand."""
        return {self.parts.scope.told: render_scope.render_told(tab.texts, tab.choice, tab.documents)}

    def whose(self, tab: Session) -> Patch:
        """Who is signed in, and how a visitor removes what is his."""
        account = render_scope.render_account(tab.texts, self.actions.signs_in, tab.name)
        return {self.parts.column.account: account, **self.leave(tab)}

    def leave(self, tab: Session, note: str = "", failed: bool = False) -> Patch:
        """How a visitor removes what is his."""
        return {self.parts.column.leave: self._leave(tab, note, failed)}

    def _leave(self, tab: Session, note: str, failed: bool) -> str:
        if not self.actions.apart:
            return ""
        return render_scope.render_leave(tab.texts, self._stay(tab), tab.name, note, failed)

    def _stay(self, tab: Session) -> str:
        """How long what is a visitor's stays; "" where there are no visitors, and where he has signed in."""
        if not self.actions.apart or tab.name:
            return ""
        hours, count = self._hours, tab.texts.count
        return count(round(hours), "hour") if hours >= 1 else count(round(hours * 60), "minute")

    def conversations(self, tab: Session, note: str = "") -> Patch:
        """The conversations that can be reopened, and what the browser remembers of this one."""
        owner, problem = tab.owner, ""
        if owner is not None:
            tab.kept, problem = guard(lambda: self.actions.conversations.infos(owner), tab.kept)
        hidden = {removal.conversation for removal in tab.removals if removal.hides}
        kept = [info for info in tab.kept if info.id not in hidden]
        shown = render_talk.render_conversations(tab.texts, kept, tab.conversation, self._stay(tab), note or problem)
        return {
            self.parts.column.conversations: shown,
            self.parts.memory: render_talk.render_memory("" if tab.name else owner or "", tab.conversation),
            **self.undo(tab),
        }

    def editing(self, tab: Session) -> Patch:
        """Whether the last question is being edited."""
        return {self.parts.talk.editing: render_talk.render_editing(tab.texts, tab.editing)}

    def proof(self, tab: Session) -> Patch:
        """The document that is read, or the passage of the opened number."""
        if tab.reader is not None:
            reader = tab.reader
            return {self.parts.proof: render_documents.render_text(tab.texts, reader.source, reader.leaves, reader.at)}
        citation = tab.citation(tab.shown, tab.opened)
        if citation is None:
            return {self.parts.proof: render.render_proof(tab.texts, None)}
        turn = tab.shown_turn()
        passage, problem = guard(lambda: self.actions.passage(tab.who, citation, turn.answer if turn else None), None)
        if passage is None:
            return {self.parts.proof: render.render_problem(tab.texts, problem)}
        return {self.parts.proof: render.render_proof(tab.texts, passage, self._address(tab, citation, passage))}

    def _address(self, tab: Session, citation: Citation, passage: Passage) -> str:
        """Where the recording of a passage is played from; "" where there is none."""
        if passage.recording is None or passage.problem is not None:
            return ""
        original, who = self.actions.original, tab.who
        return self._files.play(lambda: original(who, citation.document_id), passage.recording.media_type)

    def uploads(self, tab: Session) -> Patch:
        """The files on their way into the library; those that are there stand in its list."""
        tab.uploads = [row for row in tab.uploads if row.state != "ready"]
        return {self.parts.column.uploads: render.render_uploads(tab.texts, tab.uploads)}

    def _gather(self, tab: Session) -> None:
        """Hear of the collections; one that is gone, or was renamed, is neither listed nor added to."""
        store = self.actions.collections
        if store is not None:
            tab.collections, _ = guard(store.names, tab.collections)
        if tab.target not in tab.collections:
            tab.target = ""
        if tab.listing.collection not in {*tab.collections, *(each.collection for each in tab.documents)}:
            tab.listing.collection = ""

    def _documents(self, tab: Session) -> list[DocumentInfo]:
        hidden = frozenset[int]().union(*(each.documents for each in tab.removals if each.hides))
        return [each for each in self.actions.documents(tab.who) if each.id not in hidden]

    def undo(self, tab: Session) -> Patch:
        """What was deleted last, while it can be taken back."""
        label = tab.removals[-1].label if tab.removals and tab.removals[-1].open else ""
        return {self.parts.undo: render_talk.render_undo(tab.texts, label)}
