"""What a benchmark reports, and the table that all of them end in. Measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

Rows = list[tuple[str, ...]]

HEADINGS = ("figure", "measured", "ceiling / against", "ratio", "goal", "verdict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table. `met` is None where no goal was set; `note` says what the numbers rest on."""

    name: str
    measured: str
    against: str = "–"
    ratio: float | None = None
    goal: str = "–"
    met: bool | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        return {True: "met", False: "missed", None: "–"}[self.met]

    def row(self) -> tuple[str, ...]:
        ratio = "–" if self.ratio is None else f"{self.ratio:.2f}×"
        return (self.name, self.measured, self.against, ratio, self.goal, self.verdict)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "verdict": self.verdict}


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least `part` (0 to 1) of all are not above. Raises `ValueError` for none."""
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-part * len(ordered) // 1) - 1))]


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"


def p50_p99(seconds: Sequence[float]) -> str:
    """Of times in seconds, as `p50/p99 ms`."""
    low, high = percentile(seconds, 0.5) * 1000, percentile(seconds, 0.99) * 1000
    return f"{low:.3g}/{high:.3g} ms"


def table(figures: Sequence[Figure]) -> str:
    """Aligned columns for a terminal, with the notes below."""
    rows = [HEADINGS, *(figure.row() for figure in figures)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEADINGS))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "-+-".join("-" * width for width in widths))
    notes = [f"  {figure.name}: {figure.note}" for figure in figures if figure.note]
    return "\n".join([*lines, *(["", "notes", *notes] if notes else [])])


def markdown(figures: Sequence[Figure]) -> str:
    rows = [HEADINGS, tuple("---" for _ in HEADINGS), *(figure.row() for figure in figures)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
