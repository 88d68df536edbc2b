"""What the machine computes on, told without torch."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

import rag.device
from rag.device import has_cuda, machine_id


def test_without_a_driver_torch_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    monkeypatch.setattr(rag.device, "import_module", pytest.fail)
    assert not has_cuda()


@pytest.mark.parametrize("answer", [True, False])
def test_with_a_driver_torch_says(monkeypatch: pytest.MonkeyPatch, answer: bool) -> None:
    class Torch:
        class cuda:  # noqa: N801 - torch's own name
            is_available = staticmethod(lambda: answer)

    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    monkeypatch.setattr(rag.device, "import_module", lambda name: Torch)
    assert has_cuda() is answer


def test_a_machine_keeps_its_name() -> None:
    code = "import sys; from rag.device import machine_id; print(machine_id()); sys.exit('torch' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(rag.device.__file__).parents[1], capture_output=True, text=True
    )
    assert (told.returncode, told.stdout.strip()) == (0, machine_id())


def test_another_processor_has_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    names = set()
    for flags in ("avx2", "avx2 avx512_bf16"):
        monkeypatch.setattr(Path, "read_text", lambda *_, flags=flags, **__: f"model name: X\nflags: {flags}\n")
        names.add(machine_id())
    assert len(names) == 2
