"""An agent that writes to its client whatever its prompts say, in the protocol or not: `python tests/acp_raw_agent.py`.

A prompt is lines of `VERB rest`; in what is written `$SESSION` and `$PROMPT` stand for the session's and the prompt's
ids. What it heard is noted in `AGENT_HOME`. It needs no library.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

HOME = Path(os.environ["AGENT_HOME"])
OPTIONS = [
    {"optionId": "yes", "name": "Yes", "kind": "allow_once"},
    {"optionId": "no", "name": "No", "kind": "reject_once"},
]
cancelled = threading.Event()
answered = threading.Semaphore(0)


def note(what: Any) -> None:
    with (HOME / "seen.jsonl").open("a") as log:
        log.write(json.dumps(what) + "\n")


def write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def send(**message: Any) -> None:
    write(json.dumps({"jsonrpc": "2.0", **message}))


def say(session: str, text: str) -> None:
    update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}
    send(method="session/update", params={"sessionId": session, "update": update})


def ask(session: str, call: Any) -> None:
    send(
        id=77, method="session/request_permission", params={"sessionId": session, "toolCall": call, "options": OPTIONS}
    )


def obey(prompt: int, session: str, text: str) -> None:
    for line in text.splitlines():
        verb, _, rest = line.partition(" ")
        if verb == "SAY":
            say(session, rest)
        elif verb == "WRITE":
            write(rest.replace("$SESSION", session).replace("$PROMPT", str(prompt)))
        elif verb == "LONG":
            write("x" * int(rest))
        elif verb == "TALK":
            for _ in range(int(rest)):
                say(session, "on and ")
            cancelled.wait(60)
        elif verb == "ASK":
            ask(session, json.loads(rest))
        elif verb == "ANSWERED":
            for _ in range(int(rest)):
                answered.acquire(timeout=60)
        elif verb == "SILENT":
            return
    send(id=prompt, result={"stopReason": "end_turn"})


def begin(message: Any) -> None:
    note({"started": os.getpid()})
    gate = HOME / f"gate-{(HOME / 'seen.jsonl').read_text().count('started')}"
    if gate.exists():  # a named pipe for this start: whoever opens it knows that this waits, and closes it to let it go
        gate.read_bytes()
    version = int(os.environ.get("AGENT_VERSION", "1"))
    send(id=message["id"], result={"protocolVersion": version, "agentCapabilities": {"loadSession": True}})


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        match message.get("method"):
            case "initialize":
                begin(message)
            case "session/new":
                note({"new": "made"})
                send(id=message["id"], result={"sessionId": "made"})
            case "session/load":
                note({"loaded": message["params"]["sessionId"]})
                send(id=message["id"], result={})
            case "session/prompt":
                cancelled.clear()
                params = message["params"]
                text = params["prompt"][0]["text"]
                note({"prompt": text})
                obeying = (message["id"], params["sessionId"], text.rpartition("The user now says:\n")[2])
                threading.Thread(target=obey, args=obeying, daemon=True).start()
            case "session/cancel":
                cancelled.set()
            case None:
                answered.release()


if __name__ == "__main__":
    main()
