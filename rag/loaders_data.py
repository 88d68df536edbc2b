"""Structured text: JSON, JSON lines, XML, and subtitles, whose pages are half minutes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from langchain_core.documents import Document

from rag.errors import DocumentError
from rag.loaders_package import local, parse_xml, reading
from rag.loaders_rows import join_lines
from rag.loaders_text import decode_text

_SPAN_S = 30  # of the subtitles on a page
_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,]\d{1,3}"
_CUE = re.compile(rf"^[ \t]*{_TIME}[ \t]*-->[^\n]*\n((?:[ \t]*\S[^\n]*(?:\n|\Z))*)", re.MULTILINE)
# Bounded, or a line of nothing but opening brackets would take the square of its length.
_VOICE = re.compile(r"<v(?:\.[^ >]{0,99})?[ \t]{1,9}([^>\n]{0,199})>")
_MARKUP = re.compile(r"<[^>\n]{0,199}>|\{\\[^}\n]{0,199}\}")


def load_json(data: bytes) -> list[Document]:
    """JSON as lines of "path.to.key: value", one Document. Raises DocumentError if it is not JSON."""
    try:
        return _page(_records(_parse(decode_text(data))))
    except json.JSONDecodeError as error:
        raise DocumentError(f"it is damaged, or not JSON at all (line {error.lineno}: {error.msg})") from None
    except RecursionError:
        raise DocumentError("it is nested too deep", "too_large") from None


def load_jsonl(data: bytes) -> list[Document]:
    """JSON lines as one Document: each line's values in lines of "key: value". Raises DocumentError."""
    lines: list[str] = []
    for number, line in enumerate(decode_text(data).split("\n"), start=1):
        if line.strip():
            try:
                lines += [*_records(_parse(line)), ""]
            except json.JSONDecodeError as error:
                raise DocumentError(f"it is damaged, or not JSON at all (line {number}: {error.msg})") from None
            except RecursionError:
                raise DocumentError("it is nested too deep", "too_large") from None
    return _page(lines)


def load_xml(data: bytes) -> list[Document]:
    """XML as lines of "element: text", one Document; entities that it defines are left out. Raises DocumentError."""
    with reading("XML"):
        lines = list(_elements(parse_xml(data)))
    return _page(lines)


def load_subtitles(data: bytes) -> list[Document]:
    """Subtitles (SubRip, WebVTT): a Document for each half minute, labelled with the time at which it begins."""
    pages: list[tuple[int, list[str]]] = []
    for cue in _CUE.finditer(decode_text(data).replace("\r\n", "\n").replace("\r", "\n")):
        begin = int(cue[1] or 0) * 3600 + int(cue[2]) * 60 + int(cue[3])
        text = _MARKUP.sub("", _VOICE.sub(r"\1: ", cue[4])).strip()
        if not text:
            continue
        if not pages or not pages[-1][0] <= begin < pages[-1][0] + _SPAN_S:
            pages.append((begin, []))
        if text not in pages[-1][1][-1:]:  # captions of live speech repeat the line before
            pages[-1][1].append(text)
    if not pages:
        raise DocumentError("there are no subtitles in it", "empty")
    return [
        Document(page_content="\n".join(lines), metadata={"page": number, "page_label": f"at {_clock(begin)}"})
        for number, (begin, lines) in enumerate(pages, start=1)
    ]


def _page(lines: list[str]) -> list[Document]:
    return [Document(page_content=join_lines(lines), metadata={"page": None, "page_label": None})]


def _clock(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _parse(text: str) -> Any:
    return json.loads(text, parse_int=str, parse_float=str)  # numbers stay as they are written


def _records(value: Any) -> list[str]:
    """The lines of a value; the items of a list at the top are parted by blank lines."""
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return [line for item in value for line in [*_flatten("", item), ""]]
    return list(_flatten("", value))


def _flatten(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flatten(f"{path}.{key}" if path else str(key), item)
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for number, item in enumerate(value, start=1):
            yield from _flatten(f"{path} {number}".strip(), item)
    elif isinstance(value, list):
        yield from _line(path, ", ".join(_scalar(item) for item in value))
    else:
        yield from _line(path, _scalar(value))


def _line(path: str, text: str) -> Iterator[str]:
    if text.strip():
        yield f"{path}: {text}" if path else text


def _scalar(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _elements(element: Any) -> Iterator[str]:
    name = local(element)
    yield from (f"{name} {key.rpartition('}')[2]}: {value}" for key, value in element.attrib.items() if value.strip())
    children = [child for child in element if local(child)]
    mixed = bool((element.text or "").strip() and children) or any((child.tail or "").strip() for child in element)
    if mixed or not children:
        text = " ".join("".join(element.itertext()).split())
        if text:
            yield text if mixed else f"{name}: {text}"
        return
    for child in children:
        yield from _elements(child)
    yield ""
