"""Codex' conversations: JSON lines, one file per session, what was said and what came of it. Reads only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from attrs import define

from kore_ls.errors import ImportInvalid
from kore_ls.sessions.importers.assembly import Assembly
from kore_ls.sessions.importers.records import Line, Record, inner, instant, json_object, lines, objects, text
from kore_ls.sessions.importers.thread import Entry, ForeignThread, Importer, Notes, Where

_BOOKKEEPING = frozenset(
    ["event_msg", "session_meta", "turn_context", "world_state", "token_usage_record", "compacted", "ghost_snapshot"]
)
_CONTEXT = re.compile(
    r"\s*(<(environment_context|user_instructions|permissions instructions|turn_aborted|skill|skills_instructions"
    r"|INSTRUCTIONS|collaboration_mode|model_switch|subagent_notification|apps_instructions|plugins_instructions)\b"
    r"|# AGENTS\.md instructions)"
)
_EXIT_CODE = re.compile(r"(?:Process exited with code|Exit code:) (-?\d+)")
_HEAD_LINES = 50


class Codex(Importer):
    """`~/.codex/sessions/YYYY/MM/DD/rollout-*.jsonl` and the archived ones; `CODEX_HOME` moves it."""

    name = "codex"
    title = "Codex"
    checked = "0.169.0"
    patterns = ("rollout-*.jsonl",)

    def roots(self, where: Where) -> Iterator[Path]:
        """Sessions, and archived sessions."""
        home = where.directory("CODEX_HOME", where.home / ".codex")
        yield home / "sessions"
        yield home / "archived_sessions"

    def threads(self, path: Path, where: Where, notes: Notes) -> Iterator[ForeignThread]:
        """The one conversation of the file, which its first lines place in a folder."""
        thread = ForeignThread(source=self.name, source_id=path.stem[-36:], path=path, changing=where.changing(path))
        for line in lines(path):
            meta = line.record.get("payload") if line.record.get("type") == "session_meta" else None
            if isinstance(meta, dict):
                thread.source_id = text(meta, "id") or thread.source_id
                thread.cwd = text(meta, "cwd") or None
                thread.version = text(meta, "cli_version") or None
                thread.parent = text(meta, "forked_from_id") or None
                thread.created_at = instant(meta.get("timestamp"))
                break
            thread.cwd = thread.cwd or text(inner(line.record, "payload"), "cwd") or None
            if line.number > _HEAD_LINES:
                break
        if where.holds(thread.cwd):
            thread.read = lambda: _Reading(thread, Assembly(thread)).entries(notes)
            yield thread


@define
class _Reading:
    thread: ForeignThread
    assembly: Assembly
    model: str = ""
    step: str = ""
    """The key of the model step that goes on; empty: the next record begins one."""
    last: str = ""

    def entries(self, notes: Notes) -> Iterator[Entry]:
        """The messages in the order of the file."""
        self.thread.input_tokens = self.thread.output_tokens = 0
        try:
            for line in lines(self.thread.path, notes):
                self._line(line)
                yield from self.assembly.take()
        except ImportInvalid:
            notes.skip(self.thread.path, "the file", "can't be read any more")
        yield from self.assembly.finish()

    def _line(self, line: Line) -> None:
        record = line.record
        payload, kind = inner(record, "payload"), text(record, "type")
        at = instant(record.get("timestamp"))
        if at is not None:
            self.thread.created_at = min(at, self.thread.created_at or at)
            self.thread.updated_at = max(at, self.thread.updated_at or at)
        if kind == "response_item":
            self._item(payload, str(line.number), at)
        elif kind == "turn_context":
            self.model = text(payload, "model") or self.model
        elif kind == "event_msg":
            self._event(payload)
        elif kind == "compacted":
            self.step = ""
            self.assembly.prompt(str(line.number), text(payload, "message"), at, role="assistant", compaction=True)
        elif kind not in _BOOKKEEPING:
            self.assembly.raw(record)

    def _item(self, payload: Record, key: str, at: int | None) -> None:
        match payload:
            case {"type": "message", "role": "user"}:
                self._user(payload, key, at)
            case {"type": "message", "role": "assistant"}:
                self._begin(key, at)
                for part in objects(payload, "content"):
                    self.assembly.say(text(part, "text"))
            case {"type": "reasoning"}:
                self._begin(key, at)
                for part in [*objects(payload, "summary"), *objects(payload, "content")]:
                    self.assembly.think(text(part, "text"))
            case {"type": "function_call" | "custom_tool_call", "call_id": str(call_id)}:
                self._begin(key, at)
                arguments = payload.get("arguments", payload.get("input"))
                self.assembly.call(call_id, text(payload, "name"), json_object(arguments), at)
            case {"type": "local_shell_call", "call_id": str(call_id)}:
                self._begin(key, at)
                self.assembly.call(call_id, "local_shell", inner(payload, "action"), at)
            case {"type": "web_search_call"}:
                self._begin(key, at)
                self.assembly.call(f"search {key}", "web_search", inner(payload, "action"), at)
                self.assembly.result(f"search {key}", None, failed=text(payload, "status") == "failed", at=at)
            case {"type": "function_call_output" | "custom_tool_call_output", "call_id": str(call_id)}:
                self._output(call_id, payload.get("output"), key, at)
            case {"type": "message"} | {"type": "ghost_snapshot" | "compaction" | "context_compaction"}:
                pass  # instructions of the vendor, and what only the vendor can read
            case _:
                self.assembly.raw(payload)

    def _begin(self, key: str, at: int | None) -> None:
        self.step = self.step or key
        self.assembly.step(self.step, at, model=self.model)

    def _user(self, payload: Record, key: str, at: int | None) -> None:
        parts = objects(payload, "content")
        said = [text(part, "text") for part in parts if text(part, "type") == "input_text"]
        said = [each for each in said if each.strip() and not _CONTEXT.match(each)]
        images = sum(text(part, "type") == "input_image" for part in parts)
        if said or images:
            self.step = ""
            self.assembly.prompt(key, "\n\n".join(said), at, images=images)

    def _output(self, call_id: str, output: object, key: str, at: int | None) -> None:
        failed = False
        if isinstance(output, dict):
            failed = output.get("success") is False
            output = output.get("content", output)
        if isinstance(output, str) and (code := _EXIT_CODE.search(output[:500])):
            failed = failed or code[1] != "0"
        self.assembly.result(call_id, output, failed=failed, at=at, key=key)
        self.step = ""

    def _event(self, payload: Record) -> None:
        match payload:
            case {"type": "token_count", "info": {"last_token_usage": dict(usage)}}:
                self.thread.spent(usage.get("input_tokens"), usage.get("output_tokens"))
                self.assembly.about(usage=usage)
            case {"type": "exec_command_end", "call_id": str(call_id), "exit_code": int(code)} if code:
                self.assembly.failed(call_id)
            case {"type": "thread_name_updated", "thread_name": str(name)}:
                self.thread.title = name
