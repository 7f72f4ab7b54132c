"""What Landlock is to grant for a profile. Landlock can't subtract: what holds something protected is granted by parts.

So the folder itself takes no new files where it holds a `.kore` or a `.git`; the directories in it do.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from kore_ls.agents.sandbox import launcher
from kore_ls.agents.sandbox.profile import SYSTEM, SYSTEM_SECRETS, Profile

LEAST_ABI = 4
"""The first version that can cut TCP."""
MOST_GRANTS = 20_000
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


class _Grants:
    def __init__(self) -> None:
        self.read: list[str] = []
        self.write: list[str] = []
        self.list: list[str] = []

    def by_parts(self, directory: Path, *, hidden: frozenset[Path], fixed: frozenset[Path], writable: bool) -> None:
        """Grant a directory without its hidden files, and without the right to change its fixed ones."""
        apart = hidden | (fixed if writable else frozenset())
        around = {parent for path in apart for parent in path.parents}
        pending = [(directory, writable)]
        while pending:
            place, may_write = pending.pop()
            if place in hidden or len(self.read) + len(self.write) > MOST_GRANTS:
                continue
            may_write = may_write and place not in fixed
            if place in around:
                self.list.append(str(place))
                pending.extend((each, may_write) for each in _children(place))
            else:
                (self.write if may_write else self.read).append(str(place))


def _children(directory: Path) -> list[Path]:
    try:
        return [Path(each.path) for each in os.scandir(directory) if not each.is_symlink()]
    except OSError:
        return []


def granted(profile: Profile) -> bytes:
    """The launcher's JSON for a profile."""
    grants = _Grants()
    outer = profile.protected.outer
    secrets = frozenset((*outer, *(Path(each) for each in SYSTEM_SECRETS if os.path.lexists(each))))
    for each in dict.fromkeys(Path(os.path.realpath(each)) for each in SYSTEM):
        grants.by_parts(each, hidden=secrets, fixed=frozenset(), writable=False)
    fixed = frozenset((*profile.protected.fixed, *profile.protected.linked))
    hidden = frozenset(profile.protected.secrets)
    grants.by_parts(profile.folder, hidden=hidden, fixed=fixed, writable=profile.writable)
    for each in profile.writable_too:
        grants.by_parts(each, hidden=hidden, fixed=fixed, writable=True)
    for each in profile.readable:
        grants.by_parts(each, hidden=secrets, fixed=frozenset(), writable=False)
    grants.read.append("/proc")
    grants.write += _DEVICES
    if profile.scratch is not None:
        grants.write.append(str(profile.scratch))
    document = {"read": grants.read, "write": grants.write, "list": grants.list, "network": profile.network}
    return json.dumps(document).encode("utf-8", "surrogateescape")


def landlock_argv(argv: list[str], descriptor: int) -> list[str]:
    """`argv` as a command of the launcher, which reads its grants from `descriptor`."""
    return [sys.executable, "-I", "-S", str(Path(launcher.__file__)), str(descriptor), *argv]
