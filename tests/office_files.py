"""Files of the formats that offices use, made at test time."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping

import openpyxl
from openpyxl.comments import Comment
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Cm

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
ODF = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in {
        "office": "office", "text": "text", "table": "table", "draw": "drawing", "style": "style",
        "presentation": "presentation",
    }.items()
)  # fmt: skip
STYLES = f"""<w:styles {W}>
<w:style w:styleId="Heading1"><w:name w:val="heading 1"/></w:style>
<w:style w:styleId="Mine"><w:name w:val="My own"/><w:basedOn w:val="Heading1"/></w:style></w:styles>"""
NUMBERING = f"""<w:numbering {W}><w:abstractNum w:abstractNumId="7">
<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>
<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl></w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num></w:numbering>"""


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    """A ZIP package of these parts; one called mimetype is stored as it is."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content, zipfile.ZIP_STORED if name == "mimetype" else None)
    return out.getvalue()


def unzipped(data: bytes) -> dict[str, str]:
    """The parts of a package of texts."""
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        return {name: package.read(name).decode() for name in package.namelist()}


def related(**targets: str) -> str:
    """A part of relations, one of each kind to that target."""
    items = "".join(
        f'<Relationship Id="{kind}" Type="{RELATIONS}/{kind}" Target="{target}"'
        + (' TargetMode="External"/>' if "://" in target else "/>")
        for kind, target in targets.items()
    )
    return (
        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{items}</Relationships>'
    )


def docx(body: str, **parts: str) -> bytes:
    """A Word document with that body; each further part is what stands in it, by its kind ("footnotes", "header")."""
    everything = {"styles": STYLES, "numbering": NUMBERING, **parts}
    inside = {kind: f"{kind}.xml" for kind in everything if kind != "hyperlink"}
    links = {"hyperlink": everything.pop("hyperlink")} if "hyperlink" in everything else {}
    return zipped(
        {
            "_rels/.rels": related(officeDocument="word/document.xml"),
            "word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": related(**inside, **links),
            **{f"word/{kind}.xml": content for kind, content in everything.items()},
        }
    )


def paragraph(text: str, style: str = "", item: int | None = None) -> str:
    """A paragraph of a Word document."""
    number = f'<w:numPr><w:ilvl w:val="{item}"/><w:numId w:val="1"/></w:numPr>' if item is not None else ""
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/>{number}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'


def pptx() -> bytes:
    """Two slides: title, list and notes; a table and a chart."""
    presentation = Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[1])
    slide.shapes.title.text = "Safety first"
    frame = slide.placeholders[1].text_frame
    frame.text = "Wear gloves"
    frame.add_paragraph().text = "Wear goggles"
    frame.paragraphs[1].level = 1
    slide.notes_slide.notes_text_frame.text = "Show the gloves."
    slide = presentation.slides.add_slide(presentation.slide_layouts[5])
    slide.shapes.title.text = "Sales"
    table = slide.shapes.add_table(2, 2, Cm(1), Cm(5), Cm(9), Cm(2)).table
    for cell, text in zip(table.iter_cells(), ("Part", "Price", "Pump", "250"), strict=True):
        cell.text = text
    data = CategoryChartData()
    data.categories = ["2025", "2026"]
    data.add_series("Pumps", (12, 15.5))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, Cm(1), Cm(9), Cm(9), Cm(6), data)
    out = io.BytesIO()
    presentation.save(out)
    return out.getvalue()


