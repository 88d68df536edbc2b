"""What happens when somebody chooses what his questions are asked of."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from rag.ui_actions import Actions, CollectionStore
from rag.ui_draw import Drawing
from rag.ui_guard import guard
from rag.ui_parts import Patch, number, text
from rag.ui_session import Session


class ScopeEvents:
    """Each function answers one event of the page; `ui.py` says which."""

    def __init__(self, actions: Actions, draw: Drawing) -> None:
        self._store, self._draw = actions.collections, draw

    def choose(self, tab: Session, event: gr.EventData) -> Patch:
        """Ticks among the collections, or among the documents that are listed."""
        serial = number(event, "serial")
        if not tab.is_latest("choose", serial):
            return {self._draw.parts.scope.told: gr.skip()}
        on, off = (text(event, name).splitlines() for name in ("on", "off"))
        if text(event, "kind") == "collection":
            tab.choice.choose(collections=on)
        else:
            ticked, cleared = ({int(each) for each in ids if each.isdecimal() and len(each) < 16} for ids in (on, off))
            tab.choice.choose(documents=sorted((tab.choice.documents | ticked) - cleared))
        drawn = self._draw.asked(tab)
        return drawn if tab.is_latest("choose", serial) else {self._draw.parts.scope.told: gr.skip()}

    def look(self, tab: Session, event: gr.EventData) -> Patch:
        """Look for documents to choose."""
        serial = number(event, "serial")
        if not tab.is_latest("look to choose", serial):
            return {self._draw.parts.scope.choices: gr.skip()}
        tab.choice.query = text(event, "query")[:200]
        drawn = self._draw.scope(tab)
        return drawn if tab.is_latest("look to choose", serial) else {self._draw.parts.scope.choices: gr.skip()}

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
        """List one collection in the Documents view, or all; what is added while one is listed goes there."""
        return self._list(tab, text(event, "collection")[:100])

    # ---- collections made and changed

    def add_to(self, tab: Session, event: gr.EventData) -> Patch:
        """Add files to another collection."""
        wanted = text(event, "collection")
        tab.target = wanted if wanted in tab.collections else ""
        return self._draw.target(tab)

    def make(self, tab: Session, event: gr.EventData) -> Patch:
        """Make a collection, and list it."""
        return self._change(tab, lambda store: store.make(text(event, "value")))

    def relabel(self, tab: Session, event: gr.EventData) -> Patch:
        """Give a collection another name."""
        was = text(event, "relabel")
        if was in tab.choice.collections:
            tab.choice.choose(collections=())
        return self._change(tab, lambda store: store.rename(was, text(event, "value")))

    def scrap(self, tab: Session, event: gr.EventData) -> Patch:
        """Remove an empty collection, and list all."""

        def drop(store: CollectionStore) -> str:
            store.drop(text(event, "scrap"))
            return ""

        return self._change(tab, drop)

    def move(self, tab: Session, event: gr.EventData) -> Patch:
        """Move what is selected into a collection."""
        documents, wanted = sorted(tab.listing.selected), text(event, "value")

        def move(store: CollectionStore) -> str:
            store.move(documents, wanted)
            tab.listing.selected = set()
            return tab.listing.collection

        return self._change(tab, move)

    def _change(self, tab: Session, change: Callable[[CollectionStore], str]) -> Patch:
        """Change something, and list the collection that `change` names; say what was wrong if it fails."""
        store = self._store
        if store is None:
            return self._draw.library(tab)
        shown, problem = guard(lambda: change(store), tab.listing.collection)
        drawn = self._draw.library(tab, problem)
        return drawn if problem else {**drawn, **self._list(tab, shown)}

    def _list(self, tab: Session, collection: str) -> Patch:
        tab.listing.collection, tab.listing.page = collection, 0
        tab.target = collection if collection in tab.collections else ""
        return {**self._draw.target(tab), **self._draw.shelf(tab)}
