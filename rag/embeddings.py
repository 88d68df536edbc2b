"""Texts to vectors: which engine computes them, by a rule and a check that is made once. Imports no engine itself."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from rag.config import Settings
from rag.device import cpu_kind, has_cuda, is_x86
from rag.embeddings_batches import BatchedEmbeddings
from rag.embeddings_pair import PairedEmbeddings
from rag.errors import ModelError
from rag.models import MODELS, STAMPS, Report
from rag.tokens import embedding_fingerprint, embedding_folder
from rag.types import Progress

if TYPE_CHECKING:
    from rag.embeddings_openvino import Conversion

logger = logging.getLogger(__name__)

Step = Callable[[int, int], None]  # how many steps are done, of how many

WORTH = 5000  # chunks of one process: to make the int8 form takes about the time that it saves on so many


def load_embeddings(settings: Settings, progress: Report) -> BatchedEmbeddings | PairedEmbeddings:
    """The embedding model that the settings name, ready; fetches its weights if they are missing.

    The engine is RAG_EMBEDDING_ENGINE's; auto takes torch on a CUDA GPU, else OpenVINO on an x86-64 CPU where its
    vectors were found right, else torch. No speed is measured for that: on a busy machine a trial says one thing today
    and another tomorrow, while OpenVINO led on such CPUs in bf16 and in fp32, and starts without torch. Where OpenVINO
    is taken, auto makes an int8 form of it for documents once enough of them come. Raises ModelError.
    """
    folder = embedding_folder(settings, progress)
    # Every engine has the same fingerprint: torch's vectors and OpenVINO's agree closer than torch's own in bf16 and
    # fp32 need to, and int8's find the same beside others (embeddings_int8.py holds them to it). So a library may
    # change engines, or machines, without being indexed again.
    fingerprint = embedding_fingerprint(settings)
    progress(Progress(f"Loading {folder.name} (embeddings)", 0, 0, ""))
    if not _why_torch(settings):
        try:
            return _load_either(settings, folder, fingerprint, progress)
        except ModelError as error:
            if settings.embedding_engine != "auto":
                engine = settings.embedding_engine
                raise ModelError(f"RAG_EMBEDDING_ENGINE={engine} cannot be had: {error}; auto takes torch") from error
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
    told = f"OpenVINO in {conversion.precision}: cosine to torch's vectors {conversion.cosine:.4f} at least"
    if settings.embedding_engine == "openvino":
        return told
    quick = read_conversion(int8_folder(settings))
    if quick is None:
        return f"{told}; documents in int8, once {WORTH:,} chunks have come at a time and if it passes its check"
    if quick.refusal:
        return f"{told}; documents too, for {quick.refusal} (delete {int8_folder(settings)} to have it tried again)"
    return f"{told}; documents in int8, {quick.speed_up:.1f} times as fast: cosine to these {quick.cosine:.3f} at least"


def _why_torch(settings: Settings) -> str:
    """Why OpenVINO does not come into question; empty where it does."""
    if settings.embedding_engine.startswith("openvino"):
        return ""
    if settings.embedding_engine == "torch":
        return "RAG_EMBEDDING_ENGINE says so"
    if has_cuda():
        return "there is a GPU"
    return "" if is_x86() else "this CPU is no x86-64"


def _load_either(
    settings: Settings, folder: Path, fingerprint: str, progress: Report
) -> BatchedEmbeddings | PairedEmbeddings:
    """OpenVINO's engine, or two of them, of which each is loaded when it is needed. Raises ModelError."""
    from rag.embeddings_openvino import read_conversion  # late: not every machine needs it

    converted, quantized = converted_folder(settings), int8_folder(settings)
    wanted = settings.embedding_engine == "openvino-int8"

    def load_exact() -> BatchedEmbeddings:
        return _load_openvino(folder, converted, fingerprint, progress)

    def load_quick() -> BatchedEmbeddings | None:
        try:
            return _load_int8(folder, converted, quantized, fingerprint, progress)
        except ModelError as error:
            if wanted:
                raise ModelError(f"RAG_EMBEDDING_ENGINE=openvino-int8 cannot be had: {error}") from error
            logger.warning("documents are not embedded in int8: %s", error)
            return None

    if settings.embedding_engine == "openvino":
        return load_exact()
    known, quick = read_conversion(converted), read_conversion(quantized)
    if known and not known.refusal and quick and not quick.refusal:
        return PairedEmbeddings(fingerprint, load_exact, load_quick, after=0)
    exact = load_exact()  # now: where it cannot be had, torch is taken
    if quick and quick.refusal and not wanted:
        return exact
    return PairedEmbeddings(fingerprint, lambda: exact, load_quick, after=0 if wanted else WORTH)


