"""Who sees and changes which documents. Where others can reach the page, what a visitor adds is his alone.

His documents are a collection of their own, named by a digest of the secret that his browser keeps and nothing here
holds. He asks them together with the shared collection, which he cannot change; they are removed some hours after he
last used them. Who has signed in is a visitor whose secret is derived from his account, by a key that the library
keeps: he has it in every browser, and what is his stays. On one's own machine everybody is the owner of the library,
and there is nothing of this.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rag.conversations import ACCOUNT, EVERYONE, Conversations
from rag.errors import LibraryError
from rag.ingestion import IngestEvent
from rag.library import Library
from rag.types import (
    AS_SET,
    Answer,
    AnswerEvent,
    AskOptions,
    Citation,
    DocumentInfo,
    FileReport,
    Passage,
    Progress,
    Scope,
    Turn,
)

OWN = "visitor"  # what a visitor's own collection is called to him
_PREFIX = "visitor-"
_TOKEN = re.compile(rf"{ACCOUNT}?[A-Za-z0-9_-]{{43}}")
_KEY = "accounts"  # under which the library keeps the key
_HOW = "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
_GONE = "this document is no longer in the library"
_MB = 2**20
_STAYS = "inf"  # when a collection was last used, where its time is never over
_TOLD_S = 30  # a use so soon after another is not written down


class Visitors:
    """A library as those who look at the page see it. An owner is a visitor's secret, that of an account, or EVERYONE.

    Where visitors are kept apart, EVERYONE is one who has no secret: he sees what is shared. Raises LibraryError.
    """

    def __init__(self, library: Library, conversations: Conversations, clock: Callable[[], float] = time.time) -> None:
        self._library, self._conversations, self._clock = library, conversations, clock
        self._settings = library.settings
        self.apart = self._settings.visitors_apart
        self.collections = library.collections

    @property
    def asked(self) -> tuple[str, ...]:
        """The collections that a question is asked of where none is chosen, as they are called to visitors."""
        return (self._settings.collection, OWN) if self.apart else (self._settings.collection,)

    def account(self, key: str) -> str:
        """The owner that an account is, by what tells it from all others; EVERYONE where all share one library."""
        if not self.apart:
            return EVERYONE
        manifest = self._library.manifest
        secret = manifest.get_meta(_KEY) or manifest.keep_meta(_KEY, secrets.token_hex(32))
        digest = hmac.digest(bytes.fromhex(secret), key.encode(), "sha256")
        return ACCOUNT + base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")

    # ---- documents

    def documents(self, owner: str) -> list[DocumentInfo]:
        """The documents that someone may ask, his own first; a visitor may not change the shared ones."""
        if not self.apart:
            return [each for each in self._library.manifest.documents() if not each.collection.startswith(_PREFIX)]
        own = self._own(owner)
        mine = [replace(each, collection=OWN) for each in self._library.documents(own)] if own else []
        return [*mine, *(replace(each, read_only=True) for each in self._library.documents())]

    def add(self, owner: str, files: Sequence[Path], collection: str | None = None) -> Iterator[IngestEvent]:
        """Bring uploaded files in: into a collection of the library, or where visitors are kept apart, into his own."""
        if not self.apart:
            if collection is not None and collection not in self._library.collections.names():
                raise LibraryError(f"there is no collection {collection!r} any more; choose another one")
            yield from self._library.upload(files, collection)
            return
        own = self._writable(owner)
        fitting, problem = self._room(own, files)
        if problem and not fitting:
            raise LibraryError(problem)
        if owner.startswith(ACCOUNT):
            self._library.manifest.set_meta(own, _STAYS)
        self._touch(own)
        yield from self._library.upload(fitting, own)
        for file in files[len(fitting) :]:
            yield FileReport(file.name, str(file), "failed", problem, 0, 0, "too_large")
        self._touch(own)

    def delete(self, owner: str, document_id: int) -> None:
        """Forget a document."""
        self._changeable(owner, document_id)
        self._library.delete(document_id)

    def read_again(self, owner: str, document_id: int) -> Iterator[IngestEvent]:
        """Read a document's file anew."""
        self._changeable(owner, document_id)
        yield from self._library.read_again(document_id)

    def pages(self, owner: str, document_id: int) -> list[tuple[str, str]]:
        """A document's text, page by page."""
        self._visible(owner, document_id)
        return self._library.pages(document_id)

    def original(self, owner: str, document_id: int) -> Path:
        """The file that a document was read from."""
        self._visible(owner, document_id)
        return self._library.original(document_id)

    def passage(self, owner: str, citation: Citation, answer: Answer | None = None) -> Passage:
        """A citation in its surroundings."""
        self._visible(owner, citation.document_id)
        return self._library.passage(citation, answer)

    # ---- questions

    def search(self, owner: str, question: str, k: int | None = None, scope: Scope | None = None) -> list[Citation]:
        """The passages nearest to a question."""
        return self._library.search(question, k, self._allowed(owner, scope))

    def ask(
        self,
        owner: str,
        question: str,
        history: Sequence[Turn] = (),
        options: AskOptions = AS_SET,
        scope: Scope | None = None,
    ) -> Iterator[AnswerEvent]:
        """Answer a question from the documents of a scope, or of all that are asked where none is chosen."""
        return self._library.ask(question, history, options, self._allowed(owner, scope))

    def alone(self, question: str, history: Sequence[Turn] = (), options: AskOptions = AS_SET) -> Iterator[AnswerEvent]:
        """Answer a question without any documents."""
        return self._library.ask_alone(question, history, options)

    def loading(self, options: AskOptions) -> Progress | str | None:
        """How far the loading of the model that was chosen is; see LoadedModels.loading."""
        return self._library.loading(options)

    def topics(self, documents: Sequence[DocumentInfo]) -> list[tuple[str, str]]:
        """What some of the documents that someone sees can be asked about."""
        return self._library.topics(documents)

    # ---- the end of a visit

    def forget(self, owner: str) -> None:
        """Remove a visitor's documents and conversations at once, and every trace of them."""
        if not self.apart or self._checked(owner) == EVERYONE:
            raise LibraryError("there is nothing of a visitor's to remove")
        self._conversations.delete_all(owner)
        self._drop(_collection(owner))

    def sweep(self) -> None:
        """Remove the visitors' documents and conversations whose time is over."""
        self._conversations.drop_expired()
        if not self.apart:
            return
        uploads = self._settings.library / "uploads"
        found = {folder.name for folder in uploads.iterdir()} if uploads.is_dir() else set[str]()
        found.update(self._library.manifest.collections())
        for collection in sorted(each for each in found if each.startswith(_PREFIX)):
            if self._over(collection):
                self._drop(collection)

    # ---- who may what

    def _checked(self, owner: str) -> str:
        """A visitor's secret; one that could be guessed is refused."""
        if owner != EVERYONE and not _TOKEN.fullmatch(owner):
            raise LibraryError(f"this is not a visitor's token: make one of 43 characters with {_HOW}")
        return owner

    def _own(self, owner: str) -> str | None:
        """A visitor's own collection, which he uses now; None if he has nothing in it."""
        if self._checked(owner) == EVERYONE:
            return None
        collection = _collection(owner)
        if self._library.manifest.get_meta(collection) is None:
            return None
        if self._over(collection):  # and not yet swept
            self._drop(collection)
            return None
        self._touch(collection)
        return collection

    def _writable(self, owner: str) -> str:
        """The collection that a visitor may add to."""
        if self._checked(owner) == EVERYONE:
            raise LibraryError(
                f"the shared library is read-only; to have documents of your own, send a visitor's token: {_HOW}"
            )
        return self._own(owner) or _collection(owner)

    def _visible(self, owner: str, document_id: int) -> DocumentInfo:
        """A document that someone may see; another's is as if it were not there."""
        document = self._library.manifest.document(document_id)
        if document.collection not in self._collections(owner) and (
            self.apart or document.collection.startswith(_PREFIX)
        ):
            raise LibraryError(_GONE)
        return document

    def _changeable(self, owner: str, document_id: int) -> None:
        document = self._visible(owner, document_id)
        if self.apart and document.collection == self._settings.collection:
            raise LibraryError(f"{document.source!r} is in the shared library, which is read-only")

    def _collections(self, owner: str) -> tuple[str, ...]:
        """The collections that someone asks where he chooses none."""
        own = self._own(owner) if self.apart else None
        return (self._settings.collection, own) if own else (self._settings.collection,)

    def _allowed(self, owner: str, scope: Scope | None) -> Scope:
        """The scope itself, for the manifest; what someone may not see is not in it."""
        mine = self._collections(owner)
        if scope is None or scope == Scope(()):
            return Scope(mine)
        if scope.documents:
            found = [self._visible(owner, each) for each in scope.documents]
            return Scope(tuple(dict.fromkeys(each.collection for each in found)), scope.documents)
        known = {OWN if each.startswith(_PREFIX) else each: each for each in mine}
        if not self.apart:
            known |= {each: each for each in self._library.collections.names()}
        if missing := [each for each in scope.collections if each not in known]:
            raise LibraryError(f"there is no collection {missing[0]!r} here")
        return Scope(tuple(known[each] for each in scope.collections))

    def _room(self, collection: str, files: Sequence[Path]) -> tuple[Sequence[Path], str]:
        """The first of these files, as many as a visitor may have, and why he may not have the others."""
        there = self._library.documents(collection)
        most, most_mb = self._settings.visitor_files, self._settings.visitor_mb
        size = sum(each.size for each in there)
        for number, file in enumerate(files):
            size += file.stat().st_size
            if len(there) + number >= most:
                return files[:number], f"a visitor may have {most} documents (RAG_VISITOR_FILES); delete some first"
            if size > most_mb * _MB:
                told = f"a visitor's documents may have {most_mb} MiB together (RAG_VISITOR_MB); delete some first"
                return files[:number], told
        return files, ""

    # ---- when a collection was last used

    def _touch(self, collection: str) -> None:
        if self._used(collection) + _TOLD_S <= self._clock():
            self._library.manifest.set_meta(collection, f"{self._clock():.0f}")

    def _used(self, collection: str) -> float:
        return float(self._library.manifest.get_meta(collection) or 0)

    def _over(self, collection: str) -> bool:
        return self._used(collection) + self._settings.visitor_hours * 3600 <= self._clock()

    def _drop(self, collection: str) -> None:
        self._library.drop_collection(collection)
        self._library.manifest.drop_meta(collection)


def _collection(owner: str) -> str:
    """The collection of a visitor. Another digest than that of his conversations: neither file tells of the other."""
    return _PREFIX + hashlib.sha256(b"documents of " + owner.encode()).hexdigest()[:32]
