"""The chain that everyone writes, to be measured beside: RetrievalQA, Chroma, a transformers pipeline in fp32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from langchain_classic.chains.retrieval_qa.base import RetrievalQA
from langchain_community.document_loaders import TextLoader
from langchain_community.embeddings import HuggingFaceEmbeddings
from langchain_community.llms import HuggingFacePipeline
from langchain_community.vectorstores import Chroma
from langchain_core.embeddings import Embeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, pipeline

from rag.config import load_settings
from rag.models import MODELS, fetch_model
from rag.models_table import DEFAULT_GGUF
from rag.tokens import embedding_folder

ANSWER_TOKENS = 64


class Fingerprinted(HuggingFaceEmbeddings):
    """As it comes, but for the fields that vectors are lent by."""

    fingerprint: str = ""
    max_tokens: int = 384


def build_plain_chain(folders: Sequence[Path], lend: Callable[[Any], Embeddings]) -> Any:
    """A chain over the .txt and .md files of these folders; `lend` wraps the embedding model."""
    settings = load_settings()
    paths = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in (".txt", ".md"))
    pages = [page for path in paths for page in TextLoader(str(path), "utf-8").load()]
    chunks = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=20).split_documents(pages)
    embeddings = lend(Fingerprinted(model_name=str(embedding_folder(settings, lambda _: None))))
    store = Chroma.from_documents(chunks, embeddings)
    return RetrievalQA.from_chain_type(load_plain_model(settings.cache), retriever=store.as_retriever())


def load_plain_model(cache: Path) -> HuggingFacePipeline:
    """The default GGUF made dense again: the same weights in fp32, six gigabytes."""
    file = MODELS[DEFAULT_GGUF].files[0].name
    folder = fetch_model(DEFAULT_GGUF, cache=cache, offline=True, progress=lambda _: None)
    model = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=file, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
    )
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
    task = pipeline(
        "text-generation",
        model=model,
        tokenizer=tokenizer,
        max_new_tokens=ANSWER_TOKENS,
        do_sample=False,
        return_full_text=False,
    )
    task("Hello", max_new_tokens=1)  # what the first run allocates is nobody's time
    return HuggingFacePipeline(pipeline=task)
