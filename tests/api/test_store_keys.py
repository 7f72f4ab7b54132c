"""kore/store/unlock, lock, encrypt, decrypt, rekey: who can read a store, and what everybody else is told."""

from __future__ import annotations

import asyncio
import base64
import shutil
import sys
from pathlib import Path

import pytest

from kore_ls.api import TABLE
from kore_ls.model.secret import Secret
from kore_ls.storage.cipher import Cipher, Cost
from kore_ls.storage.store import SQLiteStore
from tests.api.params import good_params
from tests.client import Client, Connect, Json, Refused
from tests.storage.values import message
from tests.words_in_files import files_with

KEY = f"base64:{base64.b64encode(bytes(range(32))).decode()}"
WORD = "kanarienvogel"


@pytest.fixture
async def kept(client: Client) -> str:
    """A session with a message, in a plain store."""
    session = await client.create(name=WORD)
    await client.add(session["id"], f"{WORD} 金丝雀")
    return str(session["id"])


def shown(folder: Path) -> bool:
    return bool(files_with(folder / ".kore", WORD))


async def hits(client: Client, query: str = WORD) -> int:
    return len((await client.call("kore/session/search", {"query": query}))["hits"])


async def test_a_store_is_encrypted_and_goes_on_as_before(client: Client, folder: Path, kept: str) -> None:
    assert shown(folder)
    status = await client.call("kore/store/encrypt", {"passphrase": "secret", "workDoneToken": "t"})
    assert (status["encrypted"], status["locked"], status["messages"]) == (True, False, 1)
    assert not shown(folder)
    assert "secret" not in str(status)
    assert await client.contents(kept) == [f"{WORD} 金丝雀"]
    assert await hits(client) == await hits(client, "金丝雀") == 1
    await client.add(kept, WORD)
    assert not shown(folder)


async def test_progress_is_told(client: Client, kept: str) -> None:
    client.heard.clear()
    await client.call("kore/store/encrypt", {"passphrase": "secret", "workDoneToken": "t"})
    kinds = [each["params"]["value"]["kind"] for each in client.heard if each["method"] == "$/progress"]
    assert kinds[0] == "begin" and kinds[-1] == "end" and "report" in kinds


async def test_the_indexing_after_an_unlock_is_told_and_can_be_cancelled(client: Client, kept: str) -> None:
    for number in range(300):
        await client.add(kept, f"message {number}")
    await client.call("kore/store/encrypt", {"passphrase": "secret"})
    for cancelled in (True, False):
        await client.call("kore/store/lock")
        client.heard.clear()
        work = asyncio.create_task(client.call("kore/store/unlock", {"passphrase": "secret", "workDoneToken": "t"}))
        if cancelled:
            await client.wait(lambda method, params: method == "$/progress" and params["value"]["kind"] == "report")
            work.cancel()
        await asyncio.wait([work])
        assert client.heard[-1]["params"] == {"token": "t", "value": {"kind": "end"}}
        status = await client.call("kore/store/status")
        assert (status["locked"], await hits(client)) == (False, 1)
        assert cancelled or (work.result()["indexedMessages"], status["messages"]) == (301, 301)


ANSWERED_WITHOUT_THE_KEY = {
    *("kore/session/save", "kore/history/scan", "kore/agent/list", "kore/agent/setKey"),
    *("kore/permission/list", "kore/permission/rules", "kore/permission/revoke", "kore/permission/answer"),
    *("kore/store/status", "kore/store/adopt", "kore/store/backups", "kore/store/lock", "kore/store/unlock"),
    *("kore/store/encrypt", "kore/store/decrypt", "kore/store/rekey", "kore/event/subscribe", "kore/event/unsubscribe"),
}
"""What tells nothing of a store's content."""
MORE: dict[str, Json] = {
    "kore/session/delete": {"sessionId": "nobody"},
    "kore/session/restore": {"sessionId": "nobody"},
    "kore/session/import": {"document": {"format": "kore-session", "version": 1, "id": "x", "messages": []}},
    "kore/store/backup": {"path": "copy.db"},
    "kore/history/export": {"directory": "copies"},
}
"""What besides the required params makes a request one that could be answered."""


