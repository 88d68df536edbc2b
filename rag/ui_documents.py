"""What happens to the library: adding, finding, reading and deleting documents."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import gradio as gr

from rag import ui_render as render
from rag import ui_render_talk as render_talk
from rag.types import DocumentInfo, FileReport, Progress
from rag.ui_actions import Actions
from rag.ui_draw import Drawing
from rag.ui_files import Files
from rag.ui_guard import guard
from rag.ui_listing import Reader
from rag.ui_parts import Parts, Patch, number, text
from rag.ui_pump import Pump
from rag.ui_removal import Removal
from rag.ui_scope import Choice
from rag.ui_session import Session
from rag.ui_uploads import Batch, UploadRow, stream_again, stream_uploads


class DocumentEvents:
    """Each function answers one event of the page; `ui.py` says which."""

    def __init__(self, parts: Parts, actions: Actions, draw: Drawing, files: Files, gate: threading.Semaphore) -> None:
        self._parts, self._actions, self._draw, self._files, self._gate = parts, actions, draw, files, gate

    def take_uploads(self, paths: list[str] | None, tab: Session) -> Patch:
        """List the files that were handed over."""
        tab.uploads = [row for row in tab.uploads if not row.finished]
        tab.uploads += [UploadRow(Path(path)) for path in paths or []]
        return {
            self._parts.column.upload: None,
            self._parts.column.uploads: render.render_uploads(tab.texts, tab.uploads),
        }

    def add(self, tab: Session) -> Iterator[Patch]:
        """Bring them into the library, and draw how far each is."""
        rows = [row for row in tab.uploads if row.state == "waiting" and not row.taken]
        for row in rows:
            row.taken = True
        who, collection = tab.who, tab.target or None
        pump = Pump[UploadRow](self._gate)  # not stopped with the tab: what was handed over is added
        batch = Batch(rows, pump)
        tab.adding.append(batch)
        self._draw.batches.add(who, batch)
        pump.start(lambda: stream_uploads(rows, lambda paths: self._add(who, paths, collection)))
        for changed in pump.watch():
            ready = any(row.state == "ready" for row in changed)
            yield {**self._draw.uploads(tab), **(self._draw.library(tab) if ready else {})}
        tab.adding = [each for each in tab.adding if each is not batch]  # the timer may have found it done already
        after = self._draw.library(tab)
        tab.forget_listed()
        yield {**after, **self._draw.uploads(tab)}

    def cancel(self, tab: Session) -> Patch:
        """Add no more of what was handed over; what is added already stays."""
        for batch in tab.adding:
            batch.pump.stop()
        tab.uploads = [row for row in tab.uploads if row.finished]
        return {**self._draw.uploads(tab), **self._draw.library(tab)}

    def _add(self, who: str, paths: Sequence[Path], collection: str | None) -> Iterator[Progress | FileReport]:
        """Bring files in. What the browser sent is removed at once: Gradio keeps it for all who know its address."""
        try:
            yield from self._actions.add(who, paths, collection)
        finally:
            for path in paths:
                path.unlink(missing_ok=True)

    def leave(self, tab: Session) -> Patch:
        """Remove all that is a visitor's, at once; nothing that is being added comes after it."""
        for batch in self._draw.batches.running(tab.who):
            batch.pump.stop()
        _, problem = guard(lambda: self._actions.forget(tab.who), None)
        if not problem:
            tab.clear()
            tab.uploads, tab.choice = [], Choice(tab.choice.usual)
        draw = self._draw
        return {
            **draw.uploads(tab),
            **draw.library(tab),
            **draw.proof(tab),
            **draw.editing(tab),
            **draw.conversations(tab),
            **draw.leave(tab, problem or tab.texts.LEFT, bool(problem)),
        }

    # ---- the Documents view

    def browse(self, tab: Session) -> Patch:
        """Open the view."""
        tab.listing.shown = True
        return self._draw.library(tab)

    def look(self, tab: Session, event: gr.EventData) -> Patch:
        """Look for names, or for a state; or sort from the list of a phone."""
        listing, serial = tab.listing, number(event, "serial")
        if not tab.is_latest("look", serial):
            return {self._parts.shelf.rows: gr.skip()}
        listing.look(text(event, "query"), text(event, "state"))
        sort = text(event, "sort")
        if sort != tab.sorted_by:  # the field was changed, and not the head of a column
            tab.sorted_by = sort
            listing.order(sort)
        drawn = self._draw.shelf(tab)
        return drawn if tab.is_latest("look", serial) else {self._parts.shelf.rows: gr.skip()}

    def sort(self, tab: Session, event: gr.EventData) -> Patch:
        """Sort by a column; the same again, the other way round."""
        tab.listing.order(text(event, "sort"))
        return self._draw.shelf(tab)

    def turn(self, tab: Session, event: gr.EventData) -> Patch:
        """Another page of the list."""
        tab.listing.page = number(event, "page") or 0
        return self._draw.shelf(tab)

    def pick(self, tab: Session, event: gr.EventData) -> Patch:
        """Select documents, and others no longer: all of the page that is shown."""
        serial = number(event, "serial")
        if not tab.is_latest("pick", serial):
            return {self._parts.shelf.bulk: gr.skip()}
        on, off = (
            {int(each) for each in text(event, name).split() if each.isdecimal() and len(each) < 16}
            for name in ("on", "off")
        )
        tab.listing.selected = (tab.listing.selected | on) - off
        drawn = self._draw.bulk(tab)
        return drawn if tab.is_latest("pick", serial) else {self._parts.shelf.bulk: gr.skip()}

    def pick_all(self, tab: Session) -> Patch:
        """Select all that was found, on every page."""
        tab.listing.selected = {each.id for each in tab.listing.found(tab.documents)}
        return self._draw.shelf(tab)

    def unpick(self, tab: Session) -> Patch:
        """Select none."""
        tab.listing.selected = set()
        return self._draw.shelf(tab)

    def read(self, tab: Session, event: gr.EventData) -> Patch:
        """Show a document's text."""
        document = self._known(tab, number(event, "open"))
        if document is None:
            return self._draw.library(tab)
        pages, problem = guard(lambda: self._actions.pages(tab.who, document.id), None)
        if pages is None:
            return {self._parts.proof: render.render_problem(tab.texts, problem), **self._draw.library(tab)}
        tab.reader = Reader.of(document, pages)
        return self._draw.proof(tab)

    def leaf(self, tab: Session, event: gr.EventData) -> Patch:
        """Another leaf of the document that is read."""
        at = number(event, "leaf")
        if tab.reader is not None and at is not None and at < len(tab.reader.leaves):
            tab.reader.at = at
        return self._draw.proof(tab)

    def original(self, tab: Session, event: gr.EventData) -> Patch:
        """Give the browser the file that a document was read from."""
        document = self._known(tab, number(event, "original"))
        if document is None:
            return self._draw.library(tab)
        path, problem = guard(lambda: self._actions.original(tab.who, document.id), None)
        if path is None:
            return self._draw.library(tab, problem)
        tab.sent += 1
        return {self._parts.outbox: render_talk.render_offer(path.name, self._files.offer(path), tab.sent)}

    def read_again(self, tab: Session, event: gr.EventData) -> Iterator[Patch]:
        """Read a document's file anew, or those of all that are selected, one after another."""
        documents = [each for each in self._meant(tab, event, "again") if each.id not in tab.busy]
        tab.busy |= {each.id: tab.texts.UPLOAD_WAITING for each in documents}
        yield self._draw.shelf(tab)
        pump = Pump[tuple[int, str]](self._gate)  # not stopped with the tab, like an upload
        pump.start(lambda: stream_again(tab.texts, documents, lambda each: self._actions.read_again(tab.who, each)))
        for changes in pump.watch():
            for document, told in changes:
                tab.busy[document] = told
                if not told:
                    del tab.busy[document]
            if changes:
                ended = any(not told for _, told in changes)
                yield self._draw.library(tab) if ended else self._draw.shelf(tab)
        yield self._draw.library(tab)

    def forget(self, tab: Session, event: gr.EventData) -> Patch:
        """Delete a document, or all that are selected, in a moment."""
        documents = self._meant(tab, event, "forget")
        if not documents:
            return self._draw.library(tab)
        ids, who = [each.id for each in documents], tab.who
        label = documents[0].source if len(ids) == 1 else tab.texts.count(len(ids), "document")

        def delete() -> None:
            for each in ids:
                self._actions.delete(who, each)

        tab.removals.append(Removal(label, delete, documents=ids))
        citation = tab.citation(tab.shown, tab.opened)
        if citation is not None and citation.document_id in ids:
            tab.opened = None
        if tab.reader is not None and tab.reader.id in ids:
            tab.reader = None
        return {**self._draw.proof(tab), **self._draw.library(tab), self._parts.undoing: gr.Timer(active=True)}

    def _known(self, tab: Session, wanted: int | None) -> DocumentInfo | None:
        """A document by an id that the browser sent."""
        return next((each for each in tab.documents if each.id == wanted), None)

    def _meant(self, tab: Session, event: gr.EventData, act: str) -> list[DocumentInfo]:
        """The document that a button stands for, or all that are selected, but for those that may not be changed."""
        changeable = [each for each in tab.documents if not each.read_only]
        if text(event, act) == "selected":
            return [each for each in changeable if each.id in tab.listing.selected]
        return [each for each in changeable if each.id == number(event, act)]

    # ---- taking back

    def undo(self, tab: Session) -> Patch:
        """Take back what was deleted last."""
        if tab.removals:
            tab.removals[-1].undo()
        return {**self._draw.library(tab), **self._draw.conversations(tab)}

    def settle(self, tab: Session) -> Patch:
        """Draw what became of the deletions; the timer goes on while one can be taken back."""
        ended = any(each.done.is_set() for each in tab.removals)
        tab.removals = [each for each in tab.removals if each.problem or not each.done.is_set()]
        waiting = any(not each.done.is_set() for each in tab.removals)
        drawn = {**self._draw.library(tab), **self._draw.conversations(tab)} if ended else self._draw.undo(tab)
        return {**drawn, self._parts.undoing: gr.Timer(active=waiting)}
