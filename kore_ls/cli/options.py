"""Options that several commands share, and the question before what can't be undone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from kore_ls.cli.failures import CommandFailed

FolderOption: TypeAlias = Annotated[
    Path, typer.Option("--folder", "-C", metavar="DIR", help="The workspace folder.", show_default="here")
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]


def agreed(question: str, *, yes: bool) -> None:
    """Ask, unless `yes`. Raises CommandFailed where the answer is no or nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandFailed("nobody can be asked here", "--yes says it is meant")
    if not typer.confirm(question, err=True):
        raise CommandFailed("nothing was done")
