"""`kore-ls store encrypt`, `decrypt`, `rekey`, `unlock-check`: who can read a folder's store. No key in arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from kore_ls.cli.caller import Json
from kore_ls.cli.failures import CommandFailed
from kore_ls.cli.options import FolderOption, JsonOption
from kore_ls.cli.safe_text import line
from kore_ls.cli.screen import Screen
from kore_ls.cli.secrets import secret_of
from kore_ls.cli.store import call, described
from kore_ls.model.secret import Secret

SecretFd: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--passphrase-fd",
        metavar="N",
        help="Read the passphrase, or a key as base64:... or hex:..., from this file descriptor.",
        show_default="KORE_PASSPHRASE or KORE_DB_KEY, else asked for",
    ),
]
NewSecretFd: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--new-passphrase-fd",
        metavar="N",
        help="Read the new one from this file descriptor.",
        show_default="KORE_NEW_PASSPHRASE or KORE_NEW_DB_KEY, else asked for",
    ),
]


def encrypt(folder: FolderOption = Path(), passphrase_fd: SecretFd = None, json: JsonOption = False) -> None:
    """Encrypt the store. Whoever loses the passphrase loses the conversations."""
    before = call(folder, "kore/store/status")
    if not before["exists"]:
        raise CommandFailed(
            "there is no store here yet", "with KORE_PASSPHRASE or KORE_DB_KEY set a new one is encrypted"
        )
    secret = secret_of(passphrase_fd, words="Passphrase for the store", new=not before["encrypted"])
    _show(call(folder, "kore/store/encrypt", **_given(secret)), json)


def decrypt(folder: FolderOption = Path(), passphrase_fd: SecretFd = None, json: JsonOption = False) -> None:
    """Make an encrypted store a plain one."""
    _show(call(folder, "kore/store/decrypt", **_given(secret_of(passphrase_fd))), json)


def rekey(
    folder: FolderOption = Path(),
    passphrase_fd: SecretFd = None,
    new_passphrase_fd: NewSecretFd = None,
    rewrap: Annotated[
        bool,
        typer.Option(
            "--rewrap", help="Only change what opens the store: at once, but no help if an older copy of it is around."
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Encrypt the store anew, with another passphrase or key."""
    old = secret_of(passphrase_fd)
    new = secret_of(new_passphrase_fd, prefix="KORE_NEW_", words="New passphrase", new=True)
    given = {"newPassphrase": new.passphrase, "newKey": new.key, "rewrap": rewrap}
    _show(call(folder, "kore/store/rekey", **_given(old), **given), json)


def unlock_check(folder: FolderOption = Path(), passphrase_fd: SecretFd = None) -> int:
    """Try a passphrase or key; nothing is changed.

    Ends with 1 if it does not open the store.
    """
    screen = Screen()
    before = call(folder, "kore/store/status")
    if not before["exists"] or not before["encrypted"]:
        screen.note("the store is not encrypted" if before["exists"] else "there is no store here yet")
        return 0
    call(folder, "kore/store/unlock", **_given(secret_of(passphrase_fd)))
    screen.note("the key opens the store")
    return 0


def _given(secret: Secret) -> Json:
    return {"passphrase": secret.passphrase, "key": secret.key}


def _show(found: Json, json: bool) -> None:
    screen = Screen()
    if json:
        return screen.json(found)
    screen.show(described(found))
    for problem in found.get("problems", ()):
        screen.note(line(problem))
