"""What a library's parsers make of damaged and hostile files: python -m benchmarks.nasty [DIR] [--flips 200]

Of each format in DIR, the smallest file is cut at every 5 % of its length and gets random bits flipped; bombs and
other oddities are made. Every file must end as pages or with a reason, and the process that asked must not notice.
"""

from __future__ import annotations

import argparse
import gzip
import io
import random
import resource
import struct
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from rag.config import load_settings
from rag.errors import DocumentError
from rag.loaders import SUFFIXES
from rag.parsing import ParserPool
from rag.speech import SpeechModel

MAX_BYTES = 100 * 2**20
CUTS = range(5, 100, 5)  # percent of a file's length


def main() -> int:
    """Read them all, print a line a kind and the peaks; 0 if nothing crashed or hung."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nasty", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("sample_docs"), metavar="DIR")
    parser.add_argument("--flips", type=int, default=20, metavar="N", help="damaged copies of each format (20)")
    parser.add_argument("--seed", type=int, default=1, help="of the random bits (1)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds without progress (60)")
    parser.add_argument("--memory", type=int, default=2048, metavar="MIB", help="of a worker (2048)")
    parser.add_argument("--ocr", action="store_true", help="recognise text in pictures as well; takes its time")
    parser.add_argument("--speech", action="store_true", help="hear recordings to their end as well; takes its time")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="put files here that crash or hang their parser")
    options = parser.parse_args()
    seeds = {path.suffix.lower(): path for path in sorted(options.folder.rglob("*"), key=size, reverse=True)}
    seeds = {suffix: path for suffix, path in sorted(seeds.items()) if suffix in SUFFIXES and path.is_file()}
    kinds: dict[str, Iterator[tuple[str, bytes]]] = {
        suffix: damaged(path, random.Random(f"{options.seed}{suffix}"), options.flips) for suffix, path in seeds.items()
    }
    kinds["made"] = made()
    total: Counter[str] = Counter()
    speech = SpeechModel(load_settings()) if options.speech else None
    with closing(ParserPool(options.timeout, options.memory)) as pool, tempfile.TemporaryDirectory() as folder:
        before = peak_mb()
        print(f"{'kind':<8}{'files':>6}{'crashes':>9}{'hangs':>7}{'seconds':>9}{'slowest':>9}  outcomes", flush=True)
        for kind, files in kinds.items():
            outcomes: Counter[str] = Counter()
            slowest, began = 0.0, time.monotonic()
            for name, data in files:
                path = Path(folder) / name
                path.write_bytes(data)
                start = time.monotonic()
                outcome = read(pool, path, options.ocr, speech)
                slowest = max(slowest, time.monotonic() - start)
                outcomes[outcome] += 1
                if kind == "made":
                    print(f"  {name[:40]!a}: {outcome}, {time.monotonic() - start:.1f} s", flush=True)
                if outcome in ("crashed", "timed_out") and options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    (options.keep / name).write_bytes(data)
                path.unlink()
            told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
            print(
                f"{kind:<8}{outcomes.total():>6}{outcomes['crashed']:>9}{outcomes['timed_out']:>7}"
                f"{time.monotonic() - began:>9.1f}{slowest:>9.1f}  {told}",
                flush=True,
            )
            total += outcomes
        print(
            f"{total.total()} files: {total['crashed']} parsers crashed, {total['timed_out']} hung, the parent lived; "
            f"{pool.started} workers; peak {pool.peak_mb:,.0f} MiB of a worker, "
            f"{before:,.0f} to {peak_mb():,.0f} MiB of the parent"
        )
    return 1 if total["crashed"] or total["timed_out"] else 0


def read(pool: ParserPool, path: Path, ocr: bool, speech: SpeechModel | None) -> str:
    """What reading the file came to."""
    try:
        for _ in pool.load_documents(path, path.name, max_bytes=MAX_BYTES, ocr=ocr, speech=speech):
            pass
    except DocumentError as error:
        return "crashed" if error.outcome == "corrupt" and "crashed" in str(error) else error.outcome
    return "read"


def size(path: Path) -> int:
    """Bytes of a file."""
    return path.stat().st_size


def peak_mb() -> float:
    """The most resident memory this process had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def damaged(path: Path, rng: random.Random, flips: int) -> Iterator[tuple[str, bytes]]:
    """The file cut short, and copies with one to a hundred bits flipped."""
    data = path.read_bytes()
    for percent in CUTS:
        yield f"cut{percent}{path.suffix}", data[: len(data) * percent // 100]
    for number in range(flips):
        copy = bytearray(data)
        for _ in range(rng.choice((1, 3, 10, 100))):
            copy[rng.randrange(len(copy))] ^= 1 << rng.randrange(8)
        yield f"flip{number}{path.suffix}", bytes(copy)


def made() -> Iterator[tuple[str, bytes]]:
    """Bombs, depths, cycles and odd names."""
    main = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    word = f'<w:document xmlns:w="{main}"><w:body>{{}}</w:body></w:document>'
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    entities = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "lol">{laughs}]><a>&l9;</a>'
    row = "<row>" + '<c s="1"/>' * 500 + "</row>"
    yield "zip-bomb.docx", zipped({"word/document.xml": [(bytes(10**6), 1000)]})
    yield "quoted-bomb.docx", zipped({"word/document.xml": word.format("<w:p/>" * 10**7)})
    bomb = zipped({f"{number}.txt": [(bytes(10**6), 1)] for number in range(400)})
    yield "zip-bomb.zip", zipped({"a.txt": [(bytes(10**6), 1000)]})
    yield "zips-of-zips.zip", zipped({f"{number}.zip": bomb for number in range(100)})
    yield "gzip-bomb.txt.gz", gzip.compress(bytes(2**29))
    yield "gzip-of-gzip.txt.gz.gz", gzip.compress(gzip.compress(bytes(2**29)))
    yield "sparse.tar", sparse_tar(2**40)
    deep = zipped({"a.txt": "pears"})
    for _ in range(100):
        deep = zipped({"deep.zip": deep, "b.txt": "plums"})
    yield "deep.zip", deep
    yield "entities.xml", entities.encode()
    yield "entities.docx", zipped({"word/document.xml": entities})
    yield "blank-cells.xlsx", workbook(row.encode(), 100_000)
    yield "flate-bomb.pdf", pdf_stream(zlib.compress(deflated(bytes(2**20), 1024)), "[/FlateDecode /FlateDecode]")
    yield "pages-100000.pdf", pdf_pages(100_000)
    yield "pages-0.pdf", pdf_pages(0)
    yield "cycle.pdf", pdf(["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 1/Kids[2 0 R]>>"])
    yield "pixels.png", png(60_000, 60_000)
    yield "pixels.tif", b"II*\x00" + struct.pack("<IHHHII", 8, 2, 256, 4, 1, 2**31 - 1) + bytes(12)
    yield "deep.json", b"[" * 10**6
    yield "deep.xml", b"<a>" * 10**6
    yield "deep.html", b"<div>" * 200_000 + b"x"
    yield "deep.rtf", rb"{\rtf1" + b"{" * 10**6
    yield "deep.docx", zipped({"word/document.xml": word.format("<w:p>" * 50_000)})
    yield "mail.eml", b"Content-Type: message/rfc822\r\n\r\n" * 20_000
    yield "line.csv", b"a," * 10**7
    yield "line.txt", b"a" * 5 * 10**7
    yield "a\nb\t\u202e \x7f.txt", b"odd name"
    yield "-rf *; $(x) '\".md", b"odd name"


