"""Recordings and videos: what is said in them is read minute by minute, and what cannot be heard is said."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from langchain_core.documents import Document
from speech_files import Sound, recording, silence, speak

from rag import loaders_speech, speech
from rag.config import load_settings
from rag.errors import DocumentError, ModelError
from rag.loaders import load_documents
from rag.loaders_context import SpeechModelNeeded
from rag.models import fetch_model
from rag.models_table import SPEECH
from rag.parsing import ParserPool
from rag.speech import SpeechModel
from rag.types import Progress

RATE = 16_000
CONTAINERS = (  # what FFmpeg calls it, the codec of its sound and of its pictures, samples a second
    ("mp3", "libmp3lame", "", 44_100),
    ("wav", "pcm_s16le", "", 16_000),
    ("ogg", "libopus", "", 48_000),
    ("ipod", "aac", "", 44_100),
    ("flac", "flac", "", 44_100),
    ("adts", "aac", "", 44_100),
    ("aiff", "pcm_s16be", "", 16_000),
    ("mp4", "aac", "mpeg4", 44_100),
    ("mov", "aac", "mpeg4", 44_100),
    ("webm", "libopus", "libvpx", 48_000),
    ("avi", "libmp3lame", "mpeg4", 44_100),
)


class Model:
    """Hears a sentence in each stretch that is not silent, and keeps what it was given."""

    def __init__(self, *spans: tuple[float, float, str]) -> None:
        self.spans = spans
        self.heard: list[tuple[Sound, str | None]] = []

    def transcribe(self, sound: Sound, *, language: str | None, **_: Any) -> tuple[list[SimpleNamespace], Any]:
        self.heard.append((sound, language))
        spans = self.spans or ((0.0, len(sound) / RATE, " A tone."),) * bool(np.abs(sound).max() > 0.01)
        segments = [SimpleNamespace(start=start, end=end, text=text) for start, end, text in spans]
        return segments, SimpleNamespace(language="de", language_probability=0.9)


def tone(seconds: float) -> Sound:
    return (8000 * np.sin(np.arange(int(seconds * RATE)) / 6)).astype(np.int16)


def load(tmp_path: Path, data: bytes, name: str = "a.mp3", **options: Any) -> list[Document]:
    (tmp_path / name).write_bytes(data)
    return load_documents(tmp_path / name, max_bytes=2**25, **{"speech": Path("folder"), **options})


def refusal(tmp_path: Path, data: bytes, name: str = "a.mp3", **options: Any) -> tuple[str, str]:
    with pytest.raises(DocumentError) as caught:
        load(tmp_path, data, name, **options)
    return caught.value.outcome, str(caught.value)


def use(monkeypatch: pytest.MonkeyPatch, model: Model) -> Model:
    monkeypatch.setattr(loaders_speech, "_model", lambda folder: model)
    return model


@pytest.mark.parametrize(("container", "codec", "video", "rate"), CONTAINERS)
def test_the_sound_of_every_container_is_heard_whatever_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, container: str, codec: str, video: str, rate: int
) -> None:
    model = use(monkeypatch, Model())
    data = recording(tone(3), container, codec, rate=rate, video=video)
    for name in ("a.mp4", "a.txt"):
        (page,) = load(tmp_path, data, name)
        assert (page.page_content, page.metadata["page"]) == ("A tone.", 1)
        assert page.metadata["page_label"].startswith("at 0:00-0:0")
    sound = model.heard[0][0]
    assert sound.dtype == np.float32 and 2.8 * RATE < len(sound) < 3.3 * RATE
    assert 0.2 < np.abs(sound).max() < 0.7  # it was 8000 of 32768; a codec may overshoot


def test_a_page_holds_whole_sentences_of_about_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(
        monkeypatch,
        Model((1.9, 20, " One."), (20, 55, " Two."), (58, 64, " Three."), (3724.5, 3730, " Four. "), (3731, 3732, " ")),
    )
    pages = load(tmp_path, recording(tone(1), "wav", "pcm_s16le"))
    assert [(page.page_content, page.metadata["page"], page.metadata["page_label"]) for page in pages] == [
        ("One. Two.", 1, "at 0:01-0:55"),
        ("Three.", 2, "at 0:58-1:04"),
        ("Four.", 3, "at 1:02:04-1:02:10"),
    ]
    heard = [[(p.page_content[start:end], at) for start, end, at in p.metadata["moments"]] for p in pages]
    assert heard == [[("One.", 1.9), ("Two.", 20)], [("Three.", 58)], [("Four.", 3724.5)]]


def test_a_sentence_within_a_stretch_begins_about_where_it_stands_in_it() -> None:
    said = [loaders_speech._Said(10, 30, "Here we are. It is five"), loaders_speech._Said(30, 40, "说。好。")]
    moments = list(loaders_speech._moments(said))
    text = " ".join(part.text for part in said)
    assert [text[start:end] for start, end, _ in moments] == ["Here we are. ", "It is five", "说。", "好。"]
    assert [second for *_, second in moments] == [10, 21.3, 30, 35]


def test_what_is_long_is_heard_in_blocks_that_end_where_it_is_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = use(monkeypatch, Model())
    monkeypatch.setattr(loaders_speech, "_BLOCK_S", 10)
    monkeypatch.setattr(loaders_speech, "_SEARCH_S", 6)
    told: list[tuple[int, int, str]] = []
    sound = np.concatenate([tone(7), silence(1), tone(9)])
    pages = load(tmp_path, recording(sound, "wav", "pcm_s16le"), progress=lambda *progress: told.append(progress))
    lengths = [len(block) / RATE for block, _ in model.heard]
    assert 7 < lengths[0] < 8 and sum(lengths) == pytest.approx(17, abs=0.1)
    assert [language for _, language in model.heard] == [None, "de"]  # heard once, it holds
    assert [page.metadata["page_label"] for page in pages] == ["at 0:00-0:17"]
    assert told[-1] == (17, 17, "seconds") and all(total == 17 for _, total, _ in told)


def test_what_cannot_be_heard_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Model())
    assert refusal(tmp_path, recording(silence(1), "wav", "pcm_s16le")) == ("empty", "no speech was heard in it")
    assert refusal(tmp_path, recording(None, "mp4", "", video="mpeg4")) == ("empty", "it has no sound")
    whole = recording(tone(1), "mp4", "aac", rate=44_100)
    assert refusal(tmp_path, whole[: len(whole) // 2])[0] == "corrupt"
    assert refusal(tmp_path, b"ID3\x04" + bytes(50))[0] == "corrupt"
    monkeypatch.setattr(loaders_speech, "MAX_SECONDS", 2)
    assert refusal(tmp_path, recording(tone(3), "wav", "pcm_s16le"))[0] == "too_large"


def test_damaged_packets_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = use(monkeypatch, Model())
    data = bytearray(recording(tone(4), "mp3", "libmp3lame", rate=44_100))
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    assert load(tmp_path, bytes(data))[0].page_content == "A tone."
    assert 3 * RATE < len(model.heard[0][0]) <= 4.2 * RATE


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{}'\n",
        "http://127.0.0.1:9/a.mp3\n",
    ],
)
def test_no_playlist_leads_to_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    use(monkeypatch, Model())
    other = tmp_path / "other.mp3"
    other.write_bytes(recording(tone(1), "mp3", "libmp3lame", rate=44_100))
    assert refusal(tmp_path, text.format(other).encode())[0] == "corrupt"


# -- the model


def test_without_a_model_recordings_are_refused_and_with_none_known_it_is_asked_for(tmp_path: Path) -> None:
    data = recording(tone(1), "wav", "pcm_s16le")
    off = DocumentError("recordings are not read (RAG_SPEECH=off)", "unsupported")
    assert refusal(tmp_path, data, speech=off) == ("unsupported", "recordings are not read (RAG_SPEECH=off)")
    with pytest.raises(SpeechModelNeeded):
        load(tmp_path, data, speech=None)


def read(pool: ParserPool, path: Path, model: SpeechModel) -> tuple[list[Progress], list[Document] | DocumentError]:
    events, run = [], pool.load_documents(path, path.name, max_bytes=2**25, speech=model)
    while True:
        try:
            events.append(next(run))
        except StopIteration as end:
            return events, end.value
        except DocumentError as error:
            return events, error


def test_offline_without_the_model_recordings_fail_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def fetch(name: str, **options: Any) -> Path:
        tries.append(name)
        return fetch_model(name, **options)

    monkeypatch.setattr(speech, "fetch_model", fetch)
    model = SpeechModel(load_settings(cache=tmp_path / "cache", offline=True))
    (tmp_path / "a.wav").write_bytes(recording(tone(1), "wav", "pcm_s16le"))
    (tmp_path / "b.txt").write_text("pears")
    with closing(ParserPool(timeout=60, memory_mb=2048)) as pool:
        for _ in range(2):
            _, failed = read(pool, tmp_path / "a.wav", model)
            assert isinstance(failed, DocumentError) and failed.outcome == "unreadable"
            assert "RAG_OFFLINE forbids" in str(failed) and "\n" not in str(failed)
        assert isinstance(read(pool, tmp_path / "b.txt", model)[1], list)
        assert pool.started == 1
    assert tries == [SPEECH]  # not again for each recording


def test_a_fetch_that_failed_is_tried_again_later(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ends: list[Any] = [ModelError("no network"), tmp_path]

    def fetch(name: str, **_: Any) -> Any:
        end = ends.pop(0)
        if isinstance(end, ModelError):
            raise end
        return end

    now = [100.0]
    monkeypatch.setattr(speech, "fetch_model", fetch)
    monkeypatch.setattr(speech.time, "monotonic", lambda: now[0])
    model = SpeechModel(load_settings())
    assert model.known() is None
    assert "no network" in model.fetch(Event())["refusal"] == model.fetch(Event())["refusal"]
    now[0] += 1000
    assert model.known() is None
    assert model.fetch(Event()) == model.known() == {"folder": str(tmp_path)}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("waiting", ["for the bytes", "for another thread", "for another process"])
def test_nobody_waits_for_a_model_that_is_no_longer_wanted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, waiting: str
) -> None:
    model = SpeechModel(load_settings(cache=tmp_path))
    stopped = Event()
    if waiting == "for the bytes":

        def endless(name: str, *, progress: Callable[[Progress], None], **_: Any) -> Path:
            while True:
                progress(Progress("Fetching", 0, 1, "B"))
                stopped.wait(0.01)

        monkeypatch.setattr(speech, "fetch_model", endless)
    elif waiting == "for another thread":
        model._lock.acquire()
    else:
        FileLock(tmp_path / f"{SPEECH}.lock").acquire()
    told: list[str] = []

    def fetch() -> None:
        with pytest.raises(DocumentError, match="reading it was stopped") as raised:
            model.fetch(stopped)
        told.append(raised.value.outcome)

    reader = Thread(target=fetch)
    reader.start()
    reader.join(0.3)
    assert reader.is_alive()
    stopped.set()
    reader.join(10)
    assert told == ["unreadable"]
    assert model.known() is None


def test_a_read_that_is_stopped_while_the_model_is_fetched_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(recording(tone(1), "wav", "pcm_s16le"))
    stopped = Event()

    def endless(name: str, *, progress: Callable[[Progress], None], **_: Any) -> Path:
        stopped.set()
        progress(Progress("Fetching", 0, 1, "B"))
        raise AssertionError("it went on")

    monkeypatch.setattr(speech, "fetch_model", endless)
    model = SpeechModel(load_settings(cache=tmp_path))
    with closing(ParserPool(timeout=60, memory_mb=2048)) as pool, pytest.raises(DocumentError, match="was stopped"):
        list(pool.load_documents(tmp_path / "a.wav", "a.wav", max_bytes=2**25, speech=model, stopped=stopped))


def test_the_setting_turns_it_off(tmp_path: Path) -> None:
    model = SpeechModel(load_settings(speech="off"))
    assert model.known() == {"refusal": "recordings are not read (RAG_SPEECH=off)", "outcome": "unsupported"}


@pytest.mark.slow
def test_real_speech_is_written_down_in_a_confined_process(tmp_path: Path) -> None:
    said = "Keep the receipt in a safe place. Call the service line on Monday morning."
    (tmp_path / "a.webm").write_bytes(
        recording(np.concatenate([speak(said), silence(2)]), "webm", "libopus", rate=48_000, video="libvpx")
    )
    (tmp_path / "b.wav").write_bytes(recording(silence(2), "wav", "pcm_s16le"))
    model = SpeechModel(load_settings())
    with closing(ParserPool(timeout=120, memory_mb=1024)) as pool:
        events, pages = read(pool, tmp_path / "a.webm", model)
        assert isinstance(pages, list) and len(pages) == 1
        for words in ("in a safe place", "service line on Monday morning"):
            assert words in pages[0].page_content
        assert pages[0].metadata["page_label"].startswith("at 0:00-0:0")
        assert any(event.unit == "seconds" for event in events)
        _, silent = read(pool, tmp_path / "b.wav", model)
        assert isinstance(silent, DocumentError) and silent.outcome == "empty"
        assert pool.started == 1 and pool.peak_mb < 700
