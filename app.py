"""Footnote's page: python app.py"""

from __future__ import annotations

import argparse
import asyncio
import errno
import io
import logging
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import RagError, SettingError
from rag.terminal import Terminal
from rag.types import Progress

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from rag.accounts import Accounts
    from rag.config import Settings
    from rag.conversations import Conversations
    from rag.library import Library
    from rag.visitors import Visitors

SAMPLES = Path(__file__).parent / "sample_docs"
RETRY_S = 20.0
SWEEP_S = 600.0
POLICY = (
    "default-src 'self'",
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # Gradio starts from inline scripts and compiles its templates
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'self' https://huggingface.co",  # where a Space is shown
)
FILE_ROUTES = re.compile(r"(?:/gradio_api)?/(?:file[=/]|proxy=|stream/)")
HEADERS = (
    (b"content-security-policy", "; ".join(POLICY).encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)

log = logging.getLogger(__name__)


class SafeHeaders:
    """ASGI middleware: the headers that a public page should send and Gradio does not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, with the headers added."""

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        await self._app(scope, receive, send_safely)


class NoFiles:
    """ASGI middleware: no address of Gradio's hands out a file. They would serve to anyone what anyone uploaded."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; for a file, as if there were none."""
        if scope["type"] == "http" and FILE_ROUTES.match(scope["path"]):
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        await self._app(scope, receive, send)


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
                for event in library.ingest_samples(samples) if samples else ():
                    if isinstance(event, Progress) and event.what:
                        self.report(replace(event, what=f"Indexing the sample library: {event.what}"))
                library.load_models()
                self._ready.set()
            except RagError as error:
                self._fail(str(error))
            except Exception:
                log.exception("starting failed")
                self._fail("Something went wrong while starting. The details are in the log.")
        self.state = None
        self._terminal.clear()
        self._terminal.print("Ready.")

    def _fail(self, message: str) -> None:
        self.state = message
        self._terminal.error(f"{message} (trying again in {RETRY_S:.0f} s)")
        self._ready.wait(RETRY_S)


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
    # Imported once the command line holds, so that --help answers at once; the slow ones once the settings hold
    from rag.config import load_settings

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    with Terminal() as terminal:
        try:
            settings = load_settings(
                library=options.library, collection=options.collection, host=options.host, port=options.port
            )
            _check_address(settings)
            from rag.accounts import load_accounts

            accounts = load_accounts(settings.users) if settings.users else None
            from rag.conversations import Conversations
            from rag.library import Library
            from rag.visitors import Visitors

            starting = Starting(terminal)
            library = Library(settings, starting.report)
            conversations = Conversations(settings.library / "conversations.sqlite", settings.visitor_hours)
            visitors = Visitors(library, conversations)
            url = _serve(visitors, conversations, settings, starting, accounts)
        except RagError as error:
            terminal.error(str(error))
            return 1
        terminal.print(f"Footnote is at {url}  (Ctrl-C stops it)")
        samples = None if options.no_samples else SAMPLES
        threading.Thread(target=starting.run, args=(library, samples), name="starting", daemon=True).start()
        while True:
            time.sleep(SWEEP_S)
            _sweep(visitors)


def _sweep(visitors: Visitors) -> None:
    """Remove what visitors said and added when its time is over; a failure is tried again at the next turn."""
    try:
        visitors.sweep()
    except RagError:
        log.exception("what visitors left could not be swept")


def _check_address(settings: Settings) -> None:
    """Raise SettingError where nothing can listen, before anything slow is done."""
    host = settings.host or "127.0.0.1"
    try:
        family, *_, address = socket.getaddrinfo(host.strip("[]"), settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingError(
                f"port {settings.port} is taken: is Footnote running already? Choose another one with --port"
            ) from error
        raise SettingError(
            f"cannot listen on {host}, port {settings.port}: {error.strerror}; choose others with --host and --port"
        ) from error


def _serve(
    visitors: Visitors,
    conversations: Conversations,
    settings: Settings,
    starting: Starting,
    accounts: Accounts | None,
) -> str:
    """Start the server in the background; returns the page's address. Raises SettingError when it does not start."""
    from starlette.middleware import Middleware

    from rag.llm import local_model
    from rag.sign_in import SignIn
    from rag.ui import build_ui, launch_options
    from rag.ui_actions import Actions
    from rag.ui_files import Files

    limits = settings.ask_limits
    actions = Actions(
        ask=visitors.ask,
        alone=visitors.alone,
        limits=replace(limits, models=(local_model(settings) or limits.models[0], *limits.models[1:])),
        topics=visitors.topics,
        search=visitors.search,
        documents=visitors.documents,
        add=visitors.add,
        delete=visitors.delete,
        passage=visitors.passage,
        pages=visitors.pages,
        original=visitors.original,
        read_again=visitors.read_again,
        forget=visitors.forget,
        starting=lambda: starting.state,
        conversations=conversations,
        collections=None if visitors.apart else visitors.collections,
        asked=visitors.asked,
        apart=visitors.apart,
        loading=visitors.loading,
        signs_in="form" if accounts else "huggingface" if settings.hugging_face_signs_in else "",
        account=visitors.account,
    )
    files = Files()
    options = launch_options(files)
    options["app_kwargs"]["middleware"] = [
        Middleware(SafeHeaders),
        Middleware(SignIn, accounts=accounts, oauth=settings.hugging_face_signs_in),
        Middleware(NoFiles),
    ]
    if accounts is not None:
        options["auth"] = _checker(accounts)
    try:
        with redirect_stdout(io.StringIO()):  # Gradio announces its MCP server there however quiet it is to be
            _, url, _ = build_ui(actions, files, visitor_hours=settings.visitor_hours).launch(
                server_name=settings.host,
                server_port=settings.port,
                max_file_size=settings.max_file_mb * 2**20,
                mcp_server=True,
                prevent_thread_lock=True,
                quiet=True,
                **options,
            )
    except OSError as error:
        raise SettingError(f"the page could not be served on port {settings.port}; choose another --port") from error
    return str(url)


def _checker(accounts: Accounts) -> Callable[[str, str], Awaitable[bool]]:
    """What Gradio's form asks; on a thread, for it takes a while, and the page is served meanwhile."""

    async def check(name: str, password: str) -> bool:
        return await asyncio.to_thread(accounts.check, name, password)

    return check


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        status = main()
    except KeyboardInterrupt:
        status = 0
    sys.stdout.flush()
    # Not sys.exit: the engines' own threads may still load or answer, and crash when the interpreter is taken from
    # under them. Nothing is lost: whatever is on disk withstands a kill.
    os._exit(status)
