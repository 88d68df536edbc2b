"""The page's functions for programs: a Gradio API with stable names, which is also what the MCP server offers.

Their docstrings and types are what a client sees of them, so they say all that a caller must know.
"""

from __future__ import annotations

import inspect
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from gradio.data_classes import FileData
from gradio.utils import get_upload_folder

from rag.errors import LibraryError
from rag.types import ACCOUNT_HEADER, AS_SET, Answer, DocumentInfo, FileReport, Scope
from rag.ui_actions import Actions
from rag.ui_guard import guard
from rag.ui_pump import Pump

VISITOR_HEADER = "x-footnote-visitor"
_LONGEST = 4000  # characters of a question
_MOST = 50  # passages of one search
_NAME = 120  # characters of a file's name

Value = TypeVar("Value")


def build_service(actions: Actions, answer_gate: threading.Semaphore, library_gate: threading.Semaphore) -> None:
    """Add the five functions to the page; call inside `gr.Blocks`. They wait at the same gates as the page does."""
    service = Service(actions, answer_gate, library_gate)
    # What may wait in Gradio's queue its MCP server calls over HTTP, as somebody who has not signed in
    queue = actions.signs_in != "form"
    for function in (service.ask, service.search, service.ingest, service.documents, service.delete):
        gr.events.api(_plain(function), api_name=function.__name__, concurrency_limit=None, queue=queue)


class Service:
    """Each function answers one call; whose it is says the account that is signed in, else the token, or the header
    x-footnote-visitor."""

    def __init__(self, actions: Actions, answer_gate: threading.Semaphore, library_gate: threading.Semaphore) -> None:
        self._actions, self._answer_gate, self._library_gate = actions, answer_gate, library_gate

    def ask(
        self, question: str, request: gr.Request, documents: list[str] | None = None, visitor: str = ""
    ) -> dict[str, Any]:
        """Answer a question from the documents, and say where each part of the answer stands. Takes some seconds.

        Args:
            question: The question, in words, complete in itself.
            documents: Names of documents, as `documents` lists them: only these are asked. Leave out to ask all.
            visitor: A visitor's token, 43 characters, where the library is public; leave out otherwise.

        Returns:
            answer: text with markers [1]; refused: whether the documents do not say; citations; sources; model.
        """
        who, asked = self._who(visitor, request), _question(question)
        scope = self._scope(who, documents)
        events = self._follow(lambda: self._actions.ask(who, asked, (), AS_SET, scope), self._answer_gate)
        answer = next(event for event in events if isinstance(event, Answer))
        return {
            "answer": answer.text,
            "refused": answer.refused,
            "citations": [asdict(citation) for citation in answer.citations],
            "sources": [asdict(source) for source in answer.sources],
            "model": answer.model,
        }

    def search(
        self,
        question: str,
        request: gr.Request,
        k: int = 5,
        documents: list[str] | None = None,
        visitor: str = "",
    ) -> list[dict[str, Any]]:
        """Find the passages nearest to a question. No language model is asked, so it takes a moment only.

        Args:
            question: What to look for, in words.
            k: How many passages at most, 1 to 50.
            documents: Names of documents, as `documents` lists them: only these are searched. Leave out to search all.
            visitor: A visitor's token, 43 characters, where the library is public; leave out otherwise.

        Returns:
            The passages, best first: number, source, page, page_label, start, end, score (cosine), text, document_id.
        """
        who, asked = self._who(visitor, request), _question(question)
        if not 1 <= k <= _MOST:
            raise LibraryError(f"k={k}: between 1 and {_MOST} passages can be searched for")
        found = self._actions.search(who, asked, k, self._scope(who, documents))
        return [asdict(citation) for citation in found]

    def ingest(
        self, request: gr.Request, file: FileData | None = None, name: str = "", text: str = "", visitor: str = ""
    ) -> dict[str, Any]:
        """Bring one document into the library, from a file or from text. It can be asked as soon as this returns.

        Args:
            file: The file, uploaded. Leave out to send text.
            name: The document's name with its suffix, like notes.md; needed with text.
            text: The document itself, where it is text and no file is sent.
            visitor: A visitor's token, 43 characters, where the library is public: the document is that visitor's own.

        Returns:
            source, state ("added", "changed", "unchanged" or "failed"), reason, outcome, pages, chunks.
        """
        who = self._who(visitor, request)
        sent = _uploaded(file) if file else None
        named = Path(name or (sent.name if sent else "")).name.lstrip(".")[-_NAME:]
        if not named or (sent is None) == (not text):
            raise LibraryError("send either a file, or text and the document's name with its suffix, like notes.md")
        with tempfile.TemporaryDirectory() as folder:
            document = Path(folder) / named
            if sent:
                shutil.move(sent, document)  # where Gradio keeps it, whoever knows its address could have it
            else:
                document.write_text(text, encoding="utf-8")
            events = self._follow(lambda: self._actions.add(who, [document], None), self._library_gate)
        report = next(event for event in events if isinstance(event, FileReport))
        fields = asdict(report)
        del fields["path"]
        return fields

    def documents(self, request: gr.Request, visitor: str = "") -> list[dict[str, Any]]:
        """List the documents that can be asked.

        Args:
            visitor: A visitor's token, 43 characters, where the library is public; leave out otherwise.

        Returns:
            Of each: id, source (its name), collection, state, reason, outcome, pages, chunks, size, updated, read_only.
        """
        return [_listed(each) for each in self._actions.documents(self._who(visitor, request))]

    def delete(self, name: str, request: gr.Request, visitor: str = "") -> dict[str, Any]:
        """Remove a document from the library. This cannot be taken back.

        Args:
            name: The document's name, as `documents` lists it.
            visitor: A visitor's token, 43 characters, where the library is public; leave out otherwise.

        Returns:
            The document that was removed, as `documents` lists it.
        """
        who = self._who(visitor, request)
        document = self._named(who, name)
        self._actions.delete(who, document.id)
        return _listed(document)

    def _who(self, visitor: str, request: gr.Request) -> str:
        """Who calls: whoever is signed in, else the token that was sent, or that of the header."""
        if account := request.headers.get(ACCOUNT_HEADER):
            return self._actions.account(account)
        return visitor or str(request.headers.get(VISITOR_HEADER, ""))

    def _scope(self, who: str, names: list[str] | None) -> Scope | None:
        return Scope((), tuple(self._named(who, name).id for name in names)) if names else None

    def _named(self, who: str, name: str) -> DocumentInfo:
        """A document by its name; of two that are called so, the caller's own."""
        found = sorted((each for each in self._actions.documents(who) if each.source == name), key=_is_shared)
        if not found:
            raise LibraryError(f"there is no document {name!r}; `documents` lists those that are there")
        if len(found) > 1 and _is_shared(found[0]) == _is_shared(found[1]):
            raise LibraryError(f"{len(found)} documents are called {name!r}; tell them apart in the page")
        return found[0]

    @staticmethod
    def _follow(work: Callable[[], Iterator[Any]], gate: threading.Semaphore) -> list[Any]:
        pump = Pump[Any](gate)
        pump.start(work)
        try:
            return [event for batch in pump.watch() for event in batch]
        finally:
            pump.stop()


