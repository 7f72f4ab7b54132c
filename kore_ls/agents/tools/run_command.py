"""The tool `run_command`: a program with its arguments, in the sandbox where there is one; never a shell's line."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from attrs import evolve

from kore_ls.agents.anchored import CHANGED
from kore_ls.agents.commands import CommandLimits, CommandResult
from kore_ls.agents.environment import child_environment
from kore_ls.agents.gate import Action
from kore_ls.agents.git.foresight import questions
from kore_ls.agents.git.named_secrets import named_secrets
from kore_ls.agents.git.repository import repository_of
from kore_ls.agents.hidden_programs import hidden_programs
from kore_ls.agents.paths import Access, Place, unlocated
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.protected import Guard
from kore_ls.agents.sandbox.confine import can_confine
from kore_ls.agents.sandbox.kinds import NO_SANDBOX, SandboxKind
from kore_ls.agents.tools.command_child import CommandChild
from kore_ls.agents.tools.command_report import CommandReport, lacked_a_program, not_run, refused_to_git
from kore_ls.agents.tools.folder_watch import FolderWatch
from kore_ls.agents.tools.tool import Aim, Parameter, Shape, Tool, ToolResult
from kore_ls.agents.words import say
from kore_ls.model.display import quoted
from kore_ls.model.message import ToolKind

_SECONDS = 120
_MOST_SECONDS = 1_800
_MOST_BYTES = 100_000
_MOST_NAMED = 7_000
_ASIDE_SECONDS = 0.5
_FORESIGHT = CommandLimits(seconds=20, kept=4_000_000)


class RunCommand(Tool):
    """Runs one command; what it leaves running is killed with it."""

    name = "run_command"
    kind = ToolKind.EXECUTE
    about = "Run a program with arguments (no shell). It has no network unless you ask for it."
    parameters = (
        Parameter("argv", Shape.WORDS, "the program and its arguments, as a list"),
        Parameter("cwd", Shape.TEXT, "the directory to run it in, relative to the workspace folder", required=False),
        Parameter("seconds", Shape.INTEGER, f"the time it may take, at most {_MOST_SECONDS}", required=False),
        Parameter("network", Shape.FLAG, "true to let it use the network", required=False),
        Parameter("unsandboxed", Shape.FLAG, "true if it can't work in the sandbox", required=False),
    )

    async def aim(self) -> Aim:
        """Find the program, and whether everything protected can be kept from it."""
        self.argv = self.given["argv"]
        if not self.argv[0] or sum(len(word.encode()) for word in self.argv) > _MOST_BYTES:
            raise ToolProblem("This is not a command that can be run.")
        cwd = self.given.get("cwd", ".")
        if unlocated(self.desk.folder, cwd, Access.READ) is not None:
            raise ToolProblem("Commands run inside of the workspace folder.")
        self.cwd = self.desk.place(cwd, Access.READ)
        if not self.cwd.is_folder or not self.cwd.inside:
            raise ToolProblem("There is no such directory.")
        self.network = self.given.get("network", False)
        self.watch = await asyncio.to_thread(FolderWatch, self.desk.folder, self.desk.around.internal)
        unsandboxed = self.given.get("unsandboxed", False)
        sandbox = self.desk.around.sandbox
        sandboxed = not unsandboxed and can_confine(sandbox.kind, self.watch.protected)
        self.sandbox = sandbox if sandboxed else NO_SANDBOX
        self.env = child_environment(
            os.environ, folder=self.desk.folder, network=self.network, workspace_programs=sandboxed
        )
        self.program = self._program()
        self.secrets = tuple(self._named_secrets())
        places = (self.cwd, *self.secrets)
        action = self.action(*places, argv=tuple(self.argv), network=self.network, unsandboxed=unsandboxed)
        return Aim(action=action, title=self.title_as_given(), remarks=self._remarks(sandboxed), sandboxed=sandboxed)

    def _named_secrets(self) -> Iterator[Place]:
        """What git would show of its history: no sandbox can hide it there."""
        folder = self.desk.folder
        known = [str(each.relative_to(folder)) for each in self.watch.protected.secrets if folder in each.parents]
        for name in named_secrets(self.argv, known):
            with suppress(ToolProblem):
                place = self.desk.place(name, Access.READ, follow=False)
                yield evolve(place, guards=place.guards | {Guard.SECRET})

    def title_as_given(self) -> str:
        """The words."""
        return self.title(argv=" ".join(quoted(word) for word in self.given["argv"]))

    def _program(self) -> str:
        name = self.argv[0]
        if os.sep in name:
            return str(self.cwd.path / name)
        found: str | None = shutil.which(name, path=self.env["PATH"])
        if found is None:
            raise ToolProblem("There is no such program.")
        return found

    def _remarks(self, sandboxed: bool) -> tuple[str, ...]:
        locale = self.desk.around.locale
        remarks = [say("program", locale, program=quoted(os.path.realpath(self.program)))]
        remarks.append(say("cwd", locale, cwd=quoted(str(self.cwd.path))))
        if self.secrets:
            names = ", ".join(quoted(each.relative) for each in self.secrets)
            remarks.append(f"{names}: {say('secret', locale)}")
        kind = self.sandbox.kind.value
        remarks.append(say("sandbox", locale, sandbox=kind) if sandboxed else say("noSandbox", locale))
        return (*remarks, say("network", locale)) if self.network or not sandboxed else tuple(remarks)

    async def run(self) -> ToolResult:
        """Its output and how it ended."""
        await self._look_again()
        seconds = min(max(self.given.get("seconds", _SECONDS), 1), _MOST_SECONDS)
        child = CommandChild(
            folder=self.desk.folder,
            cwd=self.cwd.path,
            env=self.env,
            sandbox=self.sandbox,
            network=self.network,
            watch=self.watch,
            mark=secrets.token_hex(16),
        )
        if kept := await self._foreseen(child):
            return not_run(kept)
        noted = await asyncio.to_thread(self._note, child)
        try:
            argv = [self.program, *self.argv[1:]]
            done, profile = await child.run(argv, CommandLimits(seconds=seconds), self.desk.tell)
        except asyncio.CancelledError:
            # nobody can be asked any more; a second is not exceeded, whatever the folder's size
            await asyncio.wait({asyncio.ensure_future(asyncio.to_thread(self._end, noted))}, timeout=_ASIDE_SECONDS)
            raise
        except ToolProblem:
            await asyncio.to_thread(self._end, noted)
            raise
        # what was made does nothing while the user thinks about it
        made = await asyncio.to_thread(self._end, noted)
        if made and await self._kept(made):
            await asyncio.to_thread(self.watch.take_back)
        unseen: list[str] = []
        if child.confined and lacked_a_program(done):
            unseen = await asyncio.to_thread(hidden_programs, self.argv, self.env["PATH"], profile)
        return CommandReport(
            done=done,
            seconds=seconds,
            confined=child.confined,
            watch=self.watch,
            unseen=unseen,
            stopped=self._stopped_at(done) if child.confined else [],
        ).result()

    async def _foreseen(self, child: CommandChild) -> list[str]:
        """What git would change and the sandbox keeps as it is: git would stop at it half-way."""
        repository = repository_of(self.cwd.path) if child.confined else None
        if repository is None:
            return []
        changed: set[Path] = set()
        for question in questions(self.argv):
            answer, _ = await child.run([self.program, *question[1:]], _FORESIGHT)
            if answer.code == 0:
                changed |= {repository.top / name for name in answer.output.split("\ufffd") if name}
        return self._kept_as_they_are(changed)

    def _kept_as_they_are(self, paths: Iterable[Path]) -> list[str]:
        protected = self.watch.protected
        kept = frozenset((*protected.fixed, *protected.linked, *protected.secrets))
        found = (path for path in paths if path in kept or not kept.isdisjoint(path.parents))
        return sorted(os.path.relpath(path, self.desk.folder) for path in found)

    def _note(self, child: CommandChild) -> str | None:
        """Note what is there, so that what the command makes is found even if this process is killed meanwhile."""
        notes = self.desk.around.notes
        if notes is None:
            return None
        before = self.watch.before.note(confined=child.confined)
        return notes.begin(self.desk.around.session().id, child.mark, before)

    async def _look_again(self) -> None:
        """The user may have taken long to answer: what there is now counts."""
        if not self.watch.stale:
            return
        self.watch = await asyncio.to_thread(FolderWatch, self.desk.folder, self.desk.around.internal)
        if self.sandbox.kind is not SandboxKind.NONE and not can_confine(self.sandbox.kind, self.watch.protected):
            raise ToolProblem(CHANGED)

    def _stopped_at(self, done: CommandResult) -> list[str]:
        """What git says it could not change, of what the sandbox keeps."""
        names = refused_to_git(done)
        repository = repository_of(self.cwd.path) if names else None
        top = self.cwd.path if repository is None else repository.top
        return self._kept_as_they_are(top / name for name in names)

    def _end(self, noted: str | None) -> list[Path]:
        """Put everything back in order; what was put aside."""
        if self.sandbox.kind is not SandboxKind.NONE:
            self.watch.restore()
        made = self.watch.put_aside()
        if noted is not None and self.desk.around.notes is not None:
            self.desk.around.notes.end(noted)
        return made

    async def _kept(self, made: list[Path]) -> bool:
        """Whether the user lets them be what they are."""
        try:
            places = [self.desk.place(str(path), Access.WRITE, follow=False) for path in made]
            asked = tuple(evolve(each, guards=frozenset({Guard.CODE}), inside=True) for each in places)
            names = ", ".join(quoted(each.relative) for each in places)
            if len(names) > _MOST_NAMED:  # nobody keeps what the question can't name
                return False
            action = Action(tool=self.name, kind=ToolKind.EDIT, places=asked)
            return await self.desk.may(action, say("keep", self.desk.around.locale, paths=names))
        except ToolProblem:
            return False
