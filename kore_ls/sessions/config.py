"""How a SessionManager behaves."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from attrs import field, frozen

from kore_ls.model.mode import AgentMode


def _seconds(value: float | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


@frozen(kw_only=True)
class ManagerConfig:
    """Settings of one manager; `auto_save_interval` is in seconds (or a timedelta)."""

    data_dir: Path = field(default=Path(".kore"), converter=Path)
    """Where a store is made when none is given."""
    auto_save_interval: float = field(default=30.0, converter=_seconds)
    """How often, at least, what is not yet a row is saved; 0 means only on request and at shutdown."""
    max_sessions: int = 10
    """How many sessions may have a loaded agent; 0 means no limit."""
    session_name_prefix: str = "会话"
    """What a session without a name is called, followed by a number."""
    evict_idle: bool = False
    """At the limit, whether to unload the idle session used longest ago instead of raising SessionLimitReached."""
    default_mode: AgentMode = AgentMode.BUILD
