"""The builtin agent: slash commands are tool calls, plain text gets one sentence, nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from kore_ls.agents.agent import AnswerEnded, Leave, TextDelta, ToolOutcome, Workplace
from kore_ls.agents.builtin import builtin_factory
from kore_ls.agents.slash import USAGES, BadCommand, HelpWanted, ModeWanted, ToolWanted, parsed
from kore_ls.agents.tools.table import TOOLS
from kore_ls.agents.tools.tool import read_arguments
from kore_ls.model.ids import SessionId
from kore_ls.model.message import Message, ToolCall, ToolStatus
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionRecord
from kore_ls.model.turn import Prompt, StopReason
from tests.agents.scene import Scene


@define
class AskedTurn:
    """A turn whose tools are a scene's."""

    text: str
    scene: Scene
    outcomes: list[ToolOutcome] = field(factory=list)

    @property
    def prompt(self) -> Prompt:
        return Prompt(text=self.text)

    @property
    def session(self) -> SessionRecord:
        return self.scene.session()

    async def history(self) -> AsyncIterator[Message]:
        messages: tuple[Message, ...] = ()
        for message in messages:
            yield message

    async def ready(self) -> None:
        pass

    async def notes(self, name: str | None = None) -> Mapping[str, str]:
        return {}

    async def keep(self, name: str, content: str | None) -> None:
        raise AssertionError

    async def workplace(self) -> Workplace:
        raise AssertionError

    async def permit(self, call: ToolCall, **asked: Any) -> Leave:
        raise AssertionError

    async def use_tool(self, name: str, arguments: Mapping[str, Any], *, call_id: str | None = None) -> ToolOutcome:
        self.outcomes.append(await self.scene.use(name, **arguments))
        return self.outcomes[-1]


@pytest.fixture
def scene(folder: Path) -> Scene:
    (folder / "a.py").write_text("one\ntwo\nthree\n")
    return Scene(folder.resolve(), locale="en")


async def told(text: str, scene: Scene, turn: AskedTurn | None = None) -> str:
    """What the agent says to a prompt; it always ends well."""

    async def set_mode(session: SessionId, mode: AgentMode) -> None:
        scene.mode = mode

    agent = builtin_factory(locale=scene.locale, set_mode=set_mode)(scene.session())
    events = [each async for each in agent.answer(turn or AskedTurn(text, scene))]  # type: ignore[union-attr]
    assert events[-1] == AnswerEnded(stop_reason=StopReason.END_TURN)
    return "".join(each.text for each in events if isinstance(each, TextDelta))


def wants(prompt: str, tool: str, **arguments: Any) -> None:
    found = parsed(prompt)
    assert isinstance(found, ToolWanted)
    assert (found.tool, dict(found.arguments)) == (tool, arguments)
    read_arguments(TOOLS[tool].parameters, found.arguments)


@pytest.mark.parametrize(
    ("prompt", "tool", "arguments"),
    [
        ("/read a.py", "read_file", {"path": "a.py"}),
        ("／read a.py:2-3", "read_file", {"path": "a.py", "first": 2, "last": 3}),
        ("/read 'my file.py':7", "read_file", {"path": "my file.py", "first": 7, "last": 7}),
        ("／ 搜索", None, {}),
        ("/ls", "list_dir", {}),
        ("/ls　src", "list_dir", {"path": "src"}),
        ("  /LS src\n", "list_dir", {"path": "src"}),
        (r"/grep 'a\d+ b' src", "grep", {"pattern": r"a\d+ b", "path": "src"}),
        ("/symbols a.py", "symbols", {"path": "a.py"}),
        ("/diff", "diff", {}),
        ("/write a.txt  two spaces 'kept' $HOME\nand lines\n", "write_file",
         {"path": "a.txt", "content": " two spaces 'kept' $HOME\nand lines\n"}),
        ("/write 'a b.txt'\nfirst line", "write_file", {"path": "a b.txt", "content": "first line"}),
        ("/write a.txt", "write_file", {"path": "a.txt", "content": ""}),
        ("/move 'a b' c", "move", {"source": "a b", "target": "c"}),
        ("/delete a.py", "delete", {"path": "a.py"}),
        ("/run echo '; rm -rf /' $HOME", "run_command", {"argv": ["echo", "; rm -rf /", "$HOME"]}),
        ("/run --network curl x", "run_command", {"argv": ["curl", "x"], "network": True}),
        ("/todo", "todo", {}),
        ("/todo write it down", "todo", {"text": "write it down"}),
        ("/todo done 2", "todo", {"done": 2}),
        ("/search 用户 认证", "search_sessions", {"query": "用户 认证"}),
        ("/definition a.py:3:5", "definition", {"path": "a.py", "line": 3, "column": 5}),
        ("/references a.py:3:5", "references", {"path": "a.py", "line": 3, "column": 5}),
        ("/hover 'a b.py:3:5'", "hover", {"path": "a b.py", "line": 3, "column": 5}),
        ("/rename a.py:3:5 new", "rename", {"path": "a.py", "line": 3, "column": 5, "new_name": "new"}),
        ("/diagnostics", "diagnostics", {}),
    ],
)  # fmt: skip
def test_a_slash_command_is_a_tool_call(prompt: str, tool: str | None, arguments: dict[str, Any]) -> None:
    if tool is None:
        with pytest.raises(BadCommand):
            parsed(prompt)
    else:
        wants(prompt, tool, **arguments)


