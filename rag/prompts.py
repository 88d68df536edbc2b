"""The wording that the language model reads."""

from __future__ import annotations

from langchain_core.prompts import ChatPromptTemplate, PromptTemplate

REFUSAL = "The documents do not say."

_ANSWER_SYSTEM = f"""You answer a question from numbered sources. Find the passage that answers it and answer in one \
short sentence, copying numbers and names exactly, followed by the number of the source in brackets. If no source \
answers exactly this question, reply: {REFUSAL}"""

_QUESTION = "Sources:\n\n{context}\n\nQuestion: {question}"

# Small models do as they are shown rather than as they are told. The same words begin every prompt, so an engine that
# keeps the prefix reads them once.
_EXAMPLE_SOURCES = """[1] (garden.md)
The greenhouse opens at 8 in summer and at 10 in winter. Entry costs 4 euros; children under six enter free.

[2] (cafe.txt)
The café sells soup until 3 pm. Dogs are welcome on the terrace."""
_EXAMPLES = (
    ("When does the greenhouse open in winter?", "The greenhouse opens at 10 in winter. [1]"),
    ("How much does the soup at the café cost?", REFUSAL),
    ("Until when does the café sell soup?", "The café sells soup until 3 pm. [2]"),
)

ANSWER = ChatPromptTemplate.from_messages(
    [
        ("system", _ANSWER_SYSTEM),
        *(
            message
            for question, answer in _EXAMPLES
            for message in (
                ("human", _QUESTION.format(context=_EXAMPLE_SOURCES, question=question)),
                ("ai", answer),
            )
        ),
        ("human", _QUESTION),
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
