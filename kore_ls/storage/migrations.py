"""The schema as numbered steps, only ever appended to; each runs once, in its own transaction.

No statement needs more than SQLite 3.31.
"""

from __future__ import annotations

import sqlite3
from functools import cache

from kore_ls.errors import StoreDamaged, UnsupportedStore

APPLICATION_ID = 0x4B4F5245
"""`KORE` in the file's header: tells our files from other programs'."""

_FIRST = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    """CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        num INTEGER NOT NULL UNIQUE,
        name TEXT NOT NULL,
        agent_mode TEXT NOT NULL,
        status TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        metadata JSON,
        tags JSON,
        description TEXT,
        pinned INTEGER NOT NULL DEFAULT 0,
        archived INTEGER NOT NULL DEFAULT 0,
        deleted_at INTEGER,
        hidden INTEGER NOT NULL DEFAULT 0,
        hidden_at INTEGER,
        imported INTEGER NOT NULL DEFAULT 0,
        parent_id TEXT,
        forked_at_seq INTEGER,
        message_count INTEGER NOT NULL DEFAULT 0,
        last_seq INTEGER NOT NULL DEFAULT 0,
        last_role TEXT,
        last_preview TEXT,
        last_timestamp INTEGER,
        usage JSON,
        agent JSON,
        config JSON
    )""",
    """CREATE INDEX idx_sessions_listed ON sessions (pinned DESC, updated_at DESC, id DESC)
        WHERE hidden = 0 AND deleted_at IS NULL AND archived = 0""",
    """CREATE INDEX idx_sessions_archived ON sessions (pinned DESC, updated_at DESC, id DESC)
        WHERE hidden = 0 AND deleted_at IS NULL AND archived = 1""",
    """CREATE INDEX idx_sessions_deleted ON sessions (pinned DESC, updated_at DESC, id DESC)
        WHERE hidden = 0 AND deleted_at IS NOT NULL""",
    "CREATE INDEX idx_sessions_hidden ON sessions (hidden) WHERE hidden <> 0",
    """CREATE TABLE messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        session_id TEXT NOT NULL,
        role TEXT NOT NULL,
        content TEXT NOT NULL,
        timestamp INTEGER NOT NULL,
        metadata JSON,
        uid TEXT NOT NULL,
        seq INTEGER NOT NULL,
        turn_id TEXT,
        state TEXT,
        thinking TEXT,
        tool_calls INTEGER NOT NULL DEFAULT 0,
        UNIQUE (session_id, uid),
        FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE
    )""",
    "CREATE UNIQUE INDEX idx_messages_session_id ON messages (session_id, seq)",
    "CREATE INDEX idx_messages_timestamp ON messages (timestamp)",
    """CREATE TABLE tool_calls (
        message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        id TEXT NOT NULL,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        title TEXT NOT NULL,
        arguments JSON NOT NULL,
        status TEXT NOT NULL,
        result JSON,
        started_at INTEGER,
        ended_at INTEGER,
        PRIMARY KEY (message_id, position)
    ) WITHOUT ROWID""",
    # Numbers only grow without AUTOINCREMENT too: the newest row is never deleted.
    "CREATE TABLE changes (n INTEGER PRIMARY KEY, writer TEXT NOT NULL, session_id TEXT, kind TEXT)",
)

_KEYS = (
    """CREATE TABLE keys (
        key_id INTEGER PRIMARY KEY,
        kdf TEXT NOT NULL,
        cost TEXT NOT NULL,
        salt BLOB NOT NULL,
        wrapped BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        used INTEGER NOT NULL DEFAULT 0
    )""",
)

_TURNS = (
    """CREATE TABLE turns (
        num INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
        state TEXT NOT NULL,
        stop_reason TEXT,
        started_at INTEGER NOT NULL,
        ended_at INTEGER,
        first_seq INTEGER NOT NULL,
        last_seq INTEGER,
        changed_files JSON
    )""",
    "CREATE INDEX idx_turns_session_id ON turns (session_id, num)",
    "CREATE INDEX idx_turns_running ON turns (session_id) WHERE state = 'running'",
    "CREATE INDEX idx_sessions_running ON sessions (id) WHERE status = 'running'",
    """CREATE TABLE drafts (
        turn_id TEXT PRIMARY KEY REFERENCES turns (id) ON DELETE CASCADE,
        session_id TEXT NOT NULL,
        message_id TEXT NOT NULL,
        content TEXT NOT NULL,
        thinking TEXT,
        tool_calls JSON
    )""",
    """CREATE TABLE leases (
        session_id TEXT PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
        epoch INTEGER NOT NULL,
        owner TEXT,
        host TEXT,
        boot_id TEXT,
        pid INTEGER,
        started TEXT,
        expires_at INTEGER
    )""",
    "CREATE INDEX idx_leases_held ON leases (owner) WHERE owner IS NOT NULL",
    """CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
        turn_id TEXT NOT NULL,
        tool_call JSON NOT NULL,
        agent_mode TEXT NOT NULL,
        decision TEXT NOT NULL,
        rule TEXT NOT NULL,
        outcome TEXT,
        timestamp INTEGER NOT NULL
    )""",
    "CREATE INDEX idx_audit_session_id ON audit (session_id, id)",
    """CREATE TABLE file_contents (
        name TEXT PRIMARY KEY,
        content BLOB NOT NULL
    )""",
    """CREATE TABLE file_snapshots (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        turn_id TEXT NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
        path TEXT NOT NULL,
        before TEXT,
        after TEXT,
        kept INTEGER NOT NULL,
        taken_at INTEGER NOT NULL
    )""",
    "CREATE INDEX idx_file_snapshots_turn_id ON file_snapshots (turn_id)",
    "CREATE INDEX idx_file_snapshots_before ON file_snapshots (before)",
    "CREATE INDEX idx_file_snapshots_taken_at ON file_snapshots (taken_at)",
)

