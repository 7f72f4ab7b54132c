"""The tools that ask the editor's language servers: what they ask, what they make of the answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kore_ls.agents.ports import Document
from kore_ls.model.message import ToolStatus
from kore_ls.model.mode import AgentMode
from tests.agents.scene import Scene

TOOLS = ["definition", "references", "hover", "document_symbols", "diagnostics", "rename"]


@pytest.fixture
def scene(folder: Path) -> Scene:
    (folder / "a.py").write_text("😀 = one\nprint(one)\n")
    (folder / "b.py").write_text("from a import one\n")
    (folder / ".env").write_text("one=1\n")
    return Scene(folder.resolve())


def span(line: int, start: int, end: int) -> dict[str, Any]:
    return {"start": {"line": line, "character": start}, "end": {"line": line, "character": end}}


@pytest.mark.parametrize("tool", TOOLS)
async def test_without_an_editor_that_can_it_is_not_available(tool: str, scene: Scene) -> None:
    outcome = await scene.use(tool, path="a.py", line=1, column=1, new_name="x")
    assert outcome.call.status is ToolStatus.FAILED
    assert "Not available" in outcome.text


async def test_a_place_is_asked_for_in_utf_16_units(scene: Scene) -> None:
    scene.languages["definition"] = {"uri": (scene.folder / "b.py").as_uri(), "range": span(0, 14, 17)}
    outcome = await scene.use("definition", path="a.py", line=1, column=5)
    assert outcome.text == "b.py:1:15: from a import one"
    assert scene.language_asked == [
        (
            "definition",
            {"textDocument": {"uri": (scene.folder / "a.py").as_uri()}, "position": {"line": 0, "character": 5}},
        )
    ]


@pytest.mark.parametrize(("line", "column"), [(0, 1), (1, 0), (9, 1), (1, 99)])
async def test_a_place_that_is_not_in_the_file_is_not_asked_for(line: int, column: int, scene: Scene) -> None:
    assert "no such place" in (await scene.use("hover", path="a.py", line=line, column=column)).text
    assert scene.language_asked == []


async def test_places_outside_and_in_secrets_are_named_without_their_text(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "lib.py").write_text("outside text\n")
    scene.languages["references"] = [
        {"targetUri": (tmp_path / "lib.py").as_uri(), "targetSelectionRange": span(0, 0, 3)},
        {"uri": (scene.folder / ".env").as_uri(), "range": span(0, 0, 3)},
        {"uri": "untitled:x", "range": span(0, 0, 3)},
        {"uri": (scene.folder / "b.py").as_uri(), "range": {"start": None}},
        None,
    ]
    outcome = await scene.use("references", path="a.py", line=1, column=1)
    assert outcome.text.splitlines() == [f"{tmp_path.resolve()}/lib.py:1:1", ".env:1:1"]


@pytest.mark.parametrize(
    ("contents", "text"),
    [
        ("words", "words"),
        ({"kind": "markdown", "value": "**words**"}, "**words**"),
        (["one", {"language": "py", "value": "two"}], "one\n\ntwo"),
        (7, "Nothing found."),
        (None, "Nothing found."),
    ],
)
async def test_a_hover_is_its_text(contents: Any, text: str, scene: Scene) -> None:
    scene.languages["hover"] = {"contents": contents}
    assert (await scene.use("hover", path="a.py", line=1, column=1)).text == text


async def test_symbols_are_listed_as_they_are_nested(scene: Scene) -> None:
    inner = {"name": "inner", "selectionRange": span(4, 0, 1)}
    scene.languages["documentSymbol"] = [
        {"name": "outer", "range": span(2, 0, 1), "children": [inner]},
        {"name": "flat", "location": {"uri": "file:///x", "range": span(6, 0, 1)}},
        {"broken": True},
    ]
    assert (await scene.use("document_symbols", path="a.py")).text == "3: outer\n5:   inner\n7: flat"


@pytest.mark.parametrize("shape", ["report", "list", "files"])
async def test_diagnostics_are_one_line_each(shape: str, scene: Scene) -> None:
    found = {"range": span(1, 6, 9), "severity": 2, "message": "odd\nname"}
    uri = (scene.folder / "a.py").as_uri()
    scene.languages["diagnostics"] = {
        "report": {"kind": "full", "items": [found]},
        "list": [found],
        "files": [{"uri": uri, "items": [found]}],
    }[shape]
    assert (await scene.use("diagnostics", path="a.py")).text == "a.py:2:7: warning: odd name"


def renaming(scene: Scene, *names: str) -> dict[str, Any]:
    edits = {"a.py": [span(0, 5, 8), span(1, 6, 9)], "b.py": [span(0, 14, 17)], ".env": [span(0, 0, 3)]}
    return {
        "changes": {
            (scene.folder / name).as_uri(): [{"range": each, "newText": "two"} for each in edits[name]]
            for name in names
        }
    }


async def test_a_rename_is_an_edit_of_all_its_files(scene: Scene) -> None:
    scene.mode, scene.answer = AgentMode.GENERAL, "allowOnce"
    scene.documents[scene.folder / "b.py"] = Document(text="from a import one\n", version=1, dirty=False)
    scene.languages["rename"] = renaming(scene, "a.py", "b.py")
    outcome = await scene.use("rename", path="a.py", line=1, column=5, new_name="two")
    assert outcome.text == "Renamed in 2 files:\na.py\nb.py"
    assert (scene.folder / "a.py").read_text() == "😀 = two\nprint(two)\n"
    assert (scene.folder / "b.py").read_text() == "from a import two\n"
    (request,) = scene.asked
    assert "+print(two)" in str(request.diff)
    assert "+from a import two" in str(request.diff)
    assert len(scene.images) == 2


async def test_a_rename_that_touches_a_secret_or_more_than_texts_is_not_made_unasked(scene: Scene) -> None:
    before = (scene.folder / "a.py").read_text()
    scene.languages["rename"] = renaming(scene, "a.py", ".env")
    assert (await scene.use("rename", path="a.py", line=1, column=5, new_name="x")).call.status is ToolStatus.DENIED
    scene.languages["rename"] = {"documentChanges": [{"kind": "delete", "uri": (scene.folder / "b.py").as_uri()}]}
    assert "more than change texts" in (await scene.use("rename", path="a.py", line=1, column=5, new_name="x")).text
    overlapping = renaming(scene, "a.py")
    edits = next(iter(overlapping["changes"].values()))
    edits.append(edits[0])
    scene.languages["rename"] = overlapping
    assert "can't be understood" in (await scene.use("rename", path="a.py", line=1, column=5, new_name="x")).text
    assert (scene.folder / "a.py").read_text() == before
    assert (scene.folder / "b.py").exists()


async def test_in_plan_mode_nothing_is_renamed(scene: Scene) -> None:
    scene.mode = AgentMode.PLAN
    scene.languages["rename"] = renaming(scene, "a.py")
    assert (await scene.use("rename", path="a.py", line=1, column=5, new_name="x")).call.status is ToolStatus.DENIED
