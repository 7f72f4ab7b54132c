"""Claude Code's conversations: JSON lines, one file per session, threads by parent links. Reads only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define, field

from kore_ls.sessions.importers.assembly import Assembly
from kore_ls.sessions.importers.blocks import heard_blocks, say_blocks
from kore_ls.sessions.importers.records import Line, Record, inner, instant, lines, lines_at, objects, text
from kore_ls.sessions.importers.thread import Entry, ForeignThread, Importer, Notes, Where

_BOOKKEEPING = frozenset({
    "attachment", "file-history-snapshot", "queue-operation", "progress", "mode", "last-prompt", "permission-mode",
    "pr-link", "tag", "agent-color", "agent-setting", "worktree-state",
})  # fmt: skip
_TITLES = {"custom-title": "customTitle", "agent-name": "agentName", "summary": "summary", "ai-title": "aiTitle"}
_LONGEST_NAME = 200
"""Characters of a directory's name; what is longer is cut there, and a hash follows."""
_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>\s*", re.DOTALL)
_COMMAND = re.compile(r"<command-name>(.*?)</command-name>", re.DOTALL)
_COMMAND_ARGS = re.compile(r"<command-args>(.*?)</command-args>", re.DOTALL)
_BOILERPLATE = ("<local-command-stdout>", "<local-command-stderr>", "<local-command-caveat>", "<bash-stdout>")


@define
class _Index:
    """Where the records of a file are and how they hang together; grows with their number, not with their size."""

    parents: dict[str, tuple[str | None, int]] = field(factory=dict)
    messages: set[int] = field(factory=set)
    others: list[int] = field(factory=list)
    steps: dict[str, list[int]] = field(factory=dict)
    results: dict[str, int] = field(factory=dict)
    uses: dict[int, tuple[str, ...]] = field(factory=dict)
    before: dict[int, str] = field(factory=dict)
    leaf: str | None = None
    titles: dict[str, str] = field(factory=dict)


class ClaudeCode(Importer):
    """`~/.claude/projects/<folder>/<session>.jsonl`; `CLAUDE_CONFIG_DIR` moves it."""

    name = "claude-code"
    title = "Claude Code"
    checked = "2.1.197"
    patterns = ("*.jsonl",)
    passed_over = frozenset({"subagents", "tool-results"})

    def roots(self, where: Where) -> Iterator[Path]:
        """The directories whose names the folder, or one below it, may have been given."""
        projects = where.directory("CLAUDE_CONFIG_DIR", where.home / ".claude") / "projects"
        named = (re.sub(kind, "-", str(where.folder)) for kind in (r"[^a-zA-Z0-9]", r"[/.\\:]"))
        names = {each[:_LONGEST_NAME] for each in named}
        try:
            found = sorted(projects.iterdir())
        except OSError:
            yield projects  # why it can't be read is told there
            return
        for directory in found:
            if any(directory.name == name or directory.name.startswith(f"{name}-") for name in names):
                yield directory

    def threads(self, path: Path, where: Where, notes: Notes) -> Iterator[ForeignThread]:
        """The one conversation of the file."""
        thread = ForeignThread(source=self.name, source_id=path.stem, path=path, changing=where.changing(path))
        index = _Index()
        for line in lines(path, notes):
            _learn(line, thread, index)
        if not index.messages or not where.holds(thread.cwd):
            return
        thread.title = next((index.titles[kind] for kind in _TITLES if index.titles.get(kind)), None)
        thread.read = lambda: _read(thread, index)
        yield thread


