"""Converts a store and is killed at a given step: `python -m tests.storage.convert_child PATH FROM TO STEP`.

FROM and TO are passphrases, empty for plain.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from kore_ls.storage.cipher import Cipher
from kore_ls.storage.convert import convert
from kore_ls.storage.unlocking import Access
from tests.ciphers import CHEAP


def main(path: Path, old: str, new: str, last: str) -> None:
    """Convert until the step begins."""

    def step(word: str, done: int) -> None:
        if word == last and done >= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    access = Access((Cipher(old, cost=CHEAP),)) if old else Access()
    convert(path, access, Cipher(new, cost=CHEAP) if new else None, 1, step)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:5])