def zipped(parts: dict[str, str | bytes | list[tuple[bytes, int]]]) -> bytes:
    """A ZIP archive of these parts, each whole, or pieces and how often each is repeated."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            pieces = part if isinstance(part, list) else [(part.encode() if isinstance(part, str) else part, 1)]
            with archive.open(name, "w", force_zip64=True) as file:
                for piece, times in pieces:
                    for _ in range(times):
                        file.write(piece)
    return out.getvalue()


def sparse_tar(size: int) -> bytes:
    """An archive of one file that is all holes."""
    member = tarfile.TarInfo("a.txt")
    member.size = size
    return member.tobuf() + bytes(1024)


def deflated(piece: bytes, times: int) -> bytes:
    """The piece, repeated, and packed as it is made."""
    packer = zlib.compressobj()
    return b"".join([*(packer.compress(piece) for _ in range(times)), packer.flush()])


def workbook(row: bytes, times: int) -> bytes:
    """A workbook of one sheet that repeats a row."""
    main, rels = "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://schemas.openxmlformats.org/"
    links = (
        f'<Relationships xmlns="{rels}package/2006/relationships"><Relationship Id="r1" '
        f'Type="{rels}officeDocument/2006/relationships/{{}}" Target="{{}}"/></Relationships>'
    )
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    return zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{rels}package/2006/content-types">'
            f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',
            "_rels/.rels": links.format("officeDocument", "xl/workbook.xml"),
            "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{rels}officeDocument/2006/relationships">'
            '<sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": links.format("worksheet", "worksheets/sheet1.xml"),
            "xl/worksheets/sheet1.xml": [
                (f'<worksheet xmlns="{main}"><sheetData>'.encode(), 1),
                (row, times),
                (b"</sheetData></worksheet>", 1),
            ],
        }
    )


def pdf(objects: list[str | bytes]) -> bytes:
    """A PDF of these objects, the first of which is its catalog."""
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + (content.encode() if isinstance(content, str) else content) + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    return bytes(out)


def pdf_pages(count: int) -> bytes:
    """A PDF of so many blank pages."""
    kids = " ".join(f"{number} 0 R" for number in range(3, count + 3))
    page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]>>"
    return pdf(["<</Type/Catalog/Pages 2 0 R>>", f"<</Type/Pages/Count {count}/Kids[{kids}]>>", *[page] * count])


def pdf_stream(stream: bytes, filters: str) -> bytes:
    """A PDF of one page with this content."""
    return pdf(
        [
            "<</Type/Catalog/Pages 2 0 R>>",
            "<</Type/Pages/Count 1/Kids[3 0 R]>>",
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R>>",
            f"<</Length {len(stream)}/Filter {filters}>>\nstream\n".encode() + stream + b"\nendstream",
        ]
    )


def png(width: int, height: int) -> bytes:
    """A black picture of one bit a pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((width // 8 + 1) * height))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


if __name__ == "__main__":
    sys.exit(main())
