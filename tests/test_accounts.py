"""The file of those who may sign in, and the command that makes its lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from app_process import ROOT

from rag.accounts import account_line, load_accounts
from rag.errors import SettingError


@pytest.fixture(scope="module")
def line() -> str:
    return account_line("ann", "nine spoons")


def written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "users"
    path.write_text("\n".join(lines))
    return path


def test_only_the_right_password_of_a_name_that_is_there_signs_in(tmp_path: Path, line: str) -> None:
    accounts = load_accounts(written(tmp_path, "# the kitchen", "", line))
    assert accounts.check("ann", "nine spoons")
    assert not accounts.check("ann", "nine spoon")
    assert not accounts.check("ben", "nine spoons")
    assert "spoons" not in line
    assert account_line("ann", "nine spoons") != line


@pytest.mark.parametrize("name", ["", "a:b", "-a", "a b", "a/b", "x" * 65, "a\nb"])
def test_a_name_that_cannot_be_used_is_refused(name: str) -> None:
    with pytest.raises(SettingError, match="cannot be an account's name"):
        account_line(name, "nine spoons")


def test_a_short_password_is_refused() -> None:
    with pytest.raises(SettingError, match="at least 8 characters"):
        account_line("ann", "spoons")


def test_a_wrong_file_is_one_line_that_names_it_and_the_way_out(tmp_path: Path, line: str) -> None:
    costly = line.replace("$32768$", f"${2**30}$")
    for lines, told in (
        ([line, "ben:spoons"], "users, line 2: this is no account; make one with `python -m rag account NAME`"),
        ([line.replace("scrypt", "plain")], "line 1: this is no account"),
        ([costly], "line 1: this is no account"),
        ([line[:-8]], "line 1: this is no account"),
        (["", line, line], "line 3: ann stands there twice"),
        (["# nobody"], "nobody could sign in"),
    ):
        with pytest.raises(SettingError, match="RAG_USERS=") as raised:
            load_accounts(written(tmp_path, *lines))
        assert told in str(raised.value)
    with pytest.raises(SettingError, match=r"RAG_USERS=.*missing cannot be read"):
        load_accounts(tmp_path / "missing")


def test_the_command_prints_a_line_that_signs_in(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rag", "account", "ann"]
    made = subprocess.run(command, cwd=ROOT, input="nine spoons\n", capture_output=True, text=True, timeout=60)
    assert (made.returncode, made.stderr) == (0, "")
    assert load_accounts(written(tmp_path, made.stdout.strip())).check("ann", "nine spoons")
    short = subprocess.run(command, cwd=ROOT, input="x\n", capture_output=True, text=True, timeout=60)
    assert (short.returncode, short.stdout) == (1, "")
    assert "at least 8 characters" in short.stderr
