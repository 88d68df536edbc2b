"""The commands beside the page: python -m rag ask|search|text|documents|models|reindex|account|evaluate."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import RagError, SettingError
from rag.terminal import Terminal
from rag.types import Answer, Citation, Token, place

if TYPE_CHECKING:
    from rag.config import Settings
    from rag.library import Library
    from rag.types import Scope

ALL_WELL, FAILED, STOPPED = 0, 1, 130
_CITATION_FIELDS = ("number", "source", "page", "headings", "start", "end", "score", "text")


def parse_args(args: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--library", type=Path, metavar="DIR", help="the library's folder (RAG_LIBRARY; ./library)")
    shared.add_argument("--collection", metavar="NAME", help="the collection (RAG_COLLECTION; default)")
    parser = argparse.ArgumentParser(prog="python -m rag", description="Ask a library of documents, and look into it.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[..., int], what: str, *, library: bool = True) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=what, description=what, parents=[shared] if library else [])
        made.set_defaults(run=run, library=None, collection=None)
        return made

    ask = command("ask", _ask, "Answer a question, every sentence with its source")
    search = command("search", _search, "List the passages nearest to a question; no language model is asked")
    for made in (ask, search):
        made.add_argument("question", help="the question; - reads one a line from standard input")
        made.add_argument("--json", action="store_true", help="print one JSON object a question")
        made.add_argument(
            "--document",
            action="append",
            default=[],
            metavar="NAME",
            help="ask only this document of the collection, its source or path; may be repeated",
        )
    search.add_argument("-k", type=int, metavar="N", help="passages at most (RAG_TOP_K)")
    text = command("text", _text, "Print a document's extracted text, which citations count their offsets in")
    text.add_argument("source", help="the document's source, or its path")
    documents = command("documents", _documents, "List the documents of the library")
    documents.add_argument("--json", action="store_true", help="print one JSON object a document")
    command("reindex", _reindex, "Make the vector index again from the manifest, with the embedding model set now")
    models = command("models", _models, "List the models, where they are and whether their digests hold", library=False)
    models.add_argument("action", nargs="?", choices=["pull"], help="pull: fetch what answering needs")
    models.add_argument("--again", action="store_true", help="with pull: check every byte and replace what is altered")
    account = command("account", _account, "Print the line of an account for the file of RAG_USERS", library=False)
    account.add_argument("name", help="the name; the password is asked for, or read from standard input")
    evaluate = command("evaluate", _evaluate, "Score a question set, or compare the scores of two runs", library=False)
    evaluate.add_argument("set", nargs="?", type=Path, metavar="DIR", help="a folder with docs/ and questions.jsonl")
    evaluate.add_argument("--limit", type=int, metavar="N", help="ask only N questions, spread evenly over the set")
    evaluate.add_argument("--retrieval-only", action="store_true", help="load no language model")
    arm = evaluate.add_mutually_exclusive_group()
    arm.add_argument("--baseline", action="store_true", help="score the plain chain that everyone writes instead")
    arm.add_argument(
        "--retriever",
        choices=["footnote", "dense", "bm25"],
        default="footnote",
        help="score one half of the retrieval alone; dense and bm25 imply --retrieval-only",
    )
    evaluate.add_argument("--again", action="store_true", help="ask also what an earlier run has asked")
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="write the scores, of each question too")
    evaluate.add_argument(
        "--compare", type=Path, nargs=2, metavar=("A", "B"), help="which of B's scores differ from A's"
    )
    calibrate = command("calibrate", _calibrate, "Fit the decision to refuse to a question set, for this library")
    calibrate.add_argument("set", type=Path, metavar="DIR", help="a folder with docs/ and questions.jsonl")
    calibrate.add_argument("--limit", type=int, metavar="N", help="ask only N questions, spread evenly over the set")
    calibrate.add_argument("--dry-run", action="store_true", help="print what a fit would be, and keep nothing")
    options = parser.parse_args(args)
    if options.command == "evaluate" and (options.set is None) == (options.compare is None):
        evaluate.error("give either DIR or --compare A B")
    if options.command == "evaluate" and options.limit is not None and options.limit < 1:
        evaluate.error("--limit must be at least 1")
    return options


def main(args: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0, 1 after an error that was told, 130 when stopped."""
    options = parse_args(args)
    from rag.config import load_settings  # once the command line holds, so that --help answers at once

    with Terminal() as terminal:
        try:
            settings = load_settings(library=options.library, collection=options.collection)
            return int(options.run(options, settings, terminal))
        except RagError as error:
            terminal.error(str(error))
            return FAILED
        except KeyboardInterrupt:
            return STOPPED
        except BrokenPipeError:  # the reader, `head` say, has had enough
            sys.stderr.close()
            return ALL_WELL


