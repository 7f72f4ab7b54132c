"""The tools that read and change files: exact, whole or not at all, with the editor where it has them open."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from kore_ls.agents.ports import Document, EditResult
from kore_ls.agents.problem import ToolProblem
from kore_ls.agents.tools.edit_file import edited
from kore_ls.model.message import ToolStatus
from tests.agents.scene import Scene


@pytest.fixture
def scene(folder: Path) -> Scene:
    (folder / "src").mkdir()
    (folder / "src/a.py").write_text("one\ntwo\nthree\n")
    return Scene(folder.resolve())


async def text(scene: Scene, tool: str, **arguments: Any) -> str:
    return (await scene.use(tool, **arguments)).text


async def failing(scene: Scene, tool: str, **arguments: Any) -> str:
    outcome = await scene.use(tool, **arguments)
    assert outcome.call.status is ToolStatus.FAILED
    return outcome.text


async def test_a_file_is_read_whole_or_by_lines(scene: Scene) -> None:
    assert await text(scene, "read_file", path="src/a.py") == "one\ntwo\nthree\n"
    assert await text(scene, "read_file", path="src/a.py", first=2) == "two\nthree\n"
    assert await text(scene, "read_file", path="src/a.py", first=2, last=2) == "two\n"
    assert await text(scene, "read_file", path="src/a.py", first=3, last=99) == "three\n"


@pytest.mark.parametrize(("first", "last"), [(0, 1), (4, 5), (3, 1), (-1, 2)])
async def test_lines_that_are_not_there_are_said_to_be_so(first: int, last: int, scene: Scene) -> None:
    assert "no such lines: the file has 3" in await failing(scene, "read_file", path="src/a.py", first=first, last=last)


async def test_a_long_file_is_cut_at_a_line_and_says_where_to_read_on(scene: Scene) -> None:
    (scene.folder / "long").write_text("".join(f"{number:09}\n" for number in range(10_000)))
    outcome = await scene.use("read_file", path="long")
    last = outcome.call.result["lastLine"]
    assert outcome.text.endswith(f"line {last} of 10000; read on from line {last + 1} ...]\n")
    assert (await text(scene, "read_file", path="long", first=last + 1)).startswith(f"{last:09}\n")


async def test_what_is_no_text_file_is_not_read(scene: Scene) -> None:
    (scene.folder / "binary").write_bytes(b"a\0b")
    (scene.folder / "latin").write_bytes(b"caf\xe9")
    os.mkfifo(scene.folder / "pipe")
    assert "not a text file" in await failing(scene, "read_file", path="binary")
    assert "not UTF-8" in await failing(scene, "read_file", path="latin")
    assert "not a regular file" in await failing(scene, "read_file", path="pipe")
    assert "directory" in await failing(scene, "read_file", path="src")
    assert "no such file" in await failing(scene, "read_file", path="nothing")


async def test_an_open_document_is_read_as_the_user_sees_it(scene: Scene) -> None:
    scene.documents[scene.folder / "src/a.py"] = Document(text="unsaved\n", version=3, dirty=True)
    assert await text(scene, "read_file", path="src/a.py") == "unsaved\n"


async def test_a_directory_is_listed_in_order(scene: Scene) -> None:
    (scene.folder / "b").touch()
    assert await text(scene, "list_dir") == "b\nsrc/"
    assert await text(scene, "list_dir", path="src") == "a.py"
    assert "no such directory" in await failing(scene, "list_dir", path="b")


async def test_writing_makes_directories_keeps_permissions_and_the_image_before(scene: Scene) -> None:
    await scene.use("write_file", path="new/deep/b.sh", content="x")
    path = scene.folder / "src/a.py"
    path.chmod(0o750)
    outcome = await scene.use("write_file", path="src/a.py", content="new\n")
    assert (scene.folder / "new/deep/b.sh").read_text() == "x"
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new\n", 0o750)
    assert scene.images == [
        (scene.folder / "new/deep/b.sh", None, b"x"),
        (path, b"one\ntwo\nthree\n", b"new\n"),
    ]
    assert "-one" in outcome.call.result["diff"]
    assert not list(scene.folder.rglob("*.tmp"))


async def test_a_symlink_is_written_through_to_a_file_of_the_folder(scene: Scene) -> None:
    (scene.folder / "link").symlink_to("src/a.py")
    await scene.use("write_file", path="link", content="new\n")
    assert (scene.folder / "link").is_symlink()
    assert (scene.folder / "src/a.py").read_text() == "new\n"


async def test_blocks_apply_in_order_and_all_or_none(scene: Scene) -> None:
    blocks = [{"search": "one", "replace": "1"}, {"search": "1\ntwo", "replace": "1\n2"}]
    await scene.use("edit_file", path="src/a.py", edits=blocks)
    assert (scene.folder / "src/a.py").read_text() == "1\n2\nthree\n"
    blocks = [{"search": "three", "replace": "3"}, {"search": "nowhere", "replace": ""}]
    assert "Block 2" in await failing(scene, "edit_file", path="src/a.py", edits=blocks)
    assert (scene.folder / "src/a.py").read_text() == "1\n2\nthree\n"


@pytest.mark.parametrize(
    ("before", "search", "replace", "after"),
    [
        ("a b a", "b", "c", "a c a"),
        ("x\r\ny\r\nz\r\n", "x\ny", "1\n2", "1\r\n2\r\nz\r\n"),
        ("x\r\ny\n", "x\r\n", "z\n", "z\ny\n"),
        ("空 格\n", "空 格", "好", "好\n"),
        ("\ufeffa\n", "a", "b", "\ufeffb\n"),
    ],
)
def test_a_block_fits_exactly(before: str, search: str, replace: str, after: str) -> None:
    assert edited(before, [{"search": search, "replace": replace}]) == after


@pytest.mark.parametrize(
    ("before", "search"), [("a a", "a"), ("aaa", "aa"), ("a", "b"), ("a", ""), ("A", "a"), ("a  b", "a b")]
)
def test_a_block_that_does_not_fit_exactly_once_is_refused(before: str, search: str) -> None:
    with pytest.raises(ToolProblem):
        edited(before, [{"search": search, "replace": "x"}])


def test_whole_lines_replaced_by_nothing_take_their_end_along() -> None:
    assert edited("a\nb\nc\n", [{"search": "b", "replace": ""}], lines=True) == "a\nc\n"
    assert edited("a\nb c\n", [{"search": "b ", "replace": ""}], lines=True) == "a\nc\n"
    assert edited("a\nb", [{"search": "b", "replace": ""}], lines=True) == "a\n"


async def test_an_open_clean_document_is_changed_by_its_editor_and_saved(scene: Scene) -> None:
    path = scene.folder / "src/a.py"
    scene.documents[path] = Document(text=path.read_text(), version=7, dirty=False)
    await scene.use("edit_file", path="src/a.py", edits=[{"search": "two", "replace": "2"}])
    assert scene.documents[path] == Document(text="one\n2\nthree\n", version=8, dirty=False)
    assert scene.images == [(path, b"one\ntwo\nthree\n", b"one\n2\nthree\n")]


async def test_unsaved_changes_are_edited_in_the_editor_and_never_lost(scene: Scene) -> None:
    path = scene.folder / "src/a.py"
    scene.documents[path] = Document(text="mine\n", version=7, dirty=True)
    await scene.use("edit_file", path="src/a.py", edits=[{"search": "mine", "replace": "ours"}])
    assert scene.documents[path].text == "ours\n"
    assert path.read_text() == "one\ntwo\nthree\n"
    assert scene.images == [(path, b"mine\n", b"ours\n")]
    scene.editing = EditResult.UNAVAILABLE
    assert "unsaved" in await failing(scene, "write_file", path="src/a.py", content="x")
    assert path.read_text() == "one\ntwo\nthree\n"


@pytest.mark.parametrize("result", [EditResult.REFUSED, EditResult.STALE])
async def test_what_the_editor_refuses_does_not_happen(result: EditResult, scene: Scene) -> None:
    path = scene.folder / "src/a.py"
    scene.documents[path] = Document(text=path.read_text(), version=7, dirty=False)
    scene.editing = result
    await failing(scene, "write_file", path="src/a.py", content="x")
    assert path.read_text() == "one\ntwo\nthree\n"
    assert scene.images == []


async def test_an_editor_that_can_t_edit_leaves_clean_files_to_us(scene: Scene) -> None:
    path = scene.folder / "src/a.py"
    scene.documents[path] = Document(text=path.read_text(), version=7, dirty=False)
    scene.editing = EditResult.UNAVAILABLE
    await scene.use("write_file", path="src/a.py", content="x")
    assert path.read_text() == "x"


async def test_moving_takes_files_and_directories_and_overwrites_nothing(scene: Scene) -> None:
    (scene.folder / "there").mkdir()
    (scene.folder / "b").write_text("b")
    await scene.use("move", source="b", target="there")
    assert (scene.folder / "there/b").read_text() == "b"
    await scene.use("move", source="src", target="new/place")
    assert (scene.folder / "new/place/a.py").exists()
    assert scene.images[-2:] == [
        (scene.folder / "src/a.py", b"one\ntwo\nthree\n", None),
        (scene.folder / "new/place/a.py", None, b"one\ntwo\nthree\n"),
    ]
    (scene.folder / "b").write_text("new")
    assert "already something" in await failing(scene, "move", source="b", target="there/b")
    assert "into itself" in await failing(scene, "move", source="new", target="new/place/new")


async def test_deleting_takes_a_whole_directory_and_keeps_what_was_in_it(scene: Scene) -> None:
    (scene.folder / "src/link").symlink_to("a.py")
    await scene.use("delete", path="src")
    assert not (scene.folder / "src").exists()
    assert scene.images == [(scene.folder / "src/a.py", b"one\ntwo\nthree\n", None)]


async def test_a_link_is_deleted_and_not_what_it_names(scene: Scene) -> None:
    (scene.folder / "link").symlink_to("src")
    await scene.use("delete", path="link")
    assert not (scene.folder / "link").is_symlink()
    assert (scene.folder / "src/a.py").exists()


@pytest.mark.parametrize(
    ("made", "source", "target"),
    [
        *(("gh/workflows/x.yml", "gh", ".github"), ("gh/workflows/x.yml", "gh/workflows", ".github/workflows")),
        *(("a/gh/workflows/x.yml", "a/gh", "b/.github"), ("aws/x/credentials", "aws", ".aws")),
        *(("evil/hooks/pre-commit", "evil", "scripts"), ("evil/hooks/pre-commit", "evil/hooks", "scripts/hooks")),
    ],
)
async def test_what_a_directory_would_become_under_its_new_name_is_asked_about(
    made: str, source: str, target: str, scene: Scene
) -> None:
    (scene.folder / made).parent.mkdir(parents=True)
    (scene.folder / made).write_text("x")
    (scene.folder / ".git").mkdir()
    (scene.folder / ".git/config").write_text("[core]\n\thooksPath = scripts/hooks\n")
    scene.answer = "rejectOnce"
    assert (await scene.use("move", source=source, target=target)).call.status is ToolStatus.DENIED
    assert len(scene.asked) == 1
    assert (scene.folder / made).exists()


async def test_a_link_that_would_lead_to_what_is_run_is_asked_about(scene: Scene) -> None:
    (scene.folder / "gh/workflows").mkdir(parents=True)
    (scene.folder / "link").symlink_to("gh")
    scene.answer = "rejectOnce"
    assert (await scene.use("move", source="link", target=".github")).call.status is ToolStatus.DENIED
    assert (scene.folder / "link").is_symlink()


@pytest.mark.parametrize(
    ("link", "target", "path"),
    [
        *((".vscode", "ev", "ev/tasks.json"), ("sub/.vscode", "../ev", "ev/tasks.json"), (".envrc", "rc", "rc")),
        *((".github", "gh", "gh/workflows/ci.yml"), (".mcp.json", "conf/mcp", "conf/mcp"), (".idea", ".", "src/a.py")),
        *((".git/hooks", "../hooks", "hooks/pre-commit"), (".vscode/tasks.json", "../t", "t"), (".claude", "c/d", "c")),
    ],
)
async def test_what_a_link_makes_to_be_run_is_asked_about(link: str, target: str, path: str, scene: Scene) -> None:
    (scene.folder / link).parent.mkdir(exist_ok=True)
    (scene.folder / link).symlink_to(target)
    scene.answer = "rejectOnce"
    assert (await scene.use("write_file", path=path, content="x")).call.status is ToolStatus.DENIED
    assert [option.id for option in scene.asked[0].options] == ["allowOnce", "rejectOnce"]
    assert (await scene.use("write_file", path="other", content="x")).call.status is (
        ToolStatus.DENIED if target == "." else ToolStatus.COMPLETED
    )


async def test_what_a_link_makes_a_secret_is_asked_about(scene: Scene) -> None:
    (scene.folder / ".env").symlink_to("src/settings")
    (scene.folder / "src/settings").write_text("needle")
    scene.answer = "rejectOnce"
    assert (await scene.use("read_file", path="src/settings")).call.status is ToolStatus.DENIED
    assert await text(scene, "grep", pattern="needle") == "No matches."


async def test_a_directory_with_a_link_that_stands_for_what_is_run_is_asked_about(scene: Scene) -> None:
    (scene.folder / "d").mkdir()
    (scene.folder / "d/.github").symlink_to("../src")
    scene.answer = "rejectOnce"
    for tool, arguments in {"move": {"source": "d", "target": "e"}, "delete": {"path": "d"}}.items():
        assert (await scene.use(tool, declared=None, **arguments)).call.status is ToolStatus.DENIED
        assert "d/.github" in scene.asked[-1].summary
    scene.answer = "allowOnce"
    assert (await scene.use("move", source="d", target="e")).call.status is ToolStatus.COMPLETED
    assert (scene.folder / "e/.github").is_symlink()


async def test_files_with_unsaved_changes_are_neither_moved_nor_deleted(scene: Scene) -> None:
    scene.documents[scene.folder / "src/a.py"] = Document(text="mine", version=1, dirty=True)
    assert "unsaved" in await failing(scene, "move", source="src", target="dst")
    assert "unsaved" in await failing(scene, "delete", path="src/a.py")
    assert (scene.folder / "src/a.py").exists()


async def test_a_directory_with_a_secret_is_asked_about_with_its_name(scene: Scene) -> None:
    (scene.folder / "src/.env").write_text("x")
    assert (await scene.use("delete", path="src")).call.status is ToolStatus.DENIED
    assert f"{scene.folder}/src/.env (this file holds secrets)" in scene.asked[0].summary
