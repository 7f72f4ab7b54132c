"""A measured figure, its bar, and the table that a run prints."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from attrs import frozen


@frozen(kw_only=True)
class Row:
    """One figure. `at_most` and `at_least` are bars; a row without one is there to be read with the others."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def ok(self) -> bool | None:
        """Whether the figure meets its bar; None without one."""
        if self.at_most is not None:
            return self.value <= self.at_most
        if self.at_least is not None:
            return self.value >= self.at_least
        return None

    @property
    def bar(self) -> str:
        """The bar in words; empty without one."""
        if self.at_most is not None:
            return f"<= {figure(self.at_most)} {self.unit}"
        if self.at_least is not None:
            return f">= {figure(self.at_least)} {self.unit}"
        return ""


def figure(value: float) -> str:
    """Three significant digits, thousands apart."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value else "0"


def table(rows: Sequence[Row]) -> str:
    """The rows as aligned text, then what is to be said of some of them."""
    cells = [(row.name, figure(row.value), row.unit, row.bar, _verdict(row)) for row in rows]
    name, value, unit, bar, _ = (max(map(len, column)) for column in zip(*cells, strict=True))
    lines = [
        f"{each[0]:<{name}}  {each[1]:>{value}} {each[2]:<{unit}}  {each[3]:<{bar}}  {each[4]}".rstrip()
        for each in cells
    ]
    notes = [textwrap.fill(f"{row.name}: {row.note}", 110, subsequent_indent="  ") for row in rows if row.note]
    return "\n".join([*lines, "", *notes])


def _verdict(row: Row) -> str:
    return {True: "ok", False: "MISS", None: ""}[row.ok]
