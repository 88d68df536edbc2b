"""How fast files become text, beside the libraries one would pick: python benchmarks/throughput.py FOLDER

Each arm reads each file in this process, from its path to one string, in turns that change their order; a first round
warms up, and a file counts where both found text in it. Neither recognises pictures. The rates are MB of files, and
pages of PDFs, a second of a core: what other programs take of the machine is not counted. Each round's seconds are the
sum over the files; the rates are of the median round, and the ratio is the median of the rounds' own, with the least
and the greatest: above 1 Footnote is the faster. The last column is how many letters and digits the other found for
each that Footnote did. markitdown takes part where it is installed ("markitdown[docx,outlook,pdf,pptx,xls,xlsx]").
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.ratios import spread  # noqa: E402
from rag.loaders import SUFFIXES, load_documents  # noqa: E402

Arm = Callable[[Path], str]


def footnote(path: Path) -> str:
    """Footnote without its child process, as every arm is; pictures aside."""
    return "\n".join(page.page_content for page in load_documents(path, max_bytes=2**27, ocr=False))


def markitdown() -> Arm:
    """MarkItDown as it comes."""
    converter = import_module("markitdown").MarkItDown(enable_plugins=False)
    return lambda path: str(converter.convert_local(path).text_content)


def pypdf(path: Path) -> str:
    """Every page's text."""
    reader = import_module("pypdf").PdfReader(path)
    return "\n".join(page.extract_text() for page in reader.pages)


def python_docx(path: Path) -> str:
    """Paragraphs, then the cells of tables."""
    document = import_module("docx").Document(str(path))
    cells = (cell.text for table in document.tables for row in table.rows for cell in row.cells)
    return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])


def python_pptx(path: Path) -> str:
    """The text of each shape."""
    slides = import_module("pptx").Presentation(str(path)).slides
    return "\n".join(shape.text_frame.text for slide in slides for shape in slide.shapes if shape.has_text_frame)


def openpyxl(path: Path) -> str:
    """Every cell of every sheet."""
    book = import_module("openpyxl").load_workbook(path, read_only=True, data_only=True)
    rows = (row for sheet in book.worksheets for row in sheet.iter_rows(values_only=True))
    return "\n".join(" | ".join(str(cell) for cell in row if cell is not None) for row in rows)


def beautifulsoup(path: Path) -> str:
    """get_text over lxml."""
    return str(import_module("bs4").BeautifulSoup(path.read_bytes(), "lxml").get_text("\n"))


def pandas(path: Path) -> str:
    """A data frame, written out."""
    return str(import_module("pandas").read_csv(path).to_string())


def loaders() -> dict[str, tuple[str, Arm]]:
    """Suffix to the library one would pick for that format alone, by its name, where that is installed."""
    known = {
        ".pdf": ("pypdf", pypdf),
        ".docx": ("python-docx", python_docx),
        ".pptx": ("python-pptx", python_pptx),
        ".xlsx": ("openpyxl", openpyxl),
        ".html": ("beautifulsoup4", beautifulsoup),
        ".csv": ("pandas", pandas),
    }
    installed = {name.lower() for each in packages_distributions().values() for name in each}
    return {suffix: (name, arm) for suffix, (name, arm) in known.items() if name in installed}


def main() -> None:
    """Print a row for each format and other library."""
    parser = argparse.ArgumentParser(prog="benchmarks/throughput.py", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how often each arm reads each file (5)")
    parser.add_argument("--only", nargs="+", metavar="SUFFIX", help="these formats")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    formats: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(options.folder.rglob("*")):
        if path.is_file() and (suffix := path.suffix.lower()) in SUFFIXES and suffix in (options.only or SUFFIXES):
            formats[suffix].append(path)
    others = {"markitdown": markitdown()} if find_spec("markitdown") else {}
    print("| format | files | beside | Footnote | the other | ratio | its text |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for suffix, paths in sorted(formats.items()):
        own = loaders().get(suffix)
        for name, arm in [*others.items(), *([own] if own else [])]:
            if row := compare(paths, arm, options.rounds):
                print(f"| {suffix[1:]} | {row[0]} | {name} {version(name)} | {' | '.join(row[1:])} |", flush=True)


def compare(paths: list[Path], other: Arm, rounds: int) -> list[str]:
    """The cells of a row: files, both rates, ratio, text; nothing where no file is read by both."""
    texts = {path: (read(footnote, path), read(other, path)) for path in paths}
    both = [path for path, (ours, theirs) in texts.items() if ours and theirs]
    if not both:
        return []
    seconds: list[tuple[float, float]] = []
    for number in range(rounds):
        spent = {footnote: 0.0, other: 0.0}
        for path in both:
            for arm in (footnote, other) if number % 2 else (other, footnote):
                began = time.process_time()
                arm(path)
                spent[arm] += time.process_time() - began
        seconds.append((spent[footnote], spent[other]))
    size = sum(path.stat().st_size for path in both) / 1e6
    pages = sum(len(load_documents(path, max_bytes=2**27, ocr=False)) for path in both if path.suffix == ".pdf")
    ratios = [theirs / ours for ours, theirs in seconds]
    found = [sum(texts[path][arm] for path in both) for arm in (0, 1)]
    return [
        f"{len(both)} of {len(paths)}",
        *(rate(size, pages, statistics.median(each)) for each in zip(*seconds, strict=True)),
        spread(ratios),
        f"{found[1] / found[0]:.2f}",
    ]


def read(arm: Arm, path: Path) -> int:
    """How many letters and digits an arm finds; 0 too where it fails, in whatever way it does."""
    try:
        return sum(map(str.isalnum, arm(path)))
    except Exception:  # noqa: BLE001 - any library's own
        return 0


def rate(size: float, pages: int, seconds: float) -> str:
    """MB a second, and pages a second where there are any."""
    return f"{size / seconds:.3g} MB/s" + (f", {pages / seconds:.3g} pages/s" if pages else "")


if __name__ == "__main__":
    main()
