from __future__ import annotations

import multiprocessing
import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from kore_ls.errors import StoreForeign, StoreReadOnly
from kore_ls.storage.home import DATABASE, StoreHome, default_state_dir, set_aside


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state" / "kore"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder" / ".kore"


def ours(directory: Path, state: Path) -> StoreHome:
    home = StoreHome(directory, state)
    home.prepare()
    (directory / DATABASE).write_bytes(b"a database")
    return home


def private(path: Path) -> bool:
    return stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_looking_at_a_folder_without_a_store_makes_nothing(directory: Path, state: Path) -> None:
    home = StoreHome(directory, state)

    home.check()

    assert not home.foreign
    assert not directory.exists()
    assert not state.exists()


def test_a_prepared_store_is_its_users_own_and_private(directory: Path, state: Path) -> None:
    home = ours(directory, state)

    assert not home.foreign
    assert (directory / ".gitignore").read_text() == "*\n"
    store_id = (directory / "store-id").read_text().strip()
    assert private(directory)
    assert private(directory / "store-id")
    assert private(state)
    assert private(state / "stores")
    assert private(state / "stores" / store_id)


def test_preparing_again_keeps_the_store_id(directory: Path, state: Path) -> None:
    home = ours(directory, state)
    before = (directory / "store-id").read_bytes()

    home.prepare()

    assert (directory / "store-id").read_bytes() == before


@pytest.mark.parametrize("how", [shutil.move, shutil.copytree])
def test_a_moved_or_copied_folder_stays_its_users_own(
    how: object, directory: Path, state: Path, tmp_path: Path
) -> None:
    ours(directory, state)

    how(directory.parent, tmp_path / "elsewhere")  # type: ignore[operator]

    assert not StoreHome(tmp_path / "elsewhere" / ".kore", state).foreign


@pytest.mark.parametrize("name", [DATABASE, "sessions.db-wal", "sessions.db-journal", "sessions.db-shm", "Sessions.DB"])
def test_a_database_that_came_with_the_folder_is_foreign(name: str, directory: Path, state: Path) -> None:
    directory.mkdir()
    (directory / name).write_bytes(b"")
    home = StoreHome(directory, state)

    with pytest.raises(StoreForeign):
        home.check()
    with pytest.raises(StoreForeign):
        home.prepare()

    assert home.foreign
    assert [path.name for path in directory.iterdir()] == [name]


@pytest.mark.parametrize("content", [b"", b"0" * 32, b"../../../etc/passwd", b"A" * 32, b"0" * 31, b"0" * 33, b"\xff"])
def test_an_id_that_is_not_registered_makes_nobody_the_owner(content: bytes, directory: Path, state: Path) -> None:
    ours(directory, state)
    (directory / "store-id").write_bytes(content)

    assert StoreHome(directory, state).foreign


def test_another_user_is_not_the_owner(directory: Path, state: Path, tmp_path: Path) -> None:
    ours(directory, state)

    assert StoreHome(directory, tmp_path / "another").foreign


def test_a_directory_without_a_database_is_free_whatever_id_it_came_with(directory: Path, state: Path) -> None:
    directory.mkdir(mode=0o755)
    (directory / "store-id").write_bytes(b"0" * 32)
    (directory / ".gitignore").write_text("!sessions.db\n")

    home = ours(directory, state)

    assert not home.foreign
    assert (directory / "store-id").read_bytes() != b"0" * 32
    assert (directory / ".gitignore").read_text() == "*\n"
    assert private(directory)


@pytest.mark.parametrize("name", [DATABASE, "sessions.db-wal", "store-id", ".gitignore", "view"])
def test_no_link_in_the_directory_is_followed(name: str, directory: Path, state: Path, tmp_path: Path) -> None:
    home = ours(directory, state)
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (directory / name).unlink(missing_ok=True)
    (directory / name).symlink_to(target)

    with pytest.raises(StoreForeign) as caught:
        home.check()
    with pytest.raises(StoreForeign):
        home.prepare()

    assert caught.value.params["reason"] == "link"
    assert target.read_bytes() == b"precious"


def test_a_linked_directory_is_refused(directory: Path, state: Path, tmp_path: Path) -> None:
    ours(tmp_path / "real", state)
    directory.symlink_to(tmp_path / "real", target_is_directory=True)
    home = StoreHome(directory, state)

    with pytest.raises(StoreForeign) as caught:
        home.check()

    assert caught.value.params["reason"] == "link"
    with pytest.raises(StoreForeign):
        set_aside(directory)


def test_a_link_between_the_folder_and_its_store_is_refused(directory: Path, state: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    folder = directory.parent
    (folder / "sub").symlink_to(tmp_path / "outside", target_is_directory=True)

    with pytest.raises(StoreForeign):
        StoreHome(folder / "sub" / "deep" / ".kore", state, inside=folder).prepare()

    assert list((tmp_path / "outside").iterdir()) == []


def test_a_link_to_the_folder_itself_is_fine(directory: Path, state: Path, tmp_path: Path) -> None:
    ours(directory, state)
    (tmp_path / "link").symlink_to(directory.parent, target_is_directory=True)

    assert not StoreHome(tmp_path / "link" / ".kore", state, inside=tmp_path / "link").foreign


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["store-id", DATABASE, "other"])
def test_a_pipe_in_the_directory_is_refused_without_waiting_for_it(name: str, directory: Path, state: Path) -> None:
    directory.mkdir()
    os.mkfifo(directory / name)

    with pytest.raises(StoreForeign):
        StoreHome(directory, state).check()


def test_a_file_in_place_of_the_directory_is_refused(directory: Path, state: Path) -> None:
    directory.write_bytes(b"")

    with pytest.raises(StoreForeign):
        StoreHome(directory, state).prepare()


def test_without_a_state_directory_there_is_no_store(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StoreReadOnly):
        StoreHome(directory, tmp_path / "file" / "kore").prepare()

    assert not directory.exists()


def _prepare(directory: Path, state: Path, barrier: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    StoreHome(directory, state).prepare()


def test_processes_that_start_at_once_agree_on_one_id(directory: Path, state: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    processes = [context.Process(target=_prepare, args=(directory, state, barrier)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0] * 4
    assert [path.name for path in (state / "stores").iterdir()] == [(directory / "store-id").read_text().strip()]
    assert sorted(path.name for path in directory.iterdir()) == [".gitignore", "store-id"]


def test_a_foreign_store_set_aside_leaves_room_for_a_new_one(directory: Path, state: Path) -> None:
    directory.mkdir()
    for name in (DATABASE, "sessions.db-wal", "store-id", "notes"):
        (directory / name).write_text(name)

    aside = set_aside(directory)

    assert aside.parent == directory
    assert aside.name.startswith("foreign-")
    assert private(aside)
    assert {path.name: path.read_text() for path in aside.iterdir()} == {
        name: name for name in (DATABASE, "sessions.db-wal", "store-id")
    }
    assert not ours(directory, state).foreign
    (directory / DATABASE).write_text("another")
    assert set_aside(directory) != aside


def test_setting_aside_moves_links_and_not_what_they_point_to(directory: Path, tmp_path: Path) -> None:
    directory.mkdir()
    (tmp_path / "target").write_text("precious")
    (directory / DATABASE).symlink_to(tmp_path / "target")

    aside = set_aside(directory)

    assert (aside / DATABASE).is_symlink()
    assert (tmp_path / "target").read_text() == "precious"


def test_the_state_directory_follows_the_users_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    if os.name == "posix" and sys.platform != "darwin":
        assert default_state_dir() == tmp_path / "kore"
    assert default_state_dir().name == "kore"