def _plain(function: Callable[..., Value]) -> Callable[..., Value]:
    """The same function as Gradio is to see it: types for its schema, and errors that reach the caller as one line."""

    @wraps(function)
    def plain(*args: Any) -> Value:
        nothing: list[Value] = []
        found, problem = guard(lambda: [function(*args)], nothing)
        if problem:
            raise gr.Error(problem, print_exception=False)
        return found[0]

    plain.__signature__ = inspect.signature(function, eval_str=True)  # type: ignore[attr-defined]
    return plain


def _question(question: str) -> str:
    asked = question.strip()
    if not 0 < len(asked) <= _LONGEST:
        raise LibraryError(f"a question has between 1 and {_LONGEST:,} characters, this one has {len(asked):,}")
    return asked


def _uploaded(file: Any) -> Path:
    """The file that was uploaded. Nothing else on this machine can be named: Gradio does not look at it."""
    path = Path(str(file.get("path", "") if isinstance(file, dict) else file.path)).resolve()
    if not path.is_relative_to(Path(get_upload_folder()).resolve()) or not path.is_file():
        raise LibraryError("the file was not uploaded; send it with gradio_client's handle_file, or send text")
    return path


def _is_shared(document: DocumentInfo) -> bool:
    return document.read_only


def _listed(document: DocumentInfo) -> dict[str, Any]:
    """A document as it is listed; where it lies on this machine is nobody's business."""
    fields = asdict(document)
    del fields["path"]
    return fields
