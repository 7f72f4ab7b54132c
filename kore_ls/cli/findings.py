"""What `kore-ls doctor` looks at: the installation, the user's state, a store, the terminal. Changes nothing."""

from __future__ import annotations

import locale
import os
import platform
import stat
import sys
from collections.abc import Iterator
from enum import Enum
from importlib import metadata
from pathlib import Path

from attrs import frozen

from kore_ls import __version__
from kore_ls.cli.caller import Json, local_folder
from kore_ls.cli.failures import explained
from kore_ls.cli.safe_text import line
from kore_ls.errors import KoreError
from kore_ls.sessions.trust import TrustList
from kore_ls.storage.files import on_network
from kore_ls.storage.store import SQLiteStore

PACKAGES = ("pygls", "lsprotocol", "aiosqlite", "cryptography", "orjson", "cattrs", "typer", "rich", "prompt-toolkit")
PROGRAMS = {"rg": "searches in files are slower without ripgrep", "git": "differences to the last commit need git"}
OLDEST_SQLITE = (3, 31)


class Level(Enum):
    """How good or bad a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@frozen(kw_only=True)
class Finding:
    """One line of the report, safe to show; `advice` is what to do about it."""

    level: Level = Level.OK
    subject: str
    text: str
    advice: str | None = None


def installation() -> Iterator[Finding]:
    """Kore LS, Python and the packages that it needs."""
    yield Finding(subject="kore-ls", text=__version__)
    good = sys.version_info >= (3, 11)
    yield Finding(
        level=Level.OK if good else Level.FAIL,
        subject="python",
        text=f"{platform.python_version()} ({platform.system()} {platform.machine()})",
        advice=None if good else "Kore LS needs Python 3.11 or newer",
    )
    for package in PACKAGES:
        try:
            yield Finding(subject=package, text=metadata.version(package))
        except metadata.PackageNotFoundError:
            yield Finding(level=Level.FAIL, subject=package, text="missing", advice="install kore-ls again")


def sandbox(folder: Path) -> Iterator[Finding]:
    """What commands of agents are confined with, and the programs that tools use where they are there."""
    from kore_ls.agents.environment import find_program
    from kore_ls.agents.sandbox.kinds import SandboxKind
    from kore_ls.agents.sandbox.probe import probe

    kind = probe().kind
    yield Finding(
        level=Level.WARN if kind is SandboxKind.NONE else Level.OK,
        subject="sandbox",
        text=kind.value,
        advice=None
        if kind is SandboxKind.BUBBLEWRAP or sys.platform != "linux"
        else "install bubblewrap (and allow user namespaces) to let commands run freely inside the folder",
    )
    for program, why in PROGRAMS.items():
        found = find_program(program, os.environ, folder=folder)
        yield Finding(subject=program, text=line(found or "not found"), advice=None if found else why)


def agents() -> Iterator[Finding]:
    """Which agents could answer here, as the user has configured it; nobody is asked over a network."""
    from kore_ls.agents.keys import ProviderKeys
    from kore_ls.model.agent_settings import AgentSettings
    from kore_ls.sessions.backends import backends
    from kore_ls.sessions.user_config import UserConfig, default_config_file

    file = default_config_file()
    config = UserConfig(file)
    configured = config.agent
    if config.problem is not None:
        advice = f"see {line(str(file))}"
        yield Finding(level=Level.WARN, subject="config", text=f"can't be used: {config.problem}", advice=advice)
    for each in backends(configured or AgentSettings(), ProviderKeys()):
        name = line(" ".join(part for part in (each.backend, each.model, each.preset) if part))
        text = f"{name}: {'usable' if each.available else 'not usable'}{', the default' if each.default else ''}"
        level = Level.WARN if each.default and not each.available else Level.OK
        yield Finding(level=level, subject="agent", text=text, advice=each.reason)


def state(directory: Path) -> Iterator[Finding]:
    """The directory where the user's own state lives."""
    shown = line(str(directory))
    if not directory.exists():
        nearest = next(parent for parent in directory.parents if parent.exists())
        if os.access(nearest, os.W_OK | os.X_OK) and nearest.is_dir():
            yield Finding(subject="state", text=f"{shown} (made when it is needed)")
        else:
            yield _fail("state", f"{shown} can't be made", f"check who may write to {line(str(nearest))}")
        return
    mode = stat.S_IMODE(directory.stat().st_mode)
    if not directory.is_dir() or not os.access(directory, os.W_OK | os.X_OK):
        yield _fail("state", f"{shown} can't be written to", "stores can be neither made nor recognised without it")
    elif mode & 0o077 and os.name == "posix":
        advice = "others may look into it: chmod 700 it"
        yield Finding(level=Level.WARN, subject="state", text=f"{shown} has mode {mode:04o}", advice=advice)
    else:
        yield Finding(subject="state", text=f"{shown} (mode {mode:04o})")


