"""The engine that answers on a CPU, itself: rag/llm_gguf.py over the default model."""

from __future__ import annotations

import pytest

from benchmarks.answering import converted
from rag.config import load_settings
from rag.llm_gguf import GgufChatModel, generation, load, open_pipeline

pytestmark = pytest.mark.slow

SOURCE = "The K3 kettle holds 1.7 litres of water and weighs 1.3 kg. Where water is hard it is descaled every 60 days."
PROMPT = (
    f"<|im_start|>user\n{SOURCE}\n\nHow much does the K3 hold and weigh, and when is it descaled? "
    "Answer in the words above.<|im_end|>\n<|im_start|>assistant\n"
)


def test_guessing_tokens_changes_no_word_and_several_come_at_once() -> None:
    settings = load_settings()
    model = load(settings, lambda progress: None)
    assert isinstance(model, GgufChatModel)
    pieces = list(model.stream_text(PROMPT, 60, 0.0))
    plain = open_pipeline(converted(settings, model), lookup=False)
    assert "".join(pieces) == plain.generate(PROMPT, generation(60, 0.0, lookup=False))
    assert len(pieces) < 0.7 * model.count("".join(pieces))
    assert model.count("".join(model.stream_text(PROMPT, 7, 0.0))) == 7
