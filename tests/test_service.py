"""The page's functions for programs: over gradio_client and over MCP, by visitors who see nothing of each other."""

from __future__ import annotations

import ast
import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from app_process import AppProcess
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from public_app import serve_visitors

NAMES = {"ask", "search", "ingest", "documents", "delete"}
ANN, BEN = "a" * 43, "b" * 43
JELLY = "The quince jelly of Annabel needs exactly nine spoons of sugar.\n"
ASKED = "How many spoons of sugar does the quince jelly need?"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """An app for visitors, with one shared document, over a model server that always says the same."""
    with serve_visitors(tmp_path_factory.mktemp("service"), files=3) as process:
        yield process


@pytest.fixture(scope="module")
def client(served: AppProcess) -> Client:
    return Client(served.address, verbose=False, analytics_enabled=False)


def names(documents: list[dict[str, Any]]) -> list[str]:
    return [each["source"] for each in documents]


def sources(passages: list[dict[str, Any]]) -> set[str]:
    return {each["source"] for each in passages}


def test_five_functions_are_public_and_say_what_they_do(client: Client) -> None:
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(endpoints) == {f"/{name}" for name in NAMES}
    parameters = {name: [each["parameter_name"] for each in told["parameters"]] for name, told in endpoints.items()}
    assert parameters == {
        "/ask": ["question", "documents", "visitor"],
        "/search": ["question", "k", "documents", "visitor"],
        "/ingest": ["file", "name", "text", "visitor"],
        "/documents": ["visitor"],
        "/delete": ["name", "visitor"],
    }


def test_a_visitor_s_document_is_his_alone_over_the_api(client: Client, served: AppProcess, tmp_path: Path) -> None:
    (tmp_path / "jelly.md").write_text(JELLY)
    report = client.predict(file=handle_file(tmp_path / "jelly.md"), visitor=ANN, api_name="/ingest")
    assert (report["source"], report["state"]) == ("jelly.md", "added")
    assert "path" not in report
    mine = client.predict(visitor=ANN, api_name="/documents")
    assert [(each["source"], each["collection"], each["read_only"]) for each in mine] == [
        ("jelly.md", "visitor", False),
        ("harbour.md", "default", True),
    ]
    assert str(served.library) not in json.dumps(mine)
    found = client.predict(question=ASKED, visitor=ANN, api_name="/search")
    assert (found[0]["source"], found[0]["text"]) == ("jelly.md", JELLY.strip())
    answer = client.predict(question=ASKED, visitor=ANN, api_name="/ask")
    assert "jelly.md" in sources(answer["sources"])
    narrowed = client.predict(question=ASKED, documents=["harbour.md"], visitor=ANN, api_name="/ask")
    assert sources(narrowed["sources"]) == {"harbour.md"}

    for other in (BEN, ""):
        assert names(client.predict(visitor=other, api_name="/documents")) == ["harbour.md"]
        assert sources(client.predict(question=ASKED, visitor=other, api_name="/search")) == {"harbour.md"}
        assert sources(client.predict(question=ASKED, visitor=other, api_name="/ask")["sources"]) == {"harbour.md"}
        for endpoint, arguments in (
            ("/search", {"question": ASKED, "documents": ["jelly.md"]}),
            ("/delete", {"name": "jelly.md"}),
        ):
            with pytest.raises(AppError, match=r"there is no document 'jelly.md'"):
                client.predict(**arguments, visitor=other, api_name=endpoint)

    assert client.predict(name="jelly.md", visitor=ANN, api_name="/delete")["source"] == "jelly.md"
    assert names(client.predict(visitor=ANN, api_name="/documents")) == ["harbour.md"]


def test_without_a_token_nothing_can_be_changed(client: Client) -> None:
    with pytest.raises(AppError, match=r"shared library is read-only.*visitor's token"):
        client.predict(name="a.md", text="a", api_name="/ingest")
    for visitor in ("", BEN):
        with pytest.raises(AppError, match=r"'harbour.md' is in the shared library, which is read-only"):
            client.predict(name="harbour.md", visitor=visitor, api_name="/delete")
    with pytest.raises(AppError, match="not a visitor's token"):
        client.predict(visitor="ann", api_name="/documents")
    assert names(client.predict(api_name="/documents")) == ["harbour.md"]


