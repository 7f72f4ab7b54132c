"""kore/session/search: what is found, the filters, pages, ranges, several folders, progress, bad params."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.client import Client, Connect, Json


async def _search(client: Client, query: str, **params: Any) -> Json:
    page: Json = await client.call("kore/session/search", {"query": query} | params)
    return page


async def _found(client: Client, query: str, **params: Any) -> list[str]:
    """The names of the sessions found, sorted."""
    return sorted(hit["session"]["name"] for hit in (await _search(client, query, **params))["hits"])


async def _made(client: Client, name: str, *contents: str, **params: Any) -> str:
    session = await client.create(name=name, **params)
    for content in contents:
        await client.add(session["id"], content)
    made: str = session["id"]
    return made


def _marked(text: str, ranges: list[list[int]]) -> list[str]:
    """The stretches of the text that the ranges name, counted in UTF-16 units."""
    units = text.encode("utf-16-le")
    return [units[start * 2 : end * 2].decode("utf-16-le") for start, end in ranges]


async def test_a_hit_shows_its_session_and_where_the_words_stand(client: Client) -> None:
    session_id = await _made(client, "登录 😀 认证", "first", "😀😀 我们需要用户认证，见 getUserName()", "认证 again")
    page = await _search(client, "认证")

    (hit,) = page["hits"]
    assert hit["session"] == await client.get(session_id)
    assert _marked(hit["session"]["name"], hit["nameRanges"]) == ["认证"]
    assert {match["seq"] for match in hit["matches"]} == {2, 3}
    for match in hit["matches"]:
        (message,) = (
            await client.call(
                "kore/message/list",
                {"sessionId": session_id, "afterSeq": match["seq"] - 1, "beforeSeq": match["seq"] + 1},
            )
        )["messages"]
        assert (message["id"], message["role"], message["timestamp"]) == (
            match["messageId"],
            match["role"],
            match["timestamp"],
        )
        assert match["snippet"] in message["content"]
        assert _marked(match["snippet"], match["ranges"]) == ["认证"]
    assert page["truncated"] is False
    assert "nextCursor" not in page


async def test_words_phrases_exclusions_and_beginnings(client: Client) -> None:
    await _made(client, "a", "the quick brown fox", "lazy dog")
    await _made(client, "b", "brown quick", "getUserName in src/auth/token_store.py v1.2.3")
    for query, names in (
        ("quick brown", ["a", "b"]),
        ('"quick brown"', ["a"]),
        ("「quick brown」", ["a"]),
        ("“quick brown”", ["a"]),
        ("brown -fox", ["b"]),
        ("quick dog", []),
        ("qui", ["a", "b"]),
        ("user name", ["b"]),
        ("getusername", ["b"]),
        ("token_store", ["b"]),
        ("store.py", ["b"]),
        ("1.2.3", ["b"]),
        ("ＱＵＩＣＫ", ["a", "b"]),
    ):
        assert await _found(client, query) == names, query


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        '"',
        '"""',
        "-",
        "--",
        "*",
        "AND",
        "NOT OR NEAR(",
        "C++",
        "foo:bar",
        "text:quick",
        "😀",
        "\0",
        "a\0b",
        "'; DROP TABLE messages; --",
        "(" * 1000,
        "认" * 100_000,
        "x " * 50_000,
        "-认 -证",
        "%_\\",
        "\u202e\u2066",
    ],
)
async def test_nothing_that_is_typed_is_an_error(client: Client, query: str) -> None:
    await _made(client, "a", "quick 认证")
    page = await _search(client, query)
    assert isinstance(page["hits"], list)
    if not query.strip() or query in ("-", "--", "*", '"', '"""', "\0", "-认 -证"):
        assert page["hits"] == []


async def test_a_word_of_several_scripts_is_one_word(client: Client) -> None:
    for text in ("第3章 登录", "第4章 登录", "第九章 登录", "看src", "看README", "甲abc", "甲", "在v1"):
        await _made(client, text, text)
    for query, names in (
        ("第3章", ["第3章 登录"]),
        ('"第3章"', ["第3章 登录"]),
        ("第3章 登录", ["第3章 登录"]),
        ("登录 第3章", ["第3章 登录"]),
        ("登录 -第3章", ["第4章 登录", "第九章 登录"]),
        ("章 -第3章", ["第4章 登录", "第九章 登录"]),
        ("看src", ["看src"]),
        ("甲abc", ["甲abc"]),
        ("甲ab", ["甲abc"]),
        ("在v1", ["在v1"]),
        ("甲", ["甲", "甲abc"]),
    ):
        assert await _found(client, query) == names, query


