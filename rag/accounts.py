"""Who may sign in: a file of names and hashed passwords, a line each, `name:scrypt$n$r$p$salt$digest`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from rag.errors import SettingError

SHORTEST = 8  # characters of a password
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_COST = (2**15, 8, 3)  # n, r, p: what OWASP asks of scrypt; 32 MiB and about a third of a second
_MOST = 2**28  # bytes that one check may take
_HOW = "make one with `python -m rag account NAME`"


@dataclass(frozen=True, slots=True)
class Hash:
    """What is kept of a password."""

    cost: tuple[int, int, int]
    salt: bytes
    digest: bytes

    def holds(self, password: str) -> bool:
        """Whether this is the password."""
        return hmac.compare_digest(_scrypt(password, self.salt, self.cost), self.digest)


class Accounts:
    """The accounts of a file. Passwords are checked one at a time, so that guessing takes no more than one core."""

    def __init__(self, hashes: dict[str, Hash]) -> None:
        self._hashes = hashes
        self._nobody = Hash(_COST, secrets.token_bytes(16), secrets.token_bytes(32))
        self._turn = threading.Lock()

    def check(self, name: str, password: str) -> bool:
        """Whether the name has this password. A name that nobody has takes as long as one that somebody has."""
        with self._turn:
            holds = self._hashes.get(name, self._nobody).holds(password)
        return holds and name in self._hashes


def load_accounts(path: Path) -> Accounts:
    """Read the file; blank lines and those that begin with # count for nothing. Raises SettingError."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"RAG_USERS={path} cannot be read: {error}") from error
    hashes: dict[str, Hash] = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            name, _, told = line.strip().partition(":")
            kept = _read(told)
            if kept is None or not _NAME.fullmatch(name):
                raise SettingError(f"RAG_USERS={path}, line {number}: this is no account; {_HOW}")
            if name in hashes:
                raise SettingError(f"RAG_USERS={path}, line {number}: {name} stands there twice; remove one of the two")
            hashes[name] = kept
    if not hashes:
        raise SettingError(f"RAG_USERS={path} holds no account, so nobody could sign in; {_HOW}")
    return Accounts(hashes)


def account_line(name: str, password: str) -> str:
    """The line of an account. Raises SettingError for a name or a password that cannot be used."""
    if not _NAME.fullmatch(name):
        raise SettingError(f"{name!r} cannot be an account's name: 1 to 64 letters, digits and . _ @ - are")
    if len(password) < SHORTEST:
        raise SettingError(f"a password has at least {SHORTEST} characters")
    salt = secrets.token_bytes(16)
    kept = (_encoded(part) for part in (salt, _scrypt(password, salt, _COST)))
    return f"{name}:{'$'.join(('scrypt', *map(str, _COST), *kept))}"


def _read(told: str) -> Hash | None:
    try:
        kind, n, r, p, salt, digest = told.split("$")
        cost = int(n), int(r), int(p)
        kept = Hash(cost, *(base64.b64decode(part, validate=True) for part in (salt, digest)))
    except (ValueError, binascii.Error):
        return None
    usable = kind == "scrypt" and len(kept.digest) == 32 and cost[0] > 1 and cost[0] & (cost[0] - 1) == 0
    return kept if usable and min(cost) > 0 and 256 * cost[0] * cost[1] <= _MOST else None


def _scrypt(password: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    n, r, p = cost
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MOST, dklen=32)


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
