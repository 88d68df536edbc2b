"""Settings: the only reader of the environment. Every variable starts with RAG_, but for HF_TOKEN."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from rag.errors import SettingError
from rag.types import AskLimits, AskOptions

PREFIX = "RAG_"
_OAUTH = ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL")  # without one Gradio raises
UNNAMED = "the server's default"  # the model that a backend takes where RAG_LLM_MODEL is not set


class Settings(BaseSettings):
    """Everything that can be set, with its default. Frozen: a flag overrides with `override(settings, name=value)`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    library: Path = Field(Path("library"), description="Folder of the library: its manifest, vector index and uploads")
    collection: str = Field(
        "default", pattern=r"^[^\W_](?:[\w .-]{0,61}[\w-])?$", description="Collection to add to and to ask"
    )
    cache: Path = Field(
        default_factory=lambda: platformdirs.user_cache_path("footnote"), description="Folder of the model weights"
    )
    offline: bool = Field(False, description="Never touch the network; use only weights that are already there")
    hf_token: SecretStr | None = Field(
        None, validation_alias="HF_TOKEN", description="Hugging Face token, for Llama-2's gated weights"
    )

    embedding_model: str = Field(
        "all-mpnet-base-v2", description="Embedding model: a name of `python -m rag models`, or a folder"
    )
    embedding_engine: Literal["auto", "torch", "openvino", "openvino-int8"] = Field(
        "auto",
        description="auto: torch on a CUDA GPU; OpenVINO on an x86-64 CPU, if its vectors agree with torch's, in int8 "
        "for many documents, if that finds as much; openvino-int8 does not wait for many",
    )
    chunk_size: int = Field(600, ge=100, le=8000, description="Characters a chunk may hold at most")
    chunk_overlap: int = Field(100, ge=0, description="Characters that neighbouring chunks share at most")
    max_file_mb: int = Field(100, ge=1, description="Larger files are refused (MiB)")
    parse_timeout: float = Field(
        120, gt=0, description="A file whose reading comes no further for this long is given up (seconds)"
    )
    ocr: Literal["auto", "off"] = Field(
        "auto", description="auto: text is recognised in pictures, and on pages of a PDF that hold nothing else"
    )
    speech: Literal["auto", "off"] = Field(
        "auto", description="auto: speech in recordings and in the sound of videos is written down"
    )
    parse_memory_mb: int = Field(2048, ge=256, description="Memory that reading a file may take (MiB)")

    top_k: int = Field(4, ge=1, le=50, description="Passages shown to the model at most")
    source_tokens: int = Field(450, ge=100, description="Tokens of sources in a prompt at most")
    refuse_below: float = Field(
        0.35,
        ge=0,
        le=1,
        description="Refuse a question for a fact where it is less probable than this that the sources hold the answer",
    )

    llm_backend: Literal["auto", "transformers", "gguf", "openai"] = Field(
        "auto", description="auto: the server of RAG_LLM_BASE_URL, else a CUDA GPU in 4 bits, else a GGUF on the CPU"
    )
    llm_model: str | None = Field(
        None, description="Model of the backend: a name of `python -m rag models`, a repository, a file or a folder"
    )
    llm_others: str | None = Field(
        None,
        description="Other models of the same backend that the page offers, with commas between them; each is loaded "
        "when first chosen, and stays in memory",
    )
    llm_base_url: str | None = Field(
        None, pattern=r"^https?://", description="OpenAI-compatible server, like http://localhost:8000/v1"
    )
    llm_api_key: SecretStr | None = Field(None, description="Key for that server")
    llm_context_tokens: int = Field(4096, ge=512, description="Tokens of prompt and answer together at most")
    max_answer_tokens: int = Field(400, ge=16, description="Tokens an answer may have at most")
    temperature: float = Field(0.0, ge=0, le=2, description="0 always takes the likeliest token")

    host: str | None = Field(None, description="Address the page is served on; Gradio's choice (127.0.0.1) if not set")
    port: int = Field(7860, ge=1, le=65535, description="Port the page is served on")
    users: Path | None = Field(
        None,
        description="File of the accounts, a line each, made by `python -m rag account NAME`; nobody else gets in. "
        "What an account adds stays until it removes it",
    )
    separate_visitors: bool | None = Field(
        None,
        description="Give each browser, or account, conversations and uploads of its own; "
        "if not set, where there are accounts and wherever others can reach the page",
    )
    visitor_hours: float = Field(
        24, gt=0, description="Hours after their last use that a visitor's conversations and uploads are removed"
    )
    visitor_files: int = Field(20, ge=0, description="Documents that a visitor may have at a time")
    visitor_mb: int = Field(100, ge=0, description="Size of a visitor's documents together at most (MiB)")

    @property
    def listens_for_others(self) -> bool:
        """Whether another machine can reach the page. Gradio reads the same variable when no host is set."""
        host = (self.host or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1").strip("[]")
        own = host == "localhost" or host == "::1" or host.startswith("127.")
        return not own or "SPACE_ID" in os.environ

    @property
    def visitors_apart(self) -> bool:
        """Whether each browser, or account, has conversations and uploads of its own."""
        if self.separate_visitors is not None:
            return self.separate_visitors
        return self.listens_for_others or self.users is not None

    @property
    def hugging_face_signs_in(self) -> bool:
        """Whether this is a Space whose visitors may sign in with Hugging Face: it is told so by hf_oauth: true."""
        on_space = os.environ.get("SYSTEM") == "spaces"  # what Gradio asks too
        return self.users is None and on_space and all(os.environ.get(name) for name in _OAUTH)

    @property
    def ask_limits(self) -> AskLimits:
        """What a visitor may choose for an answer: never more than is set here."""
        others = [name for each in (self.llm_others or "").split(",") if (name := each.strip())]
        return AskLimits(
            sources=self.top_k,
            answer_tokens=self.max_answer_tokens,
            temperature=self.temperature,
            models=tuple(dict.fromkeys([self.llm_model or UNNAMED, *others])),
            most_temperature=max(1.0, self.temperature),
        )

    def chosen(self, options: AskOptions) -> Settings:
        """The settings with what was chosen for an answer, as far as they allow it."""
        limits = self.ask_limits
        choice: dict[str, Any] = {}
        if options.sources is not None:
            choice["top_k"] = max(1, min(options.sources, limits.sources))
        if options.answer_tokens is not None:
            choice["max_answer_tokens"] = max(limits.least_tokens, min(options.answer_tokens, limits.answer_tokens))
        if options.temperature is not None:
            choice["temperature"] = max(0.0, min(options.temperature, limits.most_temperature))
        if options.model in limits.models[1:]:
            choice["llm_model"] = options.model
        return self.model_copy(update=choice)

    @model_validator(mode="after")
    def _fits(self) -> Settings:
        if self.chunk_overlap * 2 > self.chunk_size:
            raise ValueError(f"RAG_CHUNK_OVERLAP={self.chunk_overlap} must be at most half of RAG_CHUNK_SIZE")
        if self.max_answer_tokens * 2 > self.llm_context_tokens:
            raise ValueError(f"RAG_MAX_ANSWER_TOKENS={self.max_answer_tokens} must fit twice in RAG_LLM_CONTEXT_TOKENS")
        if self.collection == "visitor" or self.collection.startswith("visitor-"):
            raise ValueError(f"RAG_COLLECTION={self.collection}: names like that are kept for visitors' own documents")
        return self


def variable(field: str) -> str:
    """The environment variable of a field of Settings."""
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else PREFIX + field.upper()


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment; `overrides` (flags) that are not None win.

    Raises SettingError naming the variable, its value and what was expected.
    """
    _refuse_unknown()
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingError("; ".join(_explain(detail, given) for detail in error.errors())) from None


def _refuse_unknown() -> None:
    """A misspelt variable would be ignored in silence, so it is refused instead."""
    known = [variable(field) for field in Settings.model_fields]
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1)
            raise SettingError(f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else ""))


def _explain(detail: Any, flags: dict[str, Any]) -> str:
    location = detail["loc"][0] if detail["loc"] else None
    if location is None:  # the whole model: the message names its variables itself
        return str(detail["msg"]).removeprefix("Value error, ")
    name = f"--{str(location).replace('_', '-')}" if location in flags else variable(_field(str(location)))
    return f"{name}={detail['input']!r}: {detail['msg'][0].lower()}{detail['msg'][1:]}"


def _field(location: str) -> str:
    """pydantic reports a field by its alias where it has one."""
    lowered = location.lower().removeprefix(PREFIX.lower())
    return lowered if lowered in Settings.model_fields else location.lower()
