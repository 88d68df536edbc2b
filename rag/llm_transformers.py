"""Llama-2 (or any causal language model) through a transformers pipeline, its weights in 4 bits (NF4)."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import GatedRepoError, HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError
from langchain_core.messages import BaseMessage
from pydantic import PrivateAttr
from safetensors import SafetensorError
from tqdm.auto import tqdm
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    StoppingCriteria,
    StoppingCriteriaList,
    TextIteratorStreamer,
    pipeline,
)
from transformers.utils import logging as transformers_logging

from rag.chat import LocalChatModel, to_roles
from rag.config import Settings
from rag.errors import ModelError
from rag.models import Report
from rag.types import Progress

logger = logging.getLogger(__name__)

GATED_DEFAULT = "meta-llama/Llama-2-7b-chat-hf"
OPEN_DEFAULT = "NousResearch/Llama-2-7b-chat-hf"

# Llama-2's own prompt format, for copies of it whose tokenizer carries no chat template. The system message stands
# inside the first question; every question opens a sequence of its own, which its answer closes.
LLAMA2_TEMPLATE = (
    "{% set system = messages[0].content.strip() if messages[0].role == 'system' else none %}"
    "{% set turns = messages[1:] if system is not none else messages %}"
    "{% for turn in turns %}"
    "{% if turn.role == 'user' %}"
    "{{ bos_token }}[INST] "
    "{% if loop.first and system is not none %}{{ '<<SYS>>\\n' ~ system ~ '\\n<</SYS>>\\n\\n' }}{% endif %}"
    "{{ turn.content.strip() }} [/INST]"
    "{% else %} {{ turn.content.strip() }} {{ eos_token }}{% endif %}"
    "{% endfor %}"
)

transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # progress is told in one voice, ours


class TransformersChatModel(LocalChatModel):
    """A text-generation pipeline as a chat model."""

    _pipeline: Any = PrivateAttr()

    def __init__(self, text_generation: Any, **fields: Any) -> None:
        """`text_generation` is a transformers pipeline whose tokenizer has a chat template."""
        super().__init__(**fields)
        self._pipeline = text_generation

    def render(self, messages: Sequence[BaseMessage]) -> str:
        """The prompt of the tokenizer's chat template, up to where the answer begins."""
        prompt: str = self._pipeline.tokenizer.apply_chat_template(
            to_roles(messages), tokenize=False, add_generation_prompt=True
        )
        return prompt

    def count(self, text: str) -> int:
        """Tokens of a text, none added."""
        return len(self._pipeline.tokenizer(text, add_special_tokens=False)["input_ids"])

    def first_token(self, prompt: str) -> tuple[str, float]:
        """The likeliest first token and its probability."""
        tokenizer, model = self._pipeline.tokenizer, self._pipeline.model
        inputs = tokenizer(prompt, add_special_tokens=False, return_tensors="pt").to(model.device)
        try:
            with torch.inference_mode():
                logits = model(**inputs, logits_to_keep=1).logits[0, -1]
        except Exception as error:
            raise self._failed(error) from error
        probability, token = torch.softmax(logits.float(), dim=-1).max(dim=-1)
        return tokenizer.decode(token), float(probability)

    def stream_text(self, prompt: str, max_tokens: int, temperature: float) -> Iterator[str]:
        """The answer, a word or so at a time; closing the iterator ends the generation at the next token."""
        streamer = TextIteratorStreamer(self._pipeline.tokenizer, skip_prompt=True, skip_special_tokens=True)
        stop = threading.Event()
        failures: list[Exception] = []
        sampling = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}

        def generate() -> None:
            try:
                self._pipeline(
                    prompt,
                    add_special_tokens=False,
                    return_full_text=False,
                    streamer=streamer,
                    stopping_criteria=StoppingCriteriaList([_StopWhenSet(stop)]),
                    max_new_tokens=max_tokens,
                    **sampling,
                )
            except Exception as error:  # noqa: BLE001  raised again in the thread that reads the answer
                failures.append(error)
                streamer.on_finalized_text("", stream_end=True)

        thread = threading.Thread(target=generate, name="generate", daemon=True)
        thread.start()
        try:
            yield from filter(None, streamer)
        finally:
            stop.set()
            thread.join()
        for error in failures:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> ModelError:
        if isinstance(error, torch.OutOfMemoryError):
            return _out_of_memory(self.model_name)
        return ModelError(f"{self.model_name} failed while it answered: {error}")


class _StopWhenSet(StoppingCriteria):
    """Ends a generation at the next token once the event is set."""

    def __init__(self, event: threading.Event) -> None:
        self._event = event

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        return torch.full((input_ids.shape[0],), self._event.is_set(), device=input_ids.device, dtype=torch.bool)


