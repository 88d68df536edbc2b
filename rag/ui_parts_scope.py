"""The parts of the page that say, and let one choose, what a question is asked of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from rag import ui_render_scope as render_scope
from rag.ui_texts import ENGLISH

Build = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class ScopeParts:
    """Under the ask box: what is asked, in words; and, unfolded, a field and what can be chosen."""

    told: Any
    look: Any
    choices: Any


def build_scope(part: Build) -> ScopeParts:
    """Lay them out; `part` builds an HTML part."""
    look = """
    let waiting;
    element.querySelector('input').addEventListener('input', e => {
        clearTimeout(waiting);
        waiting = setTimeout(() => trigger('look', {query: e.target.value, serial: serial()}), 50);
    });
    """
    # Either collections or documents: a tick among the ones clears the others
    choose = """
    element.addEventListener('change', e => {
        if (!e.target.matches('[data-choose]')) return;
        const kind = e.target.dataset.choose, boxes = [...element.querySelectorAll('[data-choose]')];
        boxes.filter(box => box.dataset.choose !== kind).forEach(box => { box.checked = false; });
        const told = on => boxes.filter(box => box.dataset.choose === kind && box.checked === on).map(box => box.value);
        trigger('choose', {kind, on: told(true).join('\\n'), off: told(false).join('\\n'), serial: serial()});
    });
    """
    with gr.Column(elem_id="scope"):
        told = part("scope-told", every="[data-every]")
        with gr.Column(elem_id="scope-panel"):
            return ScopeParts(
                told, part("scope-look", render_scope.render_look(ENGLISH), look), part("scope-choices", script=choose)
            )


def build_gather(part: Build) -> Any:
    """The filter by collection of the Documents view, and how collections are made, renamed and removed."""
    gather = """
    element.addEventListener('change', e => {
        if (e.target.id === 'look-gather') trigger('gather', {collection: e.target.value});
    });
    """
    return part("shelf-gather", script=gather, make="[data-make]", relabel="[data-relabel]", scrap="[data-scrap]")


def build_target(part: Build) -> Any:
    """The collection that files are added to."""
    target = "element.addEventListener('change', e => trigger('addto', {collection: e.target.value}));"
    return part("target", script=target)
