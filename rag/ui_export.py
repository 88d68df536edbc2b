"""A conversation as text to take away: an answer for the clipboard, the whole as Markdown or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from rag.types import Answer, Citation, ConversationInfo, KeptTurn, place
from rag.ui_texts import Texts

_UNSAFE = re.compile(r"[^\w .,()-]+")


def answer_text(texts: Texts, answer: Answer) -> str:
    """An answer with its numbers, and under it the sources it cites (the nearest passages where it refused)."""
    return "\n\n".join(
        [answer.text.strip(), *_listed(texts, answer, lambda source: f"[{source.number}] {_told(texts, source)}")]
    )


def export_markdown(texts: Texts, info: ConversationInfo, turns: Sequence[KeptTurn]) -> str:
    """The conversation for a reader: each question a heading, each answer with the passages it rests on."""
    parts = [f"# {_escaped(_plain(info.name))}"]
    for turn in turns:
        parts.append(f"## {_escaped(_plain(turn.question))}")
        text = turn.answer.text if turn.answer else turn.text
        if text.strip():
            parts.append(_escaped(text.strip()))
        if turn.answer:
            parts += _listed(texts, turn.answer, lambda source: f"[{source.number}] {_escaped(_told(texts, source))}")
        if turn.state == "stopped":
            parts.append(f"*{texts.STOPPED}*")
        if turn.error:
            parts.append(f"*{_escaped(texts.of(turn.error))}*")
        if turn.alone:
            parts += _alone(texts, turn.alone)
    return "\n\n".join(parts) + "\n"


def _alone(texts: Texts, alone: KeptTurn) -> list[str]:
    """The answer of the model alone, under a name that nobody takes for proof."""
    text = alone.answer.text if alone.answer else alone.text
    parts = [f"### {texts.ALONE} ({texts.ALONE_NOTE})", *([_escaped(text.strip())] if text.strip() else [])]
    if alone.state == "stopped":
        parts.append(f"*{texts.STOPPED}*")
    if alone.error:
        parts.append(f"*{_escaped(texts.of(alone.error))}*")
    return parts


def export_json(info: ConversationInfo, turns: Sequence[KeptTurn]) -> str:
    """The conversation for a program: all that is kept of it, a comparison under the name `model_alone_no_proof`."""
    record = {"name": info.name, "updated": info.updated, "turns": [_record(turn) for turn in turns]}
    return json.dumps(record, ensure_ascii=False, indent=2) + "\n"


def _record(turn: KeptTurn) -> dict[str, Any]:
    fields = asdict(turn)
    fields.pop("alone")
    return fields | ({"model_alone_no_proof": _record(turn.alone)} if turn.alone else {})


def file_name(texts: Texts, info: ConversationInfo, suffix: str) -> str:
    """A name for the file that any system takes."""
    return f"{_UNSAFE.sub(' ', info.name).strip(' .')[:80].strip() or texts.TITLE}.{suffix}"


def _listed(texts: Texts, answer: Answer, line: Callable[[Citation], str]) -> list[str]:
    sources = answer.sources if answer.refused else answer.citations
    head = texts.SOURCES_NEAR if answer.refused else texts.SOURCES
    return [f"{head}:", *map(line, sources)] if sources else []


def _told(texts: Texts, source: Citation) -> str:
    where = texts.place(place(source.page, source.page_label))
    return f"{source.source}{f', {where}' if where else ''}: “{_plain(source.text)}”"


def _plain(text: str) -> str:
    return " ".join(text.split())


def _escaped(text: str) -> str:
    """Text that stays text where Markdown lets HTML through."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
