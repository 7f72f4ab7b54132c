"""The user's own configuration file, `config.toml`: which agent answers, and what is kept, where no editor says so.

Never written here.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from attrs import field, frozen

from kore_ls.model.agent_settings import AgentSettings, read_agent
from kore_ls.model.limits import between
from kore_ls.model.settings import KEEP_BYTES, KEEP_DAYS, StoreSettings

log = logging.getLogger(__name__)

_MOST_BYTES = 1 << 20


def default_config_file() -> Path:
    """Where this user's configuration is, `$XDG_CONFIG_HOME/kore/config.toml` on Linux."""
    import platformdirs

    return platformdirs.user_config_path("kore") / "config.toml"


@frozen(kw_only=True)
class _Read:
    """What stands in the file, and what is wrong with the rest."""

    agent: AgentSettings | None = None
    store: StoreSettings = field(factory=StoreSettings)
    problem: str | None = None


class UserConfig:
    """What stands in a configuration file, read again when the file is another one."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._seen: tuple[int, int, int] | None = None
        self._read = _Read()

    @property
    def agent(self) -> AgentSettings | None:
        """The table `[agent]`; None where there is none, or none that can be used (`problem` says why)."""
        return self._now().agent

    @property
    def store(self) -> StoreSettings:
        """The table `[store]`; nothing is set where it can't be used (`problem` says why)."""
        return self._now().store

    @property
    def problem(self) -> str | None:
        """What is wrong with the file as it was when it was last looked at."""
        return self._read.problem

    def _now(self) -> _Read:
        seen = None if self._file is None else _look(self._file)
        if seen != self._seen:
            self._seen = seen
            self._read = _Read() if seen is None or self._file is None else _read(self._file)
            if self.problem is not None:
                log.warning("the user's configuration can't be used: %s", self.problem)
        return self._read


def _look(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(file: Path) -> _Read:
    import tomllib

    try:
        if file.stat().st_size > _MOST_BYTES:
            return _Read(problem="it is too large")
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        return _Read(problem=f"it is no TOML ({str(error).rpartition('(')[2].rstrip(')')})")
    except (OSError, UnicodeDecodeError):
        return _Read(problem="it can't be read")
    agent, problems = None, []
    try:
        agent = read_agent(_camel(values["agent"])) if "agent" in values else None
    except ValueError as error:
        problems.append(f"agent: {error}")
    store, problem = _store(_camel(values.get("store", {})))
    problems += [problem] if problem else []
    return _Read(agent=agent, store=store, problem="; ".join(problems) or None)


def _store(table: Any) -> tuple[StoreSettings, str | None]:
    """All of the table or nothing: of limits that belong together one alone could take too much."""
    if not isinstance(table, dict):
        return StoreSettings(), "store: must be a table"
    days, most, backups = (table.get(name) for name in ("keepDays", "keepBytes", "backups"))
    for name, value, bounds in (("keep_days", days, KEEP_DAYS), ("keep_bytes", most, KEEP_BYTES)):
        if value is not None and (problem := between(*bounds)(value) if type(value) is int else "must be an integer"):
            return StoreSettings(), f"store.{name}: {problem}"
    if backups is not None and type(backups) is not bool:
        return StoreSettings(), "store.backups: must be true or false"
    return StoreSettings(keep_days=days, keep_bytes=most, backups=backups), None


def _camel(table: Any) -> Any:
    """Keys may be written as `base_url` as well."""
    if not isinstance(table, dict):
        return table
    return {_camel_word(key): value for key, value in table.items()}


def _camel_word(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(word.capitalize() for word in rest)
