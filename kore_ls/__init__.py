"""Kore LS: the session layer for AI coding agents. This is its Python face; everything is imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kore_ls.agents.agent import Agent, AgentFactory
    from kore_ls.errors import KoreError
    from kore_ls.model.message import Message, Role
    from kore_ls.model.mode import AgentMode
    from kore_ls.model.session import SessionRecord, SessionStatus
    from kore_ls.sessions.config import ManagerConfig
    from kore_ls.sessions.manager import SessionManager
    from kore_ls.sessions.session import Session
    from kore_ls.storage.cipher import Cipher
    from kore_ls.storage.interface import Storage
    from kore_ls.storage.store import SQLiteStore

__version__ = "0.1.0"

_HOMES = {
    "Agent": "agents.agent",
    "AgentFactory": "agents.agent",
    "AgentMode": "model.mode",
    "Cipher": "storage.cipher",
    "KoreError": "errors",
    "ManagerConfig": "sessions.config",
    "Message": "model.message",
    "Role": "model.message",
    "SQLiteStore": "storage.store",
    "Session": "sessions.session",
    "SessionManager": "sessions.manager",
    "SessionRecord": "model.session",
    "SessionStatus": "model.session",
    "Storage": "storage.interface",
}

__all__ = [
    "Agent",
    "AgentFactory",
    "AgentMode",
    "Cipher",
    "KoreError",
    "ManagerConfig",
    "Message",
    "Role",
    "SQLiteStore",
    "Session",
    "SessionManager",
    "SessionRecord",
    "SessionStatus",
    "Storage",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
