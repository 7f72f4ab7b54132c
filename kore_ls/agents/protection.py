"""What of a folder is protected, as it was found. Pure values."""

from __future__ import annotations

from pathlib import Path

from attrs import field, frozen

from kore_ls.agents.git.directories import Plan


@frozen(kw_only=True)
class ProtectedFiles:
    """What was found: `secrets` are to be hidden, `fixed` is neither to be written nor moved, `linked` not written.

    `links` are symlinks in the place of something that is not to be written.

    `linked` are files with a further name somewhere else, or, where they are many, directories that hold such files.
    `whole` is False where the folder is too big to be looked through; `exposed`: the folder itself, or a repository
    in it, is what git runs things from. `identities` are device and inode of secrets with several names.
    `planned` are the commands of rebases that are under way. `pinned` are directories that may not be moved, and `kept`
    links with their targets: without them a secret would look plain. At `sockets` services of the machine may listen.
    `unlisted` are directories that can be entered but not listed now; `outer` is what links outside make secrets.
    `stores` are Kore's own directories, in `fixed` as well.
    """

    secrets: tuple[Path, ...] = ()
    fixed: tuple[Path, ...] = ()
    linked: tuple[Path, ...] = ()
    links: tuple[Path, ...] = ()
    whole: bool = True
    exposed: bool = False
    identities: frozenset[tuple[int, int]] = field(factory=frozenset)
    planned: frozenset[Plan] = field(factory=frozenset)
    pinned: tuple[Path, ...] = ()
    kept: tuple[tuple[Path, str], ...] = ()
    sockets: tuple[Path, ...] = ()
    unlisted: tuple[Path, ...] = ()
    outer: tuple[Path, ...] = ()
    stores: tuple[Path, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all of it can be protected by its path."""
        return self.whole and not self.exposed and not self.links

    def secret_identities(self) -> frozenset[tuple[int, int]]:
        """Device and inode of the secret files that have more than one name."""
        return self.identities
