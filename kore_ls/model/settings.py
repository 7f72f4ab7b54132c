"""What a client may set for itself and for the folders it opens (`initializationOptions.kore`)."""

from __future__ import annotations

from attrs import field, frozen

from kore_ls.model.agent_settings import AgentSettings
from kore_ls.model.limits import MAX_INTEGER
from kore_ls.model.message import ToolKind
from kore_ls.model.mode import AgentMode
from kore_ls.model.secret import Secret

KEEP_DAYS = (1, 100_000)
KEEP_BYTES = (1 << 20, MAX_INTEGER)
"""What may be set, from least to most: less would be a slip that costs a history."""


@frozen(kw_only=True)
class UserRule:
    """One of the user's own rules for the permission gate; what it leaves out fits everything.

    `paths` are globs relative to the folder, or absolute; `argv` are a command's first words.
    `unsandboxed`: what it allows is allowed without the sandbox, too.
    """

    answer: str
    modes: tuple[AgentMode, ...] = ()
    kinds: tuple[ToolKind, ...] = ()
    paths: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    unsandboxed: bool = False


@frozen(kw_only=True)
class StoreSettings:
    """What a user wants done to stores now and then; None: nothing is said of it."""

    keep_days: int | None = None
    """Sessions not changed for so many days go for good, pinned, active and running ones never."""
    keep_bytes: int | None = None
    """Beyond so many bytes of text the sessions longest untouched go for good."""
    backups: bool | None = None
    """Whether a store is copied once a day; it is where nothing is said."""


@frozen(kw_only=True)
class ClientSettings:
    """A connection's settings; those about a store count from the connection that opens the store first."""

    storage_dir: str = ".kore"
    """Where a folder's store lives, relative to the folder and inside it."""
    auto_save_interval: int = 30_000
    """Milliseconds."""
    max_sessions: int = 10
    """Loaded sessions; 0 means no limit."""
    evict_idle: bool = True
    session_name_prefix: str | None = None
    """None: by locale, "会话" or "Session"."""
    default_mode: AgentMode = AgentMode.BUILD
    locale: str | None = None
    synchronous: str = "normal"
    trusted: bool | None = None
    """None: the user's own trust list decides."""
    events: bool | tuple[str, ...] = False
    """Whether (or which types of) `kore/event` notifications are wanted."""
    permissions: bool = False
    workspace_symbols: bool = False
    agent: AgentSettings | None = None
    """How sessions are answered that chose nothing else; None: the user's own configuration decides."""
    rules: tuple[UserRule, ...] = ()
    """The user's own rules for the permission gate."""
    lsp_bridge: tuple[str, ...] = ()
    """Which `kore/lsp/<name>` requests the client answers."""
    secret: Secret = field(factory=Secret)
    """What opens encrypted stores; with it, new stores are made encrypted."""
    indexed_messages: int = 200_000
    """How many messages of an encrypted store a search holds indexed in memory; older ones are read one by one."""
    keep_days: int | None = None
    """See `StoreSettings`; None: the user's own configuration decides."""
    keep_bytes: int | None = None
    backups: bool | None = None
