"""Every error that Kore LS reports to a caller, as one tree; imports nothing of ours.

A `kind` is a stable word that clients switch on, `code` the JSON-RPC number, `params` the facts that let a client
word the error in its user's language. Texts and params never contain what a user or an agent wrote.
"""

from __future__ import annotations

from typing import ClassVar


class KoreError(Exception):
    """The root of the tree: a failure that the caller can understand and act on."""

    kind: ClassVar[str] = "internal"
    code: ClassVar[int] = -32603
    text: ClassVar[str] = "internal error"

    def __init__(self, message: str | None = None, **params: object) -> None:
        self.message = message or self.text
        self.params = {key: value for key, value in params.items() if value is not None}
        super().__init__(self.message)


class InvalidParams(KoreError):
    """The request's params break the contract; `problems` names each place, `params.mode: ...`."""

    kind, code, text = "invalidParams", -32602, "invalid params"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("invalid params: " + "; ".join(problems[:3]))
        self.problems = problems


class SessionNotFound(KoreError, LookupError):
    """No visible session has this id in the folders the caller may see."""

    kind, code, text = "sessionNotFound", -31001, "session not found"


class MessageNotFound(KoreError, LookupError):
    """The session has no message with this id."""

    kind, code, text = "messageNotFound", -31002, "message not found"


class TurnNotFound(KoreError, LookupError):
    """No turn has this id."""

    kind, code, text = "turnNotFound", -31003, "turn not found"


class SessionClosed(KoreError):
    """The session is closed; switching to it reopens it."""

    kind, code, text = "sessionClosed", -31004, "the session is closed; switch to it to reopen it"


class SessionBusy(KoreError):
    """A turn is running in the session."""

    kind, code, text = "sessionBusy", -31005, "the session is busy"


class SessionExists(KoreError):
    """A session with this id is already stored (`deleted` in params: it is a deleted, restorable one)."""

    kind, code, text = "sessionExists", -31006, "a session with this id already exists"


class SessionLimitReached(KoreError):
    """`max_sessions` sessions are loaded and none of them may be unloaded."""

    kind, code, text = "sessionLimit", -31007, "maximum session limit reached"


class BadTransition(KoreError):
    """The session's status does not allow this step."""

    kind, code, text = "badTransition", -31008, "the session's status does not allow this"


class FolderRequired(KoreError):
    """Several workspace folders are open and the request names none, or an id lives in two of them."""

    kind, code, text = "folderRequired", -31009, "name a workspace folder"


class FolderNotFound(KoreError, LookupError):
    """This connection has not opened the folder."""

    kind, code, text = "folderNotFound", -31010, "the workspace folder is not open"


class StoreLocked(KoreError):
    """The store needs its key (or, `plain` in params, its user's word) before it can be used."""

    kind, code, text = "storeLocked", -31011, "the store is locked"


class WrongKey(KoreError):
    """The key does not open the store."""

    kind, code, text = "wrongKey", -31012, "the key does not open the store"


class StoreDamaged(KoreError):
    """The store's file is damaged or is not what we wrote; it is left as it is."""

    kind, code, text = "storeDamaged", -31013, "the store is damaged"


class StoreForeign(KoreError):
    """The store was not made by this user; it is never opened in place, only adopted."""

    kind, code, text = "storeForeign", -31014, "the store in this folder was not made by you; adopt it to use it"


class StoreReadOnly(KoreError):
    """The store can be read but not written."""

    kind, code, text = "storeReadOnly", -31015, "the store is read-only"


class StoreBusy(KoreError):
    """Another process holds the store's write lock for too long."""

    kind, code, text = "storeBusy", -31016, "the store is busy; try again"


class StoreFull(KoreError):
    """The disk is full or a size limit is reached; nothing was stored."""

    kind, code, text = "storeFull", -31017, "no space left to store this"


class UnsupportedStore(KoreError):
    """The store was written by a newer Kore LS, or is some other program's file."""

    kind, code, text = "unsupportedStore", -31018, "the store's format is not supported"


class ImportInvalid(KoreError):
    """The document can't be imported; `place` in params says where, nothing was stored."""

    kind, code, text = "importInvalid", -31019, "the document can't be imported"


class AgentUnavailable(KoreError):
    """The agent backend is not installed, not configured or unknown."""

    kind, code, text = "agentUnavailable", -31020, "the agent is not available"


class AuthRequired(KoreError):
    """The agent backend needs a key or a login."""

    kind, code, text = "authRequired", -31021, "the agent needs a key"


class AgentFailed(KoreError):
    """The agent stopped with an error."""

    kind, code, text = "agentFailed", -31022, "the agent failed"


class LeaseHeld(KoreError):
    """Another server process is working in the session; `holder` in params names it."""

    kind, code, text = "leaseHeld", -31023, "another process is working in this session"


def error_tree() -> list[type[KoreError]]:
    """All error classes in order of their codes, for the reference and for tests."""
    return sorted(KoreError.__subclasses__(), key=lambda cls: -cls.code)
