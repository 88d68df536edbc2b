"""The settings of whoever asks: what the browser sends of them, and the panel in which they are chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rag.types import AskLimits, AskOptions
from rag.ui_render import escape
from rag.ui_texts import Texts

_STEPS = 19  # a slider of tokens has about this many


def read_options(told: Mapping[str, object]) -> AskOptions:
    """The options that the browser sent, bounded by nothing yet; what is no number is as the server is set."""
    sources, answer_tokens = _number(told.get("sources")), _number(told.get("answer_tokens"))
    return AskOptions(
        sources=None if sources is None else round(sources),
        answer_tokens=None if answer_tokens is None else round(answer_tokens),
        temperature=_number(told.get("temperature")),
        model=str(told.get("model", "")) or None,
    )


def _number(value: object) -> float | None:
    try:
        number = float(str(value)[:32])
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def render_settings(texts: Texts, limits: AskLimits, options: AskOptions) -> str:
    """The panel: each setting with what it does and what it costs."""
    step = max(1, limits.answer_tokens // (_STEPS + 1))
    least = limits.answer_tokens - step * max(0, (limits.answer_tokens - limits.least_tokens) // step)
    rows = (
        _select("language", texts.SET_LANGUAGE, texts.SET_LANGUAGE_HELP, texts.LANGUAGE_NAMES, texts.language, ""),
        _slider(
            "sources",
            texts.SET_SOURCES,
            texts.SET_SOURCES_HELP.format(most=limits.sources),
            (1, limits.sources, 1),
            limits.sources,
            options.sources,
        ),
        _slider(
            "answer_tokens",
            texts.SET_TOKENS,
            texts.SET_TOKENS_HELP.format(most=f"{limits.answer_tokens:,}"),
            (least, limits.answer_tokens, step),
            limits.answer_tokens,
            options.answer_tokens,
        ),
        _slider(
            "temperature",
            texts.SET_TEMPERATURE,
            texts.SET_TEMPERATURE_HELP,
            (0, limits.most_temperature, 0.05),
            limits.temperature,
            options.temperature,
        ),
        _models(texts, limits, options),
    )
    return (
        f'<form class="settings"><header><h2 id="settings-title">{texts.SETTINGS}</h2>'
        f'<button type="button" class="x" id="settings-close" aria-label="{texts.SETTINGS_CLOSE}">'
        f'<span aria-hidden="true">×</span></button></header>{"".join(rows)}'
        f'<footer><p>{texts.SETTINGS_KEPT}</p><button type="button" id="settings-reset">{texts.SETTINGS_RESET}</button>'
        f"</footer></form>"
    )


def _slider(
    name: str, label: str, told: str, span: tuple[float, float, float], default: float, chosen: float | None
) -> str:
    value = default if chosen is None else max(span[0], min(chosen, span[1]))
    least, most, step = (f"{number:g}" for number in span)
    return (
        f'<div class="set"><label for="set-{name}">{label}</label><output for="set-{name}">{value:g}</output>'
        f'<input type="range" id="set-{name}" name="{name}" min="{least}" max="{most}" step="{step}" '
        f'value="{value:g}" data-default="{default:g}" aria-describedby="help-{name}">'
        f'<p id="help-{name}">{told}</p></div>'
    )


def _select(name: str, label: str, told: str, names: Mapping[str, str], chosen: str, default: str) -> str:
    options = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(shown)}</option>'
        for value, shown in names.items()
    )
    return (
        f'<div class="set"><label for="set-{name}">{label}</label><select id="set-{name}" name="{name}" '
        f'data-default="{escape(default)}" aria-describedby="help-{name}">{options}</select>'
        f'<p id="help-{name}">{told}</p></div>'
    )


def _models(texts: Texts, limits: AskLimits, options: AskOptions) -> str:
    first = limits.models[0]
    if len(limits.models) > 1:
        names = {name: name for name in limits.models}
        return _select("model", texts.SET_MODEL, texts.SET_MODEL_HELP, names, options.model or first, first)
    name = escape(texts.of(first))
    return f'<div class="set"><span>{texts.SET_MODEL}</span><p class="one">{name}</p><p>{texts.SET_MODEL_ONE}</p></div>'
