"""Answers from a GGUF file on the CPU, by OpenVINO GenAI.

OpenVINO reads the GGUF directly, in some 20 s and 4 GB, and saves what it made of it; loading that takes 2 s and 1 GB.
"""

from __future__ import annotations

import logging
import math
import queue
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import openvino_genai
from langchain_core.messages import BaseMessage
from pydantic import PrivateAttr

from rag.chat import LocalChatModel, to_roles
from rag.config import Settings
from rag.device import let_go_of_mapped
from rag.errors import ModelError, SettingError
from rag.models import MODELS, fetch_model
from rag.models_table import DEFAULT_GGUF
from rag.types import Progress

_DEVICE = "CPU"
_MODEL_FILE = "openvino_model.xml"
# Answers quote: where their last tokens, _SEEN at most, stand in the prompt, those that follow there are guessed to be
# next and read all at once. What is not the model's own next token is thrown away, so the answer stays the same
_SEEN, _GUESSED = 3, 5

log = logging.getLogger(__name__)


class GgufChatModel(LocalChatModel):
    """A GGUF model behind LangChain's chat interface."""

    _pipeline: Any = PrivateAttr()
    _tokenizer: Any = PrivateAttr()

    def __init__(self, pipeline: Any, **fields: Any) -> None:
        super().__init__(**fields)
        self._pipeline = pipeline
        self._tokenizer = pipeline.get_tokenizer()

    def render(self, messages: Sequence[BaseMessage]) -> str:
        """The prompt in the model's own chat template."""
        prompt: str = self._tokenizer.apply_chat_template(to_roles(messages), add_generation_prompt=True)
        return prompt

    def count(self, text: str) -> int:
        """Tokens of `text`, without any that the tokenizer would add."""
        return int(self._tokenizer.encode(text, add_special_tokens=False).input_ids.shape[1])

    def first_token(self, prompt: str) -> tuple[str, float]:
        """The likeliest first token and its probability."""
        config = generation(1, 0.0)
        config.logprobs = 1
        try:
            result = self._pipeline.generate([prompt], config)
        except RuntimeError as error:
            raise ModelError(f"{self.model_name} failed while reading the sources: {error}") from error
        return result.texts[0], math.exp(result.scores[0])

    def stream_text(self, prompt: str, max_tokens: int, temperature: float) -> Iterator[str]:
        """Generate in a thread of its own; closing the iterator cancels it and waits until it has stopped."""
        pieces: queue.SimpleQueue[str | BaseException | None] = queue.SimpleQueue()
        stop = threading.Event()

        def hear(piece: str) -> Any:
            pieces.put(piece)
            status = openvino_genai.StreamingStatus
            return status.CANCEL if stop.is_set() else status.RUNNING

        def generate() -> None:
            try:
                self._pipeline.generate(prompt, generation(max_tokens, temperature), hear)
                pieces.put(None)
            except Exception as error:  # noqa: BLE001 - raised again in the thread that reads the pieces
                pieces.put(error)

        thread = threading.Thread(target=generate, name="generate", daemon=True)
        thread.start()
        try:
            while (piece := pieces.get()) is not None:
                if isinstance(piece, BaseException):
                    raise ModelError(f"{self.model_name} failed while answering: {piece}") from piece
                yield piece
        finally:
            stop.set()
            thread.join()


def load(settings: Settings, progress: Callable[[Progress], None]) -> LocalChatModel:
    """Load the GGUF named by RAG_LLM_MODEL: a name of `python -m rag models`, or a file. Raises ModelError."""
    name = settings.llm_model or DEFAULT_GGUF
    file = _file(name, settings, progress)
    folder = settings.cache / "openvino" / f"{file.stem}-{file.stat().st_size}-{openvino_genai.__version__}"
    try:
        if not (folder / _MODEL_FILE).exists():
            progress(Progress(f"Preparing {file.name} for this machine (once)", 0, 0, ""))
            _convert(file, folder)
        progress(Progress(f"Loading {file.name}", 0, 0, ""))
        pipeline = open_pipeline(folder)
        pipeline.generate("1", generation(1, 0.0))  # the first run allocates; do it before somebody waits
        let_go_of_mapped(folder)  # its weights, which that run has laid out anew for the processor
    except (RuntimeError, OSError) as error:
        raise ModelError(f"{file} could not be loaded: {error}; `python -m rag models` checks it") from error
    return GgufChatModel(
        pipeline,
        model_name=file.stem,
        context_tokens=settings.llm_context_tokens,
        max_answer_tokens=settings.max_answer_tokens,
        temperature=settings.temperature,
    )


def open_pipeline(folder: Path, *, lookup: bool = True) -> Any:
    """The engine over a converted model, which with `lookup` guesses tokens from the prompt. Raises RuntimeError."""
    return openvino_genai.LLMPipeline(str(folder), _DEVICE, prompt_lookup=lookup)


def generation(max_tokens: int, temperature: float, *, lookup: bool = True) -> Any:
    """What one call asks of the engine; `lookup` as it was opened with."""
    config = openvino_genai.GenerationConfig()
    config.max_new_tokens = max_tokens
    config.apply_chat_template = False
    config.do_sample = temperature > 0
    if temperature > 0:
        config.temperature = temperature
    if lookup:
        config.max_ngram_size, config.num_assistant_tokens = _SEEN, _GUESSED
    return config


def _file(name: str, settings: Settings, progress: Callable[[Progress], None]) -> Path:
    if name in MODELS and MODELS[name].files[0].name.endswith(".gguf"):
        folder = fetch_model(name, cache=settings.cache, offline=settings.offline, progress=progress)
        return folder / MODELS[name].files[0].name
    if Path(name).suffix == ".gguf" and Path(name).is_file():
        return Path(name).resolve()
    known = ", ".join(row.name for row in MODELS.values() if row.files[0].name.endswith(".gguf"))
    raise SettingError(f"RAG_LLM_MODEL={name!r} is neither a .gguf file nor one of: {known}")


def _convert(file: Path, folder: Path) -> None:
    """OpenVINO saves beside the file it reads, so it reads a link in a folder that gets its name when it is whole."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    link = partial / file.name
    link.symlink_to(file)
    openvino_genai.LLMPipeline(str(link), _DEVICE, enable_save_ov_model=True)
    link.unlink()
    if not (partial / _MODEL_FILE).exists():
        raise ModelError(f"{file} was read, but the converted model could not be saved in {partial}: is the disk full?")
    partial.rename(folder)
