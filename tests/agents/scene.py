"""A session's tools in a real folder, with ports that live in memory: what was asked, recorded, kept."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, field, mutable

from kore_ls.agents.agent import ToolOutcome
from kore_ls.agents.ports import (
    Decision,
    Document,
    EditResult,
    PastMatch,
    PermissionAnswer,
    PermissionOutcome,
    PermissionRequest,
)
from kore_ls.agents.rules import Remembered, Rule
from kore_ls.agents.sandbox.kinds import NO_SANDBOX, Sandbox
from kore_ls.agents.surroundings import Surroundings
from kore_ls.agents.toolbox import Toolbox, ToolOutput
from kore_ls.model.ids import SessionId, TurnId
from kore_ls.model.message import ToolCall, ToolKind
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionRecord

TURN = TurnId("turn")


@mutable
class Scene:
    """All ports in one; `answer` is what the user says to every question."""

    folder: Path
    mode: AgentMode = AgentMode.BUILD
    trusts: bool = True
    sandbox: Sandbox = NO_SANDBOX
    answer: str | Callable[[PermissionRequest], PermissionAnswer] = "rejectOnce"
    locale: str | None = None
    store: Path | None = None
    state: Path | None = None
    asked: list[PermissionRequest] = field(factory=list)
    decisions: list[Decision] = field(factory=list)
    user_rules: list[Rule] = field(factory=list)
    kept_rules: list[Remembered] = field(factory=list)
    images: list[tuple[Path, bytes | None, bytes | None]] = field(factory=list)
    lost: list[tuple[Path, str | None]] = field(factory=list)
    arrived: list[tuple[Path, str]] = field(factory=list)
    documents: dict[Path, Document] = field(factory=dict)
    editing: EditResult = EditResult.APPLIED
    languages: dict[str, Any] = field(factory=dict)
    language_asked: list[tuple[str, Mapping[str, Any]]] = field(factory=list)
    past: list[PastMatch] = field(factory=list)
    list_kept: list[str] = field(factory=list)
    calls: list[ToolCall] = field(factory=list)
    outputs: list[ToolOutput] = field(factory=list)
    printed: asyncio.Event = field(factory=asyncio.Event)
    toolbox: Toolbox = field(init=False)
    _numbers: Any = field(factory=itertools.count)

    def __attrs_post_init__(self) -> None:
        self.toolbox = Toolbox(
            Surroundings(
                folder=self.folder,
                session=self.session,
                trusted=lambda: self.trusts,
                sandbox=self.sandbox,
                permissions=self,
                audit=self,
                rules=self,
                editor=self,
                snapshots=self,
                past=self,
                todos=self,
                clock=lambda: 1_000,
                new_id=lambda: f"id-{next(self._numbers)}",
                locale=self.locale,
                store=self.store,
                state=self.state,
            )
        )

    def session(self) -> SessionRecord:
        return SessionRecord(id=SessionId("s"), name="n", agent_mode=self.mode, created_at=1, updated_at=1)

    async def ask(self, request: PermissionRequest) -> PermissionAnswer:
        self.asked.append(request)
        if callable(self.answer):
            return self.answer(request)
        return PermissionAnswer(outcome=PermissionOutcome.SELECTED, option_id=self.answer)

    async def record(self, decision: Decision) -> None:
        self.decisions.append(decision)

    def rules(self) -> Sequence[Rule]:
        return self.user_rules

    def remembered(self) -> Sequence[Remembered]:
        return self.kept_rules

    async def remember(self, rule: Remembered) -> None:
        self.kept_rules.append(rule)

    def document(self, path: Path) -> Document | None:
        return self.documents.get(path)

    async def edit(self, path: Path, *, before: str, after: str, version: int | None) -> EditResult:
        document = self.documents[path]
        if self.editing is EditResult.APPLIED:
            assert (document.text, document.version) == (before, version)
            self.documents[path] = evolve(document, text=after, version=document.version + 1)
            if not document.dirty:
                path.write_text(after)
        return self.editing

    async def language(self, name: str, params: Mapping[str, Any]) -> Any | None:
        self.language_asked.append((name, params))
        return self.languages.get(name)

    async def keep(self, turn_id: TurnId, path: Path, *, before: bytes | None, after: bytes | None) -> None:
        self.images.append((path, before, after))

    async def unchanged(self, turn_id: TurnId, path: Path, *, content: bytes | None) -> None:
        assert self.images and self.images[-1][0] == path
        assert self.images.pop()[1] == content

    async def lose(self, turn_id: TurnId, path: Path, *, link: str | None = None) -> None:
        self.lost.append((path, link))

    async def arrive(self, turn_id: TurnId, path: Path, *, link: str) -> None:
        self.arrived.append((path, link))

    async def todo(self) -> list[str]:
        return list(self.list_kept)

    async def keep_todo(self, items: list[str]) -> None:
        self.list_kept = items

    async def search(self, query: str, *, limit: int) -> Sequence[PastMatch]:
        return [each for each in self.past if query in each.snippet][:limit]

    async def hear(self, update: ToolCall | ToolOutput) -> None:
        if isinstance(update, ToolOutput):
            self.outputs.append(update)
            self.printed.set()
        else:
            self.calls.append(update)

    async def use(self, name: str, /, *, declared: ToolKind | None = None, **arguments: Any) -> ToolOutcome:
        """Use a tool as an agent would."""
        return await self.toolbox.use(
            name, arguments, turn_id=TURN, call_id=f"call-{next(self._numbers)}", on_update=self.hear, declared=declared
        )


def tree_hash(folder: Path) -> str:
    """Names, types, permissions, contents and link targets of everything in a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found = path.lstat()
        digest.update(f"{path.relative_to(folder)}\0{found.st_mode}\0".encode("utf-8", "surrogateescape"))
        if path.is_symlink():
            digest.update(os.fsencode(path.readlink()))
        elif path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()
