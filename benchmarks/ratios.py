"""How the ratios of several rounds are printed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def spread(ratios: Sequence[float], digits: int = 1) -> str:
    """The median, and of several the least and the greatest."""
    between = f" ({min(ratios):.{digits}f} to {max(ratios):.{digits}f})" if len(ratios) > 1 else ""
    return f"{statistics.median(ratios):.{digits}f}{between}"