def load(settings: Settings, progress: Report) -> LocalChatModel:
    """The chat model that the settings name, in 4 bits, on the GPU if there is one. Raises ModelError."""
    name = settings.llm_model or _default_model(settings)
    folder = _find_folder(name, settings, progress)
    if not any(folder.glob("*.safetensors")):
        raise ModelError(
            f"{folder} holds no *.safetensors; Footnote loads no pickled weights: save {name} as safetensors"
        )
    progress(Progress(f"Loading {name} in 4 bits", 0, 0, "B"))
    cuda = torch.cuda.is_available()
    # bf16, but for a GPU that only emulates it (a T4), which is many times faster in fp16.
    dtype = torch.float16 if cuda and not torch.cuda.is_bf16_supported(including_emulation=False) else torch.bfloat16
    quantization = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            quantization_config=quantization,
            dtype=dtype,
            device_map={"": 0 if cuda else "cpu"},
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
        )
    except torch.OutOfMemoryError as error:
        raise _out_of_memory(name) from error
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"RAG_LLM_MODEL={name!r} cannot be loaded in 4 bits: {error}") from error
    _prepare(name, model, tokenizer)
    return TransformersChatModel(
        pipeline("text-generation", model=model, tokenizer=tokenizer),
        model_name=Path(name).name if Path(name).is_dir() else name,
        context_tokens=min(settings.llm_context_tokens, model.config.max_position_embeddings),
        max_answer_tokens=settings.max_answer_tokens,
        temperature=settings.temperature,
    )


def _default_model(settings: Settings) -> str:
    if settings.hf_token:
        return GATED_DEFAULT
    logger.info("HF_TOKEN is not set: using %s, an ungated copy of %s", OPEN_DEFAULT, GATED_DEFAULT)
    return OPEN_DEFAULT


def _prepare(name: str, model: Any, tokenizer: Any) -> None:
    """Give a Llama without a chat template Llama-2's, and make the answer depend on our settings alone."""
    if not tokenizer.chat_template:
        if model.config.model_type != "llama":
            raise ModelError(f"RAG_LLM_MODEL={name!r} has no chat template; choose a model tuned for chat")
        tokenizer.chat_template = LLAMA2_TEMPLATE
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    config = model.generation_config
    config.do_sample = False
    config.temperature = config.top_p = config.top_k = config.max_length = None
    config.pad_token_id = tokenizer.pad_token_id


def _find_folder(name: str, settings: Settings, progress: Report) -> Path:
    """A folder as it is; a hub repository from the cache, fetched if missing and allowed: no pickles, no code."""
    if Path(name).expanduser().is_dir():
        return Path(name).expanduser()

    class Bar(tqdm):  # type: ignore[type-arg]
        """Hands the hub's progress on instead of drawing it."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "file": io.StringIO(), "disable": False})

        def display(self, *args: Any, **kwargs: Any) -> None:
            if "reconstruct" in str(self.desc).lower():  # the bytes written; another bar counts those received
                what = f"Fetching {name} (answers) from the model hub"
                progress(Progress(what, int(self.n), int(self.total or 0), "B"))

    try:
        return Path(
            snapshot_download(
                name,
                cache_dir=settings.cache / "hub",
                allow_patterns=["*.json", "*.safetensors", "*.model", "*.jinja"],
                ignore_patterns=["original/*", "onnx/*"],
                token=settings.hf_token.get_secret_value() if settings.hf_token else False,
                local_files_only=settings.offline,
                tqdm_class=Bar,
            )
        )
    except GatedRepoError as error:
        raise ModelError(
            f"{name} is gated: accept its licence on its page and set HF_TOKEN to a token of that account, "
            f"or set RAG_LLM_MODEL to an ungated copy such as {OPEN_DEFAULT}"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ModelError(
            f"RAG_LLM_MODEL={name!r} is neither a folder nor a repository of the model hub that this HF_TOKEN may read"
        ) from error
    except LocalEntryNotFoundError as error:
        why = "RAG_OFFLINE forbids fetching it" if settings.offline else "the model hub does not answer"
        raise ModelError(
            f"{name} is not in {settings.cache / 'hub'} and {why}; fetch it once with a network, set RAG_LLM_MODEL "
            "to a folder that holds it, or answer on the CPU with RAG_LLM_BACKEND=gguf"
        ) from error
    except OSError as error:
        raise ModelError(f"{name} could not be fetched to {settings.cache / 'hub'}: {error}") from error


def _out_of_memory(name: str) -> ModelError:
    return ModelError(
        f"the GPU has too little free memory for {name} in 4 bits (a 7B model takes about 5.5 GB); close what else "
        "uses it, lower RAG_LLM_CONTEXT_TOKENS, choose a smaller RAG_LLM_MODEL, or set RAG_LLM_BACKEND=gguf"
    )
