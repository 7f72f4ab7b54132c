"""kore/history/*: what other tools have comes in once, and what grew comes after."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest
from attrs import evolve

from kore_ls.model.secret import Secret
from tests.client import Client, Connect, Json, connected, served
from tests.sessions.importers.tools import START, TALK, WITHOUT_CALLS, WITHOUT_THINKING, WRITERS, Said, codex

FORMS = sorted(WRITERS)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home directory, which other tools write to."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "CODEX_HOME", "CLAUDE_CONFIG_DIR", "OPENCODE_DB"):
        monkeypatch.delenv(name, raising=False)
    return home


async def _import(client: Client, form: str, **params: object) -> Json:
    """The result for the one source that is asked for."""
    done = await client.call("kore/history/import", {"source": WRITERS[form][0]} | params)
    assert [each["source"] for each in done["sources"]] == [WRITERS[form][0]]
    counts: Json = done["sources"][0]
    return counts | {"sessions": done["sessions"]}


async def _said(client: Client) -> list[tuple[object, ...]]:
    """What the one session says."""
    (session,) = (await client.call("kore/session/list"))["sessions"]
    page = await client.call("kore/message/list", {"sessionId": session["id"]})
    return [
        (m["role"], m["content"], m.get("thinking"), [(c["name"], c["status"]) for c in m.get("toolCalls", [])])
        for m in page["messages"]
    ]


def _wanted(form: str, talk: tuple[Said, ...] = TALK) -> list[tuple[object, ...]]:
    return [
        (
            said.role,
            said.text,
            said.thinking if said.thinking and form not in WITHOUT_THINKING else None,
            []
            if form in WITHOUT_CALLS
            else [(call.name, "failed" if call.failed else "completed") for call in said.calls],
        )
        for said in talk
    ]


@pytest.mark.parametrize("form", FORMS)
async def test_a_second_import_changes_nothing_and_what_grew_comes_after(
    client: Client, folder: Path, home: Path, form: str
) -> None:
    WRITERS[form][1](home, folder, TALK[:3])
    first = await _import(client, form)
    assert (first["added"], first["grown"], first["messages"]) == (1, 0, 3)
    assert await _said(client) == _wanted(form, TALK[:3])
    (before,) = (await client.call("kore/session/list"))["sessions"]
    assert (before["imported"], before["tags"]) == (True, [WRITERS[form][0]])

    again = await _import(client, form)
    assert (again["added"], again["grown"], again["unchanged"], again["messages"]) == (0, 0, 1, 0)
    assert (await client.call("kore/session/list"))["sessions"] == [before]

    WRITERS[form][1](home, folder, TALK)
    grown = await _import(client, form)
    assert (grown["added"], grown["grown"], grown["messages"]) == (0, 1, 3)
    assert await _said(client) == _wanted(form)


async def test_a_scan_tells_what_there_is_and_writes_nothing(client: Client, folder: Path, home: Path) -> None:
    codex(home, folder, TALK)
    path = home / ".codex" / "sessions" / "rollout-broken-x.jsonl"
    path.write_text("{")
    found = await client.call("kore/history/scan")
    (source,) = found["sources"]
    assert (source["source"], source["sessions"], source["messages"], source["imported"]) == ("codex", 1, len(TALK), 0)
    assert (source["since"], source["until"]) == (START, START + 60_000 * (len(TALK) - 1))
    assert source["newest"][0]["messages"] == len(TALK)
    assert not (folder / ".kore").exists()
    await client.call("kore/history/import")
    assert (await client.call("kore/history/scan"))["sources"][0]["imported"] == 1


async def test_a_dry_run_counts_and_writes_nothing(client: Client, folder: Path, home: Path) -> None:
    codex(home, folder, TALK)
    counts = await _import(client, "codex", dryRun=True)
    assert (counts["added"], counts["messages"]) == (1, len(TALK))
    assert not (folder / ".kore").exists()


async def test_only_the_chosen_conversations_come_in(client: Client, folder: Path, home: Path) -> None:
    codex(home, folder, TALK)
    (source,) = (await client.call("kore/history/scan"))["sources"]
    done = await client.call("kore/history/import", {"sessions": ["another"]})
    assert done == {"sources": [], "sessions": []}
    chosen = [source["newest"][0]["sourceId"]]
    done = await client.call("kore/history/import", {"sessions": chosen})
    assert done["sessions"] == [source["newest"][0]["sessionId"]]


async def test_what_the_user_did_to_an_imported_session_stays(client: Client, folder: Path, home: Path) -> None:
    """A new name stays when the source grows, own messages stay where they are, a deleted session stays deleted."""
    codex(home, folder, TALK[:3])
    (id_,) = (await _import(client, "codex"))["sessions"]
    await client.call("kore/session/rename", {"sessionId": id_, "name": "mine"})
    await client.add(id_, "my own words")
    codex(home, folder, TALK)
    await _import(client, "codex")
    assert await client.names() == ["mine"]
    contents = await client.contents(id_)
    assert contents[3] == "my own words"
    assert contents[:3] + contents[4:] == [said.text for said in TALK]
    await client.call("kore/session/delete", {"sessionId": id_})
    assert (await _import(client, "codex"))["skipped"] == 1
    assert await client.names() == []


async def test_a_source_that_was_taken_back_and_went_on_otherwise_is_a_session_of_its_own(
    client: Client, folder: Path, home: Path
) -> None:
    write = WRITERS["gemini-cli"][1]
    write(home, folder, TALK[:4])
    (id_,) = (await _import(client, "gemini-cli"))["sessions"]
    path = write(home, folder, TALK[:3])
    other = '{"id": "m-other", "type": "user", "timestamp": "2025-06-16T00:00:00Z", "content": "Leave it."}\n'
    path.write_text(path.read_text() + other)
    for added in (1, 0):
        counts = await _import(client, "gemini-cli")
        assert (counts["added"], counts["unchanged"]) == (added, 1 - added)
    sessions = (await client.call("kore/session/list"))["sessions"]
    branch = next(each for each in sessions if each["id"] != id_)
    assert branch["parentId"] == id_
    assert (await client.contents(branch["id"]))[-1] == "Leave it."
    assert (await client.contents(id_))[-1] == TALK[3].text


async def test_each_time_that_a_source_is_taken_back_gives_a_session_with_what_is_left_alone(
    client: Client, folder: Path, home: Path
) -> None:
    write = WRITERS["gemini-cli"][1]
    write(home, folder, TALK[:4])
    await _import(client, "gemini-cli")
    tails = (("m-x", "Leave it."), ("m-y", "No, ")), (("m-x", "Leave it."), ("m-z", "Yes."), ("m-q", "Now."))
    for tail in tails:
        path = write(home, folder, TALK[:3])
        lines = (json.dumps({"id": id_, "type": "user", "content": said}) for id_, said in tail)
        path.write_text(path.read_text() + "\n".join(lines) + "\n")
        for added in (1, 0):
            assert (await _import(client, "gemini-cli"))["added"] == added
    sessions = (await client.call("kore/session/list"))["sessions"]
    said = sorted([(await client.contents(each["id"]))[3:] for each in sessions])
    assert said == sorted([[TALK[3].text], ["Leave it.", "No, "], ["Leave it.", "Yes.", "Now."]])


@pytest.mark.parametrize("passphrase", [None, "a passphrase"])
async def test_a_call_that_was_answered_after_the_import_gets_its_result(
    connect: Connect, folder: Path, home: Path, passphrase: str | None
) -> None:
    """As when a question of the tool's waited while the user went away, and came first here."""
    client = await connect(folder, secret=Secret(passphrase=passphrase))
    long = tuple(evolve(call, result=call.result + " long" * 2_000) for call in TALK[1].calls)
    talk = (TALK[0], evolve(TALK[1], calls=long))
    path = WRITERS["claude-code"][1](home, folder, talk)
    whole = path.read_text()
    path.write_text("".join(whole.splitlines(keepends=True)[:-2]))
    _quiet(path)
    assert (await _import(client, "claude-code"))["messages"] == 2
    assert (await _said(client))[1][3] == [("read_file", "cancelled"), ("shell", "cancelled")]

    path.write_text(whole)
    assert (await _import(client, "claude-code", dryRun=True))["grown"] == 1
    counts = await _import(client, "claude-code")
    assert (counts["grown"], counts["messages"], len(counts["sessions"])) == (1, 0, 1)
    assert await _said(client) == _wanted("claude-code", talk)
    page = await client.call("kore/message/list", {"sessionId": counts["sessions"][0]})
    assert [each["result"] for each in page["messages"][1]["toolCalls"]] == [each.result for each in long]
    assert (await _import(client, "claude-code"))["unchanged"] == 1
    WRITERS["claude-code"][1](home, folder, (*talk, *TALK[2:]))
    assert (await _import(client, "claude-code"))["messages"] == 4
    assert (await client.call("kore/store/check"))["ok"]