def xlsx(sheets: Mapping[str, list[list[object]]], comment: str = "") -> bytes:
    """A workbook; the comment stands at the first cell of the first sheet."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        if comment:
            sheet["A1"].comment = Comment(comment, "Ann")
            comment = ""
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def odf(kind: str, body: str, styles: str = "", *, manifest: str = "<manifest/>") -> bytes:
    """An OpenDocument file: kind is "text", "presentation" or "spreadsheet"."""
    content = f"<office:automatic-styles>{styles}</office:automatic-styles><office:body>{body}</office:body>"
    return zipped(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": f"<office:document-content {ODF}>{content}</office:document-content>",
            "META-INF/manifest.xml": manifest,
        }
    )


def epub(*chapters: str, encryption: str = "") -> bytes:
    """A book of these chapters, listed out of order in its manifest."""
    names = [f"c{number}.xhtml" for number in range(len(chapters))]
    items = "".join(
        f'<item id="{name}" href="text/{name}" media-type="application/xhtml+xml"/>' for name in names[::-1]
    )
    spine = "".join(f'<itemref idref="{name}"/>' for name in names)
    html = '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><body>{}</body></html>'
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>',  # noqa: E501
            "OPS/book.opf": f"<package><manifest>{items}</manifest><spine>{spine}</spine></package>",
            **{f"OPS/text/{name}": html.format(text) for name, text in zip(names, chapters, strict=True)},
            **({"META-INF/encryption.xml": encryption} if encryption else {}),
        }
    )


def ole(streams: Mapping[str, bytes]) -> bytes:
    """An OLE container with these streams ("storage/stream" for one inside a storage), each in sectors of 512 bytes.

    After [MS-CFB]: a header, one table of sectors, the directory, the small streams together, the large ones.
    """
    paths = sorted({"/".join(name.split("/")[:depth]) for name in streams for depth in (1, 2)} - {""})
    entries = ["", *paths]
    small = b""
    starts: dict[str, int] = {}
    minifat: list[int] = []
    for name, data in streams.items():
        if len(data) < 4096:
            count = -(-len(data) // 64)
            starts[name] = len(minifat) if count else -2
            minifat += [*range(len(minifat) + 1, len(minifat) + count), -2] if count else []
            small += data.ljust(count * 64, b"\0")
    sectors: list[bytes] = []
    fat: list[int] = []

    def put(data: bytes) -> int:
        if not data:
            return -2
        begin = len(fat) + 1  # the table of sectors itself is the first
        count = -(-len(data) // 512)
        sectors.append(data.ljust(count * 512, b"\0"))
        fat.extend([*range(begin + 1, begin + count), -2])
        return begin

    small_start = put(small)
    minifat_start = put(struct.pack(f"<{len(minifat)}i", *minifat).ljust(-(-len(minifat) // 128) * 512, b"\xff"))
    starts |= {name: put(data) for name, data in streams.items() if len(data) >= 4096}

    def chained(children: list[int]) -> dict[int, int]:  # a tree that leans to the right is a tree
        return dict(zip(children, [*children[1:], -1], strict=True))

    parents: dict[str, list[int]] = {}
    for number, path in enumerate(entries[1:], start=1):
        parents.setdefault(path.rpartition("/")[0], []).append(number)
    right = {number: other for children in parents.values() for number, other in chained(children).items()}
    directory = b""
    for number, path in enumerate(entries):
        name = (path.rpartition("/")[2] or "Root Entry").encode("utf-16-le") + b"\0\0"
        is_stream = path in streams
        kind = 5 if not number else 2 if is_stream else 1
        first = small_start if not number else starts[path] if is_stream else 0
        size = len(small) if not number else len(streams[path]) if is_stream else 0
        child = parents.get(path, [-1])[0]
        directory += name.ljust(64, b"\0") + struct.pack(
            "<HBBiii", len(name), kind, 1, -1, right.get(number, -1), child
        )
        directory += bytes(36) + struct.pack("<iQ", first, size)
    directory_start = put(directory.ljust(-(-len(directory) // 512) * 512, b"\0"))
    table = struct.pack(f"<{len(fat) + 1}i", -3, *fat)
    assert len(table) <= 512, "too large for one table of sectors"
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<IIiIIiIiI", 0, 1, directory_start, 0, 4096, minifat_start, 1 if minifat else 0, -2, 0)
    header += struct.pack("<i", 0) + b"\xff" * 432
    return header + table.ljust(512, b"\xff") + b"".join(sectors)


def msg(subject: str, body: str, attachments: Mapping[str, bytes]) -> bytes:
    """A message of Outlook, after [MS-OXMSG]."""

    def properties(reserved: bytes, texts: Mapping[str, str | bytes], folder: str) -> dict[str, bytes]:
        entries = b""
        streams = {}
        for tag, text in texts.items():
            data = text.encode("utf-16-le") if isinstance(text, str) else text
            streams[f"{folder}__substg1.0_{tag}"] = data
            extra = 2 if isinstance(text, str) else 0
            entries += struct.pack("<IIII", int(tag, 16), 6, len(data) + extra, 0)
        return {f"{folder}__properties_version1.0": reserved + entries, **streams}

    count = len(attachments)
    texts = {"001A001F": "IPM.Note", "0037001F": subject, "1000001F": body, "0C1A001F": "Ann"}
    streams = properties(struct.pack("<8xIIII8x", 0, count, 0, count), texts, "")
    for number, (name, data) in enumerate(attachments.items()):
        folder = f"__attach_version1.0_#{number:08X}/"
        streams |= properties(bytes(8), {"3707001F": name, "37010102": data}, folder)
    return ole(streams)
