"""Which folder a request is about; several folders, several connections, folders that come and go."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.client import Client, Connect, Json

TOO_LONG = "file:///" + "x" * 5_000


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Two workspace folders."""
    made = [tmp_path / name for name in ("one", "two")]
    for each in made:
        each.mkdir()
    return made


@pytest.fixture
async def two(connect: Connect, folders: list[Path]) -> Client:
    """A client with both open."""
    return await connect(*folders)


WITHOUT_SESSION: list[tuple[str, Json]] = [
    ("kore/session/create", {}),
    ("kore/session/current", {}),
    ("kore/session/current", {"create": True}),
    ("kore/session/import", {"document": {"format": "kore-session", "version": 1, "messages": []}}),
    ("kore/store/status", {}),
    ("kore/store/adopt", {}),
    ("kore/store/check", {}),
    ("kore/store/backup", {"path": "b.db"}),
]


@pytest.mark.parametrize(("method", "params"), WITHOUT_SESSION)
async def test_with_several_folders_one_must_be_named(
    two: Client, folders: list[Path], method: str, params: Json
) -> None:
    assert (await two.refused(method, params)).kind == "folderRequired"
    assert [list(each.iterdir()) for each in folders] == [[], []]


@pytest.mark.parametrize(("method", "params"), WITHOUT_SESSION)
async def test_without_folders_there_is_none_to_be_found(connect: Connect, method: str, params: Json) -> None:
    assert (await (await connect()).refused(method, params)).kind == "folderNotFound"


@pytest.mark.parametrize(("method", "params"), [*WITHOUT_SESSION, ("kore/session/list", {}), ("kore/session/save", {})])
@pytest.mark.parametrize(
    "uri", ["file:///not/open", "untitled:x", "", "x", "file://[", "file:///%00", "file:///" + "x" * 5000]
)
async def test_a_folder_that_is_not_open_is_not_found(client: Client, method: str, params: Json, uri: str) -> None:
    assert (await client.refused(method, params | {"folder": uri})).kind == "folderNotFound"


