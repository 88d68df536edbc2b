"""What a Space and a container start from."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import metadata_load

from rag.config import Settings, variable
from rag.llm_transformers import GATED_DEFAULT, OPEN_DEFAULT
from rag.models_table import DEFAULT_GGUF, MODELS

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
INSTRUCTIONS = [
    (line.split()[0], line.partition(" ")[2].strip())
    for line in re.sub(r"\s*\\\n\s*", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)).splitlines()
    if line.strip()
]
START_S = 60
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
GPUS = {"t4-small", "t4-medium", "l4x1", "a10g-small", "a10g-large", "l40sx1", "a100-large"}


@pytest.fixture(scope="module")
def space() -> dict[str, Any]:
    """The configuration of the Space, as the hub's own client reads it."""
    data = metadata_load(ROOT / "README.md")
    assert data is not None
    return data


def arguments(instruction: str) -> list[str]:
    return [argument for name, argument in INSTRUCTIONS if name == instruction]


def tracked() -> list[Path]:
    """The files of the repository, those that wait to be added included."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_the_space_is_configured(space: dict[str, Any]) -> None:
    assert space["title"] == "Footnote"
    assert space["sdk"] == "gradio"
    assert (ROOT / space["app_file"]).is_file()
    assert {space["colorFrom"], space["colorTo"]} <= COLOURS
    assert space["suggested_hardware"] in GPUS
    assert len(space["short_description"]) <= 60
    assert not space["emoji"].isascii()
    assert space["license"] == "apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")[:200]


def test_the_space_names_the_models_that_are_used(space: dict[str, Any]) -> None:
    used = {GATED_DEFAULT, OPEN_DEFAULT, MODELS[DEFAULT_GGUF].repository}
    used.add(MODELS[Settings.model_fields["embedding_model"].default].repository)
    assert set(space["models"]) == used


def test_versions_agree(space: dict[str, Any]) -> None:
    assert f"gradio=={space['sdk_version']} " in (ROOT / "requirements.txt").read_text("utf-8")
    python = space["python_version"]
    assert isinstance(python, str), "unquoted, 3.10 would be 3.1"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["tool"]["ruff"]["target-version"] == f"py{python.replace('.', '')}"
    assert arguments("FROM") == [f"python:{python}-slim"]


def test_the_dockerfile_is_clean() -> None:
    linted = subprocess.run(
        [Path(sysconfig.get_path("scripts")) / "hadolint", "Dockerfile"], cwd=ROOT, capture_output=True, text=True
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_the_container_is_not_root_and_keeps_its_data() -> None:
    assert arguments("USER") == ["1000"]
    assert any("--uid 1000" in argument for argument in arguments("RUN"))
    names = [name for name, _ in INSTRUCTIONS]
    assert names.index("VOLUME") > names.index("USER") > names.index("RUN")
    assert arguments("EXPOSE") == [str(Settings.model_fields["port"].default)]
    settings = environment()
    assert {name for name in settings if name.startswith("RAG_")} <= {
        variable(field) for field in Settings.model_fields
    }
    volume = Path(arguments("VOLUME")[0])
    assert all(volume in Path(settings[name]).parents for name in ("RAG_LIBRARY", "RAG_CACHE"))


def test_requirements_come_before_the_code() -> None:
    steps = [f"{name} {argument}" for name, argument in INSTRUCTIONS]
    install = next(step for step in steps if "pip install" in step)
    assert steps.index("COPY requirements.txt ./") < steps.index(install) < steps.index("COPY . .")
    assert "-r requirements.txt" in install


def environment() -> dict[str, str]:
    """What the Dockerfile's ENV lines set."""
    words = [word for argument in arguments("ENV") for word in shlex.split(argument)]
    return dict(word.split("=", 1) for word in words)


@pytest.fixture
def container(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """The image's folder, of the files that .dockerignore lets in, and its environment with a free port; no network."""
    folder = tmp_path / "app"
    folder.mkdir()
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")]
    for name in allowed:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAG_", "PYTHON"))}
    moved = {name: value.replace("/data", str(tmp_path / "data")) for name, value in environment().items()}
    yield folder, {**kept, **moved, "RAG_PORT": port, "RAG_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def command(text: str) -> list[str]:
    """An instruction's JSON command, run by this Python."""
    words = json.loads(text[text.index("[") :])
    assert words[0] == "python"
    return [sys.executable, *words[1:]]


def test_the_container_starts_and_is_healthy_without_any_weights(container: tuple[Path, dict[str, str]]) -> None:
    folder, variables = container
    check = command(arguments("HEALTHCHECK")[0])
    before = sorted(folder.rglob("*"))

    def healthy() -> bool:
        return subprocess.run(check, cwd=folder, env=variables, capture_output=True, timeout=30).returncode == 0

    assert not healthy(), "the check must fail while nothing runs"
    log = folder.parent / "log"
    with log.open("w") as output:
        app = subprocess.Popen(
            command(arguments("CMD")[0]), cwd=folder, env=variables, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + START_S
        while not healthy():
            assert app.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < deadline, log.read_text("utf-8")
        while "RAG_OFFLINE forbids" not in log.read_text("utf-8"):
            assert time.monotonic() < deadline, log.read_text("utf-8")
            time.sleep(0.2)
        assert healthy(), "without weights the page must go on answering"
    finally:
        app.terminate()
        app.wait(30)
    assert sorted(folder.rglob("*")) == before, "user 1000 may not write there"


def test_no_secret_is_in_the_repository() -> None:
    secret = re.compile(
        r"\bhf_[A-Za-z0-9]{30,}|\bsk-[A-Za-z0-9_-]{20,}|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}"
        r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    )
    found = [path.name for path in tracked() if secret.search(path.read_bytes().decode("utf-8", "replace"))]
    assert found == []


def test_no_file_names_the_host_of_a_package_registry() -> None:
    # In two parts each, or this file would be found too
    hosts = [("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("debian", "org")]
    hosts += [("ubuntu", "com"), ("download.pytorch", "org"), ("docker", "io")]
    named = re.compile("|".join(rf"\b{re.escape(name)}\.{top}\b" for name, top in hosts))
    assert named.search("https://" + ".".join(("pypi", "org")))
    found = [path.name for path in tracked() if named.search(path.read_bytes().decode("utf-8", "replace"))]
    assert found == []
