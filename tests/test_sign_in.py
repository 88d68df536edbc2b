"""Accounts in front of everything: what is refused to whoever has not signed in, and who is who where somebody has."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from app_process import AppProcess
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError, AuthenticationError
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from public_app import serve_visitors

from rag.accounts import Accounts, account_line, load_accounts
from rag.sign_in import SignIn
from rag.types import ACCOUNT_HEADER, NAME_HEADER

PASSWORDS = {"ann": "nine spoons", "ben": "grey herons"}
JELLY = "The quince jelly of Annabel needs exactly nine spoons of sugar.\n"
ASKED = "How many spoons of sugar does the quince jelly need?"


def users(folder: Path) -> Path:
    path = folder / "users"
    path.write_text("".join(f"{account_line(name, password)}\n" for name, password in PASSWORDS.items()))
    return path


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


# ---- the layer itself


class Behind:
    """What stands behind the layer: it keeps what it was told of each request."""

    def __init__(self, accounts: Accounts | None, oauth: bool = False) -> None:
        self.seen: list[dict[str, str]] = []
        self.gradio = SimpleNamespace(tokens={"t0k3n": "ann"}, cookie_id="x")
        self.layer = SignIn(self.serve, accounts, oauth)

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append({key.decode(): value.decode("latin-1") for key, value in scope["headers"]})

    def get(self, path: str, headers: Mapping[str, str] | None = None, **scope: Any) -> int:
        """The status that the layer itself sends, or 0 where it lets the request through."""
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        raw = [(key.lower().encode(), value.encode("latin-1")) for key, value in (headers or {}).items()]
        request = {"type": "http", "path": path, "headers": raw, "app": self.gradio, **scope}
        asyncio.run(self.layer(request, None, send))
        return sent[0]["status"] if sent else 0

    def who(self) -> tuple[str | None, str | None]:
        return self.seen[-1].get(ACCOUNT_HEADER), self.seen[-1].get(NAME_HEADER)


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Accounts:
    return load_accounts(users(tmp_path_factory.mktemp("users")))


FORGED = {ACCOUNT_HEADER: "user:ann", NAME_HEADER: "ann", "X-Footnote-Account": "user:ann"}


def test_nobody_else_can_say_who_he_is(accounts: Accounts) -> None:
    for behind in (Behind(None), Behind(None, oauth=True), Behind(accounts)):
        assert behind.get("/", FORGED) == 0
        assert behind.who() == (None, None)
    assert Behind(accounts).get("/gradio_api/info", FORGED) == 401


def test_only_what_the_form_needs_is_there_for_whoever_has_not_signed_in(accounts: Accounts) -> None:
    behind = Behind(accounts)
    assert {behind.get(path) for path in ("/", "/login", "/assets/index.js", "/theme.css", "/logout")} == {0}
    closed = ["/config", "/gradio_api/mcp", "/gradio_api/mcp/", "/gradio_api/mcp/sse", "/gradio_api/mcp/schema"]
    closed += ["/gradio_api/upload", "/gradio_api/call/ask", "/gradio_api/queue/join", "/original/x", "//", "/x/../"]
    assert {path: behind.get(path) for path in closed} == dict.fromkeys(closed, 401)
    assert Behind(None).get("/gradio_api/mcp") == 0


def test_a_session_of_the_form_and_basic_say_who_it_is(accounts: Accounts) -> None:
    behind = Behind(accounts)
    assert behind.get("/config", {"Cookie": "a[]=b; access-token-unsecure-x=t0k3n"}) == 0
    assert behind.who() == ("user:ann", "ann")
    assert behind.get("/config", {"Cookie": "access-token-x=other"}) == 401
    assert behind.get("/config", basic("ben", "nine spoons")) == 401
    assert behind.get("/config", {"Authorization": "Basic §"}) == 401
    assert behind.get("/config", {"Cookie": "access-token-x=other", **basic("ben", "grey herons")}) == 0
    assert behind.who() == ("user:ben", "ben")
    name, _, token = behind.seen[-1]["cookie"].partition("=")
    assert (name, behind.gradio.tokens[token]) == ("access-token-unsecure-x", "ben")
    behind.gradio.tokens.clear()  # he signed out elsewhere
    began = time.monotonic()
    assert behind.get("/config", basic("ben", "grey herons")) == 0
    assert time.monotonic() - began < 0.1  # a password that was right is not computed again


HERE = {"Host": "docs.example", "Cookie": "access-token-x=t0k3n"}
ELSEWHERE = ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"})
ELSEWHERE += ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Origin": "https://docs.example"},)


@pytest.mark.parametrize("asks", ELSEWHERE)
def test_what_another_site_s_page_asks_is_nobody_s(accounts: Accounts, asks: dict[str, str]) -> None:
    """Its visitor's browser sends the cookie along, and Gradio would let that page read the answer."""
    behind = Behind(accounts)
    for path in ("/config", "/gradio_api/call/documents", "/gradio_api/mcp/", "/original/x"):
        assert behind.get(path, {**HERE, **asks}, method="POST") == 401, path
        assert behind.get(path, {**basic("ann", PASSWORDS["ann"]), "Host": "docs.example", **asks}) == 401, path
    assert behind.get("/", {**HERE, **asks}) == 0
    assert behind.who() == (None, None)
    assert "cookie" not in behind.seen[-1]
    # Nor does it sign somebody in as somebody else
    assert behind.get("/login", {"Host": "docs.example", **asks}, method="POST") == 401
    space = Behind(None, oauth=True)
    assert space.get("/config", {**HERE, **asks}, session={"oauth_info": {"userinfo": {"sub": "1"}}}) == 0
    assert space.who() == (None, None)


