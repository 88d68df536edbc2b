"""A conversation as text to take away: an answer for the clipboard, the whole as Markdown or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict

from rag import ui_texts as texts
from rag.types import Answer, Citation, ConversationInfo, KeptTurn, place

_UNSAFE = re.compile(r"[^\w .,()-]+")


def answer_text(answer: Answer) -> str:
    """An answer with its numbers, and under it the sources it cites (the nearest passages where it refused)."""
    return "\n\n".join([answer.text.strip(), *_listed(answer, lambda source: f"[{source.number}] {_told(source)}")])


def export_markdown(info: ConversationInfo, turns: Sequence[KeptTurn]) -> str:
    """The conversation for a reader: each question a heading, each answer with the passages it rests on."""
    parts = [f"# {_escaped(_plain(info.name))}"]
    for turn in turns:
        parts.append(f"## {_escaped(_plain(turn.question))}")
        text = turn.answer.text if turn.answer else turn.text
        if text.strip():
            parts.append(_escaped(text.strip()))
        if turn.answer:
            parts += _listed(turn.answer, lambda source: f"[{source.number}] {_escaped(_told(source))}")
        if turn.state == "stopped":
            parts.append(f"*{texts.STOPPED}*")
        if turn.error:
            parts.append(f"*{_escaped(turn.error)}*")
    return "\n\n".join(parts) + "\n"


def export_json(info: ConversationInfo, turns: Sequence[KeptTurn]) -> str:
    """The conversation for a program: all that is kept of it."""
    record = {"name": info.name, "updated": info.updated, "turns": [asdict(turn) for turn in turns]}
    return json.dumps(record, ensure_ascii=False, indent=2) + "\n"


def file_name(info: ConversationInfo, suffix: str) -> str:
    """A name for the file that any system takes."""
    return f"{_UNSAFE.sub(' ', info.name).strip(' .')[:80].strip() or texts.TITLE}.{suffix}"


def _listed(answer: Answer, line: Callable[[Citation], str]) -> list[str]:
    sources = answer.sources if answer.refused else answer.citations
    head = texts.SOURCES_NEAR if answer.refused else texts.SOURCES
    return [f"{head}:", *map(line, sources)] if sources else []


def _told(source: Citation) -> str:
    where = place(source.page, source.page_label)
    return f"{source.source}{f', {where}' if where else ''}: “{_plain(source.text)}”"


def _plain(text: str) -> str:
    return " ".join(text.split())


def _escaped(text: str) -> str:
    """Text that stays text where Markdown lets HTML through."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
