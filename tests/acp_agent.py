"""A small agent that speaks the Agent Client Protocol and does what its prompts say: `python -m tests.acp_agent`.

A prompt is lines of `VERB rest`. It keeps its sessions in `AGENT_HOME`, where it also notes what it saw.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import acp
from acp.schema import (
    AgentCapabilities,
    InitializeResponse,
    LoadSessionResponse,
    NewSessionResponse,
    PermissionOption,
    PromptResponse,
    ResumeSessionResponse,
    SessionCapabilities,
    SessionMode,
    SessionModeState,
    SessionResumeCapabilities,
    ToolCallLocation,
    ToolCallUpdate,
    Usage,
)

HOME = Path(os.environ["AGENT_HOME"])
MODES = SessionModeState(
    current_mode_id="default",
    available_modes=[SessionMode(id="default", name="Default"), SessionMode(id="plan", name="Plan")],
)
OPTIONS = [
    PermissionOption(option_id="always", name="Always", kind="allow_always"),
    PermissionOption(option_id="yes", name="Yes", kind="allow_once"),
    PermissionOption(option_id="no", name="No", kind="reject_once"),
]


class SmallAgent:
    def __init__(self) -> None:
        self._client: Any = None
        self._cancelled = asyncio.Event()
        self._calls = 0

    def on_connect(self, conn: Any) -> None:
        self._client = conn

    async def initialize(self, protocol_version: int, **kwargs: Any) -> InitializeResponse:
        self.note({"started": os.getpid(), "env": sorted(os.environ)})
        can = os.environ.get("AGENT_CAN", "load").split()
        abilities = SessionCapabilities(resume=SessionResumeCapabilities() if "resume" in can else None)
        return InitializeResponse(
            protocol_version=protocol_version,
            agent_capabilities=AgentCapabilities(load_session="load" in can, session_capabilities=abilities),
        )

    async def new_session(self, cwd: str, **kwargs: Any) -> NewSessionResponse:
        name = f"s{len(list(HOME.glob('s*.json')))}"
        (HOME / f"{name}.json").write_text("[]")
        return NewSessionResponse(session_id=name, modes=MODES)

    async def resume_session(self, cwd: str, session_id: str, **kwargs: Any) -> ResumeSessionResponse:
        self._lost("resume", session_id)
        self.note({"resumed": session_id})
        return ResumeSessionResponse(modes=MODES)

    async def load_session(self, cwd: str, session_id: str, **kwargs: Any) -> LoadSessionResponse:
        self._lost("load", session_id)
        for prompt in json.loads((HOME / f"{session_id}.json").read_text()):
            await self.say(session_id, f"replayed {prompt}")
        self.note({"loaded": session_id})
        return LoadSessionResponse(modes=MODES)

    def _lost(self, way: str, session_id: str) -> None:
        """Refuse what it says it can."""
        if way in os.environ.get("AGENT_LOST", "").split():
            self.note({"lost": way})
            raise acp.RequestError.resource_not_found(session_id)

    async def set_session_mode(self, mode_id: str, session_id: str, **kwargs: Any) -> None:
        self.note({"mode": mode_id})

    async def cancel(self, session_id: str, **kwargs: Any) -> None:
        self.note({"cancelled": session_id})
        self._cancelled.set()

    async def prompt(self, prompt: list[Any], session_id: str, **kwargs: Any) -> PromptResponse:
        self._cancelled.clear()
        text = prompt[0].text
        file = HOME / f"{session_id}.json"
        file.write_text(json.dumps([*json.loads(file.read_text()), text]))
        self.note({"prompt": text})
        for line in text.splitlines():
            verb, _, rest = line.partition(" ")
            if verb.isupper() and hasattr(self, f"do_{verb.lower()}"):
                await getattr(self, f"do_{verb.lower()}")(session_id, rest)
            if self._cancelled.is_set():
                return PromptResponse(stop_reason="cancelled")
        usage = Usage(total_tokens=15, input_tokens=10, output_tokens=5)
        return PromptResponse(stop_reason="end_turn", usage=usage)

    def note(self, seen: Any) -> None:
        with (HOME / "seen.jsonl").open("a") as log:
            log.write(json.dumps(seen) + "\n")

    async def say(self, session_id: str, text: str) -> None:
        await self._client.session_update(session_id=session_id, update=acp.update_agent_message_text(text))

    async def do_say(self, session_id: str, text: str) -> None:
        await self.say(session_id, text)

    async def do_think(self, session_id: str, text: str) -> None:
        await self._client.session_update(session_id=session_id, update=acp.update_agent_thought_text(text))

    async def do_plan(self, session_id: str, text: str) -> None:
        entries = [acp.plan_entry(each) for each in text.split(",")]
        await self._client.session_update(session_id=session_id, update=acp.update_plan(entries))

    async def do_edit(self, session_id: str, path: str) -> None:
        """Ask, claiming a harmless kind if the path ends with `!`, then write it itself."""
        kind = "read" if path.endswith("!") else "edit"
        await self._asked(session_id, path.rstrip("!"), kind)

    async def do_silent(self, session_id: str, path: str) -> None:
        """Write without asking anybody."""
        try:
            Path(path).write_text("silently")
            await self.say(session_id, "wrote")
        except OSError as error:
            await self.say(session_id, f"could not: {type(error).__name__}")

    async def do_look(self, session_id: str, path: str) -> None:
        """Read a file itself."""
        try:
            await self.say(session_id, f"looked: {len(Path(path).read_bytes())}; ")
        except OSError as error:
            await self.say(session_id, f"hidden: {type(error).__name__}; ")

    async def do_read(self, session_id: str, path: str) -> None:
        try:
            answer = await self._client.read_text_file(session_id=session_id, path=str(Path(path).absolute()))
        except acp.RequestError as error:
            return await self.say(session_id, f"error {error.code}; ")
        await self.say(session_id, f"read {len(answer.content)}: {answer.content[:50]}")

    async def do_write(self, session_id: str, path: str) -> None:
        try:
            await self._client.write_text_file(session_id=session_id, path=str(Path(path).absolute()), content="新的")
            await self.say(session_id, "written")
        except acp.RequestError:
            await self.say(session_id, "not written")

    async def do_run(self, session_id: str, words: str) -> None:
        command, *args = words.split()
        made = await self._client.create_terminal(session_id=session_id, command=command, args=args)
        done = await self._client.wait_for_terminal_exit(session_id=session_id, terminal_id=made.terminal_id)
        output = await self._client.terminal_output(session_id=session_id, terminal_id=made.terminal_id)
        await self.say(session_id, f"exit {done.exit_code}: {output.output}")

    async def do_hang(self, session_id: str, text: str) -> None:
        await self.say(session_id, "waiting")
        await self._cancelled.wait()

    async def do_deaf(self, session_id: str, text: str) -> None:
        await self.say(session_id, "deaf")
        await asyncio.Event().wait()

    async def do_die(self, session_id: str, text: str) -> None:
        sys.stderr.write(f"my last words: {text}\n")
        sys.stderr.flush()
        os._exit(3)

    async def _asked(self, session_id: str, path: str, kind: Any) -> None:
        self._calls += 1
        name, where = f"call_{self._calls}", [ToolCallLocation(path=str(Path(path).absolute()))]
        content = [acp.tool_diff_content(path, "asked\n", "old\n")]
        start = acp.start_tool_call(name, f"Edit {path}", kind=kind, locations=where, content=content)
        await self._client.session_update(session_id=session_id, update=start)
        asked = ToolCallUpdate(tool_call_id=name, title=f"Edit {path}", kind=kind)
        answer = await self._client.request_permission(session_id=session_id, tool_call=asked, options=OPTIONS)
        self.note({"answer": getattr(answer.outcome, "option_id", answer.outcome.outcome)})
        allowed = getattr(answer.outcome, "option_id", "no") in ("yes", "always")
        if allowed:
            Path(path).write_text("asked\n")
        status: Any = "completed" if allowed else "failed"
        await self._client.session_update(session_id=session_id, update=acp.update_tool_call(name, status=status))


if __name__ == "__main__":
    asyncio.run(acp.run_agent(SmallAgent(), use_unstable_protocol=True))  # type: ignore[arg-type]