@pytest.mark.parametrize(
    "asks",
    [
        {"Origin": "http://docs.example"},
        {"Origin": "https://docs.example", "Host": "behind.proxy:7860", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},  # a link to this page was followed
    ],
)
def test_what_the_page_itself_asks_is_its_visitor_s(accounts: Accounts, asks: dict[str, str]) -> None:
    behind = Behind(accounts)
    assert behind.get("/", {**HERE, **asks}, method="GET") == 0
    assert behind.who() == ("user:ann", "ann")


def test_hugging_face_says_who_it_is_until_that_is_over() -> None:
    behind = Behind(None, oauth=True)
    user = {"sub": "123", "preferred_username": "annie"}
    session = {"oauth_info": {"userinfo": user, "expires_at": time.time() + 60}}
    assert behind.get("/", session=session) == 0
    assert behind.who() == ("huggingface:123", "annie")
    for other in ({}, {"oauth_info": {**session["oauth_info"], "expires_at": time.time() - 1}}):
        assert behind.get("/config", session=other) == 0
        assert behind.who() == (None, None)
    assert Behind(None).get("/", session=session) == 0


# ---- the app behind it


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    folder = tmp_path_factory.mktemp("accounts")
    with serve_visitors(folder, files=3, RAG_USERS=str(users(folder))) as process:
        yield process


@pytest.fixture(scope="module")
def ann(served: AppProcess) -> Client:
    return Client(served.address, auth=("ann", PASSWORDS["ann"]), verbose=False, analytics_enabled=False)


@pytest.fixture(scope="module")
def ben(served: AppProcess) -> Client:
    return Client(served.address, auth=("ben", PASSWORDS["ben"]), verbose=False, analytics_enabled=False)


def names(documents: list[dict[str, Any]]) -> list[str]:
    return [each["source"] for each in documents]


