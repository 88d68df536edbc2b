"""What the machine computes on, told without torch."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import rag.device
from rag.device import NICE, cpu_kind, has_cuda, is_x86, let_go_of_mapped


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


def test_a_cpu_is_named_without_torch_and_keeps_its_name() -> None:
    code = "import sys; from rag.device import cpu_kind; print(cpu_kind()); sys.exit('torch' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(rag.device.__file__).parents[1], capture_output=True, text=True
    )
    assert (told.returncode, told.stdout.strip()) == (0, cpu_kind())


def test_a_cpu_is_its_vector_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    for model, flags in (("X", "avx2 fpu"), ("Y", "fpu erms avx2"), ("X", "avx2 avx512_bf16")):
        text = f"model name\t: {model}\nflags\t\t: {flags}\n" * 2
        monkeypatch.setattr(Path, "read_text", lambda *_, text=text, **__: text)
        names.append(cpu_kind())
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize(("machine", "told"), [("x86_64", True), ("AMD64", True), ("aarch64", False), ("i686", False)])
def test_x86_is_told_apart(monkeypatch: pytest.MonkeyPatch, machine: str, told: bool) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert is_x86() is told


def test_a_process_yields_the_cores_once_however_often_it_does() -> None:
    code = "import os; from rag.device import yield_cores; yield_cores(); yield_cores(); print(os.nice(0))"
    root = Path(rag.device.__file__).parents[1]
    told = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert int(told.stdout) == max(NICE, os.nice(0))


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="what is mapped is told on Linux alone")
def test_a_mapped_file_leaves_the_memory_and_can_still_be_read(tmp_path: Path) -> None:
    def resident(file: Path) -> int:
        """KiB of a mapped file that are in this process's memory."""
        _, told = Path("/proc/self/smaps").read_text().split(f"{file}\n")
        return int(told.split("Rss:")[1].split()[0])

    mapped = {}
    for name in ("given/weights.bin", "other/weights.bin"):
        file = tmp_path / name
        file.parent.mkdir()
        file.write_bytes(b"weights." * 2**17)
        with file.open("rb") as opened:
            mapped[file] = mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ)
    given, other = mapped
    assert all(bytes(memory).startswith(b"weights.") for memory in mapped.values())
    assert resident(given) == resident(other) == 1024
    let_go_of_mapped(given.parent)
    assert (resident(given), resident(other)) == (0, 1024)
    assert bytes(mapped[given]) == given.read_bytes()
