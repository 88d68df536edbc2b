"""An app as it is deployed for others: visitors kept apart, one shared document, a model server that says one thing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

from app_process import AppProcess
from hashed_library import HashedLibrary
from test_llm_openai import Handler


@contextmanager
def serve_visitors(folder: Path, files: int, **environment: str) -> Iterator[AppProcess]:
    """Run it in `folder`; each visitor may have `files` documents. What it logged is printed when it ends."""
    (folder / "harbour.md").write_text("The harbour master of Velm opens the lock at seven.\n")
    HashedLibrary(folder / "library").ingest(folder / "harbour.md")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as model:
        threading.Thread(target=model.serve_forever, daemon=True).start()
        process = AppProcess(
            folder / "library",
            "--no-samples",
            environment={
                "RAG_LLM_BASE_URL": f"http://127.0.0.1:{model.server_port}/v1",
                "RAG_LLM_MODEL": "served",
                "RAG_SEPARATE_VISITORS": "true",
                "RAG_VISITOR_FILES": str(files),
                "GRADIO_TEMP_DIR": str(folder / "temporary"),
                **environment,
            },
            program="tests/hashed_app.py",
        )
        try:
            process.wait_for_page(180)
            yield process
        finally:
            process.kill()
            print(process.written("stderr"))
            model.shutdown()