async def test_no_method_tells_of_a_locked_store(client: Client, kept: str) -> None:
    await client.call("kore/store/encrypt", {"key": KEY})
    await client.call("kore/store/lock")
    locked = set()
    for method in TABLE:
        try:
            answer = await client.call(method, good_params(method, kept) | MORE.get(method, {}))
            assert WORD not in str(answer), method
        except Refused as error:
            assert WORD not in str(error), method
            if error.kind == "storeLocked":
                locked.add(method)
    assert locked == set(TABLE) - ANSWERED_WITHOUT_THE_KEY


async def test_a_locked_store_says_so_to_everything_until_it_is_unlocked(client: Client, kept: str) -> None:
    await client.call("kore/store/encrypt", {"key": KEY})
    client.heard.clear()
    status = await client.call("kore/store/lock")
    assert (status["encrypted"], status["locked"]) == (True, True)
    assert client.event_types() == ["store.locked"]
    for method, params in (
        ("kore/session/list", {}),
        ("kore/session/get", {"sessionId": kept}),
        ("kore/session/get", {"sessionId": "nobody"}),
        ("kore/session/create", {}),
        ("kore/session/search", {"query": WORD}),
        ("kore/message/add", {"sessionId": kept, "role": "user", "content": "x"}),
        ("kore/session/export", {"sessionId": kept}),
        ("kore/turn/start", {"sessionId": kept, "prompt": "x"}),
        ("kore/turn/revert", {"turnId": "any"}),
        ("kore/session/rewind", {"sessionId": kept, "messageId": "any"}),
        ("kore/store/retention", {"keepDays": 1}),
    ):
        error = await client.refused(method, params)
        assert error.kind == "storeLocked", method
        assert "unlock" in error.message
    assert (await client.refused("kore/store/unlock", {"passphrase": "wrong"})).kind == "wrongKey"
    assert (await client.call("kore/store/unlock", {"key": KEY}))["locked"] is False
    assert await client.contents(kept) == [f"{WORD} 金丝雀"]


async def test_a_key_is_changed_and_taken_off(client: Client, folder: Path, kept: str) -> None:
    await client.call("kore/store/encrypt", {"passphrase": "one"})
    error = await client.refused("kore/store/rekey", {"passphrase": "two", "newPassphrase": "three"})
    assert error.kind == "wrongKey"
    await client.call("kore/store/rekey", {"passphrase": "one", "newKey": KEY})
    await client.call("kore/store/lock")
    assert (await client.refused("kore/store/unlock", {"passphrase": "one"})).kind == "wrongKey"
    await client.call("kore/store/unlock", {"key": KEY})
    assert (await client.refused("kore/store/decrypt", {"passphrase": "one"})).kind == "wrongKey"
    status = await client.call("kore/store/decrypt", {"key": KEY})
    assert (status["encrypted"], status["locked"]) == (False, False)
    assert shown(folder)
    assert await hits(client) == 1


@pytest.mark.parametrize("rewrap", [False, True])
async def test_a_plain_store_has_no_key_to_change_and_is_not_encrypted_by_that(
    client: Client, folder: Path, kept: str, rewrap: bool
) -> None:
    keys = {"passphrase": "never was", "newPassphrase": "typo", "rewrap": rewrap}
    assert (await client.refused("kore/store/rekey", keys)).kind == "wrongKey"
    assert (await client.call("kore/store/status"))["encrypted"] is False
    assert await hits(client) == 1


