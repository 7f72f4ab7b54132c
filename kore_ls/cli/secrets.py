"""Where commands get passphrases and keys from: the environment, a file descriptor, a prompt. Never from arguments."""

from __future__ import annotations

import os
import sys

import typer

from kore_ls.cli.failures import CommandFailed
from kore_ls.model.secret import Secret, key_problem, passphrase_problem

MOST_BYTES = 4096


def secret_of_environment(prefix: str = "KORE_") -> Secret:
    """What `KORE_PASSPHRASE` or `KORE_DB_KEY` holds. Raises CommandFailed, which never quotes it."""
    key = os.environ.get(f"{prefix}DB_KEY") or None
    if key is not None and (problem := key_problem(key)) is not None:
        raise CommandFailed(f"{prefix}DB_KEY {problem}")
    return Secret(passphrase=os.environ.get(f"{prefix}PASSPHRASE") or None, key=key)


def secret_of(descriptor: int | None, *, prefix: str = "KORE_", words: str = "Passphrase", new: bool = False) -> Secret:
    """From the file descriptor, else the environment, else asked for (twice, if it is `new`).

    A text that starts with `base64:` or `hex:` in a file descriptor is a key. Raises CommandFailed.
    """
    if descriptor is not None:
        return _read(descriptor)
    found = secret_of_environment(prefix)
    if found:
        return Secret(key=found.key) if found.key else found
    if not sys.stdin.isatty():
        raise CommandFailed(
            "nobody can be asked for the passphrase here", f"give it in {prefix}PASSPHRASE or by a file descriptor"
        )
    return _checked(typer.prompt(words, hide_input=True, confirmation_prompt=new, err=True))


def _read(descriptor: int) -> Secret:
    try:
        with os.fdopen(os.dup(descriptor), "rb") as file:
            line = file.readline(MOST_BYTES)
        text = line.rstrip(b"\r\n").decode()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"the passphrase can't be read from file descriptor {descriptor}") from error
    if text.startswith(("base64:", "hex:")):
        if (problem := key_problem(text)) is not None:
            raise CommandFailed(f"the key {problem}")
        return Secret(key=text)
    return _checked(text)


def _checked(passphrase: str) -> Secret:
    if (problem := passphrase_problem(passphrase)) is not None:
        raise CommandFailed(f"the passphrase {problem}")
    return Secret(passphrase=passphrase)
