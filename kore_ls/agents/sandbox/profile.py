"""What a confined child process may see and change, whatever confines it. Looks for system directories, no more."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from attrs import evolve, frozen

from kore_ls.agents.links import way_of
from kore_ls.agents.protection import ProtectedFiles

SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix/store", "/gnu/store"),
    *("/run/current-system", "/snap"),
)
"""Directories of the system, readable to every confined process."""
SYSTEM_SECRETS = (
    *("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers", "/etc/sudoers.d"),
    *("/etc/ssl/private", "/etc/krb5.keytab", "/etc/NetworkManager/system-connections", "/etc/wireguard"),
    *(f"/etc/ssh/ssh_host_{kind}_key" for kind in ("rsa", "dsa", "ecdsa", "ed25519")),
)
_CONDAS = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba", ".conda")
_OF_CONDA = ("bin", "condabin", "lib", "libexec", "include", "share", "ssl", "envs", "pkgs", "conda-meta", "etc/conda")
_TOOLCHAINS = (
    *(".cargo/bin", ".cargo/registry", ".rustup", ".nvm/versions", ".pyenv", ".volta", ".bun/bin", ".deno/bin"),
    *(".local/bin", ".local/share/uv/python", ".local/share/uv/tools", ".local/share/mise/installs"),
    *(".local/share/fnm", ".asdf/installs", ".asdf/shims", ".sdkman/candidates", "go/bin", "go/pkg", ".ghcup/bin"),
    *(".juliaup", ".gradle/wrapper", ".local/lib", ".local/pipx/venvs", ".local/pipx/shared"),
    *(".local/share/pipx/venvs", ".local/share/pipx/shared", ".local/share/pypoetry/venv", ".local/share/virtualenvs"),
    *(".local/share/hatch/env", ".local/share/pdm/venv", ".local/share/pnpm", ".npm-global/bin", ".npm-global/lib"),
    *(".yarn/bin", ".rbenv", ".rvm/rubies", ".rvm/gems", ".rvm/bin", ".gem/ruby", ".goenv", ".nodenv", ".opam/default"),
    *(".elan", ".pixi/bin", ".pixi/envs", ".foundry/bin", ".dotnet/tools", ".stack/programs", ".nix-profile"),
    *(f"{conda}/{part}" for conda in _CONDAS for part in _OF_CONDA),
)
"""None of them is a place for credentials: of a directory that may hold some (`.cargo`, conda) only parts are here."""


@frozen(kw_only=True)
class Profile:
    """One child's view. All paths are real; `folder` is the workspace folder, `protected` what was found in it.

    `readable` and `writable_too` are further directories; `scratch` is a private directory for temporary files and,
    where the real home can't be covered, for the home. Nothing else of the machine is there. `stand_ins` are pairs of a
    secret file and an unreadable one that is seen in its place.
    """

    folder: Path
    writable: bool
    network: bool
    protected: ProtectedFiles
    readable: tuple[Path, ...] = ()
    writable_too: tuple[Path, ...] = ()
    scratch: Path | None = None
    stand_ins: tuple[tuple[Path, Path], ...] = ()

    def shows(self, program: Path) -> bool:
        """Whether the child finds a program by this path, through all links on its way."""
        roots = [self.folder, *map(Path, SYSTEM), *self.readable, *self.writable_too]
        roots += [Path(os.path.realpath(each)) for each in SYSTEM]
        passed, end = way_of(Path(os.path.realpath(program.parent)) / program.name)
        return all(any(root == each or root in each.parents for root in roots) for each in (*passed, end))


def command_profile(
    folder: Path,
    protected: ProtectedFiles,
    *,
    network: bool,
    scratch: Path | None,
    git: Path | None = None,
    stand_ins: tuple[tuple[Path, Path], ...] = (),
    lists: Path | None = None,
) -> Profile:
    """For a command of the agent: the folder is writable but for what is protected; no network unless approved.

    `lists` is a further directory that may be read. `git` is the git directory of a working tree that has it elsewhere;
    its settings belong to `protected`.
    """
    return Profile(
        folder=folder,
        writable=True,
        network=network,
        protected=protected,
        readable=(*toolchains(), *_name_resolution(network), *(() if lists is None else (lists,))),
        writable_too=() if git is None else (git,),
        scratch=scratch,
        stand_ins=stand_ins,
    )


def agent_profile(
    folder: Path, protected: ProtectedFiles, *, writable: bool, own: Iterable[Path], programs: Iterable[Path]
) -> Profile:
    """For an external agent: its `own` directories are writable, its `programs` readable, the network is open.

    So what Kore keeps in the folder is hidden from it: what was said in other sessions is none of its business.
    """
    return Profile(
        folder=folder,
        writable=writable,
        network=True,
        protected=evolve(protected, secrets=tuple(sorted({*protected.secrets, *protected.stores}))),
        readable=(*toolchains(), *_name_resolution(True), *programs),
        writable_too=tuple(own),
    )


def toolchains() -> tuple[Path, ...]:
    """Where compilers and interpreters of the user live below the home directory; none of it holds a secret."""
    home = home_directory()
    if home is None:
        return ()
    return tuple(path for name in _TOOLCHAINS if (path := home / name).is_dir())


def home_directory() -> Path | None:
    """The user's real home; None where it can't be covered without covering the system."""
    home = Path(os.path.realpath(Path.home()))
    return None if len(home.parts) < 2 or any(str(home) == each for each in SYSTEM) else home


def _name_resolution(network: bool) -> tuple[Path, ...]:
    """`/etc/resolv.conf` is often a link to a place that is not readable otherwise."""
    path = Path(os.path.realpath("/etc/resolv.conf"))
    return (path,) if network and path.exists() and not path.is_relative_to("/etc") else ()