async def test_what_has_only_signs_is_found_by_its_words(client: Client) -> None:
    await _made(client, "a", "C++ and foo:bar and 'AND'")
    for query in ("C++", "foo:bar", "AND"):
        assert await _found(client, query) == ["a"], query


async def test_each_filter_leaves_what_matches(client: Client) -> None:
    plain = await _made(client, "plain", "needle")
    plan = await _made(client, "plan", "needle", mode="plan", tags=["x", "y"])
    old = await client.create(name="old", tags=["y"])
    await client.add(old["id"], "needle", role="assistant", timestamp=1_000)
    await client.call("kore/session/close", {"sessionId": plain})
    await client.call("kore/session/update", {"sessionId": plan, "archived": True})
    for filters, names in (
        ({}, ["old", "plain", "plan"]),
        ({"sessionId": plan}, ["plan"]),
        ({"roles": ["assistant"]}, ["old"]),
        ({"roles": ["user", "assistant"]}, ["old", "plain", "plan"]),
        ({"roles": ["system"]}, []),
        ({"mode": ["plan"]}, ["plan"]),
        ({"status": ["closed"]}, ["plain"]),
        ({"tags": ["y"]}, ["old", "plan"]),
        ({"tags": ["x", "y"]}, ["plan"]),
        ({"archived": True}, ["plan"]),
        ({"archived": False}, ["old", "plain"]),
        ({"since": 2_000}, ["plain", "plan"]),
        ({"until": 2_000}, ["old"]),
        ({"since": 1_000, "until": 1_000}, ["old"]),
        ({"tags": ["y"], "archived": False, "roles": ["assistant"]}, ["old"]),
    ):
        assert await _found(client, "needle", **filters) == names, filters


async def test_deleted_sessions_are_found_again_once_restored(client: Client) -> None:
    session_id = await _made(client, "a", "needle")
    await client.call("kore/session/delete", {"sessionId": session_id})
    assert await _found(client, "needle") == []
    assert (await client.refused("kore/session/search", {"query": "x", "sessionId": session_id})).kind == (
        "sessionNotFound"
    )
    await client.call("kore/session/restore", {"sessionId": session_id})
    assert await _found(client, "needle") == ["a"]


async def test_names_descriptions_and_tags_are_found_as_they_are_now(client: Client) -> None:
    session_id = await _made(client, "before", "text")
    assert await _found(client, "before") == ["before"]
    await client.call("kore/session/rename", {"sessionId": session_id, "name": "重构登录"})
    await client.call("kore/session/update", {"sessionId": session_id, "description": "about caches", "tags": ["性能"]})
    assert await _found(client, "before") == []
    for query in ("登录", "caches", "性能"):
        assert await _found(client, query) == ["重构登录"], query


async def test_pages_meet_every_message_once(client: Client) -> None:
    for number in range(7):
        await _made(client, f"s{number}", *(f"needle {number}-{at}" for at in range(12)))
    met: list[str] = []
    params: Json = {"query": "needle", "limit": 3}
    while True:
        page = await client.call("kore/session/search", params)
        assert len(page["hits"]) <= 3
        assert all(len(hit["matches"]) <= 5 for hit in page["hits"])
        met += [match["messageId"] for hit in page["hits"] for match in hit["matches"]]
        if "nextCursor" not in page:
            break
        params["cursor"] = page["nextCursor"]
    assert len(met) == len(set(met)) == 7 * 12


async def test_inside_one_session_a_page_holds_up_to_two_hundred_matches(client: Client) -> None:
    session = await client.create(name="a")
    await asyncio.gather(*(client.add(session["id"], f"needle {number}") for number in range(230)))
    await _made(client, "b", "needle")
    counts: list[int] = []
    cursor: Json | None = {}
    while cursor is not None:
        page = await _search(client, "needle", sessionId=session["id"], **cursor)
        counts += [len(hit["matches"]) for hit in page["hits"]]
        assert counts[-1] == 200 or page["truncated"] or "nextCursor" not in page, "a machine under load gives less"
        cursor = {"cursor": page["nextCursor"]} if "nextCursor" in page else None
    assert (sum(counts), max(counts) <= 200) == (230, True)


