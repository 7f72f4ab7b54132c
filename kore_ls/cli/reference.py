"""`kore-ls reference`: the files generated from the method table, for those who work on Kore LS itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import kore_ls
from kore_ls.cli.failures import CommandFailed
from kore_ls.cli.safe_text import line
from kore_ls.cli.screen import Screen


def reference(
    write: Annotated[bool, typer.Option("--write", help="Write the files that are not fresh.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Name the files that are not fresh; ends with 1 if any.")
    ] = False,
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The checkout; absent: the one this runs from.")
    ] = None,
) -> int:
    """Write or check the files generated from the protocol's declarations."""
    from kore_ls.api import PROTOCOL_VERSION, TABLE
    from kore_ls.api.asked import ASKED
    from kore_ls.api.events import EVENTS
    from kore_ls.rpc import reference as pages

    if write == check:
        raise typer.BadParameter("give either --write or --check")
    place = root if root is not None else _checkout()
    if not place.is_dir():
        raise CommandFailed(f"not a folder: {line(str(place))}")
    files = pages.generate(TABLE, EVENTS, PROTOCOL_VERSION, ASKED)
    screen = Screen()
    if write:
        for path in pages.write(place, files):
            screen.show(path)
        return 0
    stale = pages.stale(place, files)
    for path in stale:
        screen.show(path)
    if stale:
        screen.fail("these files are not fresh\nkore-ls reference --write makes them so")
    return 1 if stale else 0


def _checkout() -> Path:
    root = Path(kore_ls.__file__).resolve().parents[1]
    if not (root / "pyproject.toml").is_file():
        raise CommandFailed("this Kore LS does not run from a checkout", "--root DIR names one")
    return root
