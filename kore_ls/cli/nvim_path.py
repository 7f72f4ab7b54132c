"""`kore-ls nvim-path`: where the Neovim plugin lies that came with this installation. Changes nothing."""

from __future__ import annotations

from pathlib import Path

import typer

from kore_ls.cli.failures import CommandFailed


def plugin_directory() -> Path | None:
    """The plugin's directory: inside the installed package, or beside it in a checkout; None if it is in neither."""
    package = Path(__file__).resolve().parents[1]
    for place in (package / "editors" / "nvim", package.parent / "editors" / "nvim"):
        if (place / "plugin" / "kore.lua").is_file():
            return place
    return None


def nvim_path() -> None:
    """Print the directory to add to Neovim's runtimepath."""
    place = plugin_directory()
    if place is None:
        raise CommandFailed("this installation has no Neovim plugin", "install kore-ls again")
    typer.echo(place)