def _open(settings: Settings, terminal: Terminal) -> Library:
    from rag.library import Library

    return Library(settings, terminal.progress)


def _ask(options: argparse.Namespace, settings: Settings, terminal: Terminal) -> int:
    library = _open(settings, terminal)
    scope = library.scope(options.document)
    library.load_models()
    terminal.clear()
    return _each_question(options, terminal, lambda question: _answer(library, question, scope, options, terminal))


def _search(options: argparse.Namespace, settings: Settings, terminal: Terminal) -> int:
    library = _open(settings, terminal)
    scope = library.scope(options.document)

    def run(question: str) -> None:
        found = library.search(question, options.k, scope)
        terminal.clear()
        if options.json:
            terminal.print(_json({"question": question, "results": [_citation(hit) for hit in found]}))
        else:
            _print_citations(found, terminal)

    return _each_question(options, terminal, run)


def _each_question(options: argparse.Namespace, terminal: Terminal, run: Callable[[str], None]) -> int:
    """Run the one question, or every line of standard input; with --json a failure is told in its place."""
    if options.question != "-":
        run(options.question)
        return ALL_WELL
    status = ALL_WELL
    for question in _lines():
        try:
            run(question)
        except RagError as error:
            status = FAILED
            if options.json:
                terminal.print(_json({"question": question, "error": str(error)}))
            else:
                terminal.error(str(error))
    return status


def _lines() -> Iterator[str]:
    return (line.strip() for line in sys.stdin if line.strip())


def _answer(library: Library, question: str, scope: Scope, options: argparse.Namespace, terminal: Terminal) -> None:
    written = ""
    watched = sys.stdout.isatty() and not options.json
    for event in library.ask(question, scope=scope):
        if isinstance(event, Token) and watched:
            written += event.text
            sys.stdout.write(event.text)
            sys.stdout.flush()
        elif isinstance(event, Answer):
            if options.json:
                terminal.print(_json(answer_fields(event)))
            else:
                _print_answer(event, written, options.document, terminal)


def _print_answer(answer: Answer, written: str, documents: Sequence[str], terminal: Terminal) -> None:
    """The checked answer, unless just this was `written` while it streamed; its sources; its cost.

    A refusal names the `documents` that were asked, if any were chosen.
    """
    if written:
        terminal.print("\n")
    if answer.text != written.strip():
        terminal.print(("Checked: " if written else "") + answer.text + "\n")
    if answer.refused:
        asked = f" of {', '.join(documents)}" if documents else ""
        terminal.print(f"The nearest passages{asked}:")
    _print_citations(answer.sources if answer.refused else answer.citations, terminal)
    timings = answer.timings
    terminal.print(f"{answer.model}: first word {timings.first_token_s:.1f} s, {timings.total_s:.1f} s in all")


def answer_fields(answer: Answer) -> dict[str, Any]:
    """An answer as `ask --json` prints it."""
    return {
        "question": answer.question,
        "answer": answer.text,
        "refused": answer.refused,
        "citations": [_citation(citation) for citation in answer.citations],
        "sources": [_citation(citation) for citation in answer.sources],
        "timings": asdict(answer.timings),
        "model": answer.model,
    }


def _citation(citation: Citation) -> dict[str, Any]:
    return {name: getattr(citation, name) for name in _CITATION_FIELDS}


