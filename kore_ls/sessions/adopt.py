"""Adopting a foreign store: its valid rows move into a new store of this user's; the old files are set aside."""

from __future__ import annotations

import asyncio

from kore_ls.errors import StoreForeign
from kore_ls.model.bundle import OnConflict
from kore_ls.model.ids import new_id, now_ms
from kore_ls.sessions.documents.import_document import parse_rows
from kore_ls.sessions.folder import DATABASE, Folder
from kore_ls.storage.foreign_reader import ForeignContent, read_foreign
from kore_ls.storage.home import set_aside


async def adopt(folder: Folder) -> list[str]:
    """Make the folder's foreign store the user's own; the problems found. A store that is ours stays as it is.

    An encrypted one is read with the key that is configured, and the new one is encrypted as well. Raises StoreForeign
    where the store can't even be looked at (links), StoreLocked, ImportInvalid where it can't be read.
    """
    async with folder.adopting:
        try:
            folder.home.check()
        except StoreForeign as error:
            if error.params.get("reason") == "link":
                raise
        else:
            return []
        content = await asyncio.to_thread(_content, folder)
        bundles, problems = parse_rows(content.sessions, now=now_ms(), new_id=new_id)
        await asyncio.to_thread(set_aside, folder.directory)
        await asyncio.to_thread(folder.home.prepare)
        for start in range(0, len(bundles), 100):
            await folder.manager.import_bundles(bundles[start : start + 100], OnConflict.SKIP)
        return [*content.problems, *problems]


def _content(folder: Folder) -> ForeignContent:
    database = folder.directory / DATABASE
    if not database.exists():  # only a journal was shipped: nothing to take over, and nothing of it may be used
        return ForeignContent(sessions=[], problems=[])
    return read_foreign(database, folder.manager.storage.encryption.ciphers)
