"""What happens when somebody chooses what his questions are asked of."""

from __future__ import annotations

import gradio as gr

from rag.ui_draw import Drawing
from rag.ui_parts import Patch, text
from rag.ui_session import Session


class ScopeEvents:
    """Each function answers one event of the page; `ui.py` says which."""

    def __init__(self, draw: Drawing) -> None:
        self._draw = draw

    def choose(self, tab: Session, event: gr.EventData) -> Patch:
        """Ticks among the collections, or among the documents that are listed."""
        on, off = (text(event, name).split() for name in ("on", "off"))
        if text(event, "kind") == "collection":
            tab.choice.choose(collections=on)
        else:
            ticked, cleared = ({int(each) for each in ids if each.isdecimal() and len(each) < 16} for ids in (on, off))
            tab.choice.choose(documents=sorted((tab.choice.documents | ticked) - cleared))
        return self._draw.asked(tab)

    def look(self, tab: Session, event: gr.EventData) -> Patch:
        """Look for documents to choose."""
        tab.choice.query = text(event, "query")[:200]
        return self._draw.scope(tab)

    def every(self, tab: Session) -> Patch:
        """Ask the usual collections again."""
        tab.choice.choose(collections=())
        return self._draw.scope(tab)

    def only(self, tab: Session) -> Patch:
        """Ask only the documents that are selected in the Documents view."""
        tab.choice.choose(documents=sorted(tab.listing.selected))
        tab.listing.selected = set()
        return {**self._draw.scope(tab), **self._draw.shelf(tab)}

    def gather(self, tab: Session, event: gr.EventData) -> Patch:
        """List one collection in the Documents view, or all."""
        tab.listing.collection, tab.listing.page = text(event, "collection")[:100], 0
        return self._draw.shelf(tab)
