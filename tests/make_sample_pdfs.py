"""Makes the PDFs of sample_docs/ from sample_pdf_texts.py: python tests/make_sample_pdfs.py FOLDER.

The same text always gives the same bytes. The marks of the text: "# " and "## " headings, "- " and "1. " lists, "| "
tables, "! " a framed warning, "---" a new page, "[kettle]" and "[chart]" drawings; anything else is a paragraph.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import FontFace
from sample_pdf_texts import CHART, FACTS, MANUAL, STUDY, YEARS

STEEL, INK, PALE = (60, 84, 104), (30, 34, 40), (232, 238, 242)


class Booklet(FPDF):
    """A document whose pages carry a running title and, at the foot, their own page label."""

    def __init__(self, paper: tuple[float, float], running: str, size: float) -> None:
        """`paper` is its width and height in mm; `running` the running title; `size` the body type in points."""
        super().__init__(format=paper)
        self.core_fonts_encoding = "cp1252"
        self.running, self.size = running, size
        self.set_margins(17, 20, 17)
        self.set_auto_page_break(True, 18)
        self.set_creation_date(datetime(2026, 3, 16, 9, 0, tzinfo=UTC))
        self.set_author("Tarnbeck Kettles Ltd")
        self.set_title(running)
        self.headings: list[tuple[str, str]] = []

    def header(self) -> None:
        """The running title, on every page but the first."""
        if self.page_no() == 1:
            return
        self.set_y(10)
        self.set_font("Helvetica", "", 8)
        self.set_text_color(*STEEL)
        self.cell(0, 4, self.running)
        self.set_draw_color(*STEEL)
        self.line(self.l_margin, 15, self.w - self.r_margin, 15)
        self.set_y(self.t_margin)

    def footer(self) -> None:
        """The page label."""
        self.set_y(-13)
        self.set_font("Helvetica", "", 8)
        self.set_text_color(*STEEL)
        self.cell(0, 5, self.get_page_label(), align="C")

    def text_block(self, text: str, style: str = "", size: float | None = None, gap: float = 1.8, pad: int = 0) -> None:
        """A paragraph over the full width; with a padding `pad` in mm it stands on a tinted ground."""
        size = size or self.size
        self.set_font("Helvetica", style, size)
        self.set_text_color(*INK)
        self.set_fill_color(*PALE)
        self.multi_cell(0, size * 0.48, text, align="L", fill=pad > 0, padding=pad, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(gap)

    def heading(self, text: str, level: int) -> None:
        """A heading, also in the outline; a top one goes into the contents."""
        self.ln(2.5 if level == 0 else 1)
        if self.will_page_break(24):
            self.add_page()
        self.start_section(text, level)
        if level == 0:
            self.headings.append((text, self.get_page_label()))
        self.set_font("Helvetica", "B", self.size + (4 if level == 0 else 1.5))
        self.set_text_color(*STEEL)
        self.multi_cell(0, 7 if level == 0 else 6, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(0.8)

    def items(self, lines: list[str]) -> None:
        """A list; each line keeps its own mark, hanging left of the text."""
        for mark, text in (line.split(" ", 1) for line in lines):
            self.set_font("Helvetica", "", self.size)
            self.set_text_color(*INK)
            self.cell(5.5, self.size * 0.48, "\u2022" if mark == "-" else mark)
            self.multi_cell(0, self.size * 0.48, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
            self.ln(0.7)
        self.ln(1.3)

    def rows(self, lines: list[str]) -> None:
        """A table; the first row is its head."""
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        longest = [max(len(row[i]) for row in cells) + 4 for i in range(len(cells[0]))]
        self.set_font("Helvetica", "", self.size - 0.7)
        self.set_text_color(*INK)
        self.set_fill_color(255, 255, 255)
        head = FontFace(emphasis="BOLD", color=STEEL, fill_color=PALE)
        widths = tuple(min(max(width, 9), 48) for width in longest)
        with self.table(
            col_widths=widths, text_align="L", headings_style=head, line_height=self.size * 0.5, padding=0.9,
            borders_layout="HORIZONTAL_LINES",
        ) as table:  # fmt: skip
            for row in cells:
                table.row(row)
        self.ln(3)

    def kettle(self) -> None:
        """A line drawing of the kettle with the letters of its parts."""
        x, y = self.w / 2 - 22, self.get_y() + 4
        self.set_draw_color(*INK)
        self.set_line_width(0.5)
        self.polygon([(x + 8, y + 8), (x + 34, y + 8), (x + 40, y + 42), (x + 2, y + 42)])
        self.polygon([(x + 6.2, y + 18), (x - 4, y + 11), (x + 7.6, y + 10)])
        self.polyline([(x + 34.4, y + 10), (x + 50, y + 12), (x + 47, y + 36), (x + 39, y + 36)])
        self.polyline([(x + 34.9, y + 13), (x + 46, y + 15), (x + 44, y + 33), (x + 38.4, y + 33)])
        self.polygon([(x + 10, y + 8), (x + 12, y + 4.5), (x + 30, y + 4.5), (x + 32, y + 8)])
        self.ellipse(x + 18.5, y + 1.5, 5, 3)
        self.rect(x - 1, y + 43.5, 44, 5, round_corners=True, corner_radius=1.5)
        self.line(x + 27, y + 17, x + 28.2, y + 37)
        self.set_line_width(0.2)
        self.set_font("Helvetica", "B", 9)
        for letter, x1, y1, x2, y2 in (
            ("A", 24, 5.5, 36, -1), ("B", 0, 12, -10, 6), ("C", 10, 30, -10, 30), ("D", 48, 24, 58, 24),
            ("E", 42, 46, 58, 46),
        ):  # fmt: skip
            self.line(x + x1, y + y1, x + x2, y + y2)
            self.text(x + x2 + (1 if x2 > x1 else -3), y + y2 + 1.2, letter)
        self.set_y(y + 53)

    def chart(self) -> None:
        """Bars of the scale after twelve weeks."""
        self.text_block("Figure 1. Limescale per kettle after 12 weeks, in grams", "I", gap=1)
        self.set_font("Helvetica", "", self.size)
        for name, grams in CHART:
            self.cell(20, 6, name)
            self.set_fill_color(*STEEL)
            self.rect(self.get_x(), self.get_y() + 1, grams * 7, 4, style="F")
            self.set_x(self.get_x() + grams * 7 + 2)
            self.cell(0, 6, f"{grams} g", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(3)

    def body(self, text: str) -> None:
        """Everything that is written in the marks described above."""
        for block in re.split(r"\n{2,}|\n(?=## )", text.strip()):
            mark, _, rest = block.partition(" ")
            lines = re.sub(r"\n(?![-|]|\d\. )", " ", block).splitlines()
            if block == "---":
                self.add_page()
            elif block in ("[kettle]", "[chart]"):
                getattr(self, block.strip("[]"))()
            elif mark in ("#", "##"):
                self.heading(rest, len(mark) - 1)
            elif mark == "!":
                self.text_block(" ".join(rest.splitlines()), gap=3, pad=3)
            elif mark in ("-", "1."):
                self.items(lines)
            elif mark == "|":
                self.rows(lines)
            else:
                self.text_block(lines[0])


def make_manual(year: str, contents: list[tuple[str, str]]) -> Booklet:
    """The K3 manual: pages i to iii, then 1 onwards. `contents` are the headings with their page labels."""
    facts = {name: values[YEARS.index(year)] for name, values in FACTS.items()}
    pdf = Booklet((148, 210), f"Tarnbeck K3 – user manual, {year} edition", 9.5)
    pdf.set_subject(f"Variable temperature kettle K3, model year {year}")
    pdf.add_page(label_style="r", label_start=1)
    pdf.set_fill_color(*STEEL)
    pdf.rect(0, 0, pdf.w, 62, style="F")
    pdf.set_y(24)
    for text, size in (("Tarnbeck K3", 30), ("Variable temperature kettle", 13)):
        pdf.set_font("Helvetica", "B" if size > 20 else "", size)
        pdf.set_text_color(255, 255, 255)
        pdf.cell(0, size * 0.55, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.set_y(76)
    pdf.text_block("User manual", "B", 18)
    pdf.text_block(f"{year} edition", "", 13, gap=24)
    pdf.set_y(150)
    pdf.text_block(
        f"Tarnbeck Kettles Ltd\nWeir Lane Works, Kelderby\nDocument {facts['document']}, issued in {facts['issued']}"
    )
    pdf.add_page()
    pdf.text_block("About this edition", "B", 14, gap=2)
    pdf.text_block(
        f"This manual describes the K3 of model year {year}. The model year stands on the rating plate under the base. "
        "If yours differs, ask us for the right edition: some figures are not the same."
    )
    pdf.text_block(facts["news"])
    pdf.text_block(f"Helpline: {facts['helpline']}")
    pdf.text_block("© Tarnbeck Kettles Ltd. Private copies are welcome.")
    pdf.add_page()
    pdf.text_block("Contents", "B", 14, gap=2)
    for name, label in contents:
        pdf.set_font("Helvetica", "", pdf.size)
        pdf.cell(pdf.epw - 12, 6.5, name)
        pdf.cell(12, 6.5, label, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.add_page(label_style="D", label_start=1)
    pdf.body(MANUAL.format(**facts))
    return pdf


def make_study() -> Booklet:
    """The research note on limescale, A4, pages 1 onwards."""
    pdf = Booklet((210, 297), "Limescale in domestic kettles – Research note TB-R-14", 10.5)
    pdf.set_margins(24, 22, 24)
    pdf.set_subject("Growth and removal of limescale at three water hardnesses")
    pdf.add_page(label_style="D", label_start=1)
    pdf.text_block("Research note TB-R-14", "", 10, gap=1)
    pdf.text_block("Limescale in domestic kettles: growth, cost and removal at three water hardnesses", "B", 18, gap=3)
    pdf.text_block("Dr Lena Marsch and Pia Okafor, Engineering, Tarnbeck Kettles Ltd\n22 August 2025", gap=4)
    pdf.body(STUDY)
    return pdf


def make_pdfs(folder: Path) -> list[Path]:
    """Write the three PDFs into `folder`."""
    made = {"limescale-study.pdf": make_study()}
    for year in YEARS:
        made[f"k3-manual-{year}.pdf"] = make_manual(year, make_manual(year, []).headings)
    for name, pdf in made.items():
        pdf.output(folder / name)
    return [folder / name for name in made]


if __name__ == "__main__":
    make_pdfs(Path(sys.argv[1]))
