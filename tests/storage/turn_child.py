"""A process that leaves a turn, a draft and a waiting prompt, and kills itself: `... turn_child PATH PASSPHRASE`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from kore_ls.model.ids import MessageId, TurnId
from kore_ls.model.message import ToolStatus
from kore_ls.model.turn import Draft, Prompt, PromptContext
from kore_ls.storage.prompt_rows import WaitingPrompt
from kore_ls.storage.store import SQLiteStore
from tests.ciphers import cipher_of
from tests.storage.values import message, record, tool_call


async def main(path: Path, passphrase: str) -> None:
    store = SQLiteStore(path, cipher_of(passphrase))
    await store.create_session(record("s"))
    begun = await store.turns.begin(message("s", "prompt", id=MessageId("p")), TurnId("t"))
    calls = (tool_call("one"), tool_call("two", ToolStatus.IN_PROGRESS))
    draft = Draft(message_id=MessageId("m"), text="half an ans", thinking="hm", calls=calls)
    await store.turns.save_draft(begun.fence, draft)
    context = (PromptContext(uri="file:///a", text="unsaved"),)
    prompt = Prompt(text="waits", context=context)
    await store.turns.wait(WaitingPrompt(turn_id=TurnId("w"), session_id=begun.session.id, prompt=prompt))
    await store.turns.keep_todo(begun.fence, ["[ ] still to do"])
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
