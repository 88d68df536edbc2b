"""A small file of each format, each stating one fact, with the question that it answers; made when asked for."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from email.message import EmailMessage
from typing import NamedTuple

import xlwt
from fpdf import FPDF
from legacy_files import doc, ppt
from office_files import docx, epub, msg, odf, paragraph, xlsx, zipped
from PIL import Image, ImageDraw, ImageFont
from pptx import Presentation
from speech_files import recording, speak


class Case(NamedTuple):
    """A file that states `told` at `place`, and a question whose answer holds `fact`."""

    name: str
    make: Callable[[str], bytes]
    told: str
    question: str
    fact: str
    place: str = ""

    @property
    def data(self) -> bytes:
        """The file's content."""
        return self.make(self.told)


def pdf(told: str) -> bytes:
    """Three pages labelled i, ii, iii; it is told on the second."""
    document = FPDF()
    document.set_font("helvetica", size=12)
    for text in ("The lighthouse keeps its own archive.", told, "The lamp room is closed in winter."):
        document.add_page(label_style="r", label_start=len(document.pages) + 1)
        document.multi_cell(0, text=text)
    return bytes(document.output())


def slides(told: str) -> bytes:
    """Two slides; it is told on the second."""
    presentation = Presentation()
    for title, text in (("The museum", "It is open every day."), ("Visitors", told)):
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text_frame.text = text
    out = io.BytesIO()
    presentation.save(out)
    return out.getvalue()


def rows(told: str, count: int = 200) -> list[list[object]]:
    """A table of many rows; it is told, a cell a word, near its end."""
    made: list[list[object]] = [["Part", "Bin", "Price"]]
    made += [[f"Washer W{number}", f"A{number}", number * 3] for number in range(count)]
    made.insert(count - 20, [*told.split(", ")])
    return made


def csv(told: str) -> bytes:
    return "\n".join(",".join(map(str, row)) for row in rows(told, 60)).encode()


def xls(told: str) -> bytes:
    book = xlwt.Workbook()
    book.add_sheet("Notes").write(0, 0, "Counted in May.")
    sheet = book.add_sheet("Stock")
    for number, row in enumerate(rows(told, 30)):
        for column, value in enumerate(row):
            sheet.write(number, column, value)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def odt(told: str) -> bytes:
    return odf("text", f"<office:text><text:h>Report</text:h><text:p>{told}</text:p></office:text>")


def odp(told: str) -> bytes:
    page = "<draw:page><draw:frame><draw:text-box><text:p>{}</text:p></draw:text-box></draw:frame></draw:page>"
    return odf(
        "presentation", f"<office:presentation>{page.format('Welcome')}{page.format(told)}</office:presentation>"
    )


def ods(told: str) -> bytes:
    lines = "".join(
        "<table:table-row>"
        + "".join(f"<table:table-cell><text:p>{cell}</text:p></table:table-cell>" for cell in row)
        + "</table:table-row>"
        for row in rows(told, 30)
    )
    return odf(
        "spreadsheet",
        f'<office:spreadsheet><table:table table:name="Depot">{lines}</table:table></office:spreadsheet>',
    )


