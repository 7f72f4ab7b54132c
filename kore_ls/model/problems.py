"""What went wrong while much went right: a bounded list of texts that name places and never repeat values."""

from __future__ import annotations

MOST_PROBLEMS = 100


class Problems:
    """Keeps the first texts noted and counts the rest, so that a broken file can't fill the memory with complaints."""

    def __init__(self, most: int = MOST_PROBLEMS) -> None:
        self._most = most
        self._texts: list[str] = []
        self._more = 0

    def note(self, text: str) -> None:
        """Add a text, or count it."""
        if len(self._texts) < self._most:
            self._texts.append(text)
        else:
            self._more += 1

    @property
    def count(self) -> int:
        """How many were noted, kept or not."""
        return len(self._texts) + self._more

    def forget_after(self, count: int) -> None:
        """Take back what was noted after there were so many."""
        self._more = max(0, min(self._more, count - len(self._texts)))
        del self._texts[count:]

    def texts(self) -> list[str]:
        """The texts in the order they were noted; the last one counts those left out."""
        return [*self._texts, f"and {self._more} more problems"] if self._more else list(self._texts)