EDIT = "/edit a.py\n<<<<<<< SEARCH\ntwo\n=======\n2\nzwei\n>>>>>>> REPLACE\n"


def test_edit_takes_blocks_of_lines_as_they_are() -> None:
    again = EDIT + "\n<<<<<<< SEARCH\n  'one\n=======\n>>>>>>> REPLACE"
    blocks = [{"search": "two", "replace": "2\nzwei"}, {"search": "  'one", "replace": ""}]
    wants(again, "edit_file", path="a.py", edits=blocks, lines=True)


@pytest.mark.parametrize(
    "prompt",
    [
        *("/read", "/read a b", "/read 'a", "/grep", "/write", "/move a", "/run", "/run --network", "/search  "),
        *("/definition a.py:3", "/hover a.py", "/edit a.py", "/edit a.py\nold new", "/edit a.py\n<<<<<<< SEARCH\nx"),
        *("/edit a.py\n<<<<<<< SEARCH\nx\n>>>>>>> REPLACE", "/delete ''", "/mode a b", "/rename a.py:1:1"),
    ],
)
def test_a_command_that_is_wrong_is_answered_with_how_it_goes(prompt: str) -> None:
    with pytest.raises(BadCommand) as caught:
        parsed(prompt)
    assert caught.value.usage == USAGES[prompt[1:].split()[0]]


@pytest.mark.parametrize("prompt", ["/", "／", "/nope", "/read.me", "/etc/passwd", "/-", "//"])
def test_an_unknown_command_is_none(prompt: str) -> None:
    with pytest.raises(BadCommand) as caught:
        parsed(prompt)
    assert caught.value.usage is None


def test_help_and_mode_are_no_tools() -> None:
    assert parsed("/help") == HelpWanted()
    assert parsed("/mode Plan") == ModeWanted(mode="plan")


async def test_plain_text_gets_one_fixed_sentence_in_the_users_language(scene: Scene) -> None:
    english = await told("please write my program", scene)
    assert english == await told("something else", scene)
    assert "No model is set up" in english
    scene.locale = "zh-CN"
    assert "尚未配置模型" in await told("你好", scene)
    assert scene.calls == []


async def test_the_help_names_every_command(scene: Scene) -> None:
    text = await told("/help", scene)
    assert all(usage in text for usage in USAGES.values())


async def test_a_command_tells_what_the_tool_says(scene: Scene) -> None:
    assert await told("/read a.py:2-3", scene) == "two\nthree\n"
    await told(EDIT, scene)
    assert (scene.folder / "a.py").read_text() == "one\n2\nzwei\nthree\n"


async def test_lines_replaced_by_nothing_leave_no_empty_line(scene: Scene) -> None:
    await told("/edit a.py\n<<<<<<< SEARCH\ntwo\n=======\n>>>>>>> REPLACE", scene)
    assert (scene.folder / "a.py").read_text() == "one\nthree\n"


async def test_a_refused_command_ends_the_turn_well_with_the_reason(scene: Scene) -> None:
    scene.mode = AgentMode.PLAN
    turn = AskedTurn("/write a.py gone", scene)
    assert "not allowed in plan mode" in await told("", scene, turn)
    assert turn.outcomes[0].call.status is ToolStatus.DENIED
    assert (scene.folder / "a.py").read_text() == "one\ntwo\nthree\n"


async def test_mode_changes_the_mode_and_tells_it(scene: Scene) -> None:
    assert await told("/mode", scene) == "Mode: build"
    assert await told("／mode plan", scene) == "Mode: plan"
    assert scene.mode is AgentMode.PLAN
    assert USAGES["mode"] in await told("/mode root", scene)
    assert scene.mode is AgentMode.PLAN


async def test_wrong_and_unknown_commands_are_explained(scene: Scene) -> None:
    assert USAGES["read"] in await told("/read", scene)
    assert "/help" in await told("/frobnicate", scene)


async def test_a_long_result_comes_in_pieces(scene: Scene) -> None:
    (scene.folder / "long.txt").write_text("x" * 30_000)
    agent = builtin_factory()(scene.session())
    turn = AskedTurn("/read long.txt", scene)
    pieces = [each.text async for each in agent.answer(turn) if isinstance(each, TextDelta)]  # type: ignore[union-attr]
    assert len(pieces) > 5
    assert "".join(pieces).startswith("x" * 30_000)
