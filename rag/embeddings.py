"""Texts to vectors: which engine computes them, by a rule and a check that is made once. Imports no engine itself."""

from __future__ import annotations

import hashlib
import logging
import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from rag.config import Settings
from rag.device import cpu_kind, has_cuda, is_x86
from rag.embeddings_batches import BatchedEmbeddings
from rag.errors import ModelError
from rag.models import MODELS, STAMPS, Report
from rag.tokens import embedding_fingerprint, embedding_folder
from rag.types import Progress

if TYPE_CHECKING:
    from rag.embeddings_openvino import Conversion

logger = logging.getLogger(__name__)


def load_embeddings(settings: Settings, progress: Report) -> BatchedEmbeddings:
    """The embedding model that the settings name, ready; fetches its weights if they are missing.

    The engine is RAG_EMBEDDING_ENGINE's; auto takes torch on a CUDA GPU, else OpenVINO on an x86-64 CPU where its
    vectors were found right, else torch. No speed is measured: on a busy machine a trial says one thing today and
    another tomorrow, while OpenVINO led on such CPUs in bf16 and in fp32, and starts without torch. Raises ModelError.
    """
    folder = embedding_folder(settings, progress)
    # Every engine has the same fingerprint: their vectors agree closer than torch's own in bf16 and fp32 need to, so a
    # library may change engines, or machines, without being indexed again.
    fingerprint = embedding_fingerprint(settings)
    progress(Progress(f"Loading {folder.name} (embeddings)", 0, 0, ""))
    if not _why_torch(settings):
        try:
            return _load_openvino(folder, converted_folder(settings), fingerprint, progress)
        except ModelError as error:
            if settings.embedding_engine == "openvino":
                raise ModelError(f"RAG_EMBEDDING_ENGINE=openvino cannot be had: {error}; auto takes torch") from error
            logger.warning("torch computes the embeddings, not OpenVINO: %s", error)
    from rag.embeddings_torch import TorchEmbeddings, best_device  # late: torch takes seconds to load

    device, dtype = best_device()
    return TorchEmbeddings(folder, fingerprint, device, dtype)


def engine_in_words(settings: Settings) -> str:
    """Which engine embeds under these settings, and why, in one line; converts and fetches nothing."""
    if why := _why_torch(settings):
        return f"torch: {why}"
    from rag.embeddings_openvino import read_conversion  # late, as below

    converted = converted_folder(settings)
    conversion = read_conversion(converted)
    if conversion is None:
        return "OpenVINO, if its vectors agree with torch's: that is checked once, when text is first embedded"
    if conversion.refusal:
        return f"torch: {conversion.refusal} (delete {converted} to have it tried again)"
    return f"OpenVINO in {conversion.precision}: cosine to torch's vectors {conversion.cosine:.4f} at least"


def _why_torch(settings: Settings) -> str:
    """Why OpenVINO does not come into question; empty where it does."""
    if settings.embedding_engine == "openvino":
        return ""
    if settings.embedding_engine == "torch":
        return "RAG_EMBEDDING_ENGINE says so"
    if has_cuda():
        return "there is a GPU"
    return "" if is_x86() else "this CPU is no x86-64"


def _load_openvino(folder: Path, converted: Path, fingerprint: str, progress: Report) -> BatchedEmbeddings:
    """OpenVINO's engine. Raises ModelError where it cannot be used; only a fault of the model itself is remembered."""
    from rag.embeddings_openvino import OpenvinoEmbeddings, read_conversion  # late: not every machine needs it

    known = read_conversion(converted)
    if known and not known.refusal:
        try:
            return OpenvinoEmbeddings(folder, converted, known, fingerprint)
        except ModelError as error:
            logger.info("%s; it is made again", error)
    made = known if known and known.refusal else _convert_once(folder, converted, known, progress)
    if made.refusal:
        raise ModelError(made.refusal)
    return OpenvinoEmbeddings(folder, converted, made, fingerprint)


def _convert_once(folder: Path, converted: Path, damaged: Conversion | None, progress: Report) -> Conversion:
    """Convert the model and check it, unless another process did just that. Raises ModelError."""
    from rag.embeddings_openvino import read_conversion

    what = f"Preparing {folder.name} for this machine (once)"
    try:
        converted.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(converted.with_name(f"{converted.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress(Progress(f"{what}: waiting for another process that does it", 0, 0, ""))
            lock.acquire()
        try:
            if (made := read_conversion(converted)) and made != damaged:
                return made
            from rag.embeddings_convert import convert  # late: it loads both engines

            return convert(folder, converted, lambda done, total: progress(Progress(what, done, total, "steps")))
        finally:
            lock.release()
    except OSError as error:  # a full or read-only disk: not remembered, for it says nothing of the model
        raise ModelError(f"{error.filename or converted.parent}: {error.strerror or error}") from error


def converted_folder(settings: Settings) -> Path:
    """The folder of the conversion and of its check: named by all that they hold for.

    That is the weights and the files that say how to use them, the engines' versions and the CPU's instructions.
    """
    fingerprint, name = embedding_fingerprint(settings), settings.embedding_model
    told = f"{fingerprint} openvino {version('openvino')} torch {version('torch')} {cpu_kind()}"
    digest = hashlib.sha256(told.encode())
    folder = settings.cache / name if name in MODELS else Path(name).expanduser()
    for path in sorted(folder.rglob("*.json")):
        if path.name != STAMPS:
            digest.update(path.read_bytes())
    model = re.sub(r"[^A-Za-z0-9._-]", "_", fingerprint.partition("@")[0])
    return settings.cache / "openvino" / f"{model}-{digest.hexdigest()[:16]}"
