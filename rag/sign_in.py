"""Who is signed in: the layer in front of all that Gradio serves, pages, API and MCP server alike.

Gradio keeps accounts from its pages and its API, but not from its MCP server. So this layer asks by itself, refuses
whoever has not signed in where RAG_USERS is set, and tells what is behind it who it is, in two headers that nobody else
can send. A browser sends its cookies along with whatever another site's page asks of this one, and Gradio lets that
page read the answer: so what such a page asks is nobody's.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from rag.accounts import Accounts
from rag.types import ACCOUNT_HEADER, NAME_HEADER

Scope = MutableMapping[str, Any]
Serve = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]

# What the page needs to show its form to somebody who has not signed in, and Gradio to start: all of it anybody's
_OPEN = re.compile(
    r"/(?:login/?|logout/?|(?:assets|static|svelte)/.*|theme\.css|favicon\.ico|manifest\.json"
    r"|gradio_api/startup-events)?"
)
_OURS = (ACCOUNT_HEADER.encode(), NAME_HEADER.encode())
_SECRETS = (b"cookie", b"authorization")  # which a browser sends by itself
_REMEMBERED = 1000  # passwords that were right are not computed again


class SignIn:
    """ASGI middleware. Somebody is signed in by Gradio's form, by HTTP's Basic scheme, or by Hugging Face's OAuth.

    `accounts` are those of RAG_USERS, `oauth` whether Hugging Face may sign people in.
    """

    def __init__(self, app: Serve, accounts: Accounts | None = None, oauth: bool = False) -> None:
        self._app, self._accounts, self._oauth = app, accounts, oauth
        self._key = secrets.token_bytes(32)
        self._right: dict[bytes, str] = {}  # a digest of name and password -> the token of a session of Gradio's

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope = {**scope, "headers": [each for each in scope["headers"] if each[0] not in _OURS]}
        foreign = _is_foreign(scope)
        if foreign:
            scope["headers"] = [each for each in scope["headers"] if each[0] not in _SECRETS]
        known = None if foreign else await self._signed_in(scope)
        is_open = _OPEN.fullmatch(scope["path"]) and not (foreign and scope.get("method") == "POST")
        if known is None and self._accounts is not None and not is_open:
            await _refuse(scope, send)
            return
        if known is not None:
            told = zip(_OURS, (part.encode("latin-1", "replace") for part in known), strict=True)
            scope["headers"] = [*scope["headers"], *told]
        await self._app(scope, receive, send)

    async def _signed_in(self, scope: Scope) -> tuple[str, str] | None:
        """The key of the account and its name; None for nobody."""
        if self._accounts is not None:
            name = _by_form(scope) or await self._by_basic(scope)
            return (f"user:{name}", name) if name else None
        return _by_oauth(scope) if self._oauth else None

    async def _by_basic(self, scope: Scope) -> str | None:
        """A program sends name and password each time; Gradio behind this layer sees it as one that has signed in."""
        told = _header(scope, b"authorization")
        if self._accounts is None or not told.lower().startswith("basic "):
            return None
        try:
            name, _, password = base64.b64decode(told[6:], validate=True).decode().partition(":")
        except (ValueError, binascii.Error):
            return None
        digest = hashlib.blake2b(f"{name}:{password}".encode(), key=self._key).digest()
        if digest not in self._right:
            if not await asyncio.to_thread(self._accounts.check, name, password):
                return None
            if len(self._right) >= _REMEMBERED:
                self._right.clear()
            self._right[digest] = secrets.token_urlsafe(32)
        gradio, token = scope["app"], self._right[digest]
        gradio.tokens[token] = name
        kept = [each for each in scope["headers"] if each[0] != b"cookie"]
        scope["headers"] = [*kept, (b"cookie", f"{_cookie_names(scope)[1]}={token}".encode("latin-1"))]
        return name


def _by_form(scope: Scope) -> str | None:
    """Whoever has a session of Gradio's form."""
    cookies, tokens = HTTPConnection(scope).cookies, scope["app"].tokens
    found = (tokens.get(cookies.get(name)) for name in _cookie_names(scope))
    return next((name for name in found if name), None)


def _by_oauth(scope: Scope) -> tuple[str, str] | None:
    """Whoever Hugging Face has told us of. The key is the account's number: a name may go to another one day."""
    told = scope.get("session", {}).get("oauth_info") or {}
    user, until = told.get("userinfo", {}), told.get("expires_at")
    if "sub" not in user or (until is not None and until < time.time()):
        return None
    return f"huggingface:{user['sub']}", str(user.get("preferred_username") or user["sub"])


def _is_foreign(scope: Scope) -> bool:
    """Whether a page of another site asks this. To follow its link to this page is not that: it reads nothing of it."""
    site, origin = _header(scope, b"sec-fetch-site"), _header(scope, b"origin")
    if site:
        follows = _header(scope, b"sec-fetch-mode") == "navigate" and scope.get("method") == "GET"
        return site not in ("same-origin", "none") and not follows
    return bool(origin) and urlsplit(origin).netloc != _header(scope, b"host")  # an old browser, or no HTTPS


def _cookie_names(scope: Scope) -> tuple[str, str]:
    """What Gradio calls the cookies of a session, over HTTPS and over HTTP."""
    number = scope["app"].cookie_id
    return f"access-token-{number}", f"access-token-unsecure-{number}"


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def _refuse(scope: Scope, send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    body = b'{"detail": "Sign in first: on the page, or by HTTP Basic authentication with a name and a password."}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if scope["path"].startswith("/gradio_api/mcp"):  # elsewhere a browser would ask by a window of its own
        headers.append((b"www-authenticate", b'Basic realm="Footnote"'))
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": body})
