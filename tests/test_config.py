from pathlib import Path

import pytest

from rag.config import load_settings
from rag.errors import SettingError
from rag.types import AS_SET, AskLimits, AskOptions


def test_flags_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_LIBRARY", "from-environment")
    assert load_settings().library == Path("from-environment")
    assert load_settings(library=Path("from-flag"), port=None).library == Path("from-flag")


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("RAG_PORT", "many", "RAG_PORT='many': input should be a valid integer"),
        ("RAG_LLM_BACKEND", "magic", "'transformers', 'gguf' or 'openai'"),
        ("RAG_LLM_BASE_URL", "localhost:8000", "RAG_LLM_BASE_URL='localhost:8000'"),
        ("RAG_CHUNK_SIZE", "5", "greater than or equal to 100"),
        ("RAG_COLLECTION", "../up", "RAG_COLLECTION='../up'"),
        ("RAG_CHUNK_OVERLAP", "900", "RAG_CHUNK_OVERLAP=900 must be at most half"),
        ("RAG_MAX_ANSWER_TOKENS", "4000", "RAG_MAX_ANSWER_TOKENS=4000 must fit twice"),
        ("RAG_LLM_BACKNED", "gguf", "did you mean RAG_LLM_BACKEND?"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingError) as caught:
        load_settings()
    assert variable in str(caught.value)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_flag_is_named_as_a_flag() -> None:
    with pytest.raises(SettingError, match=r"--port=0"):
        load_settings(port=0)


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_LLM_MODEL", "")
    assert load_settings().llm_model is None


def test_a_visitor_chooses_within_what_is_set() -> None:
    settings = load_settings(top_k=6, max_answer_tokens=300, llm_model="a", llm_others="b, c,,b")
    assert settings.ask_limits == AskLimits(6, 300, 0.0, ("a", "b", "c"))
    assert settings.chosen(AS_SET) == settings
    chosen = settings.chosen(AskOptions(sources=2, answer_tokens=100, temperature=0.7, model="b"))
    assert (chosen.top_k, chosen.max_answer_tokens, chosen.temperature, chosen.llm_model) == (2, 100, 0.7, "b")
    greedy = settings.chosen(AskOptions(sources=99, answer_tokens=10**9, temperature=7.0, model="/etc/passwd"))
    assert greedy == settings.model_copy(update={"temperature": 1.0})
    least = settings.chosen(AskOptions(sources=-5, answer_tokens=-5, temperature=-1.0, model=""))
    assert (least.top_k, least.max_answer_tokens, least.temperature, least.llm_model) == (1, 16, 0.0, "a")


def test_secrets_do_not_print(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("RAG_LLM_API_KEY", "sk_secret")
    assert "secret" not in repr(load_settings())


@pytest.mark.parametrize(
    ("environment", "apart"),
    [
        ({}, False),
        ({"RAG_HOST": "127.0.0.1"}, False),
        ({"RAG_HOST": "localhost"}, False),
        ({"RAG_HOST": "[::1]"}, False),
        ({"RAG_HOST": "0.0.0.0"}, True),
        ({"RAG_HOST": "192.168.1.20"}, True),
        ({"GRADIO_SERVER_NAME": "0.0.0.0"}, True),
        ({"GRADIO_SERVER_NAME": "0.0.0.0", "RAG_HOST": "127.0.0.1"}, False),
        ({"SPACE_ID": "someone/footnote", "RAG_HOST": "127.0.0.1"}, True),
        ({"RAG_SEPARATE_VISITORS": "true"}, True),
        ({"RAG_SEPARATE_VISITORS": "false", "RAG_HOST": "0.0.0.0"}, False),
    ],
)
def test_visitors_are_kept_apart_wherever_others_can_reach_the_page(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], apart: bool
) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.delenv("GRADIO_SERVER_NAME", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert load_settings().visitors_apart is apart