def _fail(subject: str, text: str, advice: str | None) -> Finding:
    return Finding(level=Level.FAIL, subject=subject, text=text, advice=advice)


async def folder(path: Path, state_dir: Path) -> list[Finding]:
    """SQLite, a folder's store (whose it is, whether it can be used, on what it lies), and the user's trust in it."""
    nothing = await SQLiteStore(path / "none").status()
    sqlite = _sqlite(nothing.sqlite_version)
    try:
        async with local_folder(path) as local:
            status: Json = await local.call("kore/store/status")
    except KoreError as error:
        what, _, advice = explained(error).partition("\n")
        return [sqlite, _fail("store", what, advice or None)]
    return [sqlite, *_store(status), *_place(path, status), _trust(path, state_dir)]


def _sqlite(version: str) -> Finding:
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_SQLITE:
        return _fail("sqlite", version, "Kore LS needs SQLite 3.31 or newer")
    return Finding(subject="sqlite", text=version)


def _store(status: Json) -> Iterator[Finding]:
    shown = line(status["path"])
    if status.get("foreign"):
        advice = "kore-ls store adopt copies its conversations into a store of your own"
        yield Finding(level=Level.WARN, subject="store", text=f"{shown} was not made by you", advice=advice)
        return
    if not status["exists"]:
        yield Finding(subject="store", text="none yet; the first message makes it")
        return
    if status["encrypted"] and status["locked"]:
        advice = "give its key in KORE_PASSPHRASE or KORE_DB_KEY; kore-ls store unlock-check tries one"
        yield Finding(level=Level.WARN, subject="store", text=f"{shown}: yours, encrypted, locked", advice=advice)
        return
    facts = f"{shown}: yours, {status['sessions']} sessions, journal {status['journalMode']}"
    if status["encrypted"]:
        facts += ", encrypted"
    if status["readOnly"]:
        yield Finding(level=Level.WARN, subject="store", text=f"{facts}, read-only", advice="check who may write to it")
    else:
        yield Finding(subject="store", text=facts)


def _place(path: Path, status: Json) -> Iterator[Finding]:
    if on_network(Path(status["path"]).parent if status["exists"] else path):
        advice = "one machine at a time is safe there; a local folder is faster"
        yield Finding(level=Level.WARN, subject="file system", text="a network one", advice=advice)
    else:
        yield Finding(subject="file system", text="local, or not known to be a network one")
    if not status["exists"] and not os.access(path, os.W_OK | os.X_OK):
        yield _fail("folder", f"{line(str(path))} can't be written to", "sessions can't be kept here")


def _trust(path: Path, state_dir: Path) -> Finding:
    words = {True: "trusted", False: "not trusted", None: "not trusted yet; kore-ls trust changes that"}
    return Finding(subject="trust", text=words[TrustList(state_dir).trusted(path)])


def terminal() -> Iterator[Finding]:
    """Whether Chinese and other text can be shown."""
    kind = os.environ.get("TERM", "none") if sys.stdout.isatty() else "none (the output is no terminal)"
    yield Finding(subject="terminal", text=line(kind))
    encoding = (sys.stdout.encoding or locale.getpreferredencoding(False)).lower().replace("-", "")
    if encoding == "utf8":
        yield Finding(subject="encoding", text="UTF-8")
    else:
        advice = "set LANG to a UTF-8 locale, or PYTHONUTF8=1"
        yield Finding(
            level=Level.WARN, subject="encoding", text=f"{encoding}: not all text can be shown", advice=advice
        )
