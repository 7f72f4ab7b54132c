"""`kore-ls chat [FOLDER]`: its options. What they start is loaded only then."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from kore_ls.cli.caller import existing_folder


def chat(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="The workspace folder; absent: here.")
    ] = None,
    session: Annotated[str | None, typer.Option("--session", metavar="ID", help="Go on with this session.")] = None,
    new: Annotated[bool, typer.Option("--new", help="Let the first message make a new session.")] = False,
    continue_: Annotated[
        bool, typer.Option("--continue", help="Go on with the current session (the default).")
    ] = False,
) -> int:
    """Write to a session in the terminal, or from a pipe.

    Each line is a message; /help lists the commands.
    """
    if sum((session is not None, new, continue_)) > 1:
        raise typer.BadParameter("--session, --new and --continue exclude each other")
    from kore_ls.cli.chat.room import Room

    return asyncio.run(Room(existing_folder(folder or Path())).run(session, new=new))
