"""PowerPoint presentations (.pptx): a page for each slide, with its tables, charts, diagrams, notes and comments."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from typing import Any

from langchain_core.documents import Document
from pptx import Presentation
from pptx.enum.shapes import PP_PLACEHOLDER

from rag.loaders_embedded import Pictures
from rag.loaders_package import PARSER_ERRORS, attribute, child, open_package, parse_xml, reading
from rag.loaders_rows import comment_mark, join_lines, row_line

logger = logging.getLogger(__name__)

_TITLES = frozenset((PP_PLACEHOLDER.TITLE, PP_PLACEHOLDER.CENTER_TITLE, PP_PLACEHOLDER.VERTICAL_TITLE))
_FURNITURE = frozenset((PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER))
_BODIES = frozenset((PP_PLACEHOLDER.BODY, PP_PLACEHOLDER.OBJECT, PP_PLACEHOLDER.VERTICAL_BODY))
_LABEL = re.compile(r" *(?:\d+\.|-) ")


def load_pptx(data: bytes) -> list[Document]:
    """One Document per slide. Raises DocumentError if it is damaged, locked or too large."""
    open_package(data).close()
    with reading("a PowerPoint presentation"):
        presentation = Presentation(io.BytesIO(data))
        authors, pictures = _authors(presentation.part), Pictures()
        return [
            Document(
                page_content=_slide(slide, authors, pictures),
                metadata={"page": number, "page_label": f"slide {number}"},
            )
            for number, slide in enumerate(presentation.slides, start=1)
        ]


def _slide(slide: Any, authors: dict[str, str], pictures: Pictures) -> str:
    lines: list[str] = []
    shapes = list(slide.shapes)
    for shape in sorted(shapes, key=lambda shape: _placeholder(shape) not in _TITLES):
        lines += [*_shape(shape, pictures), ""]
    for root in _related(slide.part, "diagramData"):
        lines += [*_paragraphs(root), ""]
    for root in _related(slide.part, "comments"):
        lines += [*_comments(root, authors), ""]
    if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None and frame.text.strip():
        lines += ["Notes:", *_text(frame)]
    return join_lines(lines)


def _shape(shape: Any, pictures: Pictures) -> list[str]:
    """The lines of a shape; nothing for one that points to what the file does not hold."""
    try:
        if hasattr(shape, "shapes"):
            return [line for inner in shape.shapes for line in _shape(inner, pictures)]
        if getattr(shape, "has_table", False):
            return _table(shape.table)
        if getattr(shape, "has_chart", False):
            return _chart(shape.chart)
        if shape.has_text_frame:
            return _frame(shape)
        return _picture(shape, pictures)
    except PARSER_ERRORS as error:
        logger.info("a shape was left out", exc_info=error)
        return []


def _frame(shape: Any) -> list[str]:
    kind = _placeholder(shape)
    if kind in _FURNITURE:
        return []
    if kind in _TITLES:
        title = _flat(shape.text_frame.text)
        return [f"# {title}"] if title else []
    lines = _text(shape.text_frame)
    if kind not in _BODIES or len(lines) < 2:
        return lines
    return [line if _LABEL.match(line) else f"{'  ' * _depth(line)}- {line.strip()}" for line in lines]


def _text(frame: Any) -> list[str]:
    """The paragraphs of a frame, indented by their levels and numbered where the slide numbers them."""
    lines: list[str] = []
    numbers: dict[int, int] = {}
    for item in frame.paragraphs:
        level, text = item.level, _flat(item.text)
        numbers = {other: number for other, number in numbers.items() if other <= level}
        if not text:
            continue
        label = ""
        if child(item._p, "pPr", "buAutoNum") is not None:
            numbers[level] = numbers.get(level, 0) + 1
            label = f"{numbers[level]}. "
        else:
            numbers.pop(level, None)
            label = "- " if child(item._p, "pPr", "buChar") is not None else ""
        lines.append("  " * level + label + text)
    return lines


def _table(table: Any) -> list[str]:
    lines = []
    above: dict[int, str] = {}
    for row in table.rows:
        for column, cell in enumerate(row.cells):
            if not cell._tc.vMerge:  # a cell that reaches down belongs to what each row says
                above[column] = "" if cell._tc.hMerge else _flat(cell.text)
        lines.append(row_line([above[column] for column in range(len(row.cells))]))
    return lines


def _depth(line: str) -> int:
    return (len(line) - len(line.lstrip())) // 2


def _chart(chart: Any) -> list[str]:
    """A chart's title and its data, a row for each category."""
    titled = chart.has_title and chart.chart_title.has_text_frame
    lines = [f"Chart: {_flat(chart.chart_title.text_frame.text)}" if titled else "Chart:"]
    for plot in chart.plots:
        series = [(_flat(item.name or ""), list(item.values)) for item in plot.series]
        lines.append(row_line(["", *(name for name, _ in series)]).removeprefix(" | "))
        for index, category in enumerate(plot.categories):
            values = (values[index] if index < len(values) else None for _, values in series)
            lines.append(row_line([str(category), *("" if value is None else f"{value:g}" for value in values)]))
    return lines


def _picture(shape: Any, pictures: Pictures) -> list[str]:
    """What the author wrote for those who do not see a picture, and what is written on it."""
    text = _flat(shape._element._nvXxPr.cNvPr.get("descr") or "")
    said = [f"(picture: {text})"] if text else []
    for blip in shape._element.iter("{*}blip"):
        relation = shape.part.rels.get(attribute(blip, "embed"))
        if relation is not None and not relation.is_external:
            said += pictures.lines(relation.target_part.blob)
    return said


def _placeholder(shape: Any) -> Any:
    return shape.placeholder_format.type if shape.is_placeholder else None


def _related(part: Any, *kinds: str) -> Iterator[Any]:
    """The XML of the parts that a part points to inside the file."""
    for relation in part.rels.values():
        if not relation.is_external and relation.reltype.rpartition("/")[2] in kinds:
            yield parse_xml(relation.target_part.blob)


def _paragraphs(root: Any) -> list[str]:
    texts = ("".join(item.text or "" for item in paragraph.iter("{*}t")) for paragraph in root.iter("{*}p"))
    return [_flat(text) for text in texts if text.strip()]


def _authors(part: Any) -> dict[str, str]:
    roots = _related(part, "commentAuthors", "authors")
    return {attribute(author, "id"): attribute(author, "name") for root in roots for author in root}


def _comments(root: Any, authors: dict[str, str]) -> Iterator[str]:
    """Old comments have a text, threaded ones paragraphs, and replies inside."""
    for comment in root.iter("{*}cm", "{*}reply"):
        text, body = child(comment, "text"), child(comment, "txBody")
        said = _flat(text.text or "") if text is not None else " ".join(_paragraphs(body) if body is not None else [])
        if said:
            author = authors.get(attribute(comment, "authorId"), "")
            when = (attribute(comment, "dt") or attribute(comment, "created")).partition("T")[0]
            yield f"{comment_mark(author, when)} {said})"


def _flat(text: str) -> str:
    return " ".join(text.split())
