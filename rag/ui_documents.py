"""What happens to the library: adding and deleting documents."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from rag import ui_render as render
from rag.ui_actions import Actions
from rag.ui_draw import Drawing
from rag.ui_parts import Parts, Patch, number
from rag.ui_pump import Pump
from rag.ui_removal import Removal
from rag.ui_session import Session
from rag.ui_uploads import UploadRow, stream_uploads


class DocumentEvents:
    """Each function answers one event of the page; `ui.py` says which."""

    def __init__(self, parts: Parts, actions: Actions, draw: Drawing, gate: threading.Semaphore) -> None:
        self._parts, self._actions, self._draw, self._gate = parts, actions, draw, gate

    def take_uploads(self, paths: list[str] | None, tab: Session) -> Patch:
        """List the files that were handed over."""
        tab.uploads = [row for row in tab.uploads if not row.finished]
        tab.uploads += [UploadRow(Path(path)) for path in paths or []]
        return {self._parts.column.upload: None, self._parts.column.uploads: render.render_uploads(tab.uploads)}

    def add(self, tab: Session) -> Iterator[Patch]:
        """Bring them into the library, and draw how far each is."""
        uploads = self._parts.column.uploads
        rows = [row for row in tab.uploads if row.state == "waiting" and not row.taken]
        for row in rows:
            row.taken = True
        pump = Pump[UploadRow](self._gate)  # not stopped with the tab: what was handed over is added
        pump.start(lambda: stream_uploads(rows, self._actions.add))
        for changed in pump.watch():
            if any(row.state == "ready" for row in changed):
                tab.uploads = [row for row in tab.uploads if row.state != "ready"]
                yield {uploads: render.render_uploads(tab.uploads), **self._draw.library(tab)}
            else:
                yield {uploads: render.render_uploads(tab.uploads)}
        after = self._draw.library(tab)
        listed = {Path(each.source).name for each in tab.documents if each.state == "failed"}
        tab.uploads = [row for row in tab.uploads if row.state != "failed" or row.path.name not in listed]
        yield {uploads: render.render_uploads(tab.uploads), **after}

    def forget(self, tab: Session, event: gr.EventData) -> Patch:
        """Delete a document, in a moment."""
        document = next((each for each in tab.documents if each.id == number(event, "forget")), None)
        if document is None:
            return self._draw.library(tab)
        tab.removals.append(
            Removal(document.source, lambda: self._actions.delete(document.id), documents=[document.id])
        )
        citation = tab.citation(tab.shown, tab.opened)
        if citation is not None and citation.document_id == document.id:
            tab.opened = None
        return {**self._draw.proof(tab), **self._draw.library(tab), self._parts.undoing: gr.Timer(active=True)}

    # ---- taking back

    def undo(self, tab: Session) -> Patch:
        """Take back what was deleted last."""
        if tab.removals:
            tab.removals[-1].undo()
        return self.settle(tab)

    def settle(self, tab: Session) -> Patch:
        """Draw what became of the deletions; the timer goes on while one can be taken back."""
        waiting = any(not each.done.is_set() for each in tab.removals)
        tab.removals = [each for each in tab.removals if each.problem or not each.done.is_set()]
        drawn = {**self._draw.library(tab), **self._draw.conversations(tab)}
        return {**drawn, self._parts.undoing: gr.Timer(active=waiting)}
