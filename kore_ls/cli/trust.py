"""`kore-ls trust`: the folders whose agents may do more than plan. The list is the user's own, outside all folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kore_ls.cli.caller import existing_folder
from kore_ls.cli.options import JsonOption
from kore_ls.cli.safe_text import line
from kore_ls.cli.screen import Screen


def trust(
    folder: Annotated[Path | None, typer.Argument(metavar="[FOLDER]", help="The folder; absent: this one.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Trust it no more.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="Show what you said of which folders.")] = False,
    json: JsonOption = False,
) -> None:
    """Trust a folder: agents may leave plan mode in it.

    This says nothing about the folders inside it. The list is kept outside all folders, in your state directory.
    """
    from kore_ls.sessions.trust import TrustList
    from kore_ls.storage.home import default_state_dir

    if list_ and (remove or folder is not None):
        raise typer.BadParameter("--list stands alone")
    known = TrustList(default_state_dir())
    screen = Screen()
    if not list_:
        path = existing_folder(folder or Path())
        known.distrust(path) if remove else known.trust(path)
        if not json:
            return screen.note(f"{'not trusted' if remove else 'trusted'}: {line(str(path))}")
    entries = known.entries()
    if json:
        return screen.json({"folders": entries})
    for path_text, word in entries.items():
        screen.show(f"{'trusted' if word else 'not trusted':<12} {line(path_text)}")
    if not entries:
        screen.note("no folder is trusted")
