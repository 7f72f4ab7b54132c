"""Every importer on what the real tools wrote of a short talk with a model on loopback (vendors' prompts are cut out).

The versions are those of `Importer.checked`. What is expected was read off the files by eye.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kore_ls.sessions.foreign_reading import messages_of, threads_of
from kore_ls.sessions.importers.thread import ForeignThread, Notes
from tests.sessions.importers.test_importers import NOW, folder, importer_of, where

__all__ = ["folder"]

DATA = Path(__file__).parent / "data"
PLACES = {
    "claude-code": ("claude_code.jsonl", ".claude/projects/{folder}/9911407d-a320-49b8-87a0-154c0481bd88.jsonl"),
    "codex": ("codex.jsonl", ".codex/sessions/2026/11/22/rollout-2026-11-22T13-07-17-01a2035e.jsonl"),
    "gemini-cli": ("gemini_cli.jsonl", ".gemini/tmp/project/chats/session-2026-11-22T13-09-ca311bfa.jsonl"),
    "opencode": ("opencode.sql", ".local/share/opencode/opencode.db"),
    "llm": ("llm.sql", ".config/io.datasette.llm/logs.db"),
    "continue": ("continue.json", ".continue/sessions/11b147cf-0339-41ea-9faa-b021e63e60b7.json"),
    "cline": ("cline.json", ".cline/data/sessions/1795368813128_fipwr/1795368813128_fipwr.messages.json"),
    "aider": ("aider.md", "../project/.aider.chat.history.md"),
}
BESIDE = {"cline": ("cline_session.json", "1795368813128_fipwr.json")}
SAID = {
    "claude-code": [
        ("user", "Please use the tool to say 你好", None, []),
        ("assistant", "Let me make it.", "I think of a file.", [("Bash", "你好"), ("Bash", "two")]),
        ("assistant", "Done: 完成 ✅ answer 5", None, []),
        ("user", "And now?", None, []),
        ("assistant", "Done: 完成 ✅ answer 6", None, []),
    ],
    "codex": [
        ("user", "Please use the tool to make a file 文件", None, []),
        (
            "assistant",
            "Let me make it.",
            "I think of a file.",
            [
                (
                    "exec_command",
                    "Chunk ID: 85310b\nWall time: 0.0000 seconds\nProcess exited with code 0\n"
                    "Original token count: 2\nOutput:\n你好\n",
                )
            ],
        ),
        ("assistant", "Done: 完成 ✅ answer 2", None, []),
        ("user", "And now?", None, []),
        ("assistant", "Done: 完成 ✅ answer 3", None, []),
    ],
    "gemini-cli": [
        ("user", "Please use the tool to look 看", None, []),
        (
            "assistant",
            "Let me look.",
            "Plan\nI think of a folder.",
            [("list_directory", "Directory listing for /home/user/project:\nmade.txt (7 bytes)\n\n(1 ignored)")],
        ),
        ("assistant", "Done: 完成 ✅ answer 2", None, []),
        ("user", "And now?", None, []),
        ("assistant", "Done: 完成 ✅ answer 3", None, []),
    ],
    "opencode": [
        ("user", '"Please use the tool to say 你好"', None, []),
        ("assistant", "Let me make it.", None, [("bash", "你好\n")]),
        ("assistant", "Done: 完成 ✅ answer 8", None, []),
        ("user", '"And now?"', None, []),
        ("assistant", "Done: 完成 ✅ answer 9", None, []),
    ],
    "llm": [
        ("user", "Please use the tool 你好", None, []),
        ("assistant", "Let me make it.", None, [("llm_version", "0.36")]),
        ("assistant", "Done: 完成 ✅ answer 11", None, []),
        ("user", "And now?", None, []),
        ("assistant", "Done: 完成 ✅ answer 12", None, []),
    ],
    "continue": [
        ("user", "Please use the tool to say 你好", None, []),
        ("assistant", "Let me make it.", None, [("Bash", "你好\n")]),
        ("assistant", "Done: 完成 ✅ answer 2", None, []),
        ("user", "And now?", None, []),
        ("assistant", "Done: 完成 ✅ answer 3", None, []),
    ],
    "cline": [
        ("user", "Please use the tool to say 你好", None, []),
        ("assistant", "Let me make it.", "I think of a file.", [("run_commands", "你好\n")]),
        ("assistant", "Done: 完成 ✅ answer 2", None, []),
    ],
    "aider": [
        ("user", "Please make a file 文件", None, []),
        ("assistant", "Done: 完成 ✅\n\nmade.txt\n```\n你好\n```", None, []),
        ("user", "And now?", None, []),
        ("assistant", "Done: 完成 ✅ answer 1", None, []),
    ],
}
TOKENS = {
    "claude-code": (336, 60),  # three requests of 100 new, 5 written to and 7 read from the cache
    "codex": (300, 60),
    "gemini-cli": (300, 60),
    "opencode": (300, 60),
    "llm": (300, 60),
    "continue": (300, 60),
    "cline": (200, 40),
    "aider": (1189, 28),
}
NAMES = {
    "continue": None,  # "Untitled Session" names nothing
    "cline": "Please use the tool to say 你好",
    "aider": None,
}
VERSIONS = {"claude-code": "2.1.197", "codex": "0.169.0", "gemini-cli": None, "opencode": "1.18.33", "llm": None} | {
    "continue": None,
    "cline": "3.0.65",
    "aider": "0.86.2",
}


def placed(source: str, folder: Path) -> ForeignThread:
    """The recorded files, as if they had been made in this folder, and the first conversation in them."""
    name, place = PLACES[source]
    home = folder.parent / "home"
    path = home / place.format(folder="".join(each if each.isalnum() else "-" for each in str(folder)))
    path.parent.mkdir(parents=True, exist_ok=True)
    text = (DATA / name).read_text(encoding="utf-8")
    if source != "gemini-cli":
        text = text.replace("/home/user/project", str(folder))
    if name.endswith(".sql"):
        with closing(sqlite3.connect(path)) as db:
            db.executescript(text)
    else:
        path.write_text(text, encoding="utf-8")
        os.utime(path, (1, 1))
    (path.parent.parent / ".project_root").write_text(str(folder))
    if source in BESIDE:
        beside = (DATA / BESIDE[source][0]).read_text(encoding="utf-8").replace("/home/user/project", str(folder))
        path.with_name(BESIDE[source][1]).write_text(beside, encoding="utf-8")
    thread, *_ = threads_of(importer_of(source), None, where(folder), Notes())
    return thread


@pytest.mark.parametrize("source", sorted(PLACES))
def test_what_a_real_tool_wrote_is_read(source: str, folder: Path) -> None:
    notes = Notes()
    thread = placed(source, folder)
    assert thread.title == NAMES.get(source, thread.title)
    found, tokens = [], [0, 0]
    threads = threads_of(importer_of(source), None, where(folder), notes)
    for each in threads:
        for message in messages_of(each, notes, lambda: "new", NOW):
            calls = [(call.name, call.result) for call in message.tool_calls or ()]
            found.append((message.role.value, message.content, message.thinking, calls))
        tokens = [tokens[0] + each.input_tokens, tokens[1] + each.output_tokens]
    assert tuple(tokens) == TOKENS[source]
    assert (each.version or None) == VERSIONS[source]
    assert found == SAID[source]
    assert (notes.bad, notes.problems.texts()) == (0, [])