async def test_a_passphrase_is_changed_without_encrypting_anew(client: Client, kept: str) -> None:
    await client.call("kore/store/encrypt", {"passphrase": "one"})
    await client.call("kore/store/rekey", {"passphrase": "one", "newPassphrase": "two", "rewrap": True})
    await client.call("kore/store/lock")
    assert (await client.refused("kore/store/unlock", {"passphrase": "one"})).kind == "wrongKey"
    await client.call("kore/store/unlock", {"passphrase": "two"})
    assert await client.contents(kept) == [f"{WORD} 金丝雀"]


@pytest.mark.parametrize("method", ["unlock", "encrypt", "decrypt", "rekey"])
async def test_a_key_has_to_be_given_and_only_one(client: Client, method: str) -> None:
    for params in ({}, {"passphrase": "x", "key": KEY}):
        error = await client.refused(f"kore/store/{method}", params)
        assert error.problems == ["params.passphrase: give either passphrase or key"]
    error = await client.refused("kore/store/rekey", {"passphrase": "x"})
    assert error.problems == ["params.newPassphrase: give either newPassphrase or newKey"]


async def test_with_a_key_configured_a_new_store_is_encrypted(connect: Connect, folder: Path) -> None:
    client = await connect(folder, secret=Secret(passphrase="secret"))
    session = await client.create(name=WORD)
    assert (await client.call("kore/store/status"))["encrypted"] is True
    assert not shown(folder)
    assert (await client.call("kore/session/export", {"sessionId": session["id"]}))["plain"] is True


async def test_with_a_key_configured_a_plain_store_is_read_but_not_written(
    client: Client, connect: Connect, folder: Path, kept: str
) -> None:
    await client.workspace.close()
    other = await connect(folder, secret=Secret(passphrase="secret"))
    assert await other.contents(kept) == [f"{WORD} 金丝雀"]
    error = await other.refused("kore/session/create", {})
    assert (error.kind, error.params) == ("storeLocked", {"plain": True})
    assert (await other.call("kore/store/status"))["locked"] is True
    assert (await other.call("kore/store/unlock", {"plain": True}))["locked"] is False
    await other.create()
    assert (await other.call("kore/store/encrypt", {"passphrase": "secret"}))["encrypted"] is True


