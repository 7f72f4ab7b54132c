"""Changes a folder's key and is killed: `python -m tests.sessions.encrypt_child FOLDER FROM TO STEP`.

FROM and TO are passphrases, FROM is empty for a plain store. STEP is one of the conversion's.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from kore_ls.agents.quiet import quiet_agent
from kore_ls.model.settings import ClientSettings
from kore_ls.sessions import store_keys
from kore_ls.sessions.app import App
from kore_ls.storage.home import default_state_dir
from tests.ciphers import CHEAP, cipher_of


async def main(path: Path, old: str, new: str, last: str) -> None:
    """Change the key until the step begins."""
    app = App(default_state_dir(), quiet_agent, CHEAP)
    folder = app.enter(path, ClientSettings())

    def step(word: str, done: int) -> None:
        if word == last:
            os.kill(os.getpid(), signal.SIGKILL)

    before, after = cipher_of(old), cipher_of(new)
    assert after is not None
    if before is None:
        await store_keys.encrypt(folder, after, step)
    else:
        await store_keys.unlock(folder, before)
        await store_keys.rekey(folder, before, after, step)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:5]))