def test_without_an_account_the_api_and_the_mcp_server_refuse(served: AppProcess) -> None:
    with pytest.raises((AuthenticationError, ValueError)):
        Client(served.address, verbose=False, analytics_enabled=False)
    with pytest.raises(ValueError, match="Could not login"):
        Client(served.address, auth=("ann", "grey herons"), verbose=False, analytics_enabled=False)
    for path in ("/gradio_api/info", "/gradio_api/mcp/", "/gradio_api/mcp/schema", "/config"):
        assert httpx.get(served.address + path, timeout=20).status_code == 401, path
    for path in ("/gradio_api/call/documents", "/gradio_api/queue/join", "/gradio_api/mcp/", "/gradio_api/upload"):
        sent = httpx.post(served.address + path, json={"data": ["a" * 43]}, headers=FORGED, timeout=20)
        assert sent.status_code == 401, path
    page = httpx.get(served.address, timeout=20)
    assert page.status_code == 200
    assert "harbour.md" not in page.text


def test_two_accounts_see_nothing_of_each_other_over_the_api(ann: Client, ben: Client, tmp_path: Path) -> None:
    (tmp_path / "jelly.md").write_text(JELLY)
    assert ann.predict(file=handle_file(tmp_path / "jelly.md"), api_name="/ingest")["state"] == "added"
    assert names(ann.predict(api_name="/documents")) == ["jelly.md", "harbour.md"]
    assert names(ann.predict(visitor="b" * 43, api_name="/documents")) == ["jelly.md", "harbour.md"]
    assert ann.predict(question=ASKED, api_name="/search")[0]["source"] == "jelly.md"
    assert names(ann.predict(question=ASKED, api_name="/ask")["sources"])[0] == "jelly.md"
    assert names(ben.predict(api_name="/documents")) == ["harbour.md"]
    assert names(ben.predict(question=ASKED, api_name="/search")) == ["harbour.md"]
    with pytest.raises(AppError, match=r"there is no document 'jelly.md'"):
        ben.predict(name="jelly.md", api_name="/delete")


async def over_mcp(address: str, headers: dict[str, str], *calls: tuple[str, dict[str, Any]]) -> list[Any]:
    async with (
        httpx.AsyncClient(headers=headers, timeout=120) as http,
        streamable_http_client(f"{address}/gradio_api/mcp/", http_client=http) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        return [await session.call_tool(name, arguments) for name, arguments in calls]


def test_two_accounts_see_nothing_of_each_other_over_mcp(served: AppProcess) -> None:
    look = ("search", {"question": "grey herons of Benjamin"})
    add = ("ingest", {"name": "herons.md", "text": "The grey herons of Benjamin are forty.\n"})
    drop = ("delete", {"name": "herons.md"})
    bens = asyncio.run(over_mcp(served.address, basic("ben", PASSWORDS["ben"]), add, look))
    assert "herons.md" in bens[1].content[0].text
    anns = asyncio.run(over_mcp(served.address, basic("ann", PASSWORDS["ann"]), look, drop))
    assert not anns[0].isError
    assert "herons.md" not in anns[0].content[0].text
    assert anns[1].isError
    assert not asyncio.run(over_mcp(served.address, basic("ben", PASSWORDS["ben"]), drop))[0].isError


def test_another_site_s_page_reads_nothing_with_the_cookie_of_its_visitor(served: AppProcess) -> None:
    with httpx.Client(base_url=served.address, timeout=20) as browser:
        assert browser.post("/login", data={"username": "ann", "password": PASSWORDS["ann"]}).status_code == 200
        assert browser.get("/config").status_code == 200
        assert browser.get("/config", headers={"Origin": "https://evil.example"}).status_code == 401


def test_a_key_of_the_library_stands_between_a_name_and_its_documents(served: AppProcess) -> None:
    """The names of two libraries' collections for the same account are not the same."""
    from rag.manifest import Manifest

    manifest = Manifest(served.library / "manifest.sqlite")
    key = manifest.get_meta("accounts")
    assert key and len(key) == 64
    assert manifest.keep_meta("accounts", "another") == key
    assert json.dumps(manifest.collections()).count("visitor-") >= 1


def test_the_address_of_an_original_needs_an_account_too(served: AppProcess) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{served.address}/original/{'x' * 43}", timeout=20)
    assert refused.value.code == 401
