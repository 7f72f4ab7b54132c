"""Other tools' files, written in their documented forms from one neutral conversation."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import frozen

START = 1_750_000_000_000
NAME = "11111111-2222-4333-8444-555555555555"


@frozen(kw_only=True)
class Call:
    """A tool call with its result."""

    id: str
    name: str
    arguments: dict[str, Any]
    result: str
    failed: bool = False


@frozen(kw_only=True)
class Said:
    """One message of the neutral conversation; its number gives its time."""

    role: str
    text: str
    thinking: str = ""
    calls: tuple[Call, ...] = ()


TALK: tuple[Said, ...] = (
    Said(role="user", text="为什么构建失败? Please look 🙂"),
    Said(
        role="assistant",
        text="I look at the log.",
        thinking="The log first.",
        calls=(
            Call(id="call_a", name="read_file", arguments={"path": "build.log"}, result="错误: no such file"),
            Call(id="call_b", name="shell", arguments={"command": "make"}, result="exit 2", failed=True),
        ),
    ),
    Said(role="assistant", text="The file `a.c` is missing.\n\n```c\nint main(void);\n```"),
    Said(role="user", text="Make it, then."),
    Said(
        role="assistant",
        text="Done.",
        calls=(Call(id="call_c", name="write_file", arguments={"path": "a.c"}, result="written"),),
    ),
    Said(role="assistant", text="The build is green ✅ 完成"),
)


def at(number: int) -> int:
    """The time of a message, Unix milliseconds."""
    return START + number * 60_000


def iso(number: int) -> str:
    """The time of a message as tools write it."""
    return datetime.fromtimestamp(at(number) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _lines(path: Path, records: Sequence[Any]) -> None:
    _put(path, "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records))


def _database(path: Path, script: str, rows: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(script)
        for table, values in rows:
            db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
        db.commit()


def claude_code(home: Path, folder: Path, talk: Sequence[Said]) -> Path:
    path = home / ".claude" / "projects" / re.sub(r"[^a-zA-Z0-9]", "-", str(folder)) / f"{NAME}.jsonl"
    records: list[Any] = [{"type": "mode", "mode": "normal", "sessionId": NAME}]
    last: str | None = None

    def add(kind: str, name: str, number: int, message: Any, parent: str | None) -> None:
        nonlocal last
        records.append(
            {"type": kind, "uuid": name, "parentUuid": parent, "isSidechain": False, "timestamp": iso(number)}
            | {"cwd": str(folder), "sessionId": NAME, "version": "2.1.0", "message": message}
        )
        last = name

    for number, said in enumerate(talk):
        if said.role == "user":
            add("user", f"u{number}", number, {"role": "user", "content": said.text}, last)
            continue
        blocks: list[Any] = [{"type": "thinking", "thinking": said.thinking, "signature": "x"}] if said.thinking else []
        blocks.append({"type": "text", "text": said.text})
        blocks += [{"type": "tool_use", "id": c.id, "name": c.name, "input": c.arguments} for c in said.calls]
        uses: dict[str, str] = {}
        usage = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 1}
        for part, block in enumerate(blocks):
            message = {"id": f"msg_{number}", "role": "assistant", "model": "m-1", "content": [block], "usage": usage}
            add("assistant", f"a{number}.{part}", number, message | {"stop_reason": "end_turn"}, last)
            if block["type"] == "tool_use":
                uses[block["id"]] = str(last)
        for call in reversed(said.calls):  # as the tool does: each result follows its own call, so the links fork
            result = {"type": "tool_result", "tool_use_id": call.id, "content": call.result, "is_error": call.failed}
            add("user", f"r{number}.{call.id}", number, {"role": "user", "content": [result]}, uses[call.id])
    _lines(path, records)
    return path


def codex(home: Path, folder: Path, talk: Sequence[Said]) -> Path:
    path = home / ".codex" / "sessions" / "2025" / "06" / "15" / f"rollout-2025-06-15T15-06-40-{NAME}.jsonl"
    meta = {"id": NAME, "timestamp": iso(0), "cwd": str(folder), "cli_version": "0.1"}
    records: list[Any] = [{"timestamp": iso(0), "type": "session_meta", "payload": meta}]
    records.append({"timestamp": iso(0), "type": "turn_context", "payload": {"cwd": str(folder), "model": "m-1"}})

    def item(number: int, **payload: Any) -> None:
        records.append({"timestamp": iso(number), "type": "response_item", "payload": payload})

    context = "<environment_context>\n  <cwd>here</cwd>\n</environment_context>"
    item(0, type="message", role="user", content=[{"type": "input_text", "text": context}])
    for number, said in enumerate(talk):
        if said.role == "user":
            item(number, type="message", role="user", content=[{"type": "input_text", "text": said.text}])
            continue
        if said.thinking:
            summary = [{"type": "summary_text", "text": said.thinking}]
            item(number, type="reasoning", summary=summary, encrypted_content="opaque")
        item(number, type="message", role="assistant", content=[{"type": "output_text", "text": said.text}])
        for call in said.calls:
            item(number, type="function_call", name=call.name, call_id=call.id, arguments=json.dumps(call.arguments))
        for call in said.calls:
            output = f"Exit code: {2 if call.failed else 0}\nOutput:\n{call.result}"
            item(number, type="function_call_output", call_id=call.id, output=output)
            item(number, type="function_call_output", call_id=call.id, output="a copy")
        if not said.calls:  # what is said after no call is a step of its own only because the next prompt follows
            continue
    _lines(path, records)
    return path


def opencode(home: Path, folder: Path, talk: Sequence[Said]) -> Path:
    path = home / ".local" / "share" / "opencode" / "opencode.db"
    script = """CREATE TABLE session (id TEXT PRIMARY KEY, parent_id TEXT, directory TEXT, title TEXT, version TEXT,
        time_created INTEGER, time_updated INTEGER, time_archived INTEGER);
        CREATE TABLE message (id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER, data TEXT);
        CREATE TABLE part (id TEXT PRIMARY KEY, message_id TEXT, session_id TEXT, data TEXT);"""
    session = ("ses_1", None, str(folder), "The build", "1.2", at(0), at(len(talk)), None)
    other = ("ses_2", None, "/somewhere/else", "Not ours", "1.2", at(0), at(0), None)
    rows: list[tuple[str, tuple[Any, ...]]] = [("session", session), ("session", other)]
    for message_id, message, parts in _opencode_messages(talk):
        rows.append(("message", (message_id, "ses_1", message["time"]["created"], json.dumps(message))))
        rows += [("part", (part.pop("id"), message_id, "ses_1", json.dumps(part))) for part in parts]
    _database(path, script, rows)
    return path


def opencode_files(home: Path, folder: Path, talk: Sequence[Said]) -> Path:
    storage = home / ".local" / "share" / "opencode" / "storage"
    session = {"id": "ses_1", "directory": str(folder), "title": "The build", "version": "0.9"}
    path = storage / "session" / "project" / "ses_1.json"
    _put(path, json.dumps(session | {"time": {"created": at(0), "updated": at(len(talk))}}))
    for message_id, message, parts in _opencode_messages(talk):
        _put(storage / "message" / "ses_1" / f"{message_id}.json", json.dumps(message))
        for part in parts:
            _put(storage / "part" / message_id / f"{part.pop('id')}.json", json.dumps(part))
    return path


def _opencode_messages(talk: Sequence[Said]) -> list[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    found = []
    for number, said in enumerate(talk):
        time = {"created": at(number)}
        message: dict[str, Any] = {"role": said.role, "time": time}
        kinds = [("reasoning", said.thinking)] if said.thinking else []
        parts: list[dict[str, Any]] = [{"type": kind, "text": text} for kind, text in [*kinds, ("text", said.text)]]
        if said.role == "assistant":
            message |= {
                "time": time | {"completed": at(number)},
                "modelID": "m-1",
                "tokens": {"input": 10, "output": 5},
            }
        else:
            parts.append({"type": "text", "text": "<reminder>", "synthetic": True})
        for call in said.calls:
            output = {"error" if call.failed else "output": call.result}
            state = {"status": "error" if call.failed else "completed", "input": call.arguments} | output
            parts.append({"type": "tool", "callID": call.id, "tool": call.name, "state": state})
        parts = [part | {"id": f"prt_{number:02}_{place}"} for place, part in enumerate(parts)]
        found.append((f"msg_{number:02}", message, parts))
    return found


def _gemini_messages(talk: Sequence[Said]) -> list[dict[str, Any]]:
    context = {"id": "m-context", "timestamp": iso(0), "type": "user", "content": [{"text": "<session_context>\n..."}]}
    found: list[dict[str, Any]] = [context]
    for number, said in enumerate(talk):
        message: dict[str, Any] = {"id": f"m-{number}", "timestamp": iso(number)}
        if said.role == "user":
            found.append(message | {"type": "user", "content": [{"text": said.text}]})
            continue
        message |= {"type": "gemini", "content": said.text, "model": "m-1", "tokens": {"input": 10, "output": 5}}
        if said.thinking:
            message["thoughts"] = [{"description": said.thinking}]
        message["toolCalls"] = [
            {"id": c.id, "name": c.name, "args": c.arguments, "status": "error" if c.failed else "success"}
            | {"result": [{"functionResponse": {"id": c.id, "response": {"output": c.result}}}]}
            for c in said.calls
        ]
        found.append(message)
    return found


def gemini_cli(home: Path, folder: Path, talk: Sequence[Said]) -> Path:
    directory = home / ".gemini" / "tmp" / "project"
    _put(directory / ".project_root", str(folder))
    path = directory / "chats" / "session-2025-06-15T15-06-11111111.jsonl"
    records: list[Any] = [{"sessionId": NAME, "projectHash": "0", "startTime": iso(0)}]
    for message in _gemini_messages(talk):
        records.append({key: value for key, value in message.items() if key != "toolCalls"})
        records += [{"$set": {"lastUpdated": iso(0)}}, message]
    _lines(path, records)
    return path


def gemini_file(home: Path, folder: Path, talk: Sequence[Said]) -> Path:
    import hashlib

    directory = home / ".gemini" / "tmp" / hashlib.sha256(str(folder).encode()).hexdigest()
    path = directory / "chats" / "session-2025-06-15T15-06-11111111.json"
    _put(path, json.dumps({"sessionId": NAME, "startTime": iso(0), "messages": _gemini_messages(talk)}))
    return path


def _goose_content(said: Said) -> tuple[list[Any], list[Any]]:
    parts: list[Any] = [{"type": "thinking", "thinking": said.thinking, "signature": ""}] if said.thinking else []
    parts.append({"type": "text", "text": said.text})
    results: list[Any] = []
    for call in said.calls:
        value = {"name": call.name, "arguments": call.arguments}
        parts.append({"type": "toolRequest", "id": call.id, "toolCall": {"status": "success", "value": value}})
        result: dict[str, Any] = {"status": "success", "value": [{"type": "text", "text": call.result}]}
        if call.failed:
            result = {"status": "error", "error": call.result}
        results.append({"type": "toolResponse", "id": call.id, "toolResult": result})
    return parts, results


def goose(home: Path, folder: Path, talk: Sequence[Said]) -> Path:
    path = home / ".local" / "share" / "goose" / "sessions" / "sessions.db"
    script = """CREATE TABLE sessions (id TEXT PRIMARY KEY, name TEXT, description TEXT, session_type TEXT,
        working_dir TEXT, created_at TIMESTAMP, updated_at TIMESTAMP, accumulated_input_tokens INTEGER,
        accumulated_output_tokens INTEGER);
        CREATE TABLE messages (id INTEGER PRIMARY KEY, message_id TEXT, session_id TEXT, role TEXT, content_json TEXT,
        created_timestamp INTEGER, metadata_json TEXT);"""
    times = ("2025-06-15 15:06:40", "2025-06-15 16:06:40")
    rows: list[tuple[str, tuple[Any, ...]]] = [
        ("sessions", ("20250615_1", "The build", "", "user", str(folder), *times, 40, 20))
    ]
    for number, said in enumerate(talk):
        for role, content in zip((said.role, "user"), _goose_content(said), strict=True):
            if content:
                body = json.dumps(content), at(number) // 1000, '{"userVisible": true}'
                rows.append(("messages", (None, f"g{number}{role}", "20250615_1", role, *body)))
    rows.append(
        ("messages", (None, "hidden", "20250615_1", "user", '[{"type":"text","text":"x"}]', 1, '{"userVisible":false}'))
    )
    _database(path, script, rows)
    return path


def goose_lines(home: Path, folder: Path, talk: Sequence[Said]) -> Path:
    path = home / ".local" / "share" / "goose" / "sessions" / "20250615_1.jsonl"
    records: list[Any] = [{"working_dir": str(folder), "description": "The build", "message_count": len(talk)}]
    for number, said in enumerate(talk):
        for role, content in zip((said.role, "user"), _goose_content(said), strict=True):
            if content:
                records.append({"role": role, "created": at(number) // 1000, "content": content})
    _lines(path, records)
    return path


def crush(home: Path, folder: Path, talk: Sequence[Said]) -> Path:
    path = folder / ".crush" / "crush.db"
    script = """CREATE TABLE sessions (id TEXT PRIMARY KEY, parent_session_id TEXT, title TEXT, prompt_tokens INTEGER,
        completion_tokens INTEGER, cost REAL, created_at INTEGER, updated_at INTEGER);
        CREATE TABLE messages (id TEXT PRIMARY KEY, session_id TEXT, role TEXT, parts TEXT, model TEXT, provider TEXT,
        created_at INTEGER, is_summary_message INTEGER);"""
    session = ("s1", None, "The build", 40, 20, 0.5, at(0) // 1000, at(len(talk)) // 1000)
    rows: list[tuple[str, tuple[Any, ...]]] = [("sessions", session)]

    def add(name: str, role: str, parts: list[Any], number: int) -> None:
        rows.append(("messages", (name, "s1", role, json.dumps(parts), "m-1", "p", at(number) // 1000, 0)))

    for number, said in enumerate(talk):
        parts: list[Any] = [{"type": "reasoning", "data": {"thinking": said.thinking}}] if said.thinking else []
        parts.append({"type": "text", "data": {"text": said.text}})
        results: list[Any] = []
        for call in said.calls:
            data = {"id": call.id, "name": call.name, "input": json.dumps(call.arguments), "finished": True}
            parts.append({"type": "tool_call", "data": data})
            result = {"tool_call_id": call.id, "name": call.name, "content": call.result, "is_error": call.failed}
            results.append({"type": "tool_result", "data": result})
        if said.role == "assistant":
            parts.append({"type": "finish", "data": {"reason": "end_turn", "time": 1}})
        add(f"c{number}", said.role, parts, number)
        if results:
            add(f"c{number}r", "tool", results, number)
    _database(path, script, rows)
    return path


def continue_dev(home: Path, folder: Path, talk: Sequence[Said]) -> Path:
    path = home / ".continue" / "sessions" / f"{NAME}.json"
    history: list[Any] = []
    for said in talk:
        if said.thinking:
            history.append({"message": {"role": "thinking", "content": said.thinking}, "contextItems": []})
        message: dict[str, Any] = {"role": said.role, "content": said.text}
        calls = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": json.dumps(c.arguments)}}
            for c in said.calls
        ]
        states = [
            {"toolCallId": c.id, "status": "errored" if c.failed else "done", "output": [{"content": c.result}]}
            for c in said.calls
        ]
        extra = {"toolCallStates": states} if states else {}
        history.append({"message": message | ({"toolCalls": calls} if calls else {}), "contextItems": []} | extra)
    session = {"sessionId": NAME, "title": "The build", "workspaceDirectory": folder.as_uri(), "history": history}
    _put(path, json.dumps(session, ensure_ascii=False))
    index = [{"sessionId": NAME, "title": "The build", "dateCreated": str(at(0))}]
    _put(path.with_name("sessions.json"), json.dumps(index))
    return path


def _cline_messages(talk: Sequence[Said], old: bool) -> list[Any]:
    found: list[Any] = []
    for number, said in enumerate(talk):
        about: dict[str, Any] = {} if old else {"id": f"cl{number}", "ts": at(number)}
        if said.role == "user":
            text = f"<task>\n{said.text}\n</task>" if old else said.text
            surroundings = {"type": "text", "text": "<environment_details>\nnoise\n</environment_details>"}
            found.append(about | {"role": "user", "content": [{"type": "text", "text": text}, surroundings]})
            continue
        blocks: list[Any] = [{"type": "thinking", "thinking": said.thinking}] if said.thinking else []
        blocks.append({"type": "text", "text": said.text})
        blocks += [{"type": "tool_use", "id": c.id, "name": c.name, "input": c.arguments} for c in said.calls]
        found.append(about | {"role": "assistant", "content": blocks})
        results = [
            {"type": "tool_result", "tool_use_id": c.id, "content": c.result, "is_error": c.failed} for c in said.calls
        ]
        if results:
            found.append((about | {"id": f"cl{number}r"} if about else {}) | {"role": "user", "content": results})
    return found


def cline(home: Path, folder: Path, talk: Sequence[Said]) -> Path:
    data = home / ".cline" / "data"
    path = data / "sessions" / "s1" / "s1.messages.json"
    _put(path, json.dumps({"version": 1, "sessionId": "s1", "messages": _cline_messages(talk, old=False)}))
    script = "CREATE TABLE sessions (session_id TEXT PRIMARY KEY, started_at TEXT, cwd TEXT, workspace_root TEXT)"
    _database(data / "db" / "sessions.db", script, [("sessions", ("s1", iso(0), str(folder), str(folder)))])
    return path


def cline_tasks(home: Path, folder: Path, talk: Sequence[Said]) -> Path:
    storage = home / ".config" / "Code" / "User" / "globalStorage" / "saoudrizwan.claude-dev"
    path = storage / "tasks" / str(START) / "api_conversation_history.json"
    _put(path, json.dumps(_cline_messages(talk, old=True), ensure_ascii=False))
    listed = [{"id": str(START), "ts": START, "task": "x", "cwdOnTaskInitialization": str(folder), "tokensIn": 40}]
    _put(storage / "state" / "taskHistory.json", json.dumps(listed))
    return path


def aider(home: Path, folder: Path, talk: Sequence[Said]) -> Path:
    path = folder / ".aider.chat.history.md"
    text = "\n# aider chat started at 2025-06-15 15:06:40\n\n> Aider v0.86.1  \n> Main model: m-1 with diff format  \n"
    for said in talk:
        if said.role == "user":
            text += "\n" + "\n".join(f"#### {line}  " for line in said.text.split("\n")) + "\n"
        else:
            text += f"\n{said.text}\n\n> Tokens: 1.5k sent, 20 received.  \n"
    _put(path, text)
    return path


def llm(home: Path, folder: Path, talk: Sequence[Said]) -> Path:
    path = home / ".config" / "io.datasette.llm" / "logs.db"
    script = """CREATE TABLE threads (id TEXT PRIMARY KEY, name TEXT, tip_message_hash TEXT, forked_from TEXT,
        datetime_utc TEXT);
        CREATE TABLE turns (id TEXT PRIMARY KEY, thread_id TEXT, tip_message_hash TEXT, model TEXT,
        input_tokens INTEGER, output_tokens INTEGER, datetime_utc TEXT);
        CREATE TABLE messages (hash TEXT PRIMARY KEY, parent_hash TEXT, role TEXT);
        CREATE TABLE parts (id INTEGER PRIMARY KEY, message_hash TEXT, position INTEGER, type TEXT, tool_name TEXT,
        text TEXT, payload TEXT);"""
    rows: list[tuple[str, tuple[Any, ...]]] = []
    last: str | None = None

    def add(name: str, role: str, parts: list[tuple[str, str | None, Any]]) -> None:
        nonlocal last
        rows.append(("messages", (name, last, role)))
        for place, (kind, text, payload) in enumerate(parts):
            rows.append(("parts", (None, name, place, kind, None, text, payload and json.dumps(payload))))
        last = name

    for number, said in enumerate(talk):
        parts: list[tuple[str, str | None, Any]] = [("reasoning", said.thinking, None)] if said.thinking else []
        parts.append(("text", said.text, None))
        for call in said.calls:
            value = {"name": call.name, "arguments": call.arguments, "tool_call_id": call.id}
            parts.append(("tool_call", None, value))
        add(f"b2:{number}", said.role, parts)
        if said.role == "assistant":
            rows.append(("turns", (f"t{number}", "01thread", last, "m-1", 10, 5, iso(number))))
        results = [
            ("tool_result", None, {"tool_call_id": c.id, "output": c.result} | ({"exception": "x"} if c.failed else {}))
            for c in said.calls
        ]
        if results:
            add(f"b2:{number}r", "tool", results)  # type: ignore[arg-type]
    rows.append(("threads", ("01thread", "The build", last, None, iso(0))))
    _database(path, script, rows)
    return path


def llm_responses(home: Path, folder: Path, talk: Sequence[Said]) -> Path:
    path = home / ".config" / "io.datasette.llm" / "logs.db"
    script = """CREATE TABLE conversations (id TEXT PRIMARY KEY, name TEXT, model TEXT);
        CREATE TABLE responses (id TEXT PRIMARY KEY, model TEXT, prompt TEXT, system TEXT, response TEXT,
        conversation_id TEXT, datetime_utc TEXT, input_tokens INTEGER, output_tokens INTEGER);
        CREATE TABLE tool_calls (id INTEGER PRIMARY KEY, response_id TEXT, name TEXT, arguments TEXT,
        tool_call_id TEXT);
        CREATE TABLE tool_results (id INTEGER PRIMARY KEY, response_id TEXT, name TEXT, output TEXT, tool_call_id TEXT,
        exception TEXT);"""
    rows: list[tuple[str, tuple[Any, ...]]] = [("conversations", ("c1", "The build", "m-1"))]
    prompt = ""
    pending: tuple[Call, ...] = ()
    for number, said in enumerate(talk):
        if said.role == "user":
            prompt = said.text
            continue
        name = f"r{number}"
        rows.append(("responses", (name, "m-1", prompt, None, said.text, "c1", iso(number), 10, 5)))
        for call in pending:
            error = "x" if call.failed else None
            rows.append(("tool_results", (None, name, call.name, call.result, call.id, error)))
        for call in said.calls:
            rows.append(("tool_calls", (None, name, call.name, json.dumps(call.arguments), call.id)))
        prompt, pending = "", said.calls
    _database(path, script, rows)
    return path


Writer = Callable[[Path, Path, Sequence[Said]], Path]

WRITERS: dict[str, tuple[str, Writer]] = {
    "claude-code": ("claude-code", claude_code),
    "codex": ("codex", codex),
    "opencode": ("opencode", opencode),
    "opencode-files": ("opencode", opencode_files),
    "gemini-cli": ("gemini-cli", gemini_cli),
    "gemini-file": ("gemini-cli", gemini_file),
    "goose": ("goose", goose),
    "goose-lines": ("goose", goose_lines),
    "crush": ("crush", crush),
    "continue": ("continue", continue_dev),
    "cline": ("cline", cline),
    "cline-tasks": ("cline", cline_tasks),
    "aider": ("aider", aider),
    "llm": ("llm", llm),
    "llm-responses": ("llm", llm_responses),
}
"""By the form: the source's name, and what writes it."""
WITHOUT_CALLS = frozenset({"aider"})
WITHOUT_THINKING = frozenset({"aider", "llm-responses"})
