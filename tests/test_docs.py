"""The documents are true: tables, links, fields, pins."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import fields
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

from rag.__main__ import _CITATION_FIELDS, answer_fields, parse_args
from rag.types import Answer, DocumentInfo, FileReport, Timings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
OWN = {"benchmarks", "rag", *(file.stem for file in (*ROOT.glob("*.py"), *ROOT.glob("tests/*.py")))}
ASKED_FOR = (
    "gradio langchain langchain-community chromadb sentence-transformers transformers torch "
    "bitsandbytes accelerate pypdf"
)
PIN = re.compile(r"(?P<name>[A-Za-z0-9_.-]+)(?:\[\w+\])?==(?P<version>[0-9][\w.]*)\s*(?:#\s*(?P<why>.*))?")


def plain(name: str) -> str:
    """A distribution's name in its normal form."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_pins(name: str) -> dict[str, tuple[str, str]]:
    """Name to version and comment, of a requirements file; every line that asks for a package must be an exact pin."""
    lines = (line.strip() for line in (ROOT / name).read_text("utf-8").splitlines())
    asked = [line for line in lines if line and not line.startswith(("#", "-r "))]
    pins = [PIN.fullmatch(line) for line in asked]
    assert None not in pins, [line for line, pin in zip(asked, pins, strict=True) if pin is None]
    return {plain(pin["name"]): (pin["version"], pin["why"] or "") for pin in pins if pin}


@cache
def imports(*patterns: str) -> dict[str, set[str]]:
    """Distribution to the files that import it, of the files that match."""
    owners = packages_distributions()
    found = defaultdict(set)
    for file in (file for pattern in patterns for file in sorted(ROOT.glob(pattern))):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for top in {name.partition(".")[0] for name in names}:
                if top not in OWN and top not in sys.stdlib_module_names:
                    assert top in owners, f"{file} imports {top}, which nothing installed provides"
                    found[plain(owners[top][0])].add(file.relative_to(ROOT).as_posix())
    return dict(found)


def product_imports() -> dict[str, set[str]]:
    return imports("*.py", "rag/*.py")


def test_all_that_was_asked_for_is_required() -> None:
    assert set(ASKED_FOR.split()) <= set(read_pins("requirements.txt"))


def test_every_import_of_the_product_is_pinned() -> None:
    assert set(product_imports()) <= set(read_pins("requirements.txt"))


def test_every_import_of_the_tests_is_pinned() -> None:
    assert set(imports("tests/*.py")) <= {*read_pins("requirements.txt"), *read_pins("requirements-dev.txt")}


def test_every_pin_is_imported_where_it_says_or_says_why_it_is_not() -> None:
    for name, (_, why) in read_pins("requirements.txt").items():
        users = product_imports().get(name)
        if users is None:
            assert "not imported" in why or "runs it" in why, name
        elif "rag/*" not in why:
            told = set(re.findall(r"\b[\w/]+\.py\b", why))
            assert told and told <= users, name


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_the_pins_are_what_is_installed(file: str) -> None:
    pins = {name: pinned for name, (pinned, _) in read_pins(file).items()}
    assert {name: version(name).partition("+")[0] for name in pins} == pins


def test_the_generated_tables_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", "--diff", "README.md"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert README.count("[[[end]]]") == README.count("[[[cog") > 3


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_links_lead_to_files(text: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if not re.match(r"https?:|#", link)]
    assert [link for link in links if not (ROOT / link).is_file()] == []


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_files_that_are_named_exist(text: str) -> None:
    named = set(re.findall(r"`((?:rag|tests|docs)/[\w./-]+|[\w-]+\.(?:py|txt|toml))`", text))
    named = {name for name in named if "NAME" not in name}
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_commands_that_are_named_exist() -> None:
    commands = {
        line.split("`")[0]
        for line in re.findall(r"python -m rag ([a-z][^|`\n]*)", README)
        if not line.startswith("models`")
    }
    assert len(commands) > 6
    for command in commands:
        words = re.sub(r'"[^"]*"', "QUESTION", command).split()
        assert parse_args(words).command == words[0]


def first_column(heading: str, before: str) -> set[str]:
    """The names in the first column of the table that follows a line."""
    table = README.partition(heading)[2].partition(before)[0]
    return {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}


def test_the_fields_of_an_answer_are_told() -> None:
    timings = Timings(0, 0, 0, 0, 0, 0, 0)
    answer = answer_fields(Answer("", "", False, (), (), (), timings, ""))
    assert first_column("\n`ask`:", "\nA citation or source") == set(answer)
    told = README.partition("| `timings` |")[2].partition("\n")[0]
    assert set(re.findall(r"`(\w+)`", told)) == {field.name for field in fields(Timings)}
    assert first_column("\nA citation or source", "\n`documents`") == set(_CITATION_FIELDS)


def test_the_fields_of_documents_and_files_are_told() -> None:
    assert first_column("\n`documents` prints", "\n`ingest.py` prints") == {
        field.name for field in fields(DocumentInfo)
    }
    assert first_column("\n`ingest.py` prints", "\n## Formats") == {
        *(field.name for field in fields(FileReport)),
        "summary",
    }
