"""The page with the network cut: no view asks another machine for anything, neither font nor script nor picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page_fakes import LIBRARY, Fakes, document
from test_browser_axe import browsing, heard, on_a_phone, talking
from test_browser_page import Site, browser, pictured, site  # noqa: F401  (the fixtures)

from rag import ui_removal

pytestmark = pytest.mark.browser


def foreign(running: Site) -> list[str]:
    """What was asked of any other machine, or of another port of this one."""
    own = (f"{running.address}/", "data:", "blob:")
    assert running.requests
    return [url for url in running.requests if not url.startswith(own)]


@pytest.mark.parametrize(
    ("views", "width"), [(talking, 1440), (browsing, 1440), (on_a_phone, 390)], ids=["talking", "browsing", "phone"]
)
def test_no_view_asks_another_machine(
    site: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    views: Any,
    width: int,
) -> None:
    monkeypatch.setattr(ui_removal, "UNDO_S", 60)
    fakes = Fakes([*LIBRARY, *(document(100 + number, f"{number:03}.txt", 1, 2) for number in range(60))], pace=0.01)
    pictured(fakes)
    heard(fakes, tmp_path)
    running: Site = site(fakes, starters=("First?",))
    tab = running.tab(width)
    tab.on("websocket", lambda socket: running.requests.append(socket.url))
    assert len(list(views(tab, fakes))) > 2
    assert foreign(running) == []


def test_a_picture_from_elsewhere_would_be_seen(site: Any) -> None:  # noqa: F811
    running: Site = site(Fakes(LIBRARY))
    tab = running.tab()
    with tab.expect_event("requestfailed"):
        tab.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://elsewhere.invalid/dot.png'}))")
    assert foreign(running) == ["http://elsewhere.invalid/dot.png"]