async def test_a_tool_whose_place_can_t_be_looked_into_keeps_no_other_one_out(
    client: Client, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codex(home, folder, TALK)
    monkeypatch.setenv("OPENCODE_DB", "x" * 5_000)
    for method in ("scan", "import"):
        found = (await client.call(f"kore/history/{method}"))["sources"]
        assert {each["source"]: each["bad"] for each in found} == {"codex": 0, "opencode": 1}
    assert len(await client.names()) == 1


async def test_a_database_without_room_for_its_copy_keeps_no_other_one_out(
    client: Client, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codex(home, folder, TALK)
    WRITERS["opencode"][1](home, folder, TALK)
    whole = shutil.disk_usage(home)
    monkeypatch.setattr("shutil.disk_usage", lambda _: whole._replace(free=0))
    for method in ("scan", "import"):
        found = (await client.call(f"kore/history/{method}"))["sources"]
        assert {each["source"]: each["bad"] for each in found} == {"codex": 0, "opencode": 1}
    assert len(await client.names()) == 1


async def test_a_dry_run_counts_once_what_a_tool_keeps_in_two_forms(client: Client, folder: Path, home: Path) -> None:
    for form in ("opencode", "opencode-files"):
        WRITERS[form][1](home, folder, TALK)
    for dry_run in (True, False):
        counts = await _import(client, "opencode", dryRun=dry_run)
        assert (counts["added"], counts["unchanged"], counts["messages"]) == (1, 1, len(TALK))


@pytest.mark.parametrize("form", ["cline-tasks", "continue"])
async def test_what_was_edited_in_a_source_without_ids_is_a_session_of_its_own(
    client: Client, folder: Path, home: Path, form: str
) -> None:
    write = WRITERS[form][1]
    write(home, folder, TALK[:4])
    (id_,) = (await _import(client, form))["sessions"]
    write(home, folder, (*TALK[:2], evolve(TALK[2], text="Leave it.")))
    for added in (1, 0):
        assert (await _import(client, form))["added"] == added
    sessions = (await client.call("kore/session/list"))["sessions"]
    (branch,) = (each for each in sessions if each["id"] != id_)
    assert await client.contents(branch["id"]) == [TALK[0].text, TALK[1].text, "Leave it."]
    assert (await client.contents(id_))[-1] == TALK[3].text


@pytest.mark.parametrize("form", ["cline-tasks", "continue", "gemini-file"])
async def test_an_id_does_not_tell_what_a_message_says(
    connect: Connect, folder: Path, home: Path, tmp_path: Path, form: str
) -> None:
    """Ids are not encrypted; were they made of what is said alone, a short text could be guessed."""
    WRITERS[form][1](home, folder, TALK)
    seen: list[set[str]] = []
    for number in (1, 2):
        client = await connect(folder)
        (id_,) = (await _import(client, form))["sessions"]
        page = await client.call("kore/message/list", {"sessionId": id_})
        assert len(page["messages"]) == len(TALK)
        seen.append({each["id"] for each in page["messages"]})
        await client.workspace.close()
        (folder / ".kore").rename(tmp_path / f"{number}")
    assert seen[0].isdisjoint(seen[1])


async def test_an_imported_session_goes_on_with_an_agent_and_is_found(
    folder: Path, home: Path, state_home: Path
) -> None:
    """The builtin agent answers in it; what it said stays when the source grows, and a search finds both."""
    application = served(state_home, None)
    client = await connected(application, folder, events=True)
    codex(home, folder, TALK[:3])
    (id_,) = (await _import(client, "codex"))["sessions"]
    hits = (await client.call("kore/session/search", {"query": "构建"}))["hits"]
    assert [hit["session"]["id"] for hit in hits] == [id_]
    await client.call("kore/session/switch", {"sessionId": id_})
    (folder / "notes.txt").write_text("the kettle boils")
    await client.call("kore/turn/start", {"sessionId": id_, "prompt": "/read notes.txt"})
    finished = await client.event("turn.finished")
    assert (finished["sessionId"], finished["data"]["stopReason"]) == (id_, "endTurn")
    page = await client.call("kore/message/list", {"sessionId": id_})
    prompt, answer = page["messages"][3:]
    assert (prompt["role"], prompt["content"]) == ("user", "/read notes.txt")
    assert answer["role"] == "assistant" and "the kettle boils" in str(answer)
    codex(home, folder, TALK)
    await _import(client, "codex")
    contents = await client.contents(id_)
    assert contents[:3] + contents[5:] == [said.text for said in TALK]
    assert contents[3] == "/read notes.txt"
    await application.close()


async def test_an_import_with_a_token_reports_progress_to_its_end(client: Client, folder: Path, home: Path) -> None:
    codex(home, folder, TALK)
    for method in ("scan", "import"):
        client.heard.clear()
        await client.call(f"kore/history/{method}", {"source": "codex", "workDoneToken": method})
        told = [each["params"] for each in client.heard if each["method"] == "$/progress"]
        assert {each["token"] for each in told} == {method}
        kinds = [each["value"]["kind"] for each in told]
        assert (kinds[0], kinds[-1], set(kinds[1:-1])) == ("begin", "end", {"report"})
        assert told[0]["value"]["cancellable"] is True
        assert told[1]["value"]["message"].startswith("Codex: 1 sessions")


async def test_a_session_has_its_source_s_title_and_follows_it_until_the_user_gives_another(
    client: Client, folder: Path, home: Path
) -> None:
    write = WRITERS["continue"][1]
    path = write(home, folder, TALK[:2])
    (id_,) = (await _import(client, "continue"))["sessions"]
    assert await client.names() == ["The build"]

    async def grown(count: int, title: str) -> list[str]:
        write(home, folder, TALK[:count])
        path.write_text(path.read_text().replace("The build", json.dumps(title)[1:-1]))
        assert (await _import(client, "continue"))["grown"] == 1
        return await client.names()

    assert await grown(3, "The red build") == ["The red build"]
    assert await grown(4, "hidden\u202e \u0007 signs") == ["hidden signs"]
    await client.call("kore/session/rename", {"sessionId": id_, "name": "mine"})
    assert await grown(6, "The green build") == ["mine"]


async def test_what_nobody_knows_is_kept_as_it_is_up_to_a_bound_that_is_told(
    client: Client, folder: Path, home: Path
) -> None:
    path = codex(home, folder, TALK)
    with path.open("a") as file:
        for number in range(4):
            file.write(json.dumps({"type": f"new-{number}", "payload": "x" * 3_000}) + "\n")
    (id_,) = (await _import(client, "codex"))["sessions"]
    page = await client.call("kore/message/list", {"sessionId": id_})
    raw = page["messages"][-1]["metadata"]["raw"]
    assert [each.get("type") for each in raw] == ["new-0", "new-1", None]
    assert raw[-1] == {"leftOut": 2}


async def test_an_encrypted_store_takes_history_in_encrypted(folder: Path, home: Path, connect: Connect) -> None:
    client = await connect(folder, secret=Secret(passphrase="a passphrase"))
    codex(home, folder, TALK)
    await _import(client, "codex")
    assert (await _import(client, "codex"))["unchanged"] == 1
    assert await _said(client) == _wanted("codex")
    await client.call("kore/session/save")
    assert "构建失败".encode() not in b"".join(each.read_bytes() for each in (folder / ".kore").glob("sessions.db*"))


async def test_a_large_conversation_is_seen_only_when_it_is_complete(client: Client, folder: Path, home: Path) -> None:
    """Cancelled in the middle, nothing of it is there; and the next import brings all of it."""
    codex(home, folder, TALK * 400)
    params = {"source": "codex", "workDoneToken": "t"}
    task = asyncio.create_task(client.call("kore/history/import", params))
    store = folder / ".kore" / "sessions.db"
    while not store.exists():  # noqa: ASYNC110 - no event tells of what nobody is to see yet
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [each["params"]["value"]["kind"] for each in client.heard if each["method"] == "$/progress"][-1] == "end"
    assert await client.names() == []
    counts = await _import(client, "codex")
    assert counts["messages"] == 400 * len(TALK)


@pytest.mark.parametrize(
    "params", [{"source": "none"}, {"path": "somewhere"}, {"source": "codex", "path": ""}, {"sessions": "x"}]
)
async def test_odd_params_are_refused(client: Client, home: Path, params: Json) -> None:
    assert (await client.refused("kore/history/import", params)).kind == "invalidParams"


async def test_a_source_that_is_not_there_holds_nothing(client: Client, folder: Path, home: Path) -> None:
    assert await client.call("kore/history/scan") == {"sources": []}
    found = await client.call("kore/history/scan", {"source": "codex", "path": "missing.jsonl"})
    assert found == {"sources": []}


def _quiet(path: Path, minutes: int = 60) -> Path:
    """As if nobody had written to the file for so long."""
    then = START * 10**6 - minutes * 60 * 10**9
    for each in path.parent.iterdir():
        os.utime(each, ns=(then, then))
    return path


def _spoil(path: Path) -> None:
    """Another content of the same length: who reads it complains of it."""
    before, last = path.read_bytes().rstrip().rsplit(b"\n", 1)
    path.write_bytes(before + b"\n#" + last[1:] + b"\n")


@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_file_that_has_not_changed_is_not_read_again(
    folder: Path, home: Path, connect: Connect, encrypted: bool
) -> None:
    """Nor by another server; one that grew is read, and each where that is asked for."""
    settings = {"secret": Secret(passphrase="a passphrase")} if encrypted else {}
    client = await connect(folder, **settings)
    path = _quiet(codex(home, folder, TALK[:3]))
    assert (await _import(client, "codex"))["unread"] == 0
    _spoil(path)
    _quiet(path)
    again = await _import(await connect(folder, **settings), "codex")
    assert (again["unread"], again["unchanged"], again["messages"], again["bad"]) == (1, 1, 0, 0)
    assert (await _import(client, "codex", dryRun=True))["unread"] == 1
    (known,) = (await client.call("kore/history/scan", {"changed": True}))["sources"]
    assert (known["unread"], known["sessions"]) == (1, 0)
    (read,) = (await client.call("kore/history/scan"))["sources"]
    assert ("unread" in read, read["sessions"], read["imported"]) == (False, 1, 1)
    asked = await _import(client, "codex", again=True)
    assert (asked["unread"], asked["bad"]) == (0, 1)
    _quiet(codex(home, folder, TALK))
    grown = await _import(client, "codex")
    assert (grown["unread"], grown["grown"], grown["messages"]) == (0, 1, 3)
    assert (await _import(client, "codex"))["unread"] == 1
    assert await _said(client) == _wanted("codex")
    await client.call("kore/session/save")
    if encrypted:
        assert str(path).encode() not in b"".join(each.read_bytes() for each in (folder / ".kore").glob("sessions.db*"))


def _all_quiet(home: Path, minutes: int) -> None:
    then = START // 1000 - minutes * 60
    for each in home.rglob("*"):
        os.utime(each, (then, then))


@pytest.mark.parametrize("form", ["opencode", "opencode-files", "continue"])
async def test_each_part_of_a_source_counts(client: Client, folder: Path, home: Path, form: str) -> None:
    """A database's log, and the messages that are files of their own."""
    write = WRITERS[form][1]
    path = write(home, folder, TALK[:3])
    _all_quiet(home, minutes=60)
    await _import(client, form)
    assert (await _import(client, form))["unread"] == 1
    before = path.read_bytes()
    write(home, folder, TALK)
    _all_quiet(home, minutes=50)
    if form == "opencode":
        path.write_bytes(before)
        path.with_name(path.name + "-wal").write_bytes(b"")
        _all_quiet(home, minutes=60)
    elif form == "opencode-files":
        path.write_bytes(before)
        os.utime(path, (START // 1000 - 3_600,) * 2)
    again = await _import(client, form)
    assert (again["unread"], again["messages"]) == (0, 0 if form == "opencode" else 3)


async def test_what_may_come_out_otherwise_is_read_again(client: Client, folder: Path, home: Path) -> None:
    """A file written to a moment ago; one with damage; one that only some were taken of; the session came back."""
    path = codex(home, folder, TALK)
    await _import(client, "codex")
    assert (await _import(client, "codex"))["unread"] == 0
    path.write_text(path.read_text() + "no record\n")
    _quiet(path)
    await _import(client, "codex")
    assert (await _import(client, "codex"))["bad"] == 1
    _quiet(codex(home, folder, TALK), minutes=70)
    (id_,) = [each["id"] for each in (await client.call("kore/session/list"))["sessions"]]
    await _import(client, "codex", sessions=[id_])
    assert (await _import(client, "codex"))["unread"] == 0
    assert (await _import(client, "codex", sessions=[id_]))["unread"] == 0
    await client.call("kore/session/delete", {"sessionId": id_})
    _quiet(codex(home, folder, [*TALK, *TALK]))
    assert (await _import(client, "codex"))["skipped"] == 1
    assert (await _import(client, "codex"))["unread"] == 1
    await client.call("kore/session/restore", {"sessionId": id_})
    assert (await _import(client, "codex"))["messages"] == len(TALK)


async def test_a_session_removed_for_good_comes_back_only_when_it_is_asked_for(
    client: Client, folder: Path, home: Path
) -> None:
    _quiet(codex(home, folder, TALK))
    (id_,) = (await _import(client, "codex"))["sessions"]
    await client.call("kore/session/delete", {"sessionId": id_, "permanent": True})
    assert (await _import(client, "codex"))["sessions"] == []
    assert (await _import(client, "codex", sessions=[id_]))["sessions"] == [id_]


async def test_an_import_of_nothing_makes_no_store(client: Client, folder: Path, home: Path) -> None:
    _quiet(codex(home, folder, []))
    await client.call("kore/history/import")
    assert not (folder / ".kore").exists()
