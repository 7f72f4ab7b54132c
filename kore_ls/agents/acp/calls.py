"""An external agent's updates as our events, and its calls as it claims them. Its words are shown, not believed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count
from math import isfinite
from typing import Any

from attrs import evolve, frozen

from kore_ls.agents.agent import AgentEvent, StepEnded, TextDelta, ThinkingDelta, ToolReported, UsageReported
from kore_ls.agents.unified import diff_of
from kore_ls.model.display import visible
from kore_ls.model.ids import MessageId
from kore_ls.model.json_value import json_value
from kore_ls.model.message import UNFINISHED, ToolCall, ToolKind, ToolStatus
from kore_ls.model.session import Usage

_TITLE_CHARS = 300
_RESULT_CHARS = 64_000
_KINDS = {each.value: each for each in ToolKind}
_STATUSES = {
    "pending": ToolStatus.PENDING,
    "in_progress": ToolStatus.IN_PROGRESS,
    "completed": ToolStatus.COMPLETED,
    "failed": ToolStatus.FAILED,
}


@frozen(kw_only=True)
class Claim:
    """What an agent says it is about to do."""

    call: ToolCall
    paths: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    diff: str | None = None


class Calls:
    """The tool calls of one turn, as far as they were told. `cost` is what the agent says its session has cost."""

    def __init__(self) -> None:
        self._known: dict[str, ToolCall] = {}
        self._paths: dict[str, tuple[str, ...]] = {}
        self._diffs: dict[str, str] = {}
        self._raw: dict[str, Any] = {}
        self._step: set[str] = set()
        self._ids: set[str] = set()
        self.cost = 0.0

    def new_turn(self) -> None:
        """Calls of the turns before are over."""
        for each in (self._known, self._paths, self._diffs, self._raw, self._step, self._ids):
            each.clear()

    def events(self, update: Any) -> Iterator[AgentEvent]:
        """What an update means."""
        match update.session_update:
            case "agent_message_chunk" | "agent_thought_chunk":
                text = getattr(update.content, "text", None)
                if text:
                    yield from self._new_step()
                    spoken = update.session_update == "agent_message_chunk"
                    yield TextDelta(text=text) if spoken else ThinkingDelta(text=text)
            case "tool_call" | "tool_call_update":
                yield from self.asked(update)
            case "plan":
                yield from self._plan(update.entries)
            case "usage_update":
                yield from self._paid(update)

    def _new_step(self) -> Iterator[AgentEvent]:
        """Text after calls that have ended begins a new message."""
        if self._step and all(self._known[each].status not in UNFINISHED for each in self._step):
            self._step.clear()
            yield StepEnded()

    def asked(self, told: Any) -> Iterator[AgentEvent]:
        """A call as it stands now."""
        name = str(told.tool_call_id)
        before = self._known.get(name)
        if before is not None and before.status not in UNFINISHED:
            if getattr(told, "session_update", None) == "tool_call_update":
                return
            self._forget(name)  # an id used again: what was said of the former call is not about this one
            before = None
        call = before or ToolCall(
            id=self._new_id(name),
            message_id=MessageId(""),
            name="agent",
            kind=ToolKind.OTHER,
            title="",
            arguments={},
            status=ToolStatus.PENDING,
        )
        self._remember(name, told)
        changes: dict[str, Any] = {}
        if told.title:
            changes["title"] = visible(told.title)[:_TITLE_CHARS]
        if told.kind:
            changes["kind"] = _KINDS.get(told.kind, ToolKind.OTHER)
        if isinstance(told.raw_input, dict):
            changes["arguments"] = json_value(told.raw_input)
        if told.status:
            changes["status"] = _STATUSES.get(told.status, call.status)
        if text := _text(told):
            changes["result"] = {"text": text[:_RESULT_CHARS]}
        call = evolve(call, **changes)
        if diff := self._diffs.get(name):
            call = evolve(call, result={**(call.result or {}), "diff": diff[:_RESULT_CHARS]})
        self._known[name] = call
        self._step.add(name)
        yield ToolReported(call=call)

    def _forget(self, name: str) -> None:
        for each in (self._paths, self._diffs, self._raw):
            each.pop(name, None)

    def _new_id(self, name: str) -> str:
        clean = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:56] or "call"
        free = (each for number in count() if (each := f"{clean}_{number}" if number else clean) not in self._ids)
        found = next(free)
        self._ids.add(found)
        return found

    def _remember(self, name: str, told: Any) -> None:
        paths = [str(each.path) for each in told.locations or ()]
        for each in told.content or ():
            if getattr(each, "type", None) == "diff":
                paths.append(str(each.path))
                self._diffs[name] = diff_of(each.old_text or "", each.new_text, visible(str(each.path)))
        if isinstance(told.raw_input, dict):
            self._raw[name] = told.raw_input
            keys = ("path", "file_path", "filePath", "abs_path", "absolute_path", "filename")
            paths += [told.raw_input[key] for key in keys if isinstance(told.raw_input.get(key), str)]
        if paths:
            self._paths[name] = tuple(dict.fromkeys((*self._paths.get(name, ()), *paths)))

    def claim(self, told: Any) -> Claim:
        """What a call that permission is asked for claims to be."""
        name = str(told.tool_call_id)
        call = self._known[name]
        return Claim(
            call=call,
            paths=self._paths.get(name, ()),
            argv=_argv(self._raw.get(name)),
            diff=self._diffs.get(name),
        )

    def denied(self, name: str, reason: str) -> ToolReported:
        """Its call was refused, whatever the agent makes of it, or tells of it later."""
        call = evolve(self._known[name], status=ToolStatus.DENIED, result={"text": reason})
        self._known[name] = call
        return ToolReported(call=call)

    def _plan(self, entries: Sequence[Any]) -> Iterator[AgentEvent]:
        lines = [f"[{'x' if each.status == 'completed' else ' '}] {each.content}" for each in entries]
        call = ToolCall(
            id="plan",
            message_id=MessageId(""),
            name="plan",
            kind=ToolKind.THINK,
            title="Plan",
            arguments={},
            status=ToolStatus.COMPLETED,
            result={"text": "\n".join(lines)[:_RESULT_CHARS]},
        )
        self._known["plan"] = call
        self._step.add("plan")
        yield ToolReported(call=call)

    def _paid(self, update: Any) -> Iterator[AgentEvent]:
        cost = getattr(update, "cost", None)
        if cost is None or cost.currency != "USD" or not isfinite(cost.amount):
            return
        before, self.cost = self.cost, max(cost.amount, 0.0)
        spent = self.cost if self.cost < before else self.cost - before  # it has begun to count anew
        if spent:
            yield UsageReported(usage=Usage(cost=spent))


def _argv(raw: Any) -> tuple[str, ...]:
    if not isinstance(raw, dict):
        return ()
    command = raw.get("command") or raw.get("cmd")
    if isinstance(command, str):
        return ("sh", "-c", command)
    if isinstance(command, list) and command and all(isinstance(each, str) for each in command):
        return tuple(command)
    return ()


def _text(told: Any) -> str:
    parts = []
    for each in told.content or ():
        if getattr(each, "type", None) == "content" and getattr(each.content, "text", None):
            parts.append(each.content.text)
    return "\n".join(parts)
