"""The tool `run_command`: a program with its arguments, in the sandbox where there is one; never a shell's line."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from attrs import evolve

from kore_ls.agents.anchored import CHANGED
from kore_ls.agents.commands import CommandLimits, CommandResult, run_command
from kore_ls.agents.environment import child_environment, git_identity, toolchain_homes
from kore_ls.agents.gate import Action
from kore_ls.agents.git_foresight import questions
from kore_ls.agents.hidden_programs import hidden_programs
from kore_ls.agents.named_secrets import named_secrets
from kore_ls.agents.paths import Access, Place, unlocated
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.protected import Guard
from kore_ls.agents.repository import repository_of
from kore_ls.agents.sandbox.confine import can_confine, confine
from kore_ls.agents.sandbox.kinds import NO_SANDBOX, SandboxKind
from kore_ls.agents.sandbox.profile import command_profile
from kore_ls.agents.stand_ins import StandIns, stand_ins
from kore_ls.agents.tools.folder_watch import FolderWatch
from kore_ls.agents.tools.tool import Aim, Parameter, Shape, Tool, ToolResult
from kore_ls.agents.words import say
from kore_ls.model.display import visible
from kore_ls.model.message import ToolKind

_SECONDS = 120
_MOST_SECONDS = 1_800
_MOST_BYTES = 100_000
_MOST_NAMED = 7_000
_ASIDE_SECONDS = 0.5
_DENIALS = (
    "Permission denied",
    "Read-only file system",
    "Operation not permitted",
    "Network is unreachable",
    "resolve",
)

_UNCHANGED = ("unable to unlink", "unable to create", "unable to write")
_FORESIGHT = CommandLimits(seconds=20, kept=4_000_000)
_MOST_KEPT = 20
_NOT_FOUND = ("not found", "No such file or directory")


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
        self.mark = secrets.token_hex(16)
        if kept := await self._foreseen():
            return self._not_run(kept)
        noted = await asyncio.to_thread(self._note)
        try:
            done = await self._child(CommandLimits(seconds=seconds))
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
        unseen = await asyncio.to_thread(self._unseen, done)
        return self._result(done, seconds, self.watch.aside, unseen)

    def _unseen(self, done: CommandResult) -> list[str]:
        """The programs that this may have failed for, as the sandbox hides them."""
        failed = done.code in (126, 127) or any(word in done.output[-4000:] for word in _NOT_FOUND)
        if self.sandbox.kind is SandboxKind.NONE or done.code == 0 or not failed:
            return []
        return hidden_programs(self.argv, self.env["PATH"], self.profile)

    async def _foreseen(self) -> list[str]:
        """What git would change and the sandbox keeps as it is: git would stop at it half-way."""
        repository = repository_of(self.cwd.path) if self.sandbox.kind is not SandboxKind.NONE else None
        if repository is None:
            return []
        changed: set[Path] = set()
        for question in questions(self.argv):
            answer = await self._child(_FORESIGHT, [self.program, *question[1:]], tell=False)
            if answer.code == 0:
                changed |= {repository.top / name for name in answer.output.split("\ufffd") if name}
        return self._kept_as_they_are(changed)

    def _kept_as_they_are(self, paths: Iterable[Path]) -> list[str]:
        protected = self.watch.protected
        kept = frozenset((*protected.fixed, *protected.linked, *protected.secrets))
        found = (path for path in paths if path in kept or not kept.isdisjoint(path.parents))
        return sorted(os.path.relpath(path, self.desk.folder) for path in found)

    def _not_run(self, kept: list[str]) -> ToolResult:
        text = f"[not run, and nothing is changed: {_named(kept)} would be changed, which the sandbox keeps as it is; "
        facts: dict[str, Any] = {"exitCode": None, "timedOut": False, "truncated": False, "putAside": []}
        return ToolResult(text=f"{text}ask for `unsandboxed`]", facts=facts, failed=True)

    def _note(self) -> str | None:
        """Note what is there, so that what the command makes is found even if this process is killed meanwhile."""
        notes = self.desk.around.notes
        confined = self.sandbox.kind is not SandboxKind.NONE
        return None if notes is None else notes.begin(self.mark, self.watch.before.note(confined=confined))

    async def _look_again(self) -> None:
        """The user may have taken long to answer: what there is now counts."""
        if not self.watch.stale:
            return
        self.watch = await asyncio.to_thread(FolderWatch, self.desk.folder, self.desk.around.internal)
        if self.sandbox.kind is not SandboxKind.NONE and not can_confine(self.sandbox.kind, self.watch.protected):
            raise ToolProblem(CHANGED)

    async def _child(
        self, limits: CommandLimits, argv: Sequence[str] | None = None, *, tell: bool = True
    ) -> CommandResult:
        """Run the command, or `argv` in its place."""
        with ExitStack() as stack:
            scratch = None
            env = self.env | git_identity(Path.home())
            if self.sandbox.kind is not SandboxKind.NONE:
                env |= {"GIT_CONFIG_GLOBAL": os.devnull}  # git refuses to work where it may not read it
            if self.sandbox.kind is SandboxKind.LANDLOCK:
                name = stack.enter_context(tempfile.TemporaryDirectory(prefix="kore-", ignore_cleanup_errors=True))
                scratch = Path(os.path.realpath(name))
                env = toolchain_homes(Path.home()) | env | {"TMPDIR": str(scratch), "HOME": str(scratch)}
            instead = StandIns()
            if self.sandbox.kind is not SandboxKind.NONE and self.watch.protected.secrets:
                name = stack.enter_context(tempfile.TemporaryDirectory(prefix="kore-", ignore_cleanup_errors=True))
                instead = await asyncio.to_thread(
                    stand_ins, self.desk.folder, self.watch.protected.secrets, Path(os.path.realpath(name))
                )
            env |= instead.environment()
            profile = command_profile(
                self.desk.folder,
                self.watch.protected,
                network=self.network,
                scratch=scratch,
                git=self.watch.git,
                stand_ins=instead.pairs,
                ignored=instead.ignored,
            )
            confined = confine(self.sandbox, list(argv or [self.program, *self.argv[1:]]), profile, self.cwd.path)
            self.profile = profile
            return await run_command(
                confined,
                cwd=self.cwd.path,
                env=env,
                limits=limits,
                on_output=self.desk.tell if tell else None,
                mark=self.mark,
            )

    def _result(self, done: CommandResult, seconds: int, aside: list[str], unseen: list[str]) -> ToolResult:
        watch = self.watch
        end = f"[stopped after {seconds} s]" if done.timed_out else f"[exit code {done.code}]"
        notes = [f"[{visible(each)}: the user has not allowed this file; it was renamed]" for each in aside]
        notes += [f"[{visible(each)}: the user has not allowed this file; it can't be renamed]" for each in watch.left]
        notes += [f"[{visible(each)}: this link belongs to a secret; it was put back]" for each in watch.restored]
        if watch.overlooked:
            notes.append("[there is too much here now to be looked through: what editors or git run may be among it]")
        if stopped := self._stopped_at(done):
            notes.append(
                f"[{_named(stopped)}: the sandbox keeps it as it is; git may have stopped half-way (see `git status`); "
                "with `unsandboxed` the same command does all of it]"
            )
        if unseen:
            names = ", ".join(quoted(each) for each in unseen)
            notes.append(
                f"[{names}: installed where the sandbox hides it; ask for `unsandboxed`, or for a copy in the folder]"
            )
        if (
            not unseen
            and self.sandbox.kind is not SandboxKind.NONE
            and done.code != 0
            and any(word in done.output[-4000:] for word in _DENIALS)
        ):
            notes.append("[this ran in a sandbox; ask for `network` or `unsandboxed` if it needs more]")
        text = "\n".join([*([done.output.rstrip("\n")] if done.output else []), *notes, end])
        facts = {"exitCode": done.code, "timedOut": done.timed_out, "truncated": done.truncated, "putAside": aside}
        return ToolResult(text=text, facts=facts, failed=done.timed_out or watch.overlooked)

    def _stopped_at(self, done: CommandResult) -> list[str]:
        """What git says it could not change."""
        told = done.output[-20_000:]
        if self.sandbox.kind is SandboxKind.NONE or not any(each in told for each in _UNCHANGED):
            return []
        names = {word.strip("'\":,") for line in told.splitlines() if "unable to" in line for word in line.split()}
        repository = repository_of(self.cwd.path)
        top = self.cwd.path if repository is None else repository.top
        return self._kept_as_they_are(top / name for name in names if name)

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


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _MOST_KEPT} more" if len(paths) > _MOST_KEPT else ""
    return ", ".join(quoted(each) for each in paths[:_MOST_KEPT]) + more


def quoted(word: str) -> str:
    """A word as it may be shown: in quotes unless it is plain, nothing in it hidden."""
    plain = word and all(each.isalnum() or each in "-_./=:,+@%" for each in word)
    return visible(word) if plain else "'" + visible(word).replace("'", "'\\''") + "'"