_AGENT_NOTES = (
    """CREATE TABLE agent_notes (
        session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        content TEXT NOT NULL,
        PRIMARY KEY (session_id, name)
    )""",
)

_FILE_MODES = ("ALTER TABLE file_snapshots ADD COLUMN mode INTEGER",)

_WAITING = (
    """CREATE TABLE prompts (
        num INTEGER PRIMARY KEY AUTOINCREMENT,
        turn_id TEXT NOT NULL UNIQUE,
        session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
        content TEXT NOT NULL,
        context JSON,
        owner TEXT NOT NULL,
        host TEXT NOT NULL,
        boot_id TEXT NOT NULL,
        pid INTEGER NOT NULL,
        started TEXT NOT NULL,
        queued_at INTEGER NOT NULL
    )""",
    "CREATE INDEX idx_prompts_session_id ON prompts (session_id, num)",
    """CREATE TABLE todos (
        session_id TEXT PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
        items JSON NOT NULL
    )""",
)

_HISTORY_FILES = (
    """CREATE TABLE history_files (
        name TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        sessions INTEGER NOT NULL
    ) WITHOUT ROWID""",
)

_OUTPUTS = (
    """CREATE TABLE outputs (
        name TEXT PRIMARY KEY,
        content BLOB NOT NULL
    )""",
    "ALTER TABLE tool_calls ADD COLUMN output TEXT REFERENCES outputs (name)",
    "CREATE INDEX idx_tool_calls_output ON tool_calls (output) WHERE output IS NOT NULL",
)

_ATTACHMENTS = (
    """CREATE TABLE attached_texts (
        name TEXT PRIMARY KEY,
        content BLOB NOT NULL
    )""",
    """CREATE TABLE attachments (
        message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        name TEXT NOT NULL REFERENCES attached_texts (name),
        PRIMARY KEY (message_id, name)
    ) WITHOUT ROWID""",
    "CREATE INDEX idx_attachments_name ON attachments (name)",
)

SHADOWS = {
    "config": "(k PRIMARY KEY, v) WITHOUT ROWID",
    "data": "(id INTEGER PRIMARY KEY, block BLOB)",
    "docsize": "(id INTEGER PRIMARY KEY, sz BLOB)",
    "idx": "(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID",
}
"""The tables that FTS5 makes for each of its own; the same since its first version."""
SEARCH_TABLES = {
    name: f"CREATE VIRTUAL TABLE {name} USING fts5(text, whole, content='', tokenize='ascii')"
    for name in ("messages_fts", "sessions_fts")
}
"""The search index; it may be missing, as it is made and filled after the fact and never holds the only copy."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    *(_FIRST, _KEYS, _TURNS, _FILE_MODES, _AGENT_NOTES, _WAITING, _HISTORY_FILES, _OUTPUTS, _ATTACHMENTS),
)
SCHEMA_VERSION = len(MIGRATIONS)


def migrate(db: sqlite3.Connection) -> None:
    """Bring an open file to SCHEMA_VERSION. Raises UnsupportedStore for a newer one, StoreDamaged for odd entries."""
    check_schema(db)
    for number, statements in enumerate(MIGRATIONS, start=1):
        if user_version(db) >= number:
            continue
        db.execute("BEGIN IMMEDIATE")
        try:
            if user_version(db) < number:  # another process may have been faster
                for statement in statements:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {number}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


def check_schema(db: sqlite3.Connection) -> None:
    """Raise UnsupportedStore unless the file's version is one we know, StoreDamaged unless its schema is exactly ours.

    Writes nothing. A trigger that somebody added would run with our writes.
    """
    db.execute("BEGIN")
    try:
        version = user_version(db)
        entries = _entries(db)
    finally:
        if db.in_transaction:
            db.execute("COMMIT")
    if not 0 <= version <= SCHEMA_VERSION:
        raise UnsupportedStore("the store was written by a newer version of Kore LS", version=version)
    if entries - _search_entries() != _expected(version):
        raise StoreDamaged("the store's schema is not the one Kore LS made", reason="schema")


def user_version(db: sqlite3.Connection) -> int:
    """How many migrations the file has seen."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _entries(db: sqlite3.Connection) -> frozenset[tuple[str, str, str, str | None]]:
    rows = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    return frozenset((str(t), str(n), str(b), s) for t, n, b, s in rows if not _is_internal(str(t), str(n)))


def _is_internal(kind: str, name: str) -> bool:
    """SQLite's own tables and indexes, which come and go; nothing that runs is among them."""
    return kind in ("table", "index") and name.startswith("sqlite_")


@cache
def _search_entries() -> frozenset[tuple[str, str, str, str | None]]:
    """Known by heart, as an SQLite without FTS5 could not make them."""
    tables = dict(SEARCH_TABLES)
    for name in SEARCH_TABLES:
        tables |= {f"{name}_{end}": f"CREATE TABLE '{name}_{end}'{columns}" for end, columns in SHADOWS.items()}
    return frozenset(("table", name, name, definition) for name, definition in tables.items())


@cache
def _expected(version: int) -> frozenset[tuple[str, str, str, str | None]]:
    db = sqlite3.connect(":memory:")
    try:
        for statements in MIGRATIONS[:version]:
            for statement in statements:
                db.execute(statement)
        return _entries(db)
    finally:
        db.close()
