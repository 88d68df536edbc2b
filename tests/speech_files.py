"""Recordings that tests make themselves: sentences spoken by eSpeak, in any container that FFmpeg writes."""

from __future__ import annotations

import ctypes
import io
from typing import Any

import av
import espeakng_loader
import numpy as np

_SYNCHRONOUS, _UTF_8, _RATE_OF_SPEECH = 2, 1, 1  # speak_lib.h
_HEARD = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)

Sound = np.ndarray[Any, np.dtype[np.int16]]


def speak(text: str, rate: int = 16_000) -> Sound:
    """The text in a calm voice, `rate` samples a second."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    own_rate = library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
    said = bytearray()

    @_HEARD
    def hear(samples: Any, count: int, events: Any) -> int:
        if samples and count:
            said.extend(ctypes.string_at(samples, count * 2))
        return 0

    library.espeak_SetSynthCallback(hear)
    library.espeak_SetVoiceByName(b"en-us")
    library.espeak_SetParameter(_RATE_OF_SPEECH, 140, 0)
    encoded = text.encode() + b"\0"
    library.espeak_Synth(encoded, len(encoded), 0, 1, 0, _UTF_8, None, None)
    sound = np.frombuffer(bytes(said), np.int16)
    at = np.arange(0, len(sound) - 1, own_rate / rate)
    return np.interp(at, np.arange(len(sound)), sound).astype(np.int16)


def silence(seconds: float, rate: int = 16_000) -> Sound:
    return np.zeros(int(seconds * rate), np.int16)


def recording(sound: Sound | None, container: str, codec: str, *, rate: int = 16_000, video: str = "") -> bytes:
    """A file of that sound, if any, and of some pictures if `video` names a codec for them."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        pictures = file.add_stream(video, rate=1, width=64, height=64, pix_fmt="yuv420p") if video else None
        track = file.add_stream(codec, rate=rate, layout="mono") if sound is not None else None
        if pictures:
            for number in range(2):
                frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 90 * number, np.uint8), format="rgb24")
                file.mux(pictures.encode(frame))
            file.mux(pictures.encode(None))
        if track and sound is not None:
            frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout="mono")
            frame.sample_rate = 16_000
            resampler = av.AudioResampler(track.format, track.layout, rate, frame_size=track.frame_size or 1024)
            for part in (*resampler.resample(frame), *resampler.resample(None)):
                file.mux(track.encode(part))
            file.mux(track.encode(None))
    return out.getvalue()