def _print_citations(citations: Sequence[Citation], terminal: Terminal) -> None:
    for citation in citations:
        where = place(citation.page, citation.page_label)
        where = f", {where}" if where else ""
        terminal.print(f"[{citation.number}] {citation.source}{where}  (score {citation.score:.2f})")
        terminal.print("    " + " ".join(citation.text.split()))


def _text(options: argparse.Namespace, settings: Settings, terminal: Terminal) -> int:
    library = _open(settings, terminal)
    sys.stdout.write(library.text(library.named(options.source).id))
    return ALL_WELL


def _documents(options: argparse.Namespace, settings: Settings, terminal: Terminal) -> int:
    for document in _open(settings, terminal).documents():
        if options.json:
            terminal.print(_json(asdict(document)))
        else:
            told = f"{document.chunks} chunks" + (f", {document.pages} pages" if document.pages else "")
            detail = "; ".join(filter(None, (told if document.state == "ready" else "", document.reason)))
            terminal.print(f"{document.state:<7} {document.source}  ({detail})")
    return ALL_WELL


def _reindex(options: argparse.Namespace, settings: Settings, terminal: Terminal) -> int:
    for progress in _open(settings, terminal).reindex():
        terminal.progress(progress)
    terminal.clear()
    terminal.print("the vector index is made again")
    return ALL_WELL


def _account(options: argparse.Namespace, settings: Settings, terminal: Terminal) -> int:
    from rag.accounts import account_line

    if sys.stdin.isatty():
        password = getpass("Password: ")
        if getpass("Once more: ") != password:
            raise SettingError("these are two different passwords; run this again")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    terminal.print(account_line(options.name, password))
    return ALL_WELL


def _models(options: argparse.Namespace, settings: Settings, terminal: Terminal) -> int:
    from rag.embeddings import engine_in_words
    from rag.llm import local_model
    from rag.models import MODELS, fetch_model, model_status
    from rag.models_table import SPEECH

    speech = SPEECH if settings.speech != "off" else None
    used = [name for name in (settings.embedding_model, local_model(settings), speech) if name in MODELS]
    if options.action == "pull":
        for name in used:
            folder = fetch_model(
                name, cache=settings.cache, offline=settings.offline, progress=terminal.progress, again=options.again
            )
            terminal.clear()
            terminal.print(f"ok       {name}  {folder}")
        return ALL_WELL
    altered = False
    for status in model_status(settings.cache, rehash=True):
        altered |= status.state == "altered"
        use = "used" if status.name in used else "not used"
        terminal.print(f"{status.state:<8} {status.name}  {status.size / 2**20:.0f} MiB, {status.purpose}, {use}")
        terminal.print(f"         {status.folder}" + (f": {status.detail}" if status.detail else ""))
    terminal.print(f"embeddings by {engine_in_words(settings)}")
    return FAILED if altered else ALL_WELL


def _calibrate(options: argparse.Namespace, settings: Settings, terminal: Terminal) -> int:
    from rag.calibrate import calibrate, fit_lines

    library = _open(settings, terminal)
    fitted = calibrate(settings, options.set, terminal.progress, options.limit)
    for line in fit_lines(fitted):
        terminal.print(line)
    if not options.dry_run:
        library.calibrate(fitted.calibration)
        terminal.print(f"kept in the library {settings.library}")
    return ALL_WELL


def _evaluate(options: argparse.Namespace, settings: Settings, terminal: Terminal) -> int:
    from rag.evaluate_table import comparison_lines, load_results, result_lines, save_results

    if options.compare:
        lines = comparison_lines(*map(load_results, options.compare))
    else:
        from rag.evaluate import evaluate

        results = evaluate(
            settings,
            options.set,
            terminal.progress,
            system="baseline" if options.baseline else options.retriever,
            limit=options.limit,
            answers=not options.retrieval_only and options.retriever == "footnote",
            again=options.again,
        )
        if options.json:
            save_results(results, options.json)
        lines = result_lines(results)
    for line in lines:
        terminal.print(line)
    return ALL_WELL


def _json(fields: dict[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
