"""A question that goes on from earlier ones, made to stand by itself."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.language_models.chat_models import BaseChatModel

from rag.prompts import CONDENSE
from rag.ranking import words
from rag.types import Turn

_REMEMBERED_TURNS = 3
_REMEMBERED_CHARACTERS = 400  # of each earlier answer
_STANDALONE_TOKENS = 64


def standalone(llm: BaseChatModel, question: str, history: Sequence[Turn]) -> str:
    """The question with what it refers to in earlier turns put in."""
    told = "\n".join(
        f"Q: {turn.question}\nA: {turn.answer[:_REMEMBERED_CHARACTERS]}" for turn in history[-_REMEMBERED_TURNS:]
    )
    reply = llm.invoke(CONDENSE.format_messages(history=told, question=question), max_tokens=_STANDALONE_TOKENS)
    lines = reply.text.strip().splitlines()
    return lines[0].strip() if lines else question


def with_its_thread(question: str, asked: str, history: Sequence[Turn]) -> str | None:
    """A follow-up with the question before it, where the model put nothing of that into the rewritten one."""
    return f"{question} ({history[-1].question})" if history and set(words(asked)) <= set(words(question)) else None
