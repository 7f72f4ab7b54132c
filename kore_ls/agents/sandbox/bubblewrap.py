"""The command line of bubblewrap for a profile. Starts nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from kore_ls.agents.sandbox.profile import SYSTEM, SYSTEM_SECRETS, Profile, home_directory
from kore_ls.agents.sockets import well_known

MOST_MOUNTS = 1_500
"""More protected files than this don't fit on a command line."""


def bubblewrap_argv(program: str, argv: list[str], profile: Profile, cwd: Path) -> list[str]:
    """`argv` as a command of bubblewrap: own namespaces, no capabilities, dies with its parent."""
    return [
        *(program, "--unshare-all", *(["--share-net"] if profile.network else []), "--unshare-user"),
        *("--cap-drop", "ALL", "--die-with-parent", "--new-session"),
        *(word for mount in _mounts(profile) for word in mount),
        *("--chdir", str(cwd), "--", *argv),
    ]


def _mounts(profile: Profile) -> Iterator[tuple[str, ...]]:
    """Later ones cover earlier ones."""
    for each in SYSTEM:
        yield ("--ro-bind-try", each, each)
    for each in SYSTEM_SECRETS:
        if os.path.lexists(each):
            yield from _hidden(Path(each))
    yield from (("--proc", "/proc"), ("--dev", "/dev"), ("--tmpfs", "/tmp"), ("--tmpfs", "/var/tmp"))
    home = home_directory()
    if home is not None:
        yield ("--tmpfs", str(home))
    for place in profile.readable:
        yield ("--ro-bind-try", str(place), str(place))
    for place in profile.writable_too:
        yield ("--bind-try", str(place), str(place))
    yield from _workspace(profile)
    if profile.scratch is not None:
        yield ("--bind", str(profile.scratch), str(profile.scratch))


def _workspace(profile: Profile) -> Iterator[tuple[str, ...]]:
    how = "--bind" if profile.writable else "--ro-bind"
    yield (how, str(profile.folder), str(profile.folder))
    if profile.writable:
        # a mount point can't be renamed: without this a child could move the parent away and make it anew
        roots = (profile.folder, *profile.writable_too)
        around = {up for path in profile.protected.fixed for up in _between(roots, path)}
        for place in sorted(around.union(profile.protected.pinned)):
            yield ("--bind", str(place), str(place))
        for path in (*profile.protected.fixed, *profile.protected.linked):
            yield ("--ro-bind", str(path), str(path))
    instead = dict(profile.stand_ins)
    for path in (*profile.protected.secrets, *profile.protected.sockets):
        if path in instead:
            yield ("--ro-bind", str(instead[path]), str(path))
        else:
            yield from _hidden(path)
    seen = (profile.folder, *map(Path, SYSTEM), *profile.readable, *profile.writable_too)
    for path in (*well_known(os.environ), *profile.protected.outer):
        if any(root in path.parents for root in seen):
            yield from _hidden(path)


def _between(roots: Sequence[Path], path: Path) -> Iterator[Path]:
    return (parent for parent in path.parents if any(root in parent.parents for root in roots))


def _hidden(path: Path) -> Iterator[tuple[str, ...]]:
    if path.is_dir() and not path.is_symlink():
        yield ("--tmpfs", str(path))
        # Closed rather than empty: of an empty directory git would take what it tracks in it for deleted.
        yield ("--chmod", "0000", str(path))
        yield ("--remount-ro", str(path))
    elif not path.is_symlink():
        yield ("--ro-bind", "/dev/null", str(path))
