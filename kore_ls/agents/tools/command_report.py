"""What `run_command` tells the agent: the output, how it ended, and what stood in its way. Runs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import frozen

from kore_ls.agents.commands import CommandResult
from kore_ls.agents.tools.folder_watch import FolderWatch
from kore_ls.agents.tools.tool import ToolResult
from kore_ls.model.display import quoted, visible

_MOST_NAMED = 20
_LAST = 4_000
_GIT_STOPPED = ("unable to unlink", "unable to create", "unable to write")
_NOT_FOUND = ("not found", "No such file or directory")
_DENIALS = (
    "Permission denied",
    "Read-only file system",
    "Operation not permitted",
    "Network is unreachable",
    "resolve",
)


@frozen(kw_only=True)
class CommandReport:
    """A command that ended. `seconds` is the time it had; `unseen` the programs that the sandbox hid from it.

    `stopped` are the paths git could not change.
    """

    done: CommandResult
    seconds: int
    confined: bool
    watch: FolderWatch
    unseen: Sequence[str]
    stopped: Sequence[str]

    def result(self) -> ToolResult:
        """The tool's answer."""
        done = self.done
        end = f"[stopped after {self.seconds} s]" if done.timed_out else f"[exit code {done.code}]"
        text = "\n".join([*([done.output.rstrip("\n")] if done.output else []), *self._notes(), end])
        facts = _facts(done.code, timed_out=done.timed_out, truncated=done.truncated, aside=self.watch.aside)
        return ToolResult(text=text, facts=facts, failed=done.timed_out or self.watch.overlooked)

    def _notes(self) -> Iterator[str]:
        for path in self.watch.aside:
            yield f"[{visible(path)}: the user has not allowed this file; it was renamed]"
        for path in self.watch.left:
            yield f"[{visible(path)}: the user has not allowed this file; it can't be renamed]"
        for path in self.watch.restored:
            yield f"[{visible(path)}: this link belongs to a secret; it was put back]"
        if self.watch.overlooked:
            yield "[there is too much here now to be looked through: what editors or git run may be among it]"
        if self.stopped:
            kept = _named(self.stopped)
            yield (
                f"[{kept}: the sandbox keeps it as it is; git may have stopped half-way (see `git status`); "
                "with `unsandboxed` the same command does all of it]"
            )
        if self.unseen:
            names = ", ".join(quoted(each) for each in self.unseen)
            yield f"[{names}: installed where the sandbox hides it; ask for `unsandboxed`, or for a copy in the folder]"
        elif self.confined and self.done.code != 0 and _ends_with_one_of(_DENIALS, self.done):
            yield "[this ran in a sandbox; ask for `network` or `unsandboxed` if it needs more]"


def not_run(kept: Sequence[str]) -> ToolResult:
    """The answer where a command would change what the sandbox keeps."""
    text = f"[not run, and nothing is changed: {_named(kept)} would be changed, which the sandbox keeps as it is; "
    facts = _facts(None, timed_out=False, truncated=False, aside=[])
    return ToolResult(text=f"{text}ask for `unsandboxed`]", facts=facts, failed=True)


def lacked_a_program(done: CommandResult) -> bool:
    """Whether it may have failed for a program that was not found."""
    return done.code in (126, 127) or (done.code != 0 and _ends_with_one_of(_NOT_FOUND, done))


def refused_to_git(done: CommandResult) -> set[str]:
    """Words of what git says it could not change, the names of files among them."""
    lines = [line for line in done.output[-20_000:].splitlines() if "unable to" in line]
    if not any(sign in line for line in lines for sign in _GIT_STOPPED):
        return set()
    return {word.strip("'\":,") for line in lines for word in line.split()} - {""}


def _ends_with_one_of(signs: Sequence[str], done: CommandResult) -> bool:
    end = done.output[-_LAST:]
    return any(sign in end for sign in signs)


def _facts(code: int | None, *, timed_out: bool, truncated: bool, aside: list[str]) -> dict[str, Any]:
    return {"exitCode": code, "timedOut": timed_out, "truncated": truncated, "putAside": aside}


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    return ", ".join(quoted(each) for each in paths[:_MOST_NAMED]) + more
