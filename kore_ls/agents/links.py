"""Symlinks and the way they take: each link on it decides where it ends. Reads links, and puts back those told to."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

_MOST_STEPS = 40


def way_of(link: Path) -> tuple[tuple[Path, ...], Path]:
    """All symlinks from `link` (whose directory is real) to what it stands for, itself included, and that end.

    The end need not be there; on a way that never ends it is a link.
    """
    if os.sep != "/":
        return (link,), Path(os.path.realpath(link))
    passed: list[Path] = []
    at, pending = link.parent, [link.name]
    while pending:
        name = pending.pop()
        if name in ("", "."):
            continue
        if name == "..":
            at = at.parent
            continue
        at = at / name
        try:
            target = str(at.readlink())
        except OSError:
            continue
        passed.append(at)
        if len(passed) > _MOST_STEPS:
            break
        at = Path("/") if target.startswith("/") else at.parent
        pending += reversed(target.split("/"))
    return tuple(passed), at


def is_directory(path: Path) -> bool:
    """Whether there is a directory; what can't be looked at is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def changed_links(links: Iterable[tuple[Path, str]]) -> list[tuple[Path, str]]:
    """Those of links, given with their targets, that are gone or lead elsewhere by now."""
    return [(link, target) for link, target in links if target_of(link) != target]


def put_back(link: Path, target: str) -> bool:
    """Make a link again where nothing is any more. Whether it is there."""
    with contextlib.suppress(OSError):
        link.symlink_to(target)
    return target_of(link) == target


def target_of(link: Path) -> str | None:
    """What a link says, None where there is none."""
    try:
        return str(link.readlink())
    except OSError:
        return None
