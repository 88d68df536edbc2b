"""Bring documents into a library: python ingest.py PATH..."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from rag.device import yield_cores
from rag.errors import RagError
from rag.terminal import Terminal, plain
from rag.types import FileReport, FileState, IngestReport, Progress

if TYPE_CHECKING:
    from rag.library import Library

ALL_WELL, SOME_FAILED, USAGE, STOPPED = 0, 1, 2, 130


def parse_args(args: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="ingest.py",
        description="Bring documents into a library. Files that have not changed are passed over; a changed file "
        "replaces what was known of it. May be stopped at any moment and run again, also while the app is running.",
        epilog="Exit status: 0 all well, 1 some files failed (the others are in), 2 wrong usage.",
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="a file, or a folder with all it holds")
    parser.add_argument("--delete", action="append", default=[], metavar="SOURCE", help="forget this document")
    parser.add_argument("--prune", action="store_true", help="forget documents whose files are gone from the folders")
    parser.add_argument("--retry", action="store_true", help="read again what could not be read before")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object a file, then one with the summary")
    parser.add_argument("--library", type=Path, metavar="DIR", help="the library's folder (RAG_LIBRARY; ./library)")
    parser.add_argument("--collection", metavar="NAME", help="the collection (RAG_COLLECTION; default)")
    options = parser.parse_args(args)
    if not options.paths and not options.delete:
        parser.error("give at least one PATH, or --delete SOURCE")
    if missing := [str(path) for path in options.paths if not path.exists()]:
        parser.error(f"no such file or folder: {', '.join(missing)}")
    return options


def main(args: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = parse_args(args)
    with Terminal() as terminal:
        try:
            # Imported once the command line holds, so that --help answers at once
            from rag.config import load_settings
            from rag.library import Library

            settings = load_settings(library=options.library, collection=options.collection)
            library = Library(settings, terminal.progress)
            for name in options.delete:
                _delete(library, name, options, terminal)
            if not options.paths:
                return ALL_WELL
            events = library.ingest(options.paths, dry_run=options.dry_run, prune=options.prune, retry=options.retry)
            with closing(events):
                report = _follow(events, options.json, terminal)
        except RagError as error:
            terminal.error(str(error))
            return SOME_FAILED
        except KeyboardInterrupt:
            terminal.error("stopped; what was added is safe, run it again to go on")
            return STOPPED
        _print_summary(report, options, terminal)
        return SOME_FAILED if report.count("failed") else ALL_WELL


def _delete(library: Library, name: str, options: argparse.Namespace, terminal: Terminal) -> None:
    document = library.named(name)
    if not options.dry_run:
        library.delete(document.id)
    _print_file(FileReport(document.source, document.path, "removed", None, 0, 0), options.json, terminal)


def _follow(
    events: Generator[Progress | FileReport, None, IngestReport], as_json: bool, terminal: Terminal
) -> IngestReport:
    """Show the events of a run as they come; returns its report."""
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            report: IngestReport = end.value
            return report
        if isinstance(event, Progress):
            terminal.progress(event)
        else:
            _print_file(event, as_json, terminal)


def _print_file(file: FileReport, as_json: bool, terminal: Terminal) -> None:
    if as_json:
        terminal.print(json.dumps(asdict(file), ensure_ascii=False))
        return
    counts = (f"{file.pages} pages, " if file.pages else "") + f"{file.chunks} chunks" if file.chunks else ""
    detail = "; ".join(filter(None, (counts, file.reason)))
    terminal.print(f"{file.state:<9} {plain(file.source)}" + (f"  ({detail})" if detail else ""))


def _print_summary(report: IngestReport, options: argparse.Namespace, terminal: Terminal) -> None:
    counts = {state: report.count(state) for state in get_args(FileState)}
    if options.json:
        summary = {
            **counts,
            "files": len(report.files),
            "embedded": report.embedded,
            "seconds": round(report.seconds, 2),
        }
        terminal.print(json.dumps({"summary": summary}))
        return
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "nothing to do"
    would = "would be: " if options.dry_run else ""
    terminal.print(f"{would}{told}; {report.embedded} chunks embedded in {report.seconds:.1f} s")


if __name__ == "__main__":
    yield_cores()  # to an app that answers questions meanwhile
    sys.exit(main())
