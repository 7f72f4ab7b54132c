from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kore_ls.cli.caller import LocalFolder, local_folder
from kore_ls.cli.session_choice import chosen_session, every_session, short_ids
from kore_ls.errors import SessionNotFound
from tests.cli.commands import added


@pytest.fixture
async def local(folder: Path) -> AsyncIterator[LocalFolder]:
    async with local_folder(folder) as local:
        yield local


async def stored(local: LocalFolder, *ids: str) -> None:
    for each in ids:
        document = {"id": each, "name": each, "agent_mode": "build", "messages": []}
        await local.call("kore/session/import", document=document)


async def test_an_id_or_its_beginning_chooses_a_session(local: LocalFolder) -> None:
    await stored(local, "abcdef-1", "abcdef-2", "abd")

    assert (await chosen_session(local, "abcdef-2"))["id"] == "abcdef-2"
    assert (await chosen_session(local, "abd"))["id"] == "abd"
    assert (await chosen_session(local, "abcdef-1"[:8]))["id"] == "abcdef-1"


async def test_an_id_that_others_begin_with_is_still_that_id(local: LocalFolder) -> None:
    await stored(local, "abc", "abcdef")

    assert (await chosen_session(local, "abc"))["id"] == "abc"


async def test_a_beginning_that_several_share_names_them(local: LocalFolder) -> None:
    await stored(local, "abcdef-1", "abcdef-2")

    with pytest.raises(SessionNotFound, match=r"abcdef-2, abcdef-1|abcdef-1, abcdef-2"):
        await chosen_session(local, "abc")


@pytest.mark.parametrize("text", ["nothing", "", "../../x", "\x1b[2J", "a" * 65])
async def test_what_no_session_is_called_is_not_found(local: LocalFolder, text: str) -> None:
    await stored(local, "abc")

    with pytest.raises(SessionNotFound) as caught:
        await chosen_session(local, text)
    assert "\x1b" not in caught.value.message


async def test_a_deleted_session_is_chosen_only_where_that_makes_sense(local: LocalFolder) -> None:
    await stored(local, "abc")
    await local.call("kore/session/delete", sessionId="abc")

    assert (await chosen_session(local, "ab", deleted=True))["deleted"] is True
    with pytest.raises(SessionNotFound) as caught:
        await chosen_session(local, "ab")
    assert caught.value.params["deleted"] is True


async def test_an_archived_session_is_chosen_too(local: LocalFolder) -> None:
    session = await added(local, "old")
    await local.call("kore/session/update", sessionId=session["id"], archived=True)

    assert (await chosen_session(local, session["id"][:12]))["name"] == "old"


async def test_every_session_is_listed_once_over_all_pages(local: LocalFolder) -> None:
    ids = [f"s{number:04}" for number in range(205)]
    await local.call("kore/session/import", document=[{"id": each, "name": each, "messages": []} for each in ids])
    await local.call("kore/session/delete", sessionIds=ids[:3])
    await local.call("kore/session/update", sessionId=ids[5], archived=True)

    assert sorted([each["id"] async for each in every_session(local)]) == ids


@given(st.sets(st.text("ab0", min_size=1, max_size=12)))
def test_short_ids_begin_their_id_and_no_other_of_their_length(ids: set[str]) -> None:
    for full, short in short_ids(ids).items():
        assert full.startswith(short)
        assert short == full or len(short) >= 8
        assert short == full or [each for each in ids if each.startswith(short)] == [full]
