"""The wording that the language model reads."""

from __future__ import annotations

import re

from langchain_core.documents import Document
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate

REFUSAL = "The documents do not say."

_QUESTION = "Sources:\n\n{context}\n\nQuestion: {question}"

# Whether the sources answer is asked first: a small model tells that better with Yes or No than by refusing halfway.
_JUDGE = [
    (
        "system",
        "You judge whether sources answer a question. Reply Yes only if they state the answer to exactly this "
        "question; reply No if they are about something near, another person, another thing or another time.",
    ),
    (
        "human",
        f"{_QUESTION}\n\nDo the sources state the answer to exactly this question? Reply Yes or No.",
    ),
]
JUDGE = ChatPromptTemplate.from_messages(_JUDGE)

# The answer goes on from there, so that an engine which keeps the prefix reads the sources once.
ANSWER_FACT = ChatPromptTemplate.from_messages(
    [
        *_JUDGE,
        ("ai", "Yes"),
        (
            "human",
            "Answer the question “{question}” in one short sentence, copying numbers and names exactly, followed by "
            "the number of the source in brackets, like [1].",
        ),
    ]
)

ANSWER_ACCOUNT = ChatPromptTemplate.from_messages(
    [
        (
            "system",
            f"""You answer questions from the numbered sources you are given, and from nothing else.
Rules:
- Use only what the sources say about exactly what is asked. Never answer from memory.
- After each sentence write the number of the source it comes from in brackets, like [1].
- Copy numbers, names, dates and units exactly.
- Be brief: one to three sentences.
- If the sources do not state the answer, reply only: {REFUSAL}""",
        ),
        ("human", _QUESTION),
    ]
)

_ACCOUNT = re.compile(
    r"\b(?:says?|said|tells?|told|why|compar\w+|differ\w*|chang\w+|explain\w*|describ\w+|summar\w+)\b", re.IGNORECASE
)


def asks_for_account(question: str) -> bool:
    """Whether a question asks what is said about a thing, why, or how it differs, rather than for one fact."""
    return _ACCOUNT.search(question) is not None


SOURCE = PromptTemplate.from_template("[{number}] ({source}{place})\n{page_content}")
SOURCE_SEPARATOR = "\n\n"


def show_source(chunk: Document) -> str:
    """A chunk as the model reads it."""
    return SOURCE.format(page_content=chunk.page_content, **chunk.metadata)


CONDENSE = ChatPromptTemplate.from_messages(
    [
        (
            "system",
            "Rewrite the last question so that it can be understood without the conversation: put names and things in "
            "the place of words like it, they, that year. Keep it short. Reply with the question only.",
        ),
        ("human", "Conversation:\n{history}\n\nLast question: {question}\n\nThe question by itself:"),
    ]
)

ALONE = ChatPromptTemplate.from_messages(
    [
        ("system", "Answer the question briefly: one to three sentences."),
        ("human", "{question}"),
    ]
)
