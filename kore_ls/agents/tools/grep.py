"""The tool `grep`: lines that match a regular expression, found by ripgrep, else by Python in a child process."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

from kore_ls.agents import anchored
from kore_ls.agents.aliases import UNLISTED, aliases_of
from kore_ls.agents.commands import CommandLimits, CommandResult, run_command
from kore_ls.agents.environment import child_environment, find_program
from kore_ls.agents.paths import Access, is_known_secret
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.protected import Guard, guards_of, names_of
from kore_ls.agents.protection import ProtectedFiles
from kore_ls.agents.sandbox.confine import confine
from kore_ls.agents.sandbox.profile import Profile
from kore_ls.agents.tools import line_search
from kore_ls.agents.tools.changing import FILE_BYTES
from kore_ls.agents.tools.tool import Aim, Parameter, Shape, Tool, ToolResult
from kore_ls.model.message import ToolKind

_MOST = 400
_LINE_CHARS = 300
_LIMITS = CommandLimits(seconds=20, kept=4 << 20, bytes=8 << 20)
_RIPGREP = (
    *("--no-config", "--no-messages", "--no-require-git", "--hidden", "--glob", "!.git", "--glob", "!.kore"),
    *("--null", "--line-number", "--with-filename", "--no-heading", "--color", "never", "--sort", "path"),
    *("--max-count", "100", "--max-columns", str(_LINE_CHARS), "--max-columns-preview", "--max-filesize", "4M"),
)


class Grep(Tool):
    """Searches text files; what git ignores and what is protected is left out."""

    name = "grep"
    kind = ToolKind.SEARCH
    about = "Search the files of the workspace for a regular expression; ignored and secret files are left out."
    parameters = (
        Parameter("pattern", Shape.TEXT, "a regular expression"),
        Parameter("path", Shape.TEXT, "where to search, relative to the workspace folder", required=False),
    )
    use_ripgrep = True

    async def aim(self) -> Aim:
        """Nothing but the path."""
        self.place = self.desk.place(self.given.get("path", "."), Access.READ)
        return Aim(action=self.action(self.place), title=self.title(path=self.place.relative))

    async def run(self) -> ToolResult:
        """`path:line: text`, one per match."""
        if self.place.identity is None:
            raise ToolProblem("There is no such file or directory.")
        self.aliases = await asyncio.to_thread(aliases_of, self.desk.folder)
        if not self.aliases.whole:
            raise ToolProblem(UNLISTED)
        done = await self._search()
        if done.timed_out:
            raise ToolProblem("The search took too long; search in a smaller place.")
        if done.code not in (0, 1) and _SEPARATOR not in done.output and not done.truncated:
            raise ToolProblem("This is not a regular expression that the search understands.")
        matches = self._matches(done.output)
        lines = [f"{name}:{line}" for name, line in matches[:_MOST]]
        if len(matches) > _MOST or done.truncated:
            lines.append("[... there are more matches ...]")
        return ToolResult(text="\n".join(lines) or "No matches.", facts={"matches": min(len(matches), _MOST)})

    async def _search(self) -> CommandResult:
        """A directory is searched from within, a file is given to the child: no path is looked up again."""
        folder = self.desk.folder
        program = find_program("rg", os.environ, folder=folder) if self.use_ripgrep else None
        where, content = (".", b"") if self.place.is_folder else ("-", b"")
        if not self.place.is_folder:
            content = await asyncio.to_thread(anchored.read_bytes, self.place, most=FILE_BYTES)
        argv = [program, *_RIPGREP, "-e", self.given["pattern"], "--", where] if program else self._python()
        profile = Profile(
            folder=folder,
            writable=False,
            network=False,
            protected=ProtectedFiles(),
            readable=(Path(argv[0]), *_PYTHON, *(() if self.place.inside else (self.place.path,))),
        )
        start = self.place.path if self.place.is_folder else folder
        confined = confine(self.desk.around.sandbox, argv, profile, start)
        env = child_environment(os.environ, folder=folder)
        if not self.place.is_folder:
            return await run_command(confined, cwd=folder, env=env, limits=_LIMITS, stdin=content)
        with anchored.working_directory(self.place) as cwd:
            return await run_command(confined, cwd=cwd, env=env, limits=_LIMITS)

    def _python(self) -> list[str]:
        pattern = self.given["pattern"]
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise ToolProblem("This is not a regular expression that the search understands.") from error
        folder, path = self.desk.folder, self.place.path
        above = [str(each) for each in reversed(path.parents) if each.is_relative_to(folder)]
        wanted = {"pattern": pattern, "at": str(path) if self.place.is_folder else None, "above": above}
        return [sys.executable, "-I", "-S", str(Path(line_search.__file__)), json.dumps(wanted)]

    def _matches(self, output: str) -> list[tuple[str, str]]:
        shown: dict[str, str | None] = {}
        found = []
        for line in output.split("\n"):
            path, separator, rest = line.partition(_SEPARATOR)
            if not separator:
                continue
            if path not in shown:
                shown[path] = self._name(self.place.path / path if self.place.is_folder else self.place.path)
            name = shown[path]
            if name is not None:
                number, _, text = rest.partition(":")
                found.append((name, f"{number}: {text.rstrip(chr(13))[:_LINE_CHARS]}"))
        return sorted(found, key=lambda each: each[0])

    def _name(self, path: Path) -> str | None:
        """What a file is called in the result; None where nothing of it may be shown."""
        folder = self.desk.folder
        inside = path.is_relative_to(folder)
        if path == self.place.path:  # the gate has judged it
            return self.place.relative
        if guards_of(names_of(folder, path)) & {Guard.SECRET, Guard.INTERNAL} or self.aliases.is_secret(path):
            return None
        try:
            found = path.lstat()
        except OSError:
            return None
        if found.st_nlink > 1 and is_known_secret(folder, (found.st_dev, found.st_ino)):
            return None
        return path.relative_to(folder).as_posix() if inside else str(path)


_SEPARATOR = "\ufffd"
"""What commands' output has for the NUL after a path."""
_PYTHON = (Path(sys.base_prefix), Path(sys.prefix), Path(line_search.__file__))
