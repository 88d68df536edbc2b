"""The wording that the language model reads."""

from __future__ import annotations

from langchain_core.prompts import ChatPromptTemplate, PromptTemplate

REFUSAL = "The documents do not say."

_ANSWER_SYSTEM = f"""You answer questions from the numbered sources you are given, and from nothing else.
Rules:
- Use only what the sources say about exactly what is asked. Never answer from memory.
- After each sentence write the number of the source it comes from in brackets, like [1].
- Copy numbers, names, dates and units exactly.
- Be brief: one to three sentences.
- If the sources do not state the answer, reply only: {REFUSAL}"""

ANSWER = ChatPromptTemplate.from_messages(
    [
        ("system", _ANSWER_SYSTEM),
        ("human", "Sources:\n\n{context}\n\nQuestion: {question}"),
    ]
)

SOURCE = PromptTemplate.from_template("[{number}] ({source}{place})\n{page_content}")
SOURCE_SEPARATOR = "\n\n"

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
