"""Two server processes on one folder, as two editors make them: both write, each hears of the other."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.raw_client import Message, Process, process
from tests.words_in_files import files_with

COMMAND = (sys.executable, "-m", "kore_ls", "--stdio")
SOON_MS = 1_000


def start(folder: Path, state_home: Path) -> Any:
    """A server process; its user's state is that of this test."""
    return process(COMMAND, env={"XDG_STATE_HOME": str(state_home.parent)})


def result(reply: Message) -> Any:
    assert "result" in reply, reply
    return reply["result"]


def kore(server: Process, method: str, **params: Any) -> Any:
    return result(server.request(f"kore/{method}", params))


def store_changed(server: Process, wanted: Callable[[Message], bool] = lambda _: True) -> Message:
    """Wait for the news that another process changed the store; of one that is new it says only that."""
    event: Message = server.wait(
        lambda message: (
            message.get("method") == "kore/event"
            and message["params"]["type"] == "store.changed"
            and wanted(message["params"]["data"])
        )
    )["params"]
    return event


@pytest.fixture(params=[{}, pytest.param({"passphrase": "secret"}, marks=pytest.mark.slow)], ids=["plain", "encrypted"])
def servers(folder: Path, state_home: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Process, Process]]:
    options = {"kore": {"events": True} | request.param}
    with start(folder, state_home) as one, start(folder, state_home) as two:
        for server in (one, two):
            server.initialize(rootUri=folder.as_uri(), initializationOptions=options)
        yield one, two
        for server in (one, two):
            server.request("shutdown")
            server.notify("exit")
            assert server.exit_code() == 0
            assert server.log() == []


def test_each_hears_of_what_the_other_did_within_a_second(servers: tuple[Process, Process]) -> None:
    """The quickest of a few counts, for the machine may be busy with other things."""
    one, two = servers
    session = kore(one, "session/create", name="shared")
    store_changed(two)
    assert kore(two, "session/current")["id"] == session["id"]
    for writer, reader in ((one, two), (two, one)):
        delays = []
        for n in range(4):
            message = kore(writer, "message/add", sessionId=session["id"], role="user", content=f"第 {n} 句")
            news = store_changed(reader, lambda data: "message.added" in data["kinds"])
            assert news["data"]["sessions"] == [session["id"]]
            assert kore(reader, "message/list", sessionId=session["id"], limit=1)["messages"] == [message]
            delays.append(news["timestamp"] - message["timestamp"])
        assert min(delays) < SOON_MS


def test_what_one_does_by_itself_is_not_told_to_it_as_news(servers: tuple[Process, Process]) -> None:
    one, two = servers
    session = kore(one, "session/create")
    store_changed(two)
    for n in range(50):
        kore(one, "message/add", sessionId=session["id"], role="user", content=str(n))
    store_changed(two, lambda data: "message.added" in data["kinds"])
    kore(two, "session/rename", sessionId=session["id"], name="by two")
    news = store_changed(one)
    assert news["data"] == {"sessions": [session["id"]], "kinds": ["session.updated"]}


