"""What the machine can compute on, found without loading torch where that is possible."""

from __future__ import annotations

import ctypes
import logging
import mmap
import os
import platform
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

log = logging.getLogger(__name__)
NICE = 10  # a tenth of what a program at 0 gets of a core that both want
_VECTOR_FLAGS = ("amx", "asimd", "avx", "bf16", "f16c", "fma", "sse", "sve")


def has_cuda() -> bool:
    """Whether torch can compute on a GPU. torch takes seconds to load: only where there is a driver is it asked."""
    if not Path("/dev/kfd").exists():  # a ROCm build of torch, which calls its GPUs cuda as well
        try:
            ctypes.CDLL("libcuda.so.1")
        except OSError:
            return False
    return find_spec("torch") is not None and bool(import_module("torch").cuda.is_available())


def is_x86() -> bool:
    """Whether the processor is a 64-bit x86."""
    return platform.machine().lower() in ("x86_64", "amd64")


def cpu_kind() -> str:
    """The architecture and its vector instructions, in words: the same wherever a program would round alike."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    flags = {
        flag
        for line in lines
        if line.startswith(("flags", "Features"))
        for flag in line.partition(":")[2].split()
        if flag.startswith(_VECTOR_FLAGS)
    }
    return " ".join([platform.machine(), *sorted(flags)])


def let_go_of_mapped(folder: Path) -> None:
    """Take a folder's files, where mapped to be read, out of this process's memory; what is read again comes back.

    On Linux; elsewhere, and where Linux will not, the system drops them only when memory is short.
    """
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return
    libc = ctypes.CDLL(None, use_errno=True)
    for line in maps.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        extent, rights, *_, file = line.split(maxsplit=5)
        if rights.startswith("r--") and Path(file).parent == folder.resolve():
            start, end = (int(address, 16) for address in extent.split("-"))
            if libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_DONTNEED):
                log.warning("%s stays in memory: %s", file, os.strerror(ctypes.get_errno()))


def yield_cores() -> None:
    """Let every program of ordinary priority have the cores before this process, and what it starts from now on."""
    os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), NICE))
