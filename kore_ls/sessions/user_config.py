"""The user's own configuration file, `config.toml`: which agent answers where no editor says so. Never written here."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from kore_ls.model.agent_settings import AgentSettings, read_agent

log = logging.getLogger(__name__)

_MOST_BYTES = 1 << 20


def default_config_file() -> Path:
    """Where this user's configuration is, `$XDG_CONFIG_HOME/kore/config.toml` on Linux."""
    import platformdirs

    return platformdirs.user_config_path("kore") / "config.toml"


class UserConfig:
    """What stands in a configuration file, read again when the file is another one."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._seen: tuple[int, int, int] | None = None
        self._agent: AgentSettings | None = None
        self.problem: str | None = None

    @property
    def agent(self) -> AgentSettings | None:
        """The table `[agent]`; None where there is none, or none that can be used (`problem` says why)."""
        seen = None if self._file is None else _look(self._file)
        if seen != self._seen:
            self._seen = seen
            self._agent, self.problem = (None, None) if seen is None or self._file is None else _read(self._file)
            if self.problem is not None:
                log.warning("the user's configuration can't be used: %s", self.problem)
        return self._agent


def _look(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(file: Path) -> tuple[AgentSettings | None, str | None]:
    import tomllib

    try:
        if file.stat().st_size > _MOST_BYTES:
            return None, "it is too large"
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        return None, f"it is no TOML ({str(error).rpartition('(')[2].rstrip(')')})"
    except (OSError, UnicodeDecodeError):
        return None, "it can't be read"
    if "agent" not in values:
        return None, None
    try:
        return read_agent(_camel(values["agent"])), None
    except ValueError as error:
        return None, f"agent: {error}"


def _camel(table: Any) -> Any:
    """Keys may be written as `base_url` as well."""
    if not isinstance(table, dict):
        return table
    return {_camel_word(key): value for key, value in table.items()}


def _camel_word(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(word.capitalize() for word in rest)
