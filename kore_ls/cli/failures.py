"""What a command says when it can't do what it was asked: one line of what is wrong, one of what to do about it."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path

from kore_ls.cli.safe_text import line
from kore_ls.errors import InvalidParams, KoreError, SessionNotFound, StoreLocked

ADVICE: Mapping[str, str] = {
    "sessionNotFound": "kore-ls sessions list --all shows what is there",
    "deleted": "kore-ls sessions restore brings it back",
    "sessionExists": "--on-conflict copy, skip or replace says what to do with it",
    "storeForeign": "it may have come with a repository; kore-ls store adopt copies its conversations into your own",
    "storeDamaged": "kore-ls store check says what is wrong, kore-ls store check --repair saves what can be read",
    "storeReadOnly": "check who may write to the folder and its .kore; kore-ls doctor helps",
    "storeBusy": "another program is writing to it; try again when it is done",
    "storeFull": "make room on the disk and try again; what was acknowledged before is safe",
    "unsupportedStore": "a newer Kore LS can open a newer store; another program's file can be imported",
    "storeLocked": "give its key in KORE_PASSPHRASE or KORE_DB_KEY",
    "plain": "kore-ls store encrypt encrypts it; if it is to stay plain, unset KORE_PASSPHRASE and KORE_DB_KEY",
    "wrongKey": "kore-ls store unlock-check tries a passphrase or key without changing anything",
}
"""What to do about an error, by its kind, at a shell's prompt; `deleted`: about a session that can be restored;
`plain`: about a store that is not encrypted although a key is configured."""


class CommandFailed(Exception):
    """A command line's own failure. Its text is ours; what is foreign in it was made safe."""

    def __init__(self, message: str, advice: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


def explained(error: KoreError | CommandFailed, advice: Mapping[str, str] = ADVICE) -> str:
    """What is wrong and, after a line break, what to do; safe to show."""
    if isinstance(error, CommandFailed):
        what, hint = error.message, error.advice
    else:
        deleted = isinstance(error, SessionNotFound) and error.params.get("deleted") is True
        plain = isinstance(error, StoreLocked) and error.params.get("plain") is True
        what, hint = line(_what(error)), advice.get("deleted" if deleted else "plain" if plain else error.kind)
    return f"{what}\n{hint}" if hint else what


def _what(error: KoreError) -> str:
    if isinstance(error, InvalidParams):
        return "; ".join(problem.removeprefix("params.") for problem in error.problems)
    reason = error.params.get("reason")
    known = isinstance(reason, str) and " " in reason  # a system's words, not one of our own short ones
    return f"{error.message} ({reason})" if known else error.message


def unexpected(error: BaseException) -> str:
    """A failure that is a fault of ours: its type and its place in the code, never its text, which may quote a user."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"internal error ({type(error).__name__}{place}); please report it"
