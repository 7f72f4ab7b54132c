"""Going back to before a message, as a user does who edits a prompt: the conversation, and the files if wanted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kore_ls.api.application import Application
from tests.api.test_permission import user
from tests.client import Client, Json, served


@pytest.fixture
async def application(state_home: Path) -> AsyncIterator[Application]:
    made = served(state_home, None)
    yield made
    await made.close()


@pytest.fixture
async def client(application: Application, folder: Path) -> Client:
    return (await user(application, folder))[0]


class Talk:
    """A session in build mode with the builtin agent."""

    def __init__(self, client: Client, session: Json) -> None:
        self.client = client
        self.id = session["id"]

    @classmethod
    async def begun(cls, client: Client) -> Talk:
        return cls(client, await client.create(name="talk", mode="build"))

    async def say(self, prompt: str) -> str:
        """Have a prompt answered; its message's id."""
        started = await self.client.call("kore/turn/start", {"sessionId": self.id, "prompt": prompt})
        await self.client.event("turn.finished")
        return str(started["message"]["id"])

    async def rewind(self, message_id: str, **params: Any) -> Json:
        done: Json = await self.client.call(
            "kore/session/rewind", {"sessionId": self.id, "messageId": message_id} | params
        )
        return done

    async def said(self) -> list[str]:
        page = await self.client.call("kore/message/list", {"sessionId": self.id})
        return [each["content"] for each in page["messages"] if each["role"] == "user"]


async def test_a_prompt_is_taken_back_and_another_one_given(client: Client) -> None:
    talk = await Talk.begun(client)
    await talk.say("first")
    second = await talk.say("second")
    await talk.say("third")
    done = await talk.rewind(second)
    await talk.say("another second")

    assert await talk.said() == ["first", "another second"]
    assert (done["message"]["content"], done["removed"]) == ("second", 4)
    assert (done["kept"]["archived"], done["kept"]["parentId"], done["kept"]["messageCount"]) == (True, talk.id, 6)
    assert done["kept"]["name"] == "talk (before rewind)"
    assert (done["session"]["id"], done["session"]["messageCount"]) == (talk.id, 2)


async def test_clients_are_told_what_went_where(client: Client) -> None:
    talk = await Talk.begun(client)
    first = await talk.say("first")
    client.events()
    done = await talk.rewind(first)

    assert (await client.event("session.created"))["data"]["session"]["id"] == done["kept"]["id"]
    told = (await client.event("session.rewound"))["data"]
    assert (told["session"]["messageCount"], told["keptId"]) == (0, done["kept"]["id"])


async def test_files_go_back_over_several_turns(client: Client, folder: Path) -> None:
    (folder / "a.txt").write_text("zero")
    talk = await Talk.begun(client)
    first = await talk.say("/write a.txt one")
    await talk.say("/write a.txt two")
    await talk.say("/write new.txt new")

    asked = await talk.rewind(first, files=True, dryRun=True)
    assert ((folder / "a.txt").read_text(), len(await talk.said())) == ("two", 3)
    assert "kept" not in asked
    done = await talk.rewind(first, files=True)

    assert [sorted(each["reverted"]) for each in (asked, done)] == [["a.txt", "new.txt"]] * 2
    assert [each["conflicts"] for each in (asked, done)] == [[], []]
    assert asked["removed"] == done["removed"] == 6
    assert ((folder / "a.txt").read_text(), (folder / "new.txt").exists()) == ("zero", False)


async def test_files_stay_where_nobody_wants_them_back(client: Client, folder: Path) -> None:
    talk = await Talk.begun(client)
    first = await talk.say("/write a.txt one")
    done = await talk.rewind(first)

    assert (done["reverted"], done["conflicts"]) == ([], [])
    assert (folder / "a.txt").read_text() == "one"


@pytest.mark.parametrize("when", ["between", "after"])
async def test_what_somebody_else_changed_is_left_alone_and_named(client: Client, folder: Path, when: str) -> None:
    talk = await Talk.begun(client)
    first = await talk.say("/write a.txt one")
    if when == "between":
        (folder / "a.txt").write_text("mine")
    await talk.say("/write a.txt two")
    await talk.say("/write b.txt two")
    if when == "after":
        (folder / "a.txt").write_text("mine")
    before = (folder / "a.txt").read_text()
    asked = await talk.rewind(first, files=True, dryRun=True)
    done = await talk.rewind(first, files=True)

    assert [(each["reverted"], each["conflicts"]) for each in (asked, done)] == [(["b.txt"], ["a.txt"])] * 2
    assert (folder / "a.txt").read_text() == before
    assert await talk.said() == []


async def test_nothing_is_rewound_that_is_not_there_or_closed(client: Client) -> None:
    talk = await Talk.begun(client)
    first = await talk.say("first")
    where = {"sessionId": talk.id, "messageId": first}
    for params, kind in (
        ({"messageId": "none"}, "messageNotFound"),
        ({"sessionId": "none"}, "sessionNotFound"),
    ):
        for dry_run in (False, True):
            refused = await client.refused("kore/session/rewind", where | params | {"dryRun": dry_run})
            assert refused.kind == kind
    await client.call("kore/session/close", {"sessionId": talk.id})
    for dry_run in (False, True):
        assert (await client.refused("kore/session/rewind", where | {"dryRun": dry_run})).kind == "sessionClosed"
    assert await talk.said() == ["first"]
