"""The environment of child processes: a short list of what may pass, and where programs are looked for. Starts none."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

_PASS = frozenset(
    {
        *("HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "SHELL", "SYSTEMROOT", "COMSPEC", "PATHEXT", "WINDIR"),
        *("VIRTUAL_ENV", "CARGO_HOME", "RUSTUP_HOME", "GOPATH", "GOROOT", "JAVA_HOME", "NVM_DIR", "PYENV_ROOT"),
    }
)
_PROXIES = frozenset({"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"})
_QUIET = {"TERM": "dumb", "PAGER": "cat", "GIT_PAGER": "cat", "GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "false"}


def child_environment(
    environ: Mapping[str, str], *, folder: Path, network: bool = False, workspace_programs: bool = False
) -> dict[str, str]:
    """What a command of an agent sees of `environ`: never `KORE_*`, keys, tokens or what changes how programs load.

    `workspace_programs`: directories of the folder that are on the path stay on it.
    """
    passed = {name: value for name, value in environ.items() if name in _PASS or name.startswith("LC_")}
    if network:
        passed |= {name: value for name, value in environ.items() if name in _PROXIES}
    path = search_path(environ.get("PATH", os.defpath), None if workspace_programs else folder)
    return passed | _QUIET | {"PATH": path}


def search_path(path: str, outside: Path | None) -> str:
    """The absolute directories of a `PATH`, without those inside of a folder."""
    kept = []
    for entry in path.split(os.pathsep):
        if not entry or not Path(entry).is_absolute():
            continue
        real = Path(os.path.realpath(entry))
        if outside is None or not real.is_relative_to(outside):
            kept.append(entry)
    return os.pathsep.join(dict.fromkeys(kept))


def find_program(name: str, environ: Mapping[str, str], *, folder: Path) -> str | None:
    """The real path of a helper program of ours, never one that the folder brought along."""
    for entry in search_path(environ.get("PATH", os.defpath), folder).split(os.pathsep):
        path = Path(os.path.realpath(Path(entry, name)))
        if path.is_file() and os.access(path, os.X_OK) and not path.is_relative_to(folder):
            return str(path)
    return None


def git_identity(home: Path) -> dict[str, str]:
    """The user's name and mail for commits: confined commands can't read the user's git settings."""
    for path in (home / ".gitconfig", home / ".config/git/config"):
        try:
            text = path.read_text(encoding="utf-8") if path.stat().st_size < 1 << 20 else ""
        except (OSError, UnicodeDecodeError):
            continue
        user = re.search(r"^\s*\[user\]([^\[]*)", text, re.MULTILINE | re.IGNORECASE)
        found = dict(re.findall(r"^\s*(name|email)\s*=\s*\"?([^\"\n]*?)\"?\s*$", user[1] if user else "", re.MULTILINE))
        if len(found) == 2:
            return {
                f"GIT_{who}_{key.upper()}": value for who in ("AUTHOR", "COMMITTER") for key, value in found.items()
            }
    return {}


def toolchain_homes(home: Path) -> dict[str, str]:
    """Where toolchains of the user's home are, for commands that see another home."""
    places = {
        "RUSTUP_HOME": ".rustup",
        "CARGO_HOME": ".cargo",
        "PYENV_ROOT": ".pyenv",
        "NVM_DIR": ".nvm",
        "GOPATH": "go",
    }
    return {name: str(home / place) for name, place in places.items() if (home / place).is_dir()}
