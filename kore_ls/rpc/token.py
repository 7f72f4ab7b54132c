"""The secret of one TCP server: whoever can read the user's own files may connect, a web page may not."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Any


class Token:
    """256 random bits in a file that only the user can read; the file is removed at the end."""

    def __init__(self, directory: Path, name: str) -> None:
        self.path = directory / f"{name}.token"
        self._secret = secrets.token_hex(32).encode()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.remove()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(self._secret)

    def admits(self, params: Any) -> bool:
        """Whether `initialize` params carry the token in `initializationOptions.kore.token`; takes constant time."""
        for key in ("initializationOptions", "kore", "token"):
            params = params.get(key) if isinstance(params, dict) else None
        given = params.encode("utf-8", "replace") if isinstance(params, str) else b""
        return secrets.compare_digest(given, self._secret)

    def remove(self) -> None:
        """Delete the file."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
