"""Files that are written whole or not at all."""

from __future__ import annotations

import resource
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from kore_ls.errors import InvalidParams, SessionNotFound, StoreFull
from kore_ls.sessions.documents.export_file import target_path, write_file


async def pieces(*texts: bytes, then: Exception | None = None) -> AsyncIterator[bytes]:
    for text in texts:
        yield text
    if then is not None:
        raise then


async def test_the_pieces_are_the_file_and_nothing_else_is_left(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    assert await write_file(target, pieces(b"one", b"", b"two"), overwrite=False) == 6
    assert target.read_bytes() == b"onetwo"
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [target]


async def test_a_longest_name_can_be_written(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 255)
    await write_file(target, pieces(b"x"), overwrite=False)
    target = tmp_path / ("会" * 85)
    await write_file(target, pieces(b"x"), overwrite=False)


@pytest.mark.parametrize("overwrite", [False, True])
async def test_what_fails_in_between_leaves_the_old_file_and_nothing_new(tmp_path: Path, overwrite: bool) -> None:
    target = tmp_path / "out.json"
    if overwrite:
        target.write_bytes(b"old")
    with pytest.raises(SessionNotFound):
        await write_file(target, pieces(b"one", then=SessionNotFound()), overwrite=overwrite)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == ({"out.json": b"old"} if overwrite else {})


async def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "out.json"

    async def slow() -> AsyncIterator[bytes]:
        yield b"ours"
        target.write_bytes(b"theirs")

    with pytest.raises(InvalidParams, match="exists"):
        await write_file(target, slow(), overwrite=False)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"out.json": b"theirs"}


async def test_a_link_that_appears_meanwhile_is_replaced_not_followed(tmp_path: Path) -> None:
    target, victim = tmp_path / "out.json", tmp_path / "victim"
    victim.write_bytes(b"precious")

    async def slow() -> AsyncIterator[bytes]:
        yield b"ours"
        target.symlink_to(victim)

    await write_file(target, slow(), overwrite=True)
    assert (victim.read_bytes(), target.read_bytes(), target.is_symlink()) == (b"precious", b"ours", False)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file can grow beyond 64 KiB, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


async def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, small_files: None) -> None:
    with pytest.raises(StoreFull):
        await write_file(tmp_path / "out.json", pieces(b"x" * (1 << 20)), overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_where_a_path_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert target_path("a/b", tmp_path) == tmp_path / "a" / "b"
    assert target_path("/a/b", tmp_path) == Path("/a/b")
    assert target_path("~/a", tmp_path) == Path("/home/me/a")
    assert target_path("file:///a/%E4%BC%9A", tmp_path) == Path("/a/会")
