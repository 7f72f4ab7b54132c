"""Writes the search index anew, bit by bit, without the words that nothing holds any more. Run inside a transaction."""

from __future__ import annotations

import sqlite3

from kore_ls.storage.codec import codec_of
from kore_ls.storage.search_index import index_work, reach


def merge_step(db: sqlite3.Connection, table: str, pages: int, *, begin: bool) -> bool:
    """Write some pages of the index anew as one part, without what was taken out; whether there is more to do.

    Only then are words gone that nothing holds any more. Raises StoreDamaged (reason "index").
    """
    if codec_of(db) is not None or reach(db) is None:
        return False
    before = db.total_changes
    with index_work(db):  # a negative number begins it anew with all parts
        if begin:  # merged, a damaged part would be lost, and nobody would ever notice
            db.execute(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')")
        db.execute(f"INSERT INTO {table} ({table}, rank) VALUES ('merge', ?)", (-pages if begin else pages,))
    return db.total_changes - before > 1  # see "merge" in the documentation of FTS5