async def test_a_cursor_is_of_its_own_search_only(client: Client) -> None:
    for number in range(3):
        await _made(client, f"s{number}", "needle")
    cursor = (await _search(client, "needle", limit=1))["nextCursor"]
    for params in ({"query": "other"}, {"query": "needle", "roles": ["user"]}):
        refused = await client.refused("kore/session/search", params | {"cursor": cursor})
        assert refused.problems == ["params.cursor: is not a cursor of this search"]


async def test_several_folders_are_one_list_and_others_are_never_searched(
    connect: Connect, folder: Path, tmp_path: Path
) -> None:
    second, alien = tmp_path / "second", tmp_path / "alien"
    second.mkdir()
    alien.mkdir()
    client = await connect(folder, second)
    other = await connect(alien)
    await _made(client, "one", "needle", folder=folder.as_uri())
    two = await client.create(name="two", folder=second.as_uri())
    await client.add(two["id"], "needle")
    hidden = await _made(other, "alien", "needle")

    assert await _found(client, "needle") == ["one", "two"]
    assert await _found(client, "needle", folder=second.as_uri()) == ["two"]
    first = await _search(client, "needle", limit=1)
    rest = await _search(client, "needle", limit=1, cursor=first["nextCursor"])
    assert {hit["session"]["name"] for page in (first, rest) for hit in page["hits"]} == {"one", "two"}
    assert (await client.refused("kore/session/search", {"query": "x", "folder": alien.as_uri()})).kind == (
        "folderNotFound"
    )
    assert (await client.refused("kore/session/search", {"query": "x", "sessionId": hidden})).kind == "sessionNotFound"


async def test_a_folder_that_cannot_be_read_is_named_and_keeps_no_other_from_being_searched(
    connect: Connect, folder: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    (broken / ".kore").mkdir(parents=True)
    (broken / ".kore" / "sessions.db").write_bytes(b"SQLite format 3\0 but not ours")
    client = await connect(folder, broken)
    await _made(client, "one", "needle", folder=folder.as_uri())
    page = await _search(client, "needle")
    assert [hit["session"]["name"] for hit in page["hits"]] == ["one"]
    assert page["lockedFolders"] == [broken.as_uri()]


async def test_a_token_makes_the_search_wait_for_the_index_and_tell_how_far_it_is(client: Client, folder: Path) -> None:
    session_id = await _made(client, "a")
    await asyncio.gather(*(client.add(session_id, f"needle {number}") for number in range(60)))
    client.heard.clear()
    page = await _search(client, "needle", workDoneToken="t")
    told = [message["params"] for message in client.heard if message["method"] == "$/progress"]
    assert [each["token"] for each in told] == ["t"] * len(told)
    kinds = [each["value"]["kind"] for each in told]
    assert (kinds[0], kinds[-1], set(kinds[1:-1])) == ("begin", "end", {"report"})
    assert page["truncated"] is False
    assert (await client.call("kore/store/status"))["indexedMessages"] == 60


async def test_looking_for_something_makes_no_store(client: Client, folder: Path) -> None:
    assert await _search(client, "needle") == {"hits": [], "truncated": False}
    assert not (folder / ".kore").exists()


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({}, "params.query: is required"),
        ({"query": 7}, "params.query: must be a string"),
        ({"query": "x", "limit": 0}, "params.limit"),
        ({"query": "x", "limit": 201}, "params.limit"),
        ({"query": "x", "roles": ["robot"]}, "params.roles[0]"),
        ({"query": "x", "mode": "plan"}, "params.mode"),
        ({"query": "x", "since": -1}, "params.since"),
        ({"query": "\ud800"}, "params.query"),
        ({"query": "x", "cursor": "nonsense"}, "params.cursor"),
        ({"query": "x", "workDoneToken": {}}, "params.workDoneToken"),
    ],
)
async def test_bad_params_are_named(client: Client, params: Json, problem: str) -> None:
    refused = await client.refused("kore/session/search", params)
    assert refused.kind == "invalidParams"
    assert refused.problems[0].startswith(problem)
