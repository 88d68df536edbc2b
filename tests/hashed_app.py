"""The app with embeddings that need no model: python tests/hashed_app.py, with the flags of app.py."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from hashed_library import HashedEmbeddings

import app
import rag.library


class Loaded(HashedEmbeddings):
    def __init__(self, *_: Any) -> None:
        super().__init__()

    def load(self) -> Loaded:
        return self


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rag.library.LazyEmbeddings = Loaded  # type: ignore[assignment,misc]
    try:
        status = app.main()
    except KeyboardInterrupt:
        status = 0
    os._exit(status)
