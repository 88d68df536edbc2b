"""What the machine can compute on, found without loading torch where that is possible."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path


def has_cuda() -> bool:
    """Whether torch can compute on a GPU. torch takes seconds to load: only where there is a driver is it asked."""
    if not Path("/dev/kfd").exists():  # a ROCm build of torch, which calls its GPUs cuda as well
        try:
            ctypes.CDLL("libcuda.so.1")
        except OSError:
            return False
    return find_spec("torch") is not None and bool(import_module("torch").cuda.is_available())


def machine_id() -> str:
    """The processor and how many cores of it, in a few characters: what a measured speed is true for."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = [platform.processor()]
    told = sorted({line for line in lines if line.startswith(("model name", "flags", "CPU part", "Features"))} or lines)
    digest = hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]
    return f"{platform.machine()}-{os.cpu_count()}-{digest}"
