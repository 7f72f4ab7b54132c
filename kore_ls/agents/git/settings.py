"""What git's settings (a repository's, the user's, the machine's) name for git to run or to obey. Read, never run."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from kore_ls.agents.links import is_directory
from kore_ls.agents.protected import Guard, guards_of, names_of

_MOST_BYTES = 4 << 20
_MOST_FOUND = 200
_MOST_FILES = 50
_PLACES = frozenset({"hookspath", "path", "templatedir"})
"""Keys whose values are paths: hooks, further settings, what a new repository gets."""
_COMMANDS = frozenset(
    {
        *("fsmonitor", "sshcommand", "gitproxy", "editor", "pager", "askpass", "alternaterefscommand", "external"),
        *("command", "textconv", "clean", "smudge", "process", "driver", "program", "defaultkeycommand", "helper"),
        *("cmd", "difffilter", "packobjectshook", "recentobjectshook", "uploadpack", "receivepack", "update"),
        *("httpd", "sendmailcmd", "smtpserver", "tocmd", "cccmd", "headercmd", "tunnel"),
    }
)
_COMMAND_SECTIONS = frozenset({"alias", "pager"})
_SECTION = re.compile(r"[ \t]*\[[ \t]*([\w.-]+)[^\]]*\]")
_KEY = re.compile(r"[ \t]*([A-Za-z][\w-]*)[ \t]*=[ \t]*(.*)")
_WORD = re.compile(r"[^\s;|&()<>'\"`$=!,\\]+")

_QUOTED = re.compile(r"\"([^\"]+)\"|'([^']+)'")
_MOST_BASES = 5


def obeyed(git: Path, top: Path) -> list[Path]:
    """What a git directory's settings, and the user's own, name for git to run or to read as settings.

    `top` is the working tree, where relative paths of hooks and programs are looked for. The paths are normal, not
    real, and need not exist; something that git would not take may be among them.
    """
    found: dict[Path, None] = {}
    hooks = [git / "hooks"]
    known: set[Path] = set()
    pending = [git / "config", git / "config.worktree", *_of_user()]
    while pending and len(known) < _MOST_FILES and len(found) < _MOST_FOUND:
        file = pending.pop(0)
        if file in known:
            continue
        known.add(file)
        if file.parent != git:
            found[Path(os.path.realpath(file))] = None
        for section, key, value in _entries(_text(file, follow=file.parent != git)):
            if key in _PLACES:
                place = _named(file.parent if key == "path" else top, value)
                (hooks if key == "hookspath" else [] if key == "templatedir" else pending).append(place)
                found[place] = None
            elif key in _COMMANDS or section in _COMMAND_SECTIONS:
                found |= dict.fromkeys(_programs(top, value))
    for directory in hooks:
        found |= dict.fromkeys(_linked_from(directory))
    return list(found)


def patterns(git: Path | None, top: Path, key: str, usual: str) -> str:
    """What a list of patterns says that a setting (in small letters) names: the repository's, else the user's.

    `usual` is the user's where nothing names one. A repository may name any file, so that it counts only if it lies in
    the working tree `top`, is no secret there and behind no link.
    """
    files = [*(() if git is None else (git / "config.worktree", git / "config")), *_of_user()]
    for file in files:
        own = git is not None and file.parent == git
        named = [value for _, name, value in _entries(_text(file, follow=not own)) if name == key]
        if not named:
            continue
        place = _named(top, named[-1])
        if own and (top not in place.parents or Guard.SECRET in guards_of(names_of(top, place))):
            return ""
        return _text(Path(os.path.realpath(place)), follow=False) if not own or place.resolve() == place else ""
    return _text(_user_settings() / usual, follow=True)


def _user_settings() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "git"


def _of_user() -> Iterator[Path]:
    """The settings that count in every repository."""
    home = Path.home()
    yield from (home / ".gitconfig", _user_settings() / "config")
    yield from (Path(named) for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM") if (named := os.environ.get(name)))
    yield Path("/etc/gitconfig")


def _text(file: Path, *, follow: bool) -> str:
    try:
        if (file.is_symlink() and not follow) or not file.is_file() or file.stat().st_size > _MOST_BYTES:
            return ""
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _entries(text: str) -> Iterator[tuple[str, str, str]]:
    """Section, key and raw value, names in small letters; git itself reads more strictly."""
    section = ""
    for line in text.replace("\\\r\n", "").replace("\\\n", "").splitlines():
        if heading := _SECTION.match(line):
            section, line = heading[1].lower(), line[heading.end() :]
        if entry := _KEY.match(line):
            yield section, entry[1].lower(), entry[2]


def _programs(top: Path, value: str) -> Iterator[Path]:
    """The paths in a command line, whatever a shell would make of it: with a slash, or a file that is there.

    Also those below a directory that it may go to first, or below a variable.
    """
    text = value.replace('\\"', '"')
    words = {*_WORD.findall(text), _plain(value), *(one or other for one, other in _QUOTED.findall(text))}
    if "$" in text:
        words |= {word.split("/", 1)[1] for word in words if "/" in word}
    places = [_named(top, word) for word in words if word]
    bases = [top, *(place for place in places if is_directory(place))][:_MOST_BASES]
    for word in words:
        for base in bases:
            path = _named(base, word)
            if ("/" in word or os.path.lexists(path)) and not is_directory(path):
                yield path


def _linked_from(hooks: Path) -> Iterator[Path]:
    """Where a directory's own files are, if they are links; git runs them all the same."""
    try:
        with os.scandir(hooks) as entries:
            for entry in entries:
                if entry.is_symlink():
                    yield Path(os.path.realpath(entry.path))
    except OSError:
        return


def _plain(value: str) -> str:
    """A value without its comment and its quotes."""
    return value.split(" #")[0].split(" ;")[0].strip().replace('"', "")


def _named(base: Path, value: str) -> Path:
    text = _plain(value)
    if text.startswith("~/"):
        text = os.path.realpath(Path.home()) + text[1:]
    elif text.startswith("~"):
        with contextlib.suppress(RuntimeError):  # no user of that name
            text = str(Path(text).expanduser())
    if "\0" in text or len(text) > 4096:
        return base / "\n"
    return Path(os.path.normpath(base / text))
