"""Formulas of Office documents (OMML) as a line: fractions as (a)/(b), powers as a^(b)."""

from __future__ import annotations

from typing import Any

from rag.loaders_package import attribute, child, local

_SCRIPTS = {"sub": "_", "sup": "^", "lim": "_"}
_BASES = frozenset(("sSub", "sSup", "sSubSup", "sPre", "limLow", "limUpp"))
_SUM = "∫"  # what an n-ary operator is where nothing else is said


def write_math(element: Any) -> str:
    """The formula under an oMath element, or under any element of one."""
    return "".join(_write(item) for item in element)


def _write(item: Any) -> str:
    name = local(item)
    if name == "t":
        return item.text or ""
    if name.endswith("Pr"):
        return ""
    if name == "f":
        return f"({_part(item, 'num')})/({_part(item, 'den')})"
    if name == "rad":
        degree = _part(item, "deg")
        return f"{degree}√({_part(item, 'e')})"
    if name == "nary":
        return _character(item, "naryPr", "chr", _SUM) + _scripts(item) + _part(item, "e")
    if name in _BASES:
        return _part(item, "e") + _scripts(item)
    if name == "d":
        inside = _character(item, "dPr", "sepChr", "|").join(write_math(e) for e in item if local(e) == "e")
        return _character(item, "dPr", "begChr", "(") + inside + _character(item, "dPr", "endChr", ")")
    if name == "mr":
        return " ".join(write_math(e) for e in item) + "; "
    return write_math(item)


def _part(item: Any, name: str) -> str:
    part = child(item, name)
    return write_math(part) if part is not None else ""


def _scripts(item: Any) -> str:
    found = ((mark, _part(item, name)) for name, mark in _SCRIPTS.items())
    return "".join(f"{mark}({text})" for mark, text in found if text)


def _character(item: Any, properties: str, name: str, default: str) -> str:
    element = child(item, properties, name)
    return attribute(element, "val") if element is not None else default