async def test_a_circle_of_links_is_no_open_folder(client: Client, tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    error = await client.refused("kore/session/list", {"folder": (tmp_path / "a").as_uri()})
    assert error.kind == "folderNotFound"


async def test_folders_never_see_each_others_sessions(two: Client, folders: list[Path]) -> None:
    made = [await two.create(folder=each.as_uri(), name=each.name) for each in folders]
    for session, own, other in zip(made, folders, reversed(folders), strict=True):
        assert (await two.get(session["id"]))["folder"] == own.as_uri()
        assert (await two.get(session["id"], folder=own.as_uri()))["id"] == session["id"]
        error = await two.refused("kore/session/get", {"sessionId": session["id"], "folder": other.as_uri()})
        assert error.kind == "sessionNotFound"
        assert await two.names(folder=own.as_uri()) == [own.name]
        current = await two.call("kore/session/current", {"folder": own.as_uri()})
        assert (current["id"], current["active"]) == (session["id"], True)


async def test_a_session_of_a_folder_that_this_connection_has_not_opened_is_not_found(
    connect: Connect, folders: list[Path]
) -> None:
    one, other = await connect(folders[0]), await connect(folders[1])
    session = await one.create()
    for client in (other, await connect()):
        assert (await client.refused("kore/session/get", {"sessionId": session["id"]})).kind == "sessionNotFound"
    error = await other.refused("kore/session/get", {"sessionId": session["id"], "folder": folders[0].as_uri()})
    assert error.kind == "folderNotFound"


WITH_SESSION: list[tuple[str, Json]] = [
    ("kore/session/get", {}),
    ("kore/session/switch", {}),
    ("kore/session/close", {}),
    ("kore/session/rename", {"name": "x"}),
    ("kore/session/update", {"pinned": True}),
    ("kore/session/pause", {}),
    ("kore/session/resume", {}),
    ("kore/session/delete", {}),
    ("kore/session/restore", {}),
    ("kore/session/fork", {}),
    ("kore/session/export", {}),
    ("kore/session/save", {}),
    ("kore/message/add", {"role": "user", "content": "x"}),
    ("kore/message/list", {}),
]


@pytest.mark.parametrize(("method", "params"), WITH_SESSION)
async def test_a_session_in_two_copied_checkouts_needs_its_folder(
    connect: Connect, folders: list[Path], method: str, params: Json
) -> None:
    first = await connect(folders[0])
    session = await first.create(name="copied")
    await first.call("kore/session/save")
    await first.workspace.close()
    shutil.copytree(folders[0] / ".kore", folders[1] / ".kore")
    client = await connect(*folders)
    if method in ("kore/session/resume", "kore/session/restore"):
        step = {"kore/session/resume": "pause", "kore/session/restore": "delete"}[method]
        for each in folders:
            await client.call(f"kore/session/{step}", {"sessionId": session["id"], "folder": each.as_uri()})
    error = await client.refused(method, {"sessionId": session["id"]} | params)
    assert (error.kind, error.params) == ("folderRequired", {"sessionId": session["id"]})
    await client.call(method, {"sessionId": session["id"], "folder": folders[1].as_uri()} | params)


@pytest.mark.parametrize(("method", "params"), WITH_SESSION)
@pytest.mark.parametrize("open_", [0, 1, 2])
async def test_an_unknown_session_is_not_found_however_many_folders_are_open(
    connect: Connect, folders: list[Path], method: str, params: Json, open_: int
) -> None:
    client = await connect(*folders[:open_])
    error = await client.refused(method, {"sessionId": "unknown"} | params)
    assert (error.kind, error.params) == ("sessionNotFound", {"sessionId": "unknown"})
    assert [list(each.iterdir()) for each in folders] == [[], []]


async def test_one_folder_under_two_names_is_one_folder(connect: Connect, folders: list[Path], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folders[0])
    client = await connect(folders[0], tmp_path / "link", folders[0] / ".." / "one")
    session = await client.create(name="s")
    for uri in ((tmp_path / "link").as_uri(), folders[0].as_uri() + "/", folders[0].as_uri()):
        assert await client.names(folder=uri) == ["s"]
    assert session["folder"] == folders[0].as_uri()
    assert [e["type"] for e in client.events()] == ["session.created", "session.switched"]


async def test_percent_encoding_does_not_matter(connect: Connect, tmp_path: Path) -> None:
    place = tmp_path / "项目 é(1)"
    place.mkdir()
    client = await connect(place)
    await client.create(name="s")
    for uri in (place.as_uri(), f"file://{place}", place.as_uri().replace("(", "%28").replace(")", "%29")):
        assert await client.names(folder=uri) == ["s"]


async def test_folders_come_and_go_at_run_time(connect: Connect, folders: list[Path]) -> None:
    client = await connect(folders[0])
    first = await client.create(name="first")
    await client.workspace.open_folder(folders[1].as_uri())
    second = await client.create(folder=folders[1].as_uri(), name="second")
    assert set(await client.names()) == {"first", "second"}
    await client.workspace.close_folder(folders[0].as_uri())
    assert await client.names() == ["second"]
    assert (await client.refused("kore/session/get", {"sessionId": first["id"]})).kind == "sessionNotFound"
    assert (await client.call("kore/session/current"))["id"] == second["id"]
    await client.workspace.open_folder(folders[0].as_uri())
    assert (await client.call("kore/session/current", {"folder": folders[0].as_uri()}))["id"] == first["id"]


async def test_closing_what_is_not_open_is_fine(client: Client, tmp_path: Path) -> None:
    for uri in ("file:///not/open", "untitled:x", "vscode-remote://host/path", (tmp_path / "gone").as_uri(), ""):
        await client.workspace.close_folder(uri)
    await client.create()


async def test_a_folder_is_closed_under_another_of_its_names(connect: Connect, folders: list[Path]) -> None:
    client = await connect(folders[0])
    await client.workspace.close_folder(folders[0].as_uri() + "/")
    assert client.workspace.folders == ()


@pytest.mark.parametrize(
    "uri", ["untitled:x", "file:///not/there", "file:relative", "http://x/y", "file:///" + "x" * 5000]
)
async def test_what_is_no_folder_cannot_be_opened(client: Client, uri: str) -> None:
    from kore_ls.errors import FolderNotFound

    with pytest.raises(FolderNotFound):
        await client.workspace.open_folder(uri)
    await client.create()


async def test_a_file_is_no_folder(client: Client, tmp_path: Path) -> None:
    from kore_ls.errors import FolderNotFound

    (tmp_path / "file").write_text("")
    with pytest.raises(FolderNotFound):
        await client.workspace.open_folder((tmp_path / "file").as_uri())


async def test_each_connection_has_its_own_active_session(connect: Connect, folder: Path) -> None:
    one, two = await connect(folder), await connect(folder)
    a = await one.create(name="a")
    assert (await two.call("kore/session/current"))["id"] == a["id"]
    b = await two.create(name="b")
    assert (await one.call("kore/session/current"))["id"] == a["id"]
    assert (await two.call("kore/session/current"))["id"] == b["id"]
    active = {s["name"]: s["active"] for s in (await one.call("kore/session/list"))["sessions"]}
    assert active == {"a": True, "b": False}
    assert [(e["sessionId"], e["data"]["session"]["active"]) for e in one.events()][-1] == (b["id"], False)


async def test_a_new_connection_starts_from_the_session_switched_to_last(connect: Connect, folder: Path) -> None:
    one = await connect(folder)
    a = await one.create(name="a")
    await one.create(name="b")
    await one.call("kore/session/switch", {"sessionId": a["id"]})
    two = await connect(folder)
    assert (await two.get(a["id"]))["active"] is True
    await one.workspace.close()
    await two.workspace.close()
    assert (await (await connect(folder)).call("kore/session/current"))["id"] == a["id"]


async def test_a_connection_without_an_active_session_goes_along_with_another_ones_switch(
    connect: Connect, folder: Path
) -> None:
    one, two = await connect(folder), await connect(folder)
    session = await one.create()
    assert two.events()[-1]["data"]["session"]["active"] is True
    assert (await two.get(session["id"]))["active"] is True


async def test_the_first_connection_decides_on_the_store(connect: Connect, folder: Path) -> None:
    one = await connect(folder, session_name_prefix="First")
    two = await connect(folder, session_name_prefix="Second", storage_dir=".elsewhere")
    assert (await two.create())["name"] == "First 1"
    assert await one.names() == ["First 1"]
    assert not (folder / ".elsewhere").exists()


async def test_a_store_can_have_another_place_inside_the_folder(connect: Connect, folder: Path) -> None:
    client = await connect(folder, storage_dir="a/b/会话")
    await client.create()
    assert (folder / "a" / "b" / "会话" / "sessions.db").is_file()
    assert not (folder / ".kore").exists()


@pytest.mark.parametrize("place", ["..", "../x", "a/../../x", "a/..", "/tmp/x", "", ".", "./", "a\0b"])
async def test_a_store_outside_its_folder_is_refused(
    connect: Connect, folder: Path, tmp_path: Path, place: str
) -> None:
    from kore_ls.errors import InvalidParams

    client = await connect(storage_dir=place)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InvalidParams):
        await client.workspace.open_folder(folder.as_uri())
    assert client.workspace.folders == ()
    assert sorted(tmp_path.rglob("*")) == before


async def test_a_store_behind_a_link_out_of_its_folder_is_refused(
    connect: Connect, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (folder / "link").symlink_to(tmp_path / "outside")
    client = await connect(folder, storage_dir="link/store")
    assert (await client.refused("kore/session/create")).kind == "storeForeign"
    assert list((tmp_path / "outside").iterdir()) == []


async def test_closing_the_application_twice_is_fine_and_leaves_everything_stored(
    connect: Connect, folder: Path, state_home: Path
) -> None:
    from tests.client import connected, served

    application = served(state_home)
    client = await connected(application, folder)
    session = await client.create()
    await client.add(session["id"], "x")
    await application.close()
    await application.close()
    await client.workspace.close()
    assert await (await connect(folder)).contents(session["id"]) == ["x"]
