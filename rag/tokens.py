"""Counting an embedding model's tokens without loading the model: no torch, only the tokenizers library."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tokenizers import Tokenizer

from rag.config import Settings
from rag.errors import ModelError, SettingError
from rag.models import MODELS, Report, fetch_model


class TokenCounter:
    """Counts tokens as the embedding model reads them: its begin and end marks included, nothing cut off."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds a sentence-transformers model with a tokenizer.json."""
        self._tokenizer = read_tokenizer(folder)
        self.max_tokens = _max_tokens(folder)

    def count(self, text: str) -> int:
        """Tokens of one text."""
        return len(self._tokenizer.encode(text).ids)

    def count_all(self, texts: list[str]) -> list[int]:
        """Tokens of each text; faster than one at a time."""
        return [len(encoding.ids) for encoding in self._tokenizer.encode_batch_fast(texts)]


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a model's folder, set to cut nothing off and to pad nothing. Raises ModelError."""
    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; RAG_EMBEDDING_MODEL needs a folder that has one") from error
    except Exception as error:  # tokenizers raises nothing more precise
        raise ModelError(f"{path} is not a tokenizer: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def load_tokens(settings: Settings, progress: Report) -> TokenCounter:
    """The token counter of the embedding model that the settings name; fetches the weights if they are missing."""
    return TokenCounter(embedding_folder(settings, progress))


def embedding_fingerprint(settings: Settings) -> str:
    """The embedding model and its exact weights, in words: vectors compare only where this is the same.

    Does not load, or fetch, the model. Raises SettingError.
    """
    name = settings.embedding_model
    if _in_table(name):
        return f"{name}@{MODELS[name].revision}"
    folder = _own_folder(name)
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"{folder.name}@{digest.hexdigest()[:16]}"


def embedding_folder(settings: Settings, progress: Report) -> Path:
    """The folder of the embedding model: one that RAG_EMBEDDING_MODEL names, else the cache's."""
    name = settings.embedding_model
    if _in_table(name):
        return fetch_model(name, cache=settings.cache, offline=settings.offline, progress=progress)
    return _own_folder(name)


def _in_table(name: str) -> bool:
    return name in MODELS and MODELS[name].purpose == "embeddings"


def _own_folder(name: str) -> Path:
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise SettingError(
            f"RAG_EMBEDDING_MODEL={name!r}: expected the name of an embedding model or a folder with one"
        )
    return folder


def _max_tokens(folder: Path) -> int:
    path = folder / "sentence_bert_config.json"
    try:
        limit = json.loads(path.read_text(encoding="utf-8"))["max_seq_length"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path} does not say the model's max_seq_length ({error})") from error
    return int(limit)
