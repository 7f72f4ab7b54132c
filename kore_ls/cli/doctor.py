"""`kore-ls doctor`: what is right and what is wrong with the installation and with one folder."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kore_ls.cli.caller import existing_folder
from kore_ls.cli.options import FolderOption, JsonOption
from kore_ls.cli.screen import Screen

if TYPE_CHECKING:
    from kore_ls.cli.findings import Finding

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(folder: FolderOption = Path(), json: JsonOption = False) -> int:
    """Say what is right and wrong with the installation and a folder.

    Ends with 1 if anything is so wrong that it can't work.
    """
    from kore_ls.cli import findings
    from kore_ls.storage.home import default_state_dir

    path, state_dir = existing_folder(folder), default_state_dir()
    found = [
        *findings.installation(),
        *findings.sandbox(path),
        *findings.agents(),
        *findings.state(state_dir),
        *asyncio.run(findings.folder(path, state_dir)),
        *findings.terminal(),
    ]
    screen = Screen()
    healthy = all(each.level is not findings.Level.FAIL for each in found)
    if json:
        screen.json({"ok": healthy, "findings": [_json(each) for each in found]})
    else:
        _print(screen, found)
    return 0 if healthy else 1


def _json(finding: Finding) -> dict[str, str]:
    from attrs import asdict

    values = asdict(finding) | {"level": finding.level.value}
    return {key: value for key, value in values.items() if value is not None}


def _print(screen: Screen, found: Sequence[Finding]) -> None:
    from rich.text import Text

    for each in found:
        text = Text.assemble((f"{each.level.value:<5}", _STYLES[each.level.value]), f"{each.subject:<15}", each.text)
        if each.advice is not None:
            text.append(f"\n{'':<20}{each.advice}", "dim")
        screen.show(text)
