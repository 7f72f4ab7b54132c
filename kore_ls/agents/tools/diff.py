"""The tool `diff`: what the files of the folder are, compared with git's last commit. Runs nothing of the repository.

A repository's own settings can name programs to run. So git gets a private directory with none of them: only the
commit, a copy of the index and a reference to the objects are the repository's.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from attrs import frozen

from kore_ls.agents.aliases import UNLISTED, Aliases, aliases_of
from kore_ls.agents.commands import CommandLimits, CommandResult, run_command
from kore_ls.agents.environment import child_environment, find_program
from kore_ls.agents.git.repository import Repository, commit_of, repository_of
from kore_ls.agents.paths import Access
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.protected import Guard, guards_of, names_of
from kore_ls.agents.protection import ProtectedFiles
from kore_ls.agents.sandbox.confine import confine
from kore_ls.agents.sandbox.kinds import Sandbox, SandboxKind
from kore_ls.agents.sandbox.profile import Profile
from kore_ls.agents.tools.tool import Aim, Parameter, Shape, Tool, ToolResult
from kore_ls.model.message import ToolKind

_LIMITS = CommandLimits(seconds=30, kept=1 << 20, bytes=16 << 20)
_MOST_FILES = 500
_ENV = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_ATTR_NOSYSTEM": "1",
}
_SAFE = (
    *("--no-pager", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-c", "core.quotePath=false"),
    *("-c", f"core.attributesFile={os.devnull}", "-c", "protocol.allow=never", "-c", "submodule.recurse=false"),
)


class Diff(Tool):
    """Shows the working tree's changes, but not those of secrets; new files by name."""

    name = "diff"
    kind = ToolKind.READ
    about = "Show how the files of the workspace differ from git's last commit."
    parameters = (Parameter("path", Shape.TEXT, "a file or directory, relative to the workspace", required=False),)

    async def aim(self) -> Aim:
        """Nothing but the path."""
        self.place = self.desk.place(self.given.get("path", "."), Access.READ)
        return Aim(action=self.action(self.place), title=self.title(path=self.place.relative))

    async def run(self) -> ToolResult:
        """Unified diff, then the names of new files."""
        program = find_program("git", os.environ, folder=self.desk.folder)
        if program is None:
            raise ToolProblem("Not available: git is not installed.")
        repository = await asyncio.to_thread(repository_of, self.place.path)
        if repository is None:
            raise ToolProblem("Not available: this is not in a git repository.")
        with tempfile.TemporaryDirectory(prefix="kore-", ignore_cleanup_errors=True) as name:
            private = Path(name)
            await asyncio.to_thread(_prepare, private, repository)
            self.aliases = await asyncio.to_thread(aliases_of, self.desk.folder)
            if not self.aliases.whole:
                raise ToolProblem(UNLISTED)
            sandbox = self.desk.around.sandbox
            if sandbox.kind is SandboxKind.NONE and await asyncio.to_thread(_borrows, repository.shared / "objects"):
                raise ToolProblem("Not available: this repository keeps objects somewhere else.")
            git = _Git(
                program=program,
                private=private.resolve(),
                repository=repository,
                folder=self.desk.folder,
                sandbox=sandbox,
            )
            where = f":(literal){self.place.path.relative_to(repository.top).as_posix()}"
            where = where if self.place.path != repository.top else "."
            changed = self._shown(await git("diff", "--name-only", "-z", *_PLAIN, "HEAD", "--", where), repository)
            new = self._shown(await git("ls-files", "-z", "--others", "--exclude-standard", "--", where), repository)
            text = ""
            if changed:
                text = (await git("diff", *_PLAIN, "HEAD", "--", *(f":(literal){each}" for each in changed))).output
        text += "".join(f"new file: {each}\n" for each in new)
        return ToolResult(text=text or "No differences.", facts={"changed": changed, "new": new})

    def _shown(self, done: CommandResult, repository: Repository) -> list[str]:
        names = [each for each in done.output.split("\ufffd") if each]
        folder = self.desk.folder
        return [name for name in names if not _guarded(repository.top / name, folder, self.aliases)][:_MOST_FILES]


_PLAIN = ("--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=all")


def _guarded(path: Path, folder: Path, aliases: Aliases) -> bool:
    return bool(guards_of(names_of(folder, path)) & {Guard.SECRET, Guard.INTERNAL}) or aliases.is_secret(path)


@frozen(kw_only=True)
class _Git:
    """Git, confined to the repository: its objects may be said to lie anywhere on the machine."""

    program: str
    private: Path
    repository: Repository
    folder: Path
    sandbox: Sandbox

    async def __call__(self, *words: str) -> CommandResult:
        top = self.repository.top
        argv = [self.program, *_SAFE, f"--git-dir={self.private}", f"--work-tree={top}", *words]
        env = child_environment(os.environ, folder=self.folder) | _ENV | {"HOME": str(self.private)}
        profile = Profile(
            folder=top,
            writable=False,
            network=False,
            protected=ProtectedFiles(),
            readable=(Path(self.program), self.repository.shared, self.private),
        )
        done = await run_command(confine(self.sandbox, argv, profile, top), cwd=top, env=env, limits=_LIMITS)
        if done.code != 0 or done.timed_out:
            raise ToolProblem("Not available: git can't compare this repository's files.")
        return done


def _borrows(objects: Path) -> bool:
    """Whether git would look for objects of the repository somewhere else as well."""
    if any((objects / "info" / name).exists() for name in ("alternates", "http-alternates")):
        return True
    return any(
        Path(directory, name).is_symlink()
        for directory, directories, names in os.walk(objects)
        for name in (*directories, *names)
    )


def _prepare(private: Path, repository: Repository) -> None:
    commit = commit_of(repository)
    objects = repository.shared / "objects"
    if not commit or "\n" in str(objects) or objects.is_symlink():
        raise ToolProblem("Not available: this repository has no commit that can be read.")
    for name in ("objects/info", "refs"):
        (private / name).mkdir(parents=True)
    (private / "HEAD").write_text(f"{commit}\n")
    (private / "objects/info/alternates").write_text(f"{objects}\n")
    long = len(commit) == 64
    (private / "config").write_text(
        f"[core]\n\trepositoryformatversion = {int(long)}\n\tbare = false\n"
        + ("[extensions]\n\tobjectformat = sha256\n" if long else "")
    )
    index = repository.own / "index"
    if index.is_file() and not index.is_symlink():
        # with its time: a file as young as the index is compared by what is in it
        shutil.copy2(index, private / "index")
