"""Recordings and the sound of videos: what is said in them, by faster-whisper; a page for each minute or so."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import av
import numpy as np
from langchain_core.documents import Document

from rag.errors import DocumentError
from rag.loaders_context import report_progress, speech_model

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

MAX_SECONDS = 24 * 3600
_PAGE_S = 60.0  # of a page; a sentence that begins on it ends on it
_BLOCK_S = 300  # heard at a time, so that memory does not grow with the length
_SEARCH_S = 20  # at the end of a block, where its quietest moment is: no word is cut in two
_RATE = 16_000  # samples a second, as the model was trained
_THREADS = 2
_SURE = 0.5  # probability from which on the language found in the first block holds for all
# What FFmpeg may take the data for: no playlists, which name other files and addresses
_FORMATS = "aac,aiff,amr,asf,avi,caf,flac,flv,matroska,mov,mp3,mpeg,mpegts,ogg,wav,w64"
_NEXT_SENTENCE = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])")

Sound = np.ndarray[Any, np.dtype[np.float32]]


class _Said(NamedTuple):
    """A stretch of speech, a sentence or less, from second to second."""

    begin: float
    end: float
    text: str


def load_speech(data: bytes) -> list[Document]:
    """One Document for each minute or so, labelled with its times. Raises DocumentError if no speech is in it."""
    try:
        with av.open(
            io.BytesIO(data), metadata_errors="ignore", options={"format_whitelist": _FORMATS, "protocol_whitelist": ""}
        ) as container:
            total = _length(container)
            model = _model(str(speech_model()))
            said = list(_listen(model, container, total))
    except av.FFmpegError as error:
        raise DocumentError(f"it is damaged, or not a recording at all ({error.strerror})") from error
    if not said:
        raise DocumentError("no speech was heard in it", "empty")
    return _pages(said)


def _length(container: Any) -> int:
    """Its seconds, 0 if it does not say. Raises DocumentError where nothing can be heard."""
    if not container.streams.audio:
        raise DocumentError("it has no sound", "empty")
    sound = container.streams.audio[0]
    if sound.codec_context is None:
        raise DocumentError("its sound is in a format that is not known", "unsupported")
    total = int((container.duration or 0) / av.time_base)
    _bound(total)
    return total


def _bound(seconds: float) -> None:
    if seconds > MAX_SECONDS:
        raise DocumentError(f"it is too large: it plays for over {MAX_SECONDS // 3600} hours", "too_large")


@cache
def _model(folder: str) -> WhisperModel:
    # On Intel's processors CTranslate2 takes MKL, which is no faster here and asks for half a gigabyte more at once; it
    # reads this when it is imported
    os.putenv("CT2_USE_MKL", "0")
    from faster_whisper import WhisperModel

    # Eight bits hear what 32 do, in half the memory and two thirds of the time
    return WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=_THREADS, local_files_only=True)


def _listen(model: WhisperModel, container: Any, total: int) -> Iterator[_Said]:
    language = None
    for offset, block in _blocks(container, total):
        segments, info = model.transcribe(
            block,
            language=language,
            vad_filter=True,
            condition_on_previous_text=False,  # what was misheard once is not said for ever
            temperature=0.0,  # no dice: a file gives the same text each time
        )
        heard = False
        for segment in segments:
            report_progress(int(offset + segment.end), total, "seconds")
            if text := segment.text.strip():
                heard = True
                yield _Said(offset + segment.start, offset + segment.end, text)
        report_progress(int(offset + len(block) / _RATE), total, "seconds")
        if heard and info.language_probability >= _SURE:
            language = info.language


def _blocks(container: Any, total: int) -> Iterator[tuple[float, Sound]]:
    """The sound in blocks that end in quiet moments, each with the second at which it begins."""
    kept: list[Sound] = []
    count = begin = 0
    for samples in _samples(container):
        kept.append(samples)
        count += len(samples)
        if count >= _BLOCK_S * _RATE:
            _bound((begin + count) / _RATE)
            sound = np.concatenate(kept)
            cut = _quietest(sound)
            yield begin / _RATE, sound[:cut]
            kept, begin, count = [sound[cut:]], begin + cut, count - cut
    if not begin and not count:
        raise DocumentError("it is damaged: no sound could be made of it")
    yield begin / _RATE, np.concatenate(kept)


def _samples(container: Any) -> Iterator[Sound]:
    """The first sound track as one channel; packets that are damaged are passed over."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=_RATE)
    packets = container.demux(container.streams.audio[0])
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):  # broken off: what was heard until then counts
            break
        try:
            frames = [part for frame in packet.decode() for part in resampler.resample(frame)]
        except (av.FFmpegError, ValueError):  # a ValueError: a frame of another rate
            continue
        yield from map(_to_floats, frames)
    yield from map(_to_floats, resampler.resample(None))


def _to_floats(frame: Any) -> Sound:
    floats: Sound = frame.to_ndarray().reshape(-1).astype(np.float32) / 32768
    return floats


def _quietest(sound: Sound) -> int:
    """The sample in the last seconds around which the least is heard."""
    window = _RATE // 5
    begin = len(sound) - _SEARCH_S * _RATE
    windows = sound[begin : begin + _SEARCH_S * _RATE // window * window].reshape(-1, window)
    return begin + int(np.square(windows).mean(axis=1).argmin()) * window + window // 2


def _pages(said: list[_Said]) -> list[Document]:
    pages: list[list[_Said]] = []
    for part in said:
        if not pages or part.end - pages[-1][0].begin > _PAGE_S:
            pages.append([])
        pages[-1].append(part)
    return [
        Document(
            page_content=" ".join(part.text for part in page),
            metadata={
                "page": number,
                "page_label": f"at {_clock(page[0].begin)}-{_clock(page[-1].end)}",
                "moments": list(_moments(page)),
            },
        )
        for number, page in enumerate(pages, start=1)
    ]


def _moments(page: list[_Said]) -> Iterator[tuple[int, int, float]]:
    """Which characters of a page are said from which second on, sentence by sentence.

    Of several in one stretch each begins where its share of the characters does: the model times stretches only.
    """
    at = 0
    for part in page:
        length = len(part.text)
        starts = [0, *(match.end() for match in _NEXT_SENTENCE.finditer(part.text) if match.end() < length)]
        for start, end in pairwise([*starts, length]):
            yield at + start, at + end, round(part.begin + (part.end - part.begin) * start / length, 2)
        at += length + 1


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
