"""Texts to vectors: which engine computes them on this machine, tried once and remembered. Imports no engine itself."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import uuid
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock

from rag.config import Settings
from rag.device import has_cuda, machine_id
from rag.embeddings_batches import BatchedEmbeddings, Trial
from rag.errors import ModelError
from rag.models import STAMPS, Report
from rag.tokens import embedding_fingerprint, embedding_folder
from rag.types import Progress

logger = logging.getLogger(__name__)


def load_embeddings(settings: Settings, progress: Report) -> BatchedEmbeddings:
    """The embedding model that the settings name, ready; fetches its weights if they are missing.

    The engine is RAG_EMBEDDING_ENGINE's; auto takes torch on a CUDA GPU, else OpenVINO where a trial on this machine
    found it right and faster, else torch. Raises ModelError.
    """
    folder = embedding_folder(settings, progress)
    # Every engine has the same fingerprint: their vectors agree to a cosine above LEAST_COSINE, closer than torch's own
    # in bf16 and fp32 need be, so a library may change engines, or machines, without being indexed again.
    fingerprint = embedding_fingerprint(settings)
    progress(Progress(f"Loading {folder.name} (embeddings)", 0, 0, ""))
    if wants_trial(settings) and (engine := _load_openvino(settings, folder, fingerprint, progress)):
        return engine
    from rag.embeddings_torch import TorchEmbeddings, best_device  # late: torch takes seconds to load

    device, dtype = best_device()
    return TorchEmbeddings(folder, fingerprint, device, dtype)


def wants_trial(settings: Settings) -> bool:
    """Whether OpenVINO comes into question under these settings."""
    return settings.embedding_engine == "openvino" or (settings.embedding_engine == "auto" and not has_cuda())


def engine_in_words(settings: Settings) -> str:
    """Which engine embeds under these settings, and why, in one line; loads none. Raises SettingError."""
    if not wants_trial(settings):
        return "torch, as RAG_EMBEDDING_ENGINE says" if settings.embedding_engine == "torch" else "torch, on the GPU"
    trial = _remembered(settings, embedding_fingerprint(settings))
    if trial is None:
        return "not chosen yet: OpenVINO is tried once, when text is first embedded"
    if trial.refusal:
        return f"torch: {trial.refusal}"
    engine = "openvino" if _chosen(settings, trial) else "torch"
    return f"{engine}: OpenVINO ran {trial.speedup:.1f} times as fast as torch, least cosine {trial.cosine:.4f}"


def _load_openvino(settings: Settings, folder: Path, fingerprint: str, progress: Report) -> BatchedEmbeddings | None:
    """OpenVINO's engine, or None where torch is better. Raises ModelError where it was asked for and cannot be used."""
    converted = settings.cache / "openvino" / _converted_name(folder, fingerprint)
    try:
        known = _remembered(settings, fingerprint)
        trial = known or _try_once(settings, folder, converted, fingerprint, progress, known)
        if _chosen(settings, trial):
            from rag.embeddings_openvino import OpenvinoEmbeddings  # late: not every machine needs it

            try:
                return OpenvinoEmbeddings(folder, converted, fingerprint)
            except ModelError as error:
                logger.info("%s; it is made again", error)
            trial = _try_once(settings, folder, converted, fingerprint, progress, known)
            if _chosen(settings, trial):
                return OpenvinoEmbeddings(folder, converted, fingerprint)
        refusal = trial.refusal
    except OSError as error:  # a full or read-only disk: not remembered, for it says nothing of the engine
        refusal = f"{error.filename or converted.parent}: {error.strerror or error}"
    if refusal and settings.embedding_engine == "openvino":
        raise ModelError(f"RAG_EMBEDDING_ENGINE=openvino cannot be had: {refusal}; auto takes torch instead")
    if refusal:
        logger.warning("torch computes the embeddings, not OpenVINO: %s", refusal)
    return None


def _chosen(settings: Settings, trial: Trial) -> bool:
    return not trial.refusal and (settings.embedding_engine == "openvino" or trial.speedup > 1)


def _try_once(
    settings: Settings, folder: Path, converted: Path, fingerprint: str, progress: Report, known: Trial | None
) -> Trial:
    """Try OpenVINO and remember how it did, unless another process did just that."""
    converted.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(converted.parent / "embeddings.lock"):
        found = _remembered(settings, fingerprint)
        if found is not None and found != known:
            return found
        from rag.embeddings_trial import try_openvino  # late: it loads both engines

        progress(Progress(f"Preparing {folder.name} for this machine (once)", 0, 0, ""))
        trial = try_openvino(folder, converted, fingerprint)
        path = _trials_file(settings)
        trials = _read_trials(path)
        trials[_trial_name(fingerprint)] = asdict(trial)
        draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        draft.write_text(json.dumps(trials, indent=1), encoding="utf-8")
        draft.replace(path)
        return trial


def _remembered(settings: Settings, fingerprint: str) -> Trial | None:
    told = _read_trials(_trials_file(settings)).get(_trial_name(fingerprint))
    try:
        return Trial(**told)
    except TypeError:  # none, or of an earlier version
        return None


def _trials_file(settings: Settings) -> Path:
    return settings.cache / "openvino" / "embedding_trials.json"


def _read_trials(path: Path) -> dict[str, Any]:
    try:
        trials = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return trials if isinstance(trials, dict) else {}


def _trial_name(fingerprint: str) -> str:
    """What a trial holds for: the weights, the machine and the engines' versions."""
    return f"{fingerprint} on {machine_id()}, openvino {version('openvino')}, torch {version('torch')}"


def _converted_name(folder: Path, fingerprint: str) -> str:
    """The folder of a conversion: of these weights and the files that say how to use them, by this OpenVINO."""
    digest = hashlib.sha256(f"{fingerprint} {version('openvino')}".encode())
    for path in sorted(folder.rglob("*.json")):
        if path.name != STAMPS:
            digest.update(path.read_bytes())
    return f"{re.sub(r'[^A-Za-z0-9._-]', '_', folder.name)}-{digest.hexdigest()[:16]}"
