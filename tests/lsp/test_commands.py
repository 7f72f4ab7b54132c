"""Commands as editors call them: with one object, or bare."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire_peer import Message, Peer, titles

FOLDERS = [{"uri": "file:///code", "name": "code"}, {"uri": "file:///code/inner", "name": "inner"}]


@pytest.fixture
async def peer() -> Peer:
    peer = Peer()
    await peer.initialize()
    await peer.result("kore/test/null")
    return peer


async def test_a_command_with_one_object_is_the_method_with_these_params(peer: Peer) -> None:
    reply = await peer.command("kore.session.rename", {"sessionId": "two", "name": "新名字"})
    assert reply["result"]["name"] == "新名字"
    assert peer.workspace.sessions["two"].name == "新名字"


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        (None, "params.command: must be a string"),
        ({"command": 7}, "params.command: must be a string"),
        ({"command": "kore.unknown"}, "params.command: is unknown"),
        ({"command": "kore.test.secret", "arguments": [{}]}, "params.command: is unknown"),
        ({"command": "kore.test.sum", "arguments": {}}, "params.arguments: must be an array"),
        ({"command": "kore.test.sum", "arguments": [{}, {}]}, "params.arguments: must hold one object"),
        ({"command": "kore.test.sum", "arguments": [7]}, "params.arguments[0]: must be an object"),
        ({"command": "kore.test.sum", "arguments": ["text"]}, "params.arguments[0]: must be an object"),
        ({"command": "kore.test.sum", "arguments": [{"numbers": [""]}]}, "params.numbers[0]: must be an integer"),
        ({"command": "kore.session.rename", "arguments": [{"sessionId": "two"}]}, "params.name: is required"),
    ],
)
async def test_bad_calls_are_answered_with_the_place(peer: Peer, params: Any, problem: str) -> None:
    error = await peer.error("workspace/executeCommand", params)
    assert error["code"] == -32602 and error["data"]["problems"] == [problem]


async def test_a_domain_error_of_a_command_is_answered_as_that_of_the_method(peer: Peer) -> None:
    reply = await peer.command("kore.session.close", {"sessionId": "gone"})
    assert reply["error"]["data"] == {"kind": "sessionNotFound", "params": {"sessionId": "gone"}}


async def test_a_command_can_be_cancelled(peer: Peer) -> None:
    id_ = peer.call("workspace/executeCommand", {"command": "kore.test.wait", "arguments": [{}]})
    await peer.event("kore/test/begun")
    peer.notify("$/cancelRequest", {"id": id_})
    assert (await peer.reply(id_))["error"]["code"] == -32800
    assert peer.workspace.cancelled.is_set()


@pytest.mark.parametrize("arguments", [[], None, [None], ["file:///code/a.py"], ["untitled:Untitled-1"]])
async def test_a_bare_command_that_lacks_nothing_runs_at_once(peer: Peer, arguments: Any) -> None:
    params = {"command": "kore.test.sum"} | ({} if arguments is None else {"arguments": arguments})
    assert await peer.result("workspace/executeCommand", params) == 0


async def test_a_bare_command_returns_at_once_and_asks_for_its_session(peer: Peer) -> None:
    assert (await peer.command("kore.session.close"))["result"] is None
    question = await peer.choice("second")
    assert titles(question) == ["第一个会话 (active)", "second"]
    assert await peer.shown() == "Session close: second"


async def test_a_bare_command_asks_for_words_after_the_session(peer: Peer) -> None:
    assert (await peer.command("kore.session.update", "file:///code/a.py"))["result"] is None
    await peer.choice("second")
    question = await peer.choice("plan")
    assert titles(question) == ["build", "plan"]
    assert await peer.shown() == "Session update: second"
    assert peer.workspace.sessions["two"].mode.value == "plan"


async def test_a_bare_command_that_needs_text_tells_how_to_give_it(peer: Peer) -> None:
    assert (await peer.command("kore.session.rename"))["result"] is None
    text = await peer.shown()
    assert "kore.session.rename" in text and '"sessionId"' in text and '"name"' in text


async def test_a_bare_command_that_needs_one_of_several_tells_how_to_give_it(peer: Peer) -> None:
    assert (await peer.command("kore.session.import"))["result"] is None
    text = await peer.shown()
    assert '"document"' in text and '"path"' in text


async def test_a_bare_export_asks_for_a_path_because_nobody_would_get_the_document(peer: Peer) -> None:
    assert (await peer.command("kore.session.export"))["result"] is None
    text = await peer.shown()
    assert '"sessionId"' in text and '"path"' in text


async def test_a_destructive_bare_command_asks_before_it_acts(peer: Peer) -> None:
    await peer.command("kore.session.delete")
    await peer.choice("second")
    question = await peer.choice("No")
    assert question["params"]["message"] == "Delete the session?"
    await peer.command("kore.session.delete")
    await peer.choice("second")
    await peer.choice("Yes")
    assert await peer.shown() == "Session delete: second"
    assert list(peer.workspace.sessions) == ["one"]


async def test_a_destructive_command_with_its_object_does_not_ask(peer: Peer) -> None:
    reply = await peer.command("kore.session.delete", {"sessionId": "two"})
    assert reply["result"] == {"deleted": ["two"]}


@pytest.mark.parametrize(
    "answer",
    [{"result": None}, {}, {"result": {"title": "other"}}, {"result": 7}, {"error": {"code": -32601, "message": "no"}}],
)
async def test_a_question_that_is_not_answered_ends_the_matter(peer: Peer, answer: Message) -> None:
    await peer.command("kore.session.delete")
    question = await peer.event("window/showMessageRequest")
    peer.send({"jsonrpc": "2.0", "id": question["id"]} | answer)
    await peer.result("kore/test/null")
    await peer.result("shutdown")
    assert peer.received == [] and len(peer.workspace.sessions) == 2


async def test_what_fails_in_the_background_is_shown(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    await peer.command("kore.session.close")
    question = await peer.event("window/showMessageRequest")
    del peer.workspace.sessions["two"]
    peer.answer(question, {"title": "second"})
    assert await peer.shown() == "Session close: session not found"
    peer.workspace.sessions["three"] = 7  # type: ignore[assignment]
    await peer.command("kore.session.close")
    assert "internal error (reference " in await peer.shown()


async def test_without_any_session_the_user_is_told(peer: Peer) -> None:
    peer.workspace.sessions.clear()
    await peer.command("kore.session.close")
    assert "no session" in await peer.shown()


async def test_names_that_are_alike_or_hostile_can_be_told_apart_and_do_no_harm(peer: Peer) -> None:
    sessions = peer.workspace.sessions
    for id_, name in (("a-1", "same"), ("a-2", "same"), ("b", "\x1b[31mred\u202e"), ("c", "长" * 200)):
        await peer.result("kore/session/rename", {"sessionId": "two", "name": name})
        sessions[id_] = sessions["two"].__class__(id=id_, name=name, folder="file:///code")
    await peer.command("kore.session.close")
    shown = titles(await peer.event("window/showMessageRequest"))
    assert len(set(shown)) == len(sessions)
    assert shown[2:5] == ["same", "same (a-2)", "␛[31mred<202E>"]
    assert max(map(len, shown)) < 80


async def test_with_several_folders_the_document_tells_which(peer: Peer) -> None:
    many = Peer()
    await many.initialize(workspaceFolders=FOLDERS)
    reply = await many.command("kore.session.create", "file:///code/inner/a.py")
    assert reply["result"]["folder"] == "file:///code/inner"
    reply = await many.command("kore.session.create", "file:///code/other.py")
    assert reply["result"]["folder"] == "file:///code"


async def test_with_several_folders_and_no_document_the_user_is_asked_which(peer: Peer) -> None:
    many = Peer()
    await many.initialize(workspaceFolders=FOLDERS)
    assert (await many.command("kore.session.create"))["result"] is None
    question = await many.choice("inner")
    assert titles(question) == ["code", "inner"]
    assert await many.shown() == "Session create: new"
    assert list(many.workspace.sessions.values())[-1].folder == "file:///code/inner"


async def test_a_destructive_command_asks_for_its_folder_after_the_user_has_agreed(peer: Peer) -> None:
    many = Peer()
    await many.initialize(workspaceFolders=FOLDERS)
    await many.command("kore.store.adopt")
    await many.choice("Yes")
    await many.choice("inner")
    assert await many.shown() == "Store adopt: done"
    assert many.workspace.adopted == ["file:///code/inner"]
    await many.command("kore.store.adopt", "file:///code/a.py")
    await many.choice("Yes")
    assert await many.shown() == "Store adopt: done"
    assert many.workspace.adopted[-1] == "file:///code"


async def test_with_several_folders_sessions_are_shown_with_theirs(peer: Peer) -> None:
    many = Peer()
    await many.initialize(workspaceFolders=FOLDERS)
    await many.command("kore.session.close")
    assert titles(await many.event("window/showMessageRequest"))[1] == "second [code]"


async def test_shutdown_ends_questions_that_are_open(peer: Peer) -> None:
    await peer.command("kore.session.close")
    await peer.event("window/showMessageRequest")
    assert await peer.result("shutdown") is None
    assert peer.received == []