def test_both_write_at_once_without_errors_and_nothing_is_lost(servers: tuple[Process, Process]) -> None:
    one, two = servers
    shared = kore(one, "session/create", name="shared")
    written: dict[str, list[Message]] = {}

    def work(name: str, server: Process) -> None:
        own = kore(server, "session/create", name=name)
        calls = []
        for n in range(150):
            for session in (shared, own):
                params = {"sessionId": session["id"], "role": "user", "content": f"{name} {n}"}
                calls.append(server.call("kore/message/add", params))
        server.send(*calls)
        kore(server, "session/fork", sessionId=own["id"])
        kore(server, "session/update", sessionId=shared["id"], metadata={name: 1})
        written[name] = [server.reply(call["id"]) for call in calls]

    threads = [threading.Thread(target=work, args=(name, server)) for name, server in (("a", one), ("b", two))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert written.keys() == {"a", "b"}
    stored = [result(reply) for replies in written.values() for reply in replies]
    in_shared = [message for message in stored if message["sessionId"] == shared["id"]]
    assert sorted(message["seq"] for message in in_shared) == list(range(1, 301))
    for server in (one, two):
        page = kore(server, "message/list", sessionId=shared["id"], limit=1000)
        assert page["messages"] == sorted(in_shared, key=lambda message: message["seq"])
        assert kore(server, "session/get", sessionId=shared["id"])["metadata"] == {"a": 1, "b": 1}
        assert kore(server, "store/check") == {"ok": True, "problems": []}
    assert len(kore(one, "session/list")["sessions"]) == 5


def test_a_session_needed_by_both_at_first_is_there_for_both(servers: tuple[Process, Process]) -> None:
    """The store itself is made by both at once; neither fails."""
    calls = [(server, server.call("kore/session/current", {"create": True})) for server in servers]
    for server, call in calls:
        server.send(call)
    made = [result(server.reply(call["id"])) for server, call in calls]
    listed = {session["id"] for session in kore(servers[0], "session/list")["sessions"]}
    assert {session["id"] for session in made} <= listed
    assert kore(servers[1], "store/check") == {"ok": True, "problems": []}


def test_what_one_closes_deletes_or_replaces_the_other_sees_so(servers: tuple[Process, Process]) -> None:
    one, two = servers
    session = kore(one, "session/create", name="s")
    kore(two, "session/switch", sessionId=session["id"])
    document = kore(two, "session/export", sessionId=session["id"])["document"]
    kore(one, "session/close", sessionId=session["id"])
    error = two.request("kore/message/add", {"sessionId": session["id"], "role": "user", "content": "x"})["error"]
    assert error["data"]["kind"] == "sessionClosed"
    kore(one, "session/import", document=document | {"name": "replaced"}, onConflict="replace")
    assert kore(two, "session/get", sessionId=session["id"])["name"] == "replaced"
    kore(one, "session/delete", sessionId=session["id"], permanent=True)
    assert two.request("kore/session/get", {"sessionId": session["id"]})["error"]["data"]["kind"] == "sessionNotFound"
    assert kore(two, "session/current") == {}


def test_two_folders_in_two_servers_do_not_touch(tmp_path: Path, state_home: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for each in folders:
        each.mkdir()
    with start(folders[0], state_home) as one, start(folders[1], state_home) as two:
        for server, each in ((one, folders[0]), (two, folders[1])):
            server.initialize(rootUri=each.as_uri(), initializationOptions={"kore": {"events": True}})
        session = kore(one, "session/create")
        kore(two, "session/create")
        assert (
            two.request("kore/session/get", {"sessionId": session["id"]})["error"]["data"]["kind"] == "sessionNotFound"
        )
        assert len(kore(two, "session/list")["sessions"]) == 1


def test_what_one_encrypts_is_locked_for_the_other_until_it_has_the_key(folder: Path, state_home: Path) -> None:
    word = "kanarienvogel"
    with start(folder, state_home) as one, start(folder, state_home) as two:
        for server in (one, two):
            server.initialize(rootUri=folder.as_uri(), initializationOptions={"kore": {"events": True}})
        session = kore(one, "session/create", name=word)
        add = {"sessionId": session["id"], "role": "user", "content": word}
        kore(two, "message/add", **add)
        assert kore(one, "store/encrypt", passphrase="secret")["encrypted"] is True
        assert two.request("kore/message/add", add)["error"]["data"]["kind"] == "storeLocked"
        assert two.request("kore/store/unlock", {"passphrase": "no"})["error"]["data"]["kind"] == "wrongKey"
        kore(two, "store/unlock", passphrase="secret")
        kore(two, "message/add", **add)
        assert len(kore(one, "message/list", sessionId=session["id"])["messages"]) == 2
        assert "secret" not in str(one.received) + str(two.received)
        for server in (one, two):
            server.request("shutdown")
            server.notify("exit")
            assert server.exit_code() == 0
            assert not any("secret" in line or word in line for line in server.log())
    assert (folder / ".kore/sessions.db").exists() and files_with(folder / ".kore", word) == []


def test_the_environment_s_passphrase_makes_and_opens_encrypted_stores(folder: Path, state_home: Path) -> None:
    for passphrase, kind in (("secret", None), ("secret", None), ("other", "wrongKey")):
        environment = {"XDG_STATE_HOME": str(state_home.parent), "KORE_PASSPHRASE": passphrase}
        with process(COMMAND, env=environment) as server:
            server.initialize(rootUri=folder.as_uri())
            reply = server.request("kore/session/create", {})
            assert reply.get("error", {}).get("data", {}).get("kind") == kind
            status = kore(server, "store/status")
            assert (status["encrypted"], status["locked"]) == (True, kind is not None)
