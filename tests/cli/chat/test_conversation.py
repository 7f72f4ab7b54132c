from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kore_ls.cli.caller import LocalFolder, local_folder
from kore_ls.cli.chat.conversation import Conversation
from kore_ls.cli.failures import CommandFailed
from kore_ls.errors import KoreError, SessionNotFound
from tests.cli.commands import added


@pytest.fixture
async def local(folder: Path) -> AsyncIterator[LocalFolder]:
    async with local_folder(folder) as local:
        yield local


@pytest.fixture
async def talk(local: LocalFolder) -> Conversation:
    """A conversation in a folder that was empty."""
    conversation = Conversation(local)
    await conversation.continue_current()
    return conversation


async def contents(talk: Conversation) -> list[str]:
    page = await talk.caller.call("kore/message/list", sessionId=talk.present()["id"])
    return [message["content"] for message in page["messages"]]


async def say(talk: Conversation, text: str) -> None:
    """Add a message of the user's."""
    session = await talk.needed()
    await talk.caller.call("kore/message/add", sessionId=session["id"], role="user", content=text)
    await talk.refresh()


async def test_the_first_message_makes_the_session(talk: Conversation, folder: Path) -> None:
    assert talk.session is None
    assert not (folder / ".kore").exists()
    await say(talk, "first")

    assert await contents(talk) == ["first"]
    assert talk.present()["messageCount"] == 1


async def test_after_closing_the_next_message_starts_another_session(talk: Conversation) -> None:
    await say(talk, "first")
    closed = await talk.close()
    await say(talk, "second")

    assert closed["status"] == "closed"
    assert talk.present()["id"] != closed["id"]
    assert await contents(talk) == ["second"]


async def test_a_number_means_a_session_of_the_list_that_was_shown(talk: Conversation, local: LocalFolder) -> None:
    await added(local, "one")
    await added(local, "two", "newest")
    shown = await talk.sessions()
    await added(local, "three", "newer than the list")

    assert (await talk.switch("2"))["id"] == shown[1]["id"]


async def test_a_session_is_found_by_number_name_or_id(talk: Conversation, local: LocalFolder) -> None:
    one = await added(local, "One of them")
    two = await added(local, "2024")

    assert (await talk.switch("one of THEM"))["id"] == one["id"]
    assert (await talk.switch("2024"))["id"] == two["id"]
    assert (await talk.switch(one["id"]))["id"] == one["id"]


async def test_a_name_that_several_have_is_refused(talk: Conversation, local: LocalFolder) -> None:
    await added(local, "same")
    await added(local, "same")

    with pytest.raises(CommandFailed, match="several"):
        await talk.switch("same")


async def test_what_is_no_session_is_refused(talk: Conversation, local: LocalFolder) -> None:
    session = await added(local, "one")
    await talk.switch("one")

    for wanted in ("99", "nothing", "../../x", "\x1b"):
        with pytest.raises(CommandFailed):
            await talk.switch(wanted)
    assert talk.present()["id"] == session["id"]


async def test_a_deleted_session_is_told_apart_from_none(talk: Conversation, local: LocalFolder) -> None:
    session = await added(local, "one")
    await local.call("kore/session/delete", sessionId=session["id"])

    with pytest.raises(SessionNotFound, match="deleted"):
        await talk.switch(session["id"])


async def test_a_fork_ends_where_it_was_told_to_and_is_gone_on_with(talk: Conversation) -> None:
    for text in ("1", "2", "3"):
        await say(talk, text)
    source = talk.present()["id"]

    await talk.fork(2)
    assert await contents(talk) == ["1", "2"]
    await talk.switch_to(source)
    await talk.fork(0)
    assert await contents(talk) == []
    await talk.switch_to(source)
    await talk.fork(None)
    assert await contents(talk) == ["1", "2", "3"]
    with pytest.raises(CommandFailed, match="no message #9"):
        await talk.fork(9)


async def test_a_name_or_a_mode_given_first_makes_the_session(local: LocalFolder) -> None:
    one, two = Conversation(local), Conversation(local)
    await one.rename("named")
    two.start_fresh()
    await two.update(mode="plan")

    assert one.present()["name"] == "named"
    assert two.present()["mode"] == "plan"
    assert two.present()["id"] != one.present()["id"]


async def test_what_needs_a_session_says_so_where_there_is_none(talk: Conversation, folder: Path) -> None:
    for work in (talk.close(), talk.fork(None)):
        with pytest.raises(CommandFailed, match="no session yet"):
            await work
    assert not (folder / ".kore").exists()


async def test_what_others_did_shows_after_a_refresh(talk: Conversation, local: LocalFolder) -> None:
    await say(talk, "first")
    session_id = talk.present()["id"]
    await local.call("kore/session/rename", sessionId=session_id, name="by another")
    await talk.refresh()
    assert talk.present()["name"] == "by another"

    await local.call("kore/session/delete", sessionId=session_id)
    await talk.refresh()
    assert talk.session is None


async def test_a_message_to_a_session_that_another_closed_is_refused(talk: Conversation, local: LocalFolder) -> None:
    await say(talk, "first")
    await local.call("kore/session/close", sessionId=talk.present()["id"])

    with pytest.raises(KoreError, match="closed"):
        await say(talk, "second")
