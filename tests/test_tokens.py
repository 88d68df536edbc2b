from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

import rag.tokens
from rag.config import Settings, load_settings
from rag.errors import ModelError, SettingError
from rag.tokens import TokenCounter, embedding_fingerprint, load_tokens


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tokenizer = Tokenizer(models.WordLevel({"one": 0, "two": 1, "?": 2}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=3)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 7}))
    return tmp_path


def test_counts_all_of_a_text_whatever_the_tokenizer_would_cut_or_pad(folder: Path) -> None:
    tokens = load_tokens(load_settings(embedding_model=str(folder)), pytest.fail)
    assert tokens.max_tokens == 7
    assert tokens.count("one two one two one") == 5
    assert tokens.count_all(["one", "", "one two three four"]) == [1, 0, 4]


@pytest.mark.parametrize(
    ("file", "content"), [("tokenizer.json", "{}"), ("tokenizer.json", None), ("sentence_bert_config.json", "{}")]
)
def test_a_folder_without_what_it_needs_is_named(folder: Path, file: str, content: str | None) -> None:
    (folder / file).unlink() if content is None else (folder / file).write_text(content)
    with pytest.raises(ModelError, match=file):
        TokenCounter(folder)


@pytest.mark.parametrize("name", ["no-such-folder", "smollm2-135m-instruct"])
def test_what_is_no_embedding_model_is_refused(name: str) -> None:
    with pytest.raises(SettingError, match=f"RAG_EMBEDDING_MODEL='{name}'"):
        load_tokens(load_settings(embedding_model=name), pytest.fail)
    with pytest.raises(SettingError, match=f"RAG_EMBEDDING_MODEL='{name}'"):
        embedding_fingerprint(load_settings(embedding_model=name))


def test_a_fingerprint_follows_the_weights(folder: Path) -> None:
    assert embedding_fingerprint(load_settings()) == "all-mpnet-base-v2@e8c3b32edf5434bc2275fc9bab85f82640a19130"
    settings = load_settings(embedding_model=str(folder))
    seen = {embedding_fingerprint(settings)}
    for weights in (b"one", b"two"):
        (folder / "model.safetensors").write_bytes(weights)
        seen.add(embedding_fingerprint(settings))
    assert len(seen) == 3 and all(name.startswith(f"{folder.name}@") for name in seen)


def test_counting_loads_no_torch() -> None:
    code = "import sys, rag.tokens; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=Path(rag.tokens.__file__).parents[1], check=True, timeout=60)


@pytest.mark.slow
def test_mpnet_counts_with_its_two_marks(settings: Settings) -> None:
    tokens = load_tokens(settings, lambda _: None)
    assert tokens.max_tokens == 384
    assert tokens.count_all(["", "hello world", "word " * 1000]) == [2, 4, 1002]
