"""Originals to download: each at an address of its own that cannot be guessed and is gone after a minute."""

from __future__ import annotations

import secrets
import threading
import time
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from rag.ui_texts import ENGLISH

_SECONDS = 60.0


class Files:
    """The files that are being handed out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tickets: dict[str, tuple[Path, float]] = {}

    def offer(self, path: Path) -> str:
        """Hand out a file; returns its address, relative to the page's."""
        ticket, now = secrets.token_urlsafe(32), time.monotonic()
        with self._lock:
            self._tickets = {name: kept for name, kept in self._tickets.items() if kept[1] > now}
            self._tickets[ticket] = (path, now + _SECONDS)
        return f"original/{ticket}"

    @property
    def route(self) -> Route:
        """What answers at these addresses."""
        return Route("/original/{ticket}", self._answer)

    def _answer(self, request: Request) -> Response:
        with self._lock:
            path, until = self._tickets.get(request.path_params["ticket"], (None, 0.0))
        if path is None or until < time.monotonic() or not path.is_file():
            return PlainTextResponse(ENGLISH.DOWNLOAD_OVER, 404)
        # Never shown in the page's own origin: a document may be a page with scripts
        return FileResponse(path, media_type="application/octet-stream", filename=path.name)
