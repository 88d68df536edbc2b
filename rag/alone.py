"""The same question answered by the model alone, from memory: what the documents' answer is compared with."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing

from langchain_core.language_models.chat_models import BaseChatModel

from rag.chain import model_name
from rag.config import Settings
from rag.follow_ups import standalone
from rag.prompts import ALONE
from rag.timings import make_timings
from rag.types import Answer, AnswerEvent, Token, Turn


def stream_alone(
    llm: BaseChatModel, settings: Settings, question: str, history: Sequence[Turn] = ()
) -> Iterator[AnswerEvent]:
    """Answer a question without any source: a Token at a time, then the one Answer, which cites nothing.

    Closing the iterator stops the model at its next token. Raises RagError. Of the history the model is told no
    answer, for those hold what the documents say: the question is rewritten to stand by itself.
    """
    began, first, text, prompt_tokens, answer_tokens = time.monotonic(), 0.0, "", 0, 0
    asked = standalone(llm, question, history) if history else question
    messages = ALONE.format_messages(question=asked)
    pieces = llm.stream(messages, max_tokens=settings.max_answer_tokens, temperature=settings.temperature)
    with closing(pieces):  # type: ignore[type-var]  # it is a generator
        for piece in pieces:
            if piece.text:
                first = first or time.monotonic()
                text += piece.text
                yield Token(piece.text)
            usage = getattr(piece, "usage_metadata", None)
            if usage:
                prompt_tokens, answer_tokens = usage["input_tokens"], usage["output_tokens"]
    timings = make_timings(began, began, first, time.monotonic(), prompt_tokens, answer_tokens)
    yield Answer(question, text.strip(), False, (), (), (), timings, model_name(llm))
