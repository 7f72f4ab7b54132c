"""A store's key and what a user keeps besides the store: no copy tells more than the store itself, whatever happens."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from kore_ls.agents.quiet import quiet_agent
from kore_ls.errors import StoreLocked, WrongKey
from kore_ls.model.ids import SessionId
from kore_ls.model.settings import ClientSettings
from kore_ls.sessions import store_keys
from kore_ls.sessions.app import App
from kore_ls.sessions.folder import Folder
from kore_ls.storage.backups import BackupShelf, content_of
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.convert import convert
from kore_ls.storage.store import SQLiteStore
from kore_ls.storage.unlocking import Access
from tests.ciphers import CHEAP, cipher_of
from tests.project.source import ROOT
from tests.storage.canaries import WORDS, plant, seen_in
from tests.storage.values import record

CANARY = SessionId("canary")


@asynccontextmanager
async def opened(state_home: Path, path: Path, passphrase: str = "") -> AsyncIterator[Folder]:
    """The folder as a process has it open; with a passphrase its store is unlocked, if there is one."""
    app = App(state_home, quiet_agent, CHEAP)
    folder = app.enter(path, ClientSettings())
    try:
        if (cipher := cipher_of(passphrase)) is not None:
            await store_keys.unlock(folder, cipher)
        yield folder
    finally:
        await app.close()


async def planted(folder: Folder) -> None:
    storage = folder.manager.storage
    assert isinstance(storage, SQLiteStore)
    await plant(storage)
    await folder.backups.keep("daily")
    view = folder.directory / "view" / "x-1.md"
    view.parent.mkdir()
    view.write_text(WORDS[0], encoding="utf-8")


def shown(folder: Path, state_home: Path) -> set[str]:
    """The words that can be read somewhere, beside the store or in the user's own state."""
    return seen_in(folder / ".kore") | seen_in(state_home)


async def killed_at(folder: Path, old: str, new: str, step: str) -> None:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.sessions.encrypt_child", str(folder), old, new, step), cwd=ROOT
    )
    assert await child.wait() == -9


@pytest.mark.parametrize(
    "step",
    [
        "switched",
        *(
            pytest.param(step, marks=pytest.mark.slow)
            for step in ("copying", "copied", "kept", "locked", "caught up", "writing", "swept")
        ),
    ],
)
async def test_killed_while_it_encrypts_no_plain_copy_was_added_and_none_outlives_the_next_opening(
    folder: Path, state_home: Path, step: str
) -> None:
    """Opened without the key: that its user encrypted it, the copy of the encrypted store tells."""
    async with opened(state_home, folder) as before:
        await planted(before)
        daily = before.backups.shelf.backups()
    assert shown(folder, state_home) == set(WORDS)
    await killed_at(folder, "", "new", step)
    async with opened(state_home, folder) as found:
        plain = [each for each in found.backups.shelf.backups() if not content_of(each).encrypted]
        assert plain in ([], daily)
        encrypted = (await found.status())[0].encrypted
        assert encrypted or step not in ("switched", "swept")
    if not encrypted:
        assert plain == daily
        async with opened(state_home, folder) as again:
            cipher = cipher_of("new")
            assert cipher is not None
            await store_keys.encrypt(again, cipher)
    assert shown(folder, state_home) == set()
    async with opened(state_home, folder, "new") as after:
        assert (await after.manager.storage.load_session(CANARY)).name == "kanarienname"
        assert [content_of(each).messages for each in after.backups.shelf.backups()] == [22]


async def test_copies_from_where_the_folder_was_before_go_too(folder: Path, state_home: Path) -> None:
    """Moved by its user, and then encrypted; what was copied of another folder's store, or of a twin's, stays."""
    twin, other, moved = (folder.with_name(name) for name in ("twin", "other", "moved"))
    other.mkdir()
    async with opened(state_home, folder) as before, opened(state_home, other) as apart:
        await planted(before)
        await planted(apart)
    shutil.copytree(folder, twin)
    async with opened(state_home, twin) as there:
        await there.backups.keep("daily")
    shutil.rmtree(other / ".kore")
    folder.rename(moved)
    cipher = cipher_of("new")
    assert cipher is not None
    async with opened(state_home, moved) as now:
        await store_keys.encrypt(now, cipher)
    assert BackupShelf(state_home, folder).backups() == []
    assert [len(BackupShelf(state_home, each).backups()) for each in (twin, other, moved)] == [1, 1, 1]


