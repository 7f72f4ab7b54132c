"""Programs that a command names and that its sandbox hides: so it can be told why they were not found. Runs none."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from kore_ls.agents.sandbox.profile import Profile

_MOST_WORDS = 100
_WORD = re.compile(r"[^\s;|&()<>'\"`$]+")
_INTERPRETER = re.compile(rb"#!\s*(/[^\s]+)")


def hidden_programs(argv: Sequence[str], path: str, profile: Profile) -> list[str]:
    """The words of a command that are programs on `path` (a `PATH`), but not for the command itself.

    A script is hidden as well where its interpreter is. Words of a shell's line count. Blocking.
    """
    words = [word for each in argv for word in _WORD.findall(each)][:_MOST_WORDS]
    found = {word: shutil.which(word, path=path) for word in dict.fromkeys(words) if not word.startswith("-")}
    return [word for word, program in found.items() if program is not None and not _runs(Path(program), profile)]


def _runs(program: Path, profile: Profile) -> bool:
    if not profile.shows(program):
        return False
    try:
        with program.open("rb") as file:
            interpreter = _INTERPRETER.match(file.read(512))
    except OSError:
        return True
    return interpreter is None or profile.shows(Path(os.fsdecode(interpreter[1])))
