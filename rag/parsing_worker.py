"""The child process that reads files: confined, and gone the moment its parent is; parsing.py starts and watches it.

It takes a request a line, {"path", "max_bytes", "ocr", "speech"}, and answers in lines: "started", then any number of
"progress" and "page", then "done", "failed", or "needs" where a recording is to be read and "speech" is null.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import logging
import os
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from rag.device import yield_cores
from rag.errors import DocumentError
from rag.loaders import load_documents
from rag.loaders_context import Speech, SpeechModelNeeded

logger = logging.getLogger(__name__)

_EVERY = 0.05  # seconds between two words of progress: enough to be seen, too little to cost
_NETWORK = frozenset(
    f"socket.{name}"
    for name in ("connect", "bind", "sendto", "sendmsg", "getaddrinfo", "gethostbyname", "gethostbyaddr", "getnameinfo")
)

# linux/seccomp.h and linux/filter.h: a program of four-field instructions that the kernel runs on each system call
_ARCHITECTURES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}  # its number in linux/audit.h, socket(2)'s
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EACCES
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2  # of prctl(2)

Send = Callable[[dict[str, Any]], None]


def main() -> None:
    """Answer requests until the parent closes the pipe. Arguments: the lifeline's descriptor, MiB of memory, a folder.

    The folder is for temporary files: its parent removes it, however this process ends.
    """
    lifeline, memory_mb = (int(argument) for argument in sys.argv[1:3])
    tempfile.tempdir = sys.argv[3]
    _die_with_parent(lifeline)
    yield_cores()  # to whoever answers a question: a scan may take minutes of every core
    _confine(memory_mb * 2**20)
    with os.fdopen(os.dup(0), "rb") as requests, os.fdopen(os.dup(1), "wb") as replies:
        _silence()
        for request in requests:
            if not _answer(json.loads(request), replies):
                break
    os._exit(0)  # threads of native libraries need not be waited for


def _answer(request: dict[str, Any], replies: BinaryIO) -> bool:
    """Read one file; whether this process is fit to read another."""

    def send(message: dict[str, Any]) -> None:
        replies.write(json.dumps(message, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        replies.flush()

    send({"started": True})
    try:
        path = Path(os.fsdecode(bytes.fromhex(request["path"])))
        for page in load_documents(
            path,
            max_bytes=request["max_bytes"],
            progress=_seldom(send),
            ocr=request["ocr"],
            speech=_speech(request["speech"]),
        ):
            send({"page": page.page_content, "metadata": page.metadata})
        send({"done": True})
    except SpeechModelNeeded:
        send({"needs": "speech"})
    except DocumentError as error:
        send({"failed": str(error), "outcome": error.outcome})
    except MemoryError:
        send({"memory": True})
        return False
    except Exception as error:  # noqa: BLE001 - told to the parent, which names the file and logs the traceback
        send(
            {"failed": f"its parser failed: {error!r:.200}", "outcome": "corrupt", "traceback": traceback.format_exc()}
        )
        return False
    return True


def _speech(answer: dict[str, Any] | None) -> Speech | None:
    if answer is None:
        return None
    return Path(answer["folder"]) if "folder" in answer else DocumentError(answer["refusal"], answer["outcome"])


def _seldom(send: Send) -> Callable[[int, int, str], None]:
    last = 0.0

    def progress(done: int, total: int, unit: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _EVERY:
            last = now
            send({"progress": [done, total, unit]})

    return progress


def _die_with_parent(lifeline: int) -> None:
    """The kernel ends this process when the other end of the pipe closes, be it amid a loop that holds the GIL.

    PR_SET_PDEATHSIG would do it when the thread that started this process ends, which in a server is any moment.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's


def _confine(memory: int) -> None:
    """No more memory than that, no core dumps, no network, no other programs."""
    # Data and not address space: what is only mapped (libraries, models) or reserved (thread arenas) costs nothing.
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _NETWORK:
            raise PermissionError(f"a parser may not use the network ({event})")

    sys.addaudithook(refuse)
    _refuse_sockets()


def _refuse_sockets() -> None:
    """Native code, which no audit hook sees, gets no socket either, where the kernel offers that (seccomp)."""
    number, socket = _ARCHITECTURES.get(os.uname().machine, (0, 0))
    program = (
        (_LOAD, 0, 0, 4),  # the architecture
        (_EQUAL, 0, 3, number),
        (_LOAD, 0, 0, 0),  # the system call
        (_EQUAL, 0, 1, socket),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in program))
    filtered = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if not number or prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or prctl(_SECCOMP, _FILTER, filtered, 0, 0):
        logger.info("no seccomp here; Python code alone is kept from the network")


def _silence() -> None:
    """What native libraries print must neither mix with the replies nor reach the terminal."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