def _learn(line: Line, thread: ForeignThread, index: _Index) -> None:
    record, kind = line.record, text(line.record, "type")
    if kind in _TITLES:
        index.titles[kind] = text(record, _TITLES[kind]) or index.titles.get(kind, "")
        return
    uuid = text(record, "uuid")
    if not uuid:
        if kind not in _BOOKKEEPING:
            index.others.append(line.offset)
        return
    if record.get("isSidechain") is True:
        return
    parent = record.get("parentUuid") or record.get("logicalParentUuid")
    damaged = "" if parent else None  # a link that is none leads to nobody
    index.parents[uuid] = (parent if isinstance(parent, str) else damaged, line.offset)
    if index.leaf is not None:
        index.before[line.offset] = index.leaf
    thread.cwd = thread.cwd or text(record, "cwd") or None
    thread.version = text(record, "version") or thread.version
    if kind not in ("user", "assistant"):
        if kind not in _BOOKKEEPING and kind != "system":
            index.others.append(line.offset)
        return
    index.messages.add(line.offset)
    index.leaf = uuid
    at = instant(record.get("timestamp"))
    if at is not None:
        thread.created_at = min(at, thread.created_at or at)
        thread.updated_at = max(at, thread.updated_at or at)
    message = inner(record, "message")
    if kind == "assistant" and (step := text(message, "id")):
        index.steps.setdefault(step, []).append(line.offset)
    blocks = objects(message, "content")
    for block in blocks:
        if text(block, "type") == "tool_result":
            index.results.setdefault(text(block, "tool_use_id"), line.offset)
    if used := tuple(text(block, "id") for block in blocks if text(block, "type") == "tool_use"):
        index.uses[line.offset] = used


def _chain(index: _Index) -> list[int]:
    """Where the records of the newest thread begin, in the order of the file, which is that of time.

    Calls made side by side fork the links: the other parts of a step and the results of its calls belong to it, too.
    """
    chain: set[int] = set()
    uuid = index.leaf
    while uuid is not None and uuid in index.parents:
        parent, offset = index.parents[uuid]
        if offset in chain:
            break
        chain.add(offset)
        if parent is not None and parent not in index.parents:
            parent = index.before.get(offset)  # its line is damaged: what stood before it is the best that is known
        uuid = parent
    for offsets in index.steps.values():
        if not chain.isdisjoint(offsets):
            chain.update(offsets)
    for offset in tuple(chain):
        for call in index.uses.get(offset, ()):
            if call in index.results:
                chain.add(index.results[call])
    return sorted(chain & index.messages)


def _read(thread: ForeignThread, index: _Index) -> Iterator[Entry]:
    assembly = Assembly(thread)
    counted: set[str] = set()
    thread.input_tokens = thread.output_tokens = 0
    chain = _chain(index)
    members = set(chain)
    for offset, record in lines_at(thread.path, iter(sorted({*chain, *index.others}))):
        if offset not in members:
            assembly.raw(record)
        elif text(record, "type") == "assistant":
            _assistant(record, assembly, thread, counted)
        else:
            _user(record, assembly)
        yield from assembly.take()
    yield from assembly.finish()


def _assistant(record: Record, assembly: Assembly, thread: ForeignThread, counted: set[str]) -> None:
    message = inner(record, "message")
    at, step = instant(record.get("timestamp")), text(message, "id") or text(record, "uuid")
    usage = inner(message, "usage")
    model = text(message, "model")
    about: dict[str, Any] = {"model": model, "stopReason": text(message, "stop_reason")}
    if model == "<synthetic>":  # the tool's own words, such as an error of the network
        about = {"synthetic": True}
    assembly.step(step, at, settled=message.get("stop_reason") is not None, usage=usage, **about)
    if step not in counted:
        counted.add(step)
        cached = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        read = [usage.get(name) for name in cached]
        thread.spent(sum(each for each in read if isinstance(each, int)), usage.get("output_tokens"))
    say_blocks(message.get("content"), assembly, at)


def _user(record: Record, assembly: Assembly) -> None:
    message = inner(record, "message")
    at, key = instant(record.get("timestamp")), text(record, "uuid")
    words, images = heard_blocks(message.get("content"), assembly, key, at)
    if record.get("isMeta") is True or not (words or images):
        return
    said = spoken("\n\n".join(words))
    if record.get("isCompactSummary") is True:  # written by the model, and no system prompt for the next one
        assembly.prompt(key, said, at, role="assistant", compaction=True)
    else:
        assembly.prompt(key, said, at, images=images)


def spoken(words: str) -> str:
    """What the user typed: without reminders and outputs that the tool puts in between, commands as they are typed."""
    words = _REMINDER.sub("", words).strip()
    if words.startswith(_BOILERPLATE) or words.startswith("Caveat: The messages below were generated by the user"):
        return ""
    if command := _COMMAND.search(words):
        arguments = _COMMAND_ARGS.search(words)
        return f"{command[1].strip()} {arguments[1].strip() if arguments else ''}".strip()
    return words