def mail(told: str, *, attached: bool = True) -> EmailMessage:
    """A message that tells it, or has it attached."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Zoe <zoe@example.org>", "bob@example.org", "Papers"
    made.set_content("The papers are attached." if attached else told)
    if attached:
        made.add_attachment(docx(paragraph(told)), maintype="application", subtype="msword", filename="lease.docx")
    return made


def mailbox(told: str) -> bytes:
    letters = (mail("Lunch is at one.", attached=False), mail(told, attached=False))
    return b"".join(b"From zoe@example.org Mon Jan  5 10:00:00 2026\n" + bytes(letter) + b"\n" for letter in letters)


def subtitles(told: str) -> bytes:
    return f"1\n00:00:01,000 --> 00:00:04,000\nGood evening.\n\n2\n00:02:10,000 --> 00:02:14,000\n{told}\n".encode()


def page(told: str) -> bytes:
    return f"<html><nav>Home</nav><h1>News</h1><p>{told}</p><script>var told</script></html>".encode()


def picture(told: str) -> bytes:
    made = Image.new("RGB", (1400, 300), "white")
    ImageDraw.Draw(made).text((60, 100), told, "black", ImageFont.load_default(size=44))
    out = io.BytesIO()
    made.save(out, "PNG")
    return out.getvalue()


def spoken(told: str) -> bytes:
    return recording(speak(told), "wav", "pcm_s16le")


CASES = (
    Case(
        "lighthouse.pdf",
        pdf,
        "The Bramley lighthouse is 47 metres tall.",
        "How tall is the Bramley lighthouse?",
        "47",
        "page ii",
    ),
    Case(
        "orchard.docx",
        lambda told: docx(paragraph("Trees", "Heading1") + paragraph(told)),
        "The Quillon orchard has 318 pear trees.",
        "How many pear trees does the Quillon orchard have?",
        "318",
    ),
    Case(
        "ferry.doc",
        doc,
        "The Ostrava ferry leaves at 6:40 every morning.\n",
        "When does the Ostrava ferry leave?",
        "6:40",
    ),
    Case(
        "museum.pptx",
        slides,
        "The Tarn museum had 9,214 visitors in 2025.",
        "How many visitors did the Tarn museum have in 2025?",
        "9,214",
        "slide 2",
    ),
    Case(
        "bridge.ppt",
        lambda told: ppt(("Roads", "They are dry."), ("Bridge", told)),
        "The Kelda bridge was opened in 1931.",
        "When was the Kelda bridge opened?",
        "1931",
        "slide 2",
    ),
    Case(
        "parts.xlsx",
        lambda told: xlsx({"Notes": [["Counted in May."]], "Parts": rows(told)}),
        "Zeta valve, K17, 862",
        "What is the price of the Zeta valve?",
        "862",
        "sheet Parts",
    ),
    Case("stock.xls", xls, "Omega hinge, P42, 749", "What is the price of the Omega hinge?", "749", "sheet Stock"),
    Case("depot.ods", ods, "Sigma gasket, R63, 533", "What is the price of the Sigma gasket?", "533", "sheet Depot"),
    Case("tools.csv", csv, "Lambda chisel, T28, 974", "What is the price of the Lambda chisel?", "974"),
    Case(
        "survey.odt",
        odt,
        "The Morva survey was paid for by the Hadley Trust.",
        "Who paid for the Morva survey?",
        "Hadley",
    ),
    Case(
        "harvest.odp",
        odp,
        "The Perrin harvest weighed 640 tonnes.",
        "How much did the Perrin harvest weigh?",
        "640",
        "slide 2",
    ),
    Case(
        "notice.rtf",
        lambda told: rb"{\rtf1\ansi " + told.encode() + b"}",
        "The Selby pool is closed on Thursdays.",
        "On which day is the Selby pool closed?",
        "Thursday",
    ),
    Case(
        "novel.epub",
        lambda told: epub("<h1>One</h1><p>It rained.</p>", f"<h1>Two</h1><p>{told}</p>"),
        "Captain Arkwright's ship was called the Meridian.",
        "What was Captain Arkwright's ship called?",
        "Meridian",
        "chapter 2",
    ),
    Case(
        "news.html",
        page,
        "The Dunmore bakery sells 1,250 loaves a week.",
        "How many loaves does the Dunmore bakery sell a week?",
        "1,250",
    ),
    Case(
        "guide.md",
        lambda told: f"# Guide\n\n## Tents\n\n{told}\n".encode(),
        "The Fenwick campsite charges 23 euros a night for a tent.",
        "What does the Fenwick campsite charge for a tent?",
        "23",
    ),
    Case(
        "staff.json",
        lambda told: json.dumps([{"note": "old"}, {"note": told}]).encode(),
        "The Ibsen hotel employs 88 people.",
        "How many people does the Ibsen hotel employ?",
        "88",
    ),
    Case(
        "papers.eml",
        lambda told: bytes(mail(told)),
        "The Corwen lease ends on 14 March 2031.",
        "When does the Corwen lease end?",
        "2031",
        "attachment lease.docx",
    ),
    Case(
        "letter.msg",
        lambda told: msg("Boat", told, {}),
        "The Larkspur boat was sold for 15,600 pounds.",
        "For how much was the Larkspur boat sold?",
        "15,600",
    ),
    Case(
        "letters.mbox",
        mailbox,
        "The Yarrow meeting was moved to room 512.",
        "To which room was the Yarrow meeting moved?",
        "512",
        "message 2",
    ),
    Case(
        "film.srt",
        subtitles,
        "The Vesper vault is opened with the code 7391.",
        "With which code is the Vesper vault opened?",
        "7391",
        "at 0:02:10",
    ),
    Case(
        "bundle.zip",
        lambda told: zipped({"a/read.txt": "Nothing here.", "a/mill.md": told}),
        "The Hollis mill grinds 34 sacks a day.",
        "How many sacks does the Hollis mill grind a day?",
        "34",
        "file a/mill.md",
    ),
    Case("sign.png", picture, "The Tolland tunnel is 2,860 metres long.", "How long is the Tolland tunnel?", "2,860"),
    Case(
        "call.wav",
        spoken,
        "The garden club meets in the town hall on Friday evening.",
        "Where does the garden club meet?",
        "town hall",
        "at 0:00",
    ),
)
