"""The plain chain that everyone writes, to stand beside Footnote: every gain is measured against it.

Chunks of 1,000 characters with 20 of overlap, the 4 nearest by cosine, LangChain's own "stuff" prompt, and whatever
the model says. It cites nothing; the chunks it returns beside the answer, which such pages show as its sources, count
as cited.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from langchain_classic.chains.retrieval_qa.base import RetrievalQA
from langchain_core._api import LangChainDeprecationWarning
from langchain_core.callbacks import BaseCallbackHandler, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.outputs import LLMResult
from langchain_core.retrievers import BaseRetriever
from langchain_text_splitters import RecursiveCharacterTextSplitter
from pydantic import ConfigDict

from rag.chat import token_counts
from rag.citations import is_refusal, split_sentences
from rag.errors import DocumentError
from rag.loaders import load_documents
from rag.splitter import PAGE_BREAK
from rag.types import Embedder, Progress

warnings.simplefilter("ignore", LangChainDeprecationWarning)  # of what everyone writes

CHUNK_SIZE, CHUNK_OVERLAP, TOP_K = 1000, 20, 4
_BATCH = 32
_UNKNOWN = re.compile(
    r"\b(?:do(?:es)?\s*n[o'’]?t|cannot|can['’]t|unable to|not able to)\s+(?:know|answer|determine|find)\b"
    r"|\b(?:no|not|n['’]t)\b.{0,20}\b(?:information|mention|mentioned|specified|provided)\b",
    re.IGNORECASE,
)


class NearestRetriever(BaseRetriever):
    """The k chunks nearest to a question by cosine, exactly."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    embeddings: Embedder
    chunks: list[Document]
    vectors: np.ndarray[Any, np.dtype[np.float32]]
    k: int = TOP_K

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        scores = self.vectors @ np.asarray(self.embeddings.embed_query(query), np.float32)
        best = np.argsort(-scores, kind="stable")[: self.k]
        return [
            Document(self.chunks[i].page_content, metadata={**self.chunks[i].metadata, "score": float(scores[i])})
            for i in map(int, best)
        ]


class Watch(BaseCallbackHandler):
    """When the first token came, and how many tokens the prompt had."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.first_token_at = 0.0
        self.prompt_tokens = 0

    def on_llm_new_token(self, token: str | list[Any], **_: Any) -> None:
        """Note the first."""
        self.first_token_at = self.first_token_at or time.monotonic()

    def on_llm_end(self, response: LLMResult, **_: Any) -> None:
        """Note the model's own count."""
        self.prompt_tokens = token_counts(response)[0]


def split_plainly(files: Sequence[tuple[str, Path]], max_bytes: int) -> tuple[list[Document], list[str]]:
    """The chunks of files given as (source, path), and what could not be read, with why.

    A chunk has `source`, and `start` and `end` in the document's text.
    """
    splitter = RecursiveCharacterTextSplitter(chunk_size=CHUNK_SIZE, chunk_overlap=CHUNK_OVERLAP, add_start_index=True)
    chunks, failed = [], []
    for source, path in files:
        try:
            pages = load_documents(path, max_bytes=max_bytes)
        except DocumentError as error:
            failed.append(f"{source} was not read: {error}")
            continue
        offset = 0
        for page in pages:
            for chunk in splitter.split_documents([page]):
                start = offset + chunk.metadata["start_index"]
                metadata = {"source": source, "start": start, "end": start + len(chunk.page_content)}
                chunks.append(Document(chunk.page_content, metadata=metadata))
            offset += len(page.page_content) + len(PAGE_BREAK)
    return chunks, failed


def embed_plainly(chunks: Sequence[Document], embeddings: Embedder, path: Path) -> Iterator[Progress]:
    """Write the chunks' vectors to the .npy file `path`, shape (len(chunks), dimension), unless it is there already."""
    if path.exists():
        return
    vectors: list[list[float]] = []
    for start in range(0, len(chunks), _BATCH):
        yield Progress("Embedding", start, len(chunks), "chunks")
        vectors += embeddings.embed_documents([chunk.page_content for chunk in chunks[start : start + _BATCH]])
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished.npy")
    np.save(unfinished, np.asarray(vectors, np.float32), allow_pickle=False)
    unfinished.replace(path)


def build_plain_chain(llm: BaseChatModel, retriever: NearestRetriever) -> Any:
    """RetrievalQA of type "stuff" as it comes."""
    return RetrievalQA.from_chain_type(llm, chain_type="stuff", retriever=retriever, return_source_documents=True)


def says_unknown(text: str) -> bool:
    """Whether an answer begins in one of the ways in which a model says that it does not know."""
    first = split_sentences(text)[:1]
    return not text.strip() or is_refusal(text) or _UNKNOWN.search(first[0]) is not None