def _load_openvino(folder: Path, converted: Path, fingerprint: str, progress: Report) -> BatchedEmbeddings:
    """OpenVINO's engine. Raises ModelError where it cannot be used; only a fault of the model itself is remembered."""

    def make(step: Step) -> Conversion:
        from rag.embeddings_convert import convert  # late: it loads both engines

        return convert(folder, converted, step)

    return _load_made(
        folder, converted, fingerprint, f"Preparing {folder.name} for this machine (once)", make, progress
    )


def _load_int8(folder: Path, converted: Path, quantized: Path, fingerprint: str, progress: Report) -> BatchedEmbeddings:
    """The engine in int8, made of the conversion, which is there. Raises ModelError like the other."""

    def make(step: Step) -> Conversion:
        from rag.embeddings_int8 import quantize  # late, as above
        from rag.embeddings_openvino import read_conversion

        conversion = read_conversion(converted)
        if conversion is None:
            raise ModelError(f"{converted} is no longer whole")
        return quantize(folder, converted, conversion, quantized, step)

    what = f"Making a quicker {folder.name} for documents (once, a minute or two)"
    return _load_made(folder, quantized, fingerprint, what, make, progress)


def _load_made(
    folder: Path, made_in: Path, fingerprint: str, what: str, make: Callable[[Step], Conversion], progress: Report
) -> BatchedEmbeddings:
    """An engine of a model that is made once, and again where it is damaged. Raises ModelError."""
    from rag.embeddings_openvino import OpenvinoEmbeddings, read_conversion  # late: not every machine needs it

    known = read_conversion(made_in)
    if known and not known.refusal:
        try:
            return OpenvinoEmbeddings(folder, made_in, known, fingerprint)
        except ModelError as error:
            logger.info("%s; it is made again", error)
    made = known if known and known.refusal else _make_once(made_in, known, what, make, progress)
    if made.refusal:
        raise ModelError(made.refusal)
    return OpenvinoEmbeddings(folder, made_in, made, fingerprint)


def _make_once(
    made_in: Path, damaged: Conversion | None, what: str, make: Callable[[Step], Conversion], progress: Report
) -> Conversion:
    """Make a model and check it, unless another process did just that. Raises ModelError."""
    from rag.embeddings_openvino import read_conversion

    try:
        made_in.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(made_in.with_name(f"{made_in.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress(Progress(f"{what}: waiting for another process that does it", 0, 0, ""))
            lock.acquire()
        try:
            if (made := read_conversion(made_in)) and made != damaged:
                return made
            return make(lambda done, total: progress(Progress(what, done, total, "steps")))
        finally:
            lock.release()
    except OSError as error:  # a full or read-only disk: not remembered, for it says nothing of the model
        raise ModelError(f"{error.filename or made_in.parent}: {error.strerror or error}") from error


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


def int8_folder(settings: Settings) -> Path:
    """The folder of the int8 form of the conversion, and of its check."""
    converted = converted_folder(settings)
    try:
        maker = version("nncf")
    except PackageNotFoundError:  # all but making it goes on without
        maker = "none"
    return converted.with_name(f"{converted.name}-int8-{maker}")