def test_a_wrong_call_is_one_line(client: Client) -> None:
    for arguments, told in (
        ({"question": " ", "api_name": "/search"}, "between 1 and 4,000 characters"),
        ({"question": ASKED, "k": 51, "api_name": "/search"}, "k=51"),
        ({"name": "a.md", "visitor": ANN, "api_name": "/ingest"}, "send either a file, or text"),
    ):
        with pytest.raises(AppError, match=told):
            client.predict(**arguments)


def get(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=20) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_no_address_hands_out_what_was_uploaded(served: AppProcess) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="jelly.md"\r\n\r\nquince\r\n--x--\r\n'
    request = urllib.request.Request(
        f"{served.address}/gradio_api/upload", body, {"Content-Type": "multipart/form-data; boundary=x"}
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        (path,) = json.load(response)
    assert Path(path).read_bytes() == b"quince"
    for address in ("/gradio_api/file=", "/gradio_api/file/", "/file=", "/file/", "//gradio_api/file=", "/x/../file="):
        assert get(f"{served.address}{address}{path}") == 404, address
    assert get(f"{served.address}/gradio_api/file%3D{path}") == 404


def test_no_file_of_this_machine_can_be_named(client: Client, served: AppProcess, tmp_path: Path) -> None:
    note = tmp_path / "note.md"
    note.write_text("a note")
    for path in (note, f"{served.library.parent}/uploads/../harbour.md", "/etc/hostname"):
        for meta in ({}, {"meta": {"_type": "gradio.FileData"}}):
            body = json.dumps({"data": [{"path": str(path), **meta}, "", "", ANN]}).encode()
            request = urllib.request.Request(
                f"{served.address}/gradio_api/call/ingest", body, {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=20) as response:
                event = json.load(response)["event_id"]
            with urllib.request.urlopen(f"{served.address}/gradio_api/call/ingest/{event}", timeout=60) as response:
                assert b"event: error" in response.read()
    assert note.exists()
    assert names(client.predict(visitor=ANN, api_name="/documents")) == ["harbour.md"]


async def over_mcp(address: str, visitor: str, *calls: tuple[str, dict[str, Any]]) -> tuple[Any, list[Any]]:
    """The tools that a client of the Model Context Protocol is offered, and what its calls give."""
    headers = {"x-footnote-visitor": visitor} if visitor else {}
    async with (
        httpx.AsyncClient(headers=headers, timeout=300) as http,
        streamable_http_client(f"{address}/gradio_api/mcp/", http_client=http) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        tools = (await session.list_tools()).tools
        return tools, [await session.call_tool(name, arguments) for name, arguments in calls]


def told(result: Any) -> Any:
    assert not result.isError, result.content
    return ast.literal_eval(result.content[0].text)


def test_the_same_five_are_tools_of_an_mcp_server_under_the_same_isolation(served: AppProcess) -> None:
    ingest = ("ingest", {"name": "jelly.md", "text": JELLY})
    look, ask = ("search", {"question": ASKED}), ("ask", {"question": ASKED})
    tools, results = asyncio.run(over_mcp(served.address, ANN, ingest, ("documents", {}), look, ask))
    assert {tool.name for tool in tools} == NAMES
    for tool in tools:
        assert len(tool.description) > 40
        assert all(len(each["description"]) > 10 for each in tool.inputSchema["properties"].values()), tool.name
        assert "request" not in tool.inputSchema["properties"]
    assert told(results[0])["state"] == "added"
    assert names(told(results[1])) == ["jelly.md", "harbour.md"]
    assert told(results[2])[0]["source"] == "jelly.md"
    assert "jelly.md" in sources(told(results[3])["sources"])

    steal = ("delete", {"name": "jelly.md"})
    for other in (BEN, ""):
        _, results = asyncio.run(over_mcp(served.address, other, ("documents", {}), look, ask, steal))
        assert names(told(results[0])) == ["harbour.md"]
        assert sources(told(results[1])) == {"harbour.md"}
        assert sources(told(results[2])["sources"]) == {"harbour.md"}
        assert results[3].isError
        assert "there is no document 'jelly.md'" in results[3].content[0].text
    _, (refused,) = asyncio.run(over_mcp(served.address, "", ingest))
    assert refused.isError
    assert "shared library is read-only" in refused.content[0].text
    _, (removed,) = asyncio.run(over_mcp(served.address, ANN, steal))
    assert told(removed)["source"] == "jelly.md"
