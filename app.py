"""Footnote's page: python app.py"""

from __future__ import annotations

import argparse
import logging
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import RagError
from rag.terminal import Terminal
from rag.types import Progress

if TYPE_CHECKING:
    from rag.config import Settings
    from rag.library import Library

SAMPLES = Path(__file__).parent / "sample_docs"
STARTERS = (
    "How often should the K3 be descaled in hard water?",
    "What is the meal allowance per day in the 2026 expense policy?",
    "Which power bases are recalled, and why?",
)
RETRY_S = 20.0

log = logging.getLogger(__name__)


class Starting:
    """Loads models and samples in the background; `state` is what the page shows meanwhile, None when all is ready."""

    def __init__(self, terminal: Terminal) -> None:
        self.state: Progress | str | None = Progress("Starting", 0, 0, "")
        self._terminal = terminal
        self._ready = threading.Event()

    def report(self, progress: Progress) -> None:
        """Hear of progress, in the page and in the terminal."""
        if not self._ready.is_set():
            self.state = progress
        self._terminal.progress(progress)

    def run(self, library: Library, samples: Path | None) -> None:
        """Load until it works: a server that is down, or a network that is away, may come back."""
        while not self._ready.is_set():
            try:
                if samples and not library.manifest.documents():
                    for event in library.ingest([samples]):
                        if isinstance(event, Progress) and event.what:
                            self.report(Progress(f"Indexing the sample library: {event.what}", *_amount(event)))
                library.load_models()
                self._ready.set()
            except RagError as error:
                self.state = str(error)
                self._terminal.error(f"{error} (trying again in {RETRY_S:.0f} s)")
                self._ready.wait(RETRY_S)
        self.state = None
        self._terminal.clear()
        self._terminal.print("Ready.")


def parse_args(args: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="app.py", description="Serve the page: ask your documents, see the proof.")
    parser.add_argument("--library", type=Path, metavar="DIR", help="the library's folder (RAG_LIBRARY; ./library)")
    parser.add_argument("--collection", metavar="NAME", help="the collection (RAG_COLLECTION; default)")
    parser.add_argument("--host", metavar="ADDRESS", help="the address to listen on (RAG_HOST; 127.0.0.1)")
    parser.add_argument("--port", type=int, metavar="N", help="the port to listen on (RAG_PORT; 7860)")
    parser.add_argument("--no-samples", action="store_true", help="leave an empty library empty")
    return parser.parse_args(args)


def main(args: Sequence[str] | None = None) -> int:
    """Serve the page until it is stopped; returns the exit status."""
    options = parse_args(args)
    # Imported once the command line holds, so that --help answers at once
    from rag.config import load_settings
    from rag.library import Library

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    with Terminal() as terminal:
        try:
            settings = load_settings(
                library=options.library, collection=options.collection, host=options.host, port=options.port
            )
            starting = Starting(terminal)
            library = Library(settings, starting.report)
            url = _serve(library, settings, starting)
        except RagError as error:
            terminal.error(str(error))
            return 1
        terminal.print(f"Footnote is at {url}  (Ctrl-C stops it)")
        samples = None if options.no_samples else SAMPLES
        threading.Thread(target=starting.run, args=(library, samples), name="starting", daemon=True).start()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return 0
    return 0


def _serve(library: Library, settings: Settings, starting: Starting) -> str:
    """Start the server in the background; returns the page's address. Raises SettingError for a port that is taken."""
    from rag.errors import SettingError
    from rag.ui import Actions, build_ui, launch_options

    actions = Actions(
        ask=library.ask,
        documents=library.documents,
        add=library.upload,
        delete=library.delete,
        passage=library.passage,
        starting=lambda: starting.state,
    )
    try:
        _, url, _ = build_ui(actions, starters=STARTERS).launch(
            server_name=settings.host,
            server_port=settings.port,
            max_file_size=settings.max_file_mb * 2**20,
            prevent_thread_lock=True,
            quiet=True,
            **launch_options(),
        )
    except OSError as error:
        raise SettingError(
            f"port {settings.port} is taken: is Footnote running already? Choose another --port"
        ) from error
    return str(url)


def _amount(progress: Progress) -> tuple[int, int, str]:
    return progress.done, progress.total, progress.unit


if __name__ == "__main__":
    sys.exit(main())