async def test_a_folder_that_is_locked_is_named_among_others(connect: Connect, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    client = await connect(folder, tmp_path / "other")
    for each in (folder, tmp_path / "other"):
        await client.create(folder=each.as_uri(), name=WORD)
    await client.call("kore/store/encrypt", {"folder": folder.as_uri(), "passphrase": "secret"})
    await client.call("kore/store/lock", {"folder": folder.as_uri()})
    for method, params in (("kore/session/list", {}), ("kore/session/search", {"query": WORD})):
        assert (await client.call(method, params))["lockedFolders"] == [folder.as_uri()]


async def test_another_process_s_encryption_locks_the_store_here(client: Client, folder: Path, kept: str) -> None:
    other = SQLiteStore(folder / ".kore" / "sessions.db")
    await other.encryption.encrypt(Cipher("secret", cost=Cost(n=2, r=1, p=1)))
    assert (await client.event("store.locked"))["data"] == {"sessions": [], "kinds": []}
    assert (await client.refused("kore/session/get", {"sessionId": kept})).kind == "storeLocked"
    await client.call("kore/store/unlock", {"passphrase": "secret"})
    await other.add_message(message(kept, "more"))
    await client.event("store.changed")
    assert len(await client.contents(kept)) == 2
    await other.close()


async def test_copies_of_sessions_as_text_go_when_the_store_is_encrypted(
    client: Client, folder: Path, kept: str
) -> None:
    views = folder / ".kore" / "view"
    views.mkdir()
    (views / "x-1.md").write_text(WORD, encoding="utf-8")
    (folder / ".kore" / "damaged-20260101T000000Z").mkdir()
    status = await client.call("kore/store/encrypt", {"passphrase": "secret"})
    assert not views.exists()
    assert status["problems"] == ["damaged-20260101T000000Z: kept aside before, and not encrypted"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it")
async def test_a_process_with_a_key_can_t_be_dumped(client: Client, kept: str) -> None:
    await client.call("kore/store/encrypt", {"passphrase": "secret"})
    import ctypes

    assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0


async def test_cancelling_an_encryption_leaves_a_whole_store(client: Client, kept: str) -> None:
    work = asyncio.create_task(client.call("kore/store/encrypt", {"passphrase": "secret"}))
    await asyncio.sleep(0)
    work.cancel()
    await asyncio.wait([work])
    if (await client.call("kore/store/status"))["locked"]:
        await client.call("kore/store/unlock", {"passphrase": "secret"})
    assert await client.contents(kept) == [f"{WORD} 金丝雀"]


async def test_an_encrypted_store_of_another_machine_is_adopted_with_its_key(
    client: Client, connect: Connect, folder: Path, state_home: Path, kept: str
) -> None:
    await client.call("kore/store/encrypt", {"passphrase": "secret"})
    await client.workspace.close()
    shutil.rmtree(state_home)
    other = await connect(folder)
    error = await other.refused("kore/store/adopt")
    assert error.kind == "storeLocked"
    assert (await other.call("kore/store/status"))["foreign"] is True
    await other.workspace.close()
    mine = await connect(folder, secret=Secret(passphrase="secret"))
    status = await mine.call("kore/store/adopt")
    assert (status["encrypted"], status["messages"], status.get("problems")) == (True, 1, None)
    assert await mine.contents(kept) == [f"{WORD} 金丝雀"]
    assert not shown(folder)


async def test_a_foreign_store_is_unlocked_to_be_adopted(
    client: Client, connect: Connect, folder: Path, state_home: Path, kept: str
) -> None:
    await client.call("kore/store/encrypt", {"passphrase": "secret"})
    await client.workspace.close()
    shutil.rmtree(state_home)
    other = await connect(folder)
    assert (await other.refused("kore/store/unlock", {"passphrase": "wrong"})).kind == "wrongKey"
    status = await other.call("kore/store/unlock", {"passphrase": "secret"})
    assert status["foreign"] is True
    assert (await other.refused("kore/session/get", {"sessionId": kept})).kind == "storeForeign"
    status = await other.call("kore/store/adopt")
    assert (status["encrypted"], status["locked"], status.get("problems")) == (True, False, None)
    assert await other.contents(kept) == [f"{WORD} 金丝雀"]
    assert not shown(folder)


async def test_the_file_of_an_encrypted_store_is_not_imported_without_its_key(
    client: Client, folder: Path, kept: str, connect: Connect, tmp_path: Path
) -> None:
    await client.call("kore/store/encrypt", {"passphrase": "secret"})
    await client.call("kore/store/backup", {"path": "copy.db"})
    (tmp_path / "other").mkdir()
    other = await connect(tmp_path / "other")
    error = await other.refused("kore/session/import", {"path": str(folder / "copy.db")})
    assert error.kind == "storeLocked"


async def test_with_a_key_that_is_none_nothing_is_written_plain(connect: Connect, folder: Path) -> None:
    client = await connect(folder, secret=Secret(unusable=True))
    error = await client.refused("kore/session/create", {"name": WORD})
    assert (error.kind, WORD in str(error)) == ("storeLocked", False)
    assert list(folder.iterdir()) == []
    await client.call("kore/store/encrypt", {"key": KEY})
    await client.create(name=WORD)
    assert not shown(folder)


async def test_with_a_key_that_is_none_a_plain_store_is_read_and_not_written(
    connect: Connect, folder: Path, client: Client, kept: str
) -> None:
    await client.workspace.close()
    other = await connect(folder, secret=Secret(unusable=True))
    assert await other.contents(kept) == [f"{WORD} 金丝雀"]
    error = await other.refused("kore/message/add", {"sessionId": kept, "role": "user", "content": "x"})
    assert error.kind == "storeLocked"
