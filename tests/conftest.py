"""What the tests share: settings with a library of their own, and the real embedding model, loaded once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hashed_library import HashedEmbeddings

from rag.config import Settings, load_settings
from rag.tokens import TokenCounter, load_tokens

if TYPE_CHECKING:
    from rag.embeddings_batches import BatchedEmbeddings


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much two slow tests do: little in CI, more for the published figures."""
    parser.addoption("--kills", type=int, default=6, help="kills of test_kills.py (default: 6)")
    parser.addoption("--every-case", action="store_true", help="test_answers.py asks all questions, not every other")


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How often to kill."""
    return int(request.config.getoption("--kills"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 6 MiB, its own, whose size a test may set by mounting it again."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting is not permitted here; test_manifest.py and test_store.py meet full disks without it")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.fixture
def hashed_embeddings() -> HashedEmbeddings:
    """An embedder that needs no model: deterministic unit vectors, a text nearest to itself."""
    return HashedEmbeddings()


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings with an empty library; the weights come from, and go to, the user's own cache."""
    return load_settings(library=tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="session")
def tokens(settings: Settings) -> TokenCounter:
    """The real token counter of mpnet (for slow tests: its weights may have to be fetched)."""
    return load_tokens(settings, lambda _: None)


@pytest.fixture(scope="session")
def embeddings(settings: Settings) -> BatchedEmbeddings:
    """The real mpnet in the engine that this machine takes for questions (for slow tests)."""
    from rag.embeddings import load_embeddings
    from rag.embeddings_pair import PairedEmbeddings

    engine = load_embeddings(settings, lambda _: None)
    return engine.for_questions() if isinstance(engine, PairedEmbeddings) else engine
