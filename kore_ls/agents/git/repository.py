"""Where a git repository keeps its parts, read from its files: git itself is not run, nothing of it is believed."""

from __future__ import annotations

import os
import re
from pathlib import Path

from attrs import frozen

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@frozen(kw_only=True)
class Repository:
    """Where a repository's parts are. `own` is this working tree's directory, `shared` that of all working trees."""

    top: Path
    own: Path
    shared: Path


def repository_of(path: Path) -> Repository | None:
    """The repository that a real path lies in; None where there is none, or `.git` names one that is not its own."""
    for top in (path, *path.parents):
        git = top / ".git"
        if git.is_symlink() or not git.exists():
            continue
        if git.is_dir():
            return Repository(top=top, own=git, shared=git)
        own = (top / _small(git).removeprefix("gitdir:").strip()).resolve()
        if _small(own / "commondir"):
            return _working_tree(top, own)
        known = own.is_relative_to(top) or _small(own / "gitdir").strip() == str(git)
        return Repository(top=top, own=own, shared=own) if known else None
    return None


def _working_tree(top: Path, own: Path) -> Repository | None:
    """A further working tree. A file can name any directory, so the other side has to say the same: a git directory
    that lies apart from the tree and from the home, and keeps this tree among its own.
    """
    shared = own.parent.parent
    apart = not shared.is_relative_to(top) and not any(each.is_relative_to(shared) for each in (top, _home()))
    names_back = own.parent.name == "worktrees" and _small(own / "gitdir").strip() == str(top / ".git")
    whole = all((shared / name).exists() for name in ("HEAD", "objects", "refs"))
    same = (own / _small(own / "commondir").strip()).resolve() == shared
    return Repository(top=top, own=own, shared=shared) if apart and names_back and whole and same else None


def _home() -> Path:
    return Path(os.path.realpath(Path.home()))


def _small(path: Path) -> str:
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > 4 << 20:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def commit_of(repository: Repository) -> str:
    """The id of the commit that is checked out, through one symbolic reference; empty where there is none."""
    head = _small(repository.own / "HEAD").strip()
    if head.startswith("ref:"):
        name = head.removeprefix("ref:").strip()
        if not name.startswith("refs/") or ".." in name:
            return ""
        loose = _small(repository.own / name) or _small(repository.shared / name)
        packed = re.search(rf"^([0-9a-f]+) {re.escape(name)}$", _small(repository.shared / "packed-refs"), re.MULTILINE)
        head = loose.strip() or (packed[1] if packed else "")
    return head if _COMMIT.fullmatch(head) else ""


def is_git_directory(directory: Path, *, but: str = "") -> bool:
    """Whether git takes a directory for its own, whatever its name; `but` names an entry that counts as there."""

    def has(name: str) -> bool:
        return name == but or os.path.lexists(directory / name)

    return has("HEAD") and (has("commondir") or (has("objects") and has("refs")))
