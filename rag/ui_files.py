"""Originals, each at an address of its own that cannot be guessed: to download for a minute, or to be played."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from rag.errors import RagError
from rag.ui_texts import ENGLISH

_SECONDS = 60.0
_PLAYING_S = 12 * 3600.0  # it may be heard for long, and paused
_MOST = 10_000  # addresses at a time: each passage of a recording that is opened has one of its own
_HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


class _Ticket(NamedTuple):
    """What an address hands out until when. `media_type`: of what is played; None: it is saved, and never shown."""

    find: Callable[[], Path]
    until: float
    media_type: str | None


class Files:
    """The files that are being handed out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tickets: dict[str, _Ticket] = {}

    def offer(self, path: Path) -> str:
        """Hand out a file to save; returns its address, relative to the page's."""
        return self._issue(lambda: path, _SECONDS, None)

    def play(self, find: Callable[[], Path], media_type: str) -> str:
        """Hand out a recording to play; returns its address, relative to the page's.

        At each request `find` gives the file, or raises a RagError where whoever plays it may no longer have it.
        """
        return self._issue(find, _PLAYING_S, media_type)

    def _issue(self, find: Callable[[], Path], seconds: float, media_type: str | None) -> str:
        ticket, now = secrets.token_urlsafe(32), time.monotonic()
        with self._lock:
            left = [(name, kept) for name, kept in self._tickets.items() if kept.until > now]
            self._tickets = dict(left[-_MOST + 1 :])
            self._tickets[ticket] = _Ticket(find, now + seconds, media_type)
        return f"original/{ticket}"

    @property
    def route(self) -> Route:
        """What answers at these addresses; a part of a file too (HTTP Range), so that a player can seek."""
        return Route("/original/{ticket}", self._answer)

    def _answer(self, request: Request) -> Response:
        with self._lock:
            ticket = self._tickets.get(request.path_params["ticket"])
        path = _found(ticket) if ticket else None
        if ticket is None or path is None:
            return PlainTextResponse(ENGLISH.DOWNLOAD_OVER, 404)
        if ticket.media_type:
            return FileResponse(path, media_type=ticket.media_type, headers=_HEADERS)
        # Never shown in the page's own origin: a document may be a page with scripts
        return FileResponse(path, media_type="application/octet-stream", filename=path.name)


def _found(ticket: _Ticket) -> Path | None:
    if ticket.until < time.monotonic():
        return None
    try:
        path = ticket.find()
    except RagError:
        return None
    return path if path.is_file() else None
