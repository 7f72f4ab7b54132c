"""How a SessionManager behaves."""

from __future__ import annotations

from datetime import timedelta
from math import isfinite
from pathlib import Path
from typing import Any

from attrs import Attribute, field, frozen

from kore_ls.model.limits import name_problem
from kore_ls.model.mode import AgentMode


def _seconds(value: float | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


def _natural(_: Any, attribute: Attribute[Any], value: Any) -> None:
    if type(value) not in (int, float) or not isfinite(value) or value < 0:
        raise ValueError(f"{attribute.name} must be a number, 0 or more")


def _whole(_: Any, attribute: Attribute[Any], value: Any) -> None:
    if type(value) is not int or value < 0:
        raise ValueError(f"{attribute.name} must be an integer, 0 or more")


def _beginning(_: Any, attribute: Attribute[Any], value: Any) -> None:
    problem = "must be a string" if type(value) is not str else name_problem(value + " 1000000")
    if problem is not None:
        raise ValueError(f"{attribute.name} {problem}")


@frozen(kw_only=True)
class ManagerConfig:
    """Settings of one manager; `auto_save_interval` is in seconds (or a timedelta). Raises ValueError."""

    data_dir: Path = field(default=Path(".kore"), converter=Path)
    """Where a store is made when none is given."""
    auto_save_interval: float = field(default=30.0, converter=_seconds, validator=_natural)
    """How often, at least, what is not yet a row is saved; 0 means only on request and at shutdown."""
    max_sessions: int = field(default=10, validator=_whole)
    """How many sessions may have a loaded agent; 0 means no limit."""
    session_name_prefix: str = field(default="会话", validator=_beginning)
    """What a session without a name is called, followed by a number."""
    evict_idle: bool = False
    """At the limit, whether to unload the idle session used longest ago instead of raising SessionLimitReached."""
    default_mode: AgentMode = field(default=AgentMode.BUILD, converter=AgentMode)
