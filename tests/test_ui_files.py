"""Originals are handed out at addresses of their own: to save for a minute, to play for as long as one may."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from rag import ui_files
from rag.errors import LibraryError
from rag.ui_files import Files


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def client(files: Files) -> TestClient:
    return TestClient(Starlette(routes=[files.route]))


def test_a_file_is_downloaded_whole_and_never_shown(files: Files, client: TestClient, tmp_path: Path) -> None:
    path = tmp_path / "Größe <b>.html"
    path.write_bytes(b"<script>alert(1)</script>")
    response = client.get(files.offer(path))
    assert response.content == path.read_bytes()
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"].startswith("attachment; filename*=utf-8''Gr%C3%B6%C3%9Fe")


def test_an_address_cannot_be_guessed_and_is_gone_after_a_minute(
    files: Files, client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("secret")
    first, second = files.offer(path), files.offer(path)
    assert first != second
    assert len(first.removeprefix("original/")) == 43
    for guess in ("original/a.txt", "original/" + "A" * 43, "original/..%2Fa.txt"):
        assert client.get(guess).status_code == 404
    now = ui_files.time.monotonic()
    monkeypatch.setattr(ui_files.time, "monotonic", lambda: now + 61)
    response = client.get(first)
    assert response.status_code == 404
    assert "secret" not in response.text
    assert "Choose Download again" in response.text


def test_only_so_many_addresses_are_kept_in_mind(
    files: Files, client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ui_files, "_MOST", 2)
    path = tmp_path / "a.mp3"
    path.write_bytes(b"sound")
    addresses = [files.play(lambda: path, "audio/mpeg") for _ in range(3)]
    assert [client.get(each).status_code for each in addresses] == [404, 200, 200]


def test_a_file_that_went_meanwhile_is_not_found(files: Files, client: TestClient, tmp_path: Path) -> None:
    assert client.get(files.offer(tmp_path / "gone")).status_code == 404


def test_a_recording_is_played_from_any_second_and_taken_for_nothing_else(
    files: Files, client: TestClient, tmp_path: Path
) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(bytes(range(256)) * 40)
    address = files.play(lambda: path, "audio/mpeg")
    whole = client.get(address)
    assert (whole.status_code, whole.content) == (200, path.read_bytes())
    assert whole.headers["accept-ranges"] == "bytes"
    part = client.get(address, headers={"range": "bytes=5000-5255"})
    assert (part.status_code, part.content) == (206, path.read_bytes()[5000:5256])
    assert part.headers["content-range"] == "bytes 5000-5255/10240"
    assert client.get(address, headers={"range": "bytes=99999-"}).status_code == 416
    for response in (whole, part):
        assert response.headers["content-type"] == "audio/mpeg"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "content-disposition" not in response.headers


def test_a_recording_is_played_only_as_long_as_one_may(
    files: Files, client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(b"secret")
    gone: list[bool] = []

    def find() -> Path:
        if gone:
            raise LibraryError("this document is no longer in the library")
        return path

    address, now = files.play(find, "audio/mpeg"), ui_files.time.monotonic()
    monkeypatch.setattr(ui_files.time, "monotonic", lambda: now + 3600)
    assert client.get(address).status_code == 200
    gone.append(True)
    response = client.get(address, headers={"range": "bytes=0-"})
    assert response.status_code == 404
    assert "secret" not in response.text
    gone.clear()
    monkeypatch.setattr(ui_files.time, "monotonic", lambda: now + 13 * 3600)
    assert client.get(address).status_code == 404
