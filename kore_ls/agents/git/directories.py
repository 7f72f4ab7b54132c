"""What git runs or obeys of a git directory: settings, hooks, the commands of a rebase. Runs and writes nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path

from attrs import frozen

from kore_ls.agents.git.repository import Repository, is_git_directory, repository_of
from kore_ls.agents.git.settings import obeyed
from kore_ls.agents.hard_links import HardLinks

MOST_REPOSITORIES = 1_000
GIT_READ_ONLY = (
    *("config", "config.worktree", "hooks", "commondir", "info/attributes", "remotes"),
    *("objects/info/alternates", "objects/info/http-alternates"),
)
"""What git runs, obeys or takes for its own of a git directory."""
_PLANS = ("rebase-merge/git-rebase-todo", "rebase-apply/git-rebase-todo", "sequencer/todo")
_COMMAND = re.compile(r"^[ \t]*(?:exec|x)[ \t].*", re.MULTILINE)
_MOST_BYTES = 8 << 20
_MOST_OBJECTS = 100_000

Plan = tuple[Path, str]
"""A list of steps that git has yet to take, and a command in it."""


@frozen(kw_only=True)
class SharedRepository:
    """The git directory of a working tree that has it elsewhere, and what of it commands must not write.

    `directory` is that of all working trees; `fixed` and `linked` as in `ProtectedFiles`; `exposed`: one of `fixed`
    is a link; `whole` is False where there is too much to look at.
    """

    directory: Path
    fixed: tuple[Path, ...]
    linked: tuple[Path, ...]
    planned: frozenset[Plan]
    exposed: bool
    whole: bool


def settings_of(repository: Path) -> list[Path]:
    """What git runs or obeys in a git directory; git itself writes the rest when it works."""
    return [path for name in GIT_READ_ONLY if os.path.lexists(path := repository / name)]


def repositories_within(git: Path) -> list[Path]:
    """The git directories of submodules and of further working trees."""
    heads = (head for place in ("modules", "worktrees") for head in sorted((git / place).glob("**/HEAD")))
    return [head.parent for head in heads if is_git_directory(head.parent)]


def planned_by(repository: Path) -> set[Plan]:
    """The commands that a rebase under way would run when it goes on; a list that can't be read is one by itself."""
    return {(path, line) for name in _PLANS for path in [repository / name] for line in _commands(path)}


def _commands(plan: Path) -> list[str]:
    if not os.path.lexists(plan):
        return []
    try:
        if plan.is_symlink() or not plan.is_file() or plan.stat().st_size > _MOST_BYTES:
            return [""]
        return _COMMAND.findall(plan.read_text(encoding="utf-8", errors="replace").replace("\r", "\n"))
    except OSError:
        return [""]


def shared_repository(folder: Path) -> SharedRepository | None:
    """That of a further working tree, which lies in that of the first one; None for any other folder. Blocking."""
    repository = repository_of(folder)
    if repository is None or repository.top != folder or repository.shared == repository.own:
        return None
    shared, own = repository.shared, repository.own
    mine = repositories_within(own)
    settings = [path for each in (shared, own, *mine[:MOST_REPOSITORIES]) for path in settings_of(each)]
    named = [Path(os.path.realpath(each)) for each in obeyed(shared, folder)]
    named = [each for each in named if folder in each.parents and each.exists()]
    linked, whole = _shared_objects(shared)
    return SharedRepository(
        directory=shared,
        fixed=(*settings, *_of_others(repository), *named),
        linked=linked,
        planned=frozenset(plan for each in (shared, own, *mine[:MOST_REPOSITORIES]) for plan in planned_by(each)),
        exposed=any(each.is_symlink() for each in settings),
        whole=whole and len(mine) <= MOST_REPOSITORIES,
    )


def _of_others(repository: Repository) -> list[Path]:
    """The first tree's submodules and the other trees: nothing that is done in this tree needs to write them."""
    places = [repository.shared / "modules", *(repository.shared / "worktrees").glob("*")]
    return [each for each in places if each != repository.own and os.path.lexists(each)]


def _shared_objects(repository: Path) -> tuple[tuple[Path, ...], bool]:
    """The objects that are another repository's as well, and whether all were looked at."""
    links, left = HardLinks(repository), _MOST_OBJECTS
    pending = [repository / "objects"]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    left -= 1
                    if left < 0:
                        return (), False
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(Path(entry.path))
                    else:
                        links.note(entry.path, entry.stat(follow_symlinks=False))
        except FileNotFoundError:
            continue
        except OSError:
            return (), False
    return links.elsewhere(), True