@pytest.mark.slow
async def test_killed_after_a_new_key_was_made_no_copy_stays_that_the_former_key_opens(
    folder: Path, state_home: Path
) -> None:
    async with opened(state_home, folder, "old") as before:
        await planted(before)
        former = {each.id for each in before.backups.shelf.backups()}
    await killed_at(folder, "old", "new", "switched")
    async with opened(state_home, folder, "new") as after:
        assert former & {each.id for each in after.backups.shelf.backups()} == set()
        assert [each.reason for each in after.backups.shelf.backups()] == ["encrypted"]


async def test_copies_that_are_the_store_s_own_or_another_s_stay(folder: Path, state_home: Path) -> None:
    """Those of a store that was lost in this folder, and those that the key opens, though its own was renewed."""
    async with opened(state_home, folder) as lost:
        await planted(lost)
    shutil.rmtree(folder / ".kore")
    async with opened(state_home, folder, "word") as made:
        await made.manager.storage.create_session(record("mine"))
        await made.backups.keep("daily")
        cipher = cipher_of("word")
        assert cipher is not None
        await made.manager.storage.encryption.rekey(cipher, cipher)
    async with opened(state_home, folder, "word") as again:
        kept = [content_of(each) for each in again.backups.shelf.backups()]
        assert [(each.sessions, each.encrypted) for each in kept] == [(1, True), (1, False)]


async def test_a_locked_store_lets_no_copy_go(folder: Path, state_home: Path) -> None:
    """Whoever can write in the folder could put a locked store there, and nobody would have anything."""
    async with opened(state_home, folder) as before:
        await planted(before)
    convert(folder / ".kore" / "sessions.db", Access(), Cipher("theirs", cost=CHEAP), 1)
    async with opened(state_home, folder) as locked:
        with pytest.raises(StoreLocked):
            await locked.manager.storage.load_session(CANARY)
        assert len(locked.backups.shelf.backups()) == 1
        assert not (locked.directory / "view").exists()


EMPTIED = (
    "DELETE FROM keys; DELETE FROM messages; DELETE FROM sessions; DELETE FROM meta WHERE key = 'store_generation'"
)


@pytest.mark.parametrize("how", ["emptied", "lost"])
async def test_a_store_that_was_encrypted_takes_nothing_plain_until_its_user_says_so(
    folder: Path, state_home: Path, how: str
) -> None:
    """Whoever can write in the folder took out the key with all that shows it, and no key is configured here."""
    store = folder / ".kore" / "sessions.db"
    async with opened(state_home, folder, "word") as before:
        await before.manager.storage.create_session(record("mine"))
    if how == "emptied":
        with closing(sqlite3.connect(store)) as db:
            db.executescript(EMPTIED)
    else:
        store.unlink()
    async with opened(state_home, folder) as after:
        with pytest.raises(StoreLocked) as refused:
            await after.manager.create_session("secret")
        assert refused.value.params["plain"] is True
        await store_keys.unlock(after, None, plain=True)
        await after.manager.create_session("not secret")
    async with opened(state_home, folder) as again:
        await again.manager.create_session("not secret either")


async def test_a_store_that_its_user_decrypted_is_written_by_every_server(folder: Path, state_home: Path) -> None:
    async with opened(state_home, folder, "word") as here:
        await here.manager.create_session("one")
        async with opened(state_home, folder, "word") as there:
            assert len(await there.manager.list_sessions()) == 1
            cipher = cipher_of("word")
            assert cipher is not None
            await store_keys.decrypt(there, cipher)
    async with opened(state_home, folder) as later:
        await later.manager.create_session("two")


async def test_a_change_that_fails_leaves_no_copy(folder: Path, state_home: Path) -> None:
    async with opened(state_home, folder, "right") as made:
        await made.manager.storage.create_session(record("mine"))
        wrong = cipher_of("wrong")
        assert wrong is not None
        for change in (
            store_keys.encrypt(made, wrong),
            store_keys.rekey(made, wrong, wrong),
            store_keys.decrypt(made, wrong),
        ):
            with pytest.raises(WrongKey):
                await change
        assert made.backups.shelf.backups() == []
