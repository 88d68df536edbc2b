"""What an answer cost, from the moments that were noted while it came."""

from __future__ import annotations

import resource
import sys

from rag.types import Timings


def make_timings(
    began: float, retrieved: float, first: float, ended: float, prompt_tokens: int, answer_tokens: int
) -> Timings:
    """The timings of an answer; the moments are of one monotonic clock, in seconds, 0 for one that never came."""
    retrieved, first = retrieved or ended, first or ended
    writing = ended - first
    return Timings(
        retrieve_s=round(retrieved - began, 3),
        first_token_s=round(first - began, 3),
        total_s=round(ended - began, 3),
        prompt_tokens=prompt_tokens,
        answer_tokens=answer_tokens,
        tokens_per_s=round(answer_tokens / writing, 1) if writing > 0 else 0.0,
        peak_memory_mb=round(_peak_memory_mb(), 1),
    )


def _peak_memory_mb() -> float:
    """The most resident memory this process has had, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
