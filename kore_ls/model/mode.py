"""Agent modes: how much an agent may do."""

from __future__ import annotations

from enum import Enum


class AgentMode(Enum):
    """What the agent of a session may do."""

    BUILD = "build"
    """Full access: reads, edits, runs commands."""
    PLAN = "plan"
    """Read only."""
    GENERAL = "general"
    """Balanced: reads freely, asks before it writes or runs."""
