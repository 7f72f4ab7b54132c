"""Folder URIs and paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from kore_ls.errors import FolderNotFound
from kore_ls.sessions.uris import path_of, real_path, uri_of


@pytest.mark.parametrize("name", ["plain", "with space", "项目", "100%", "a#b?c", "é(1)[2]", "c++"])
def test_a_path_survives_being_a_uri(name: str) -> None:
    path = Path("/tmp") / name
    assert path_of(uri_of(path)) == path


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b", "/a/b"),
        ("file:///a/b/", "/a/b"),
        ("file:///a%20b/%E9%A1%B9", "/a b/项"),
        ("file:///a b/项", "/a b/项"),
        ("FILE:///a", "/a"),
        ("file://localhost/a", "/a"),
        ("file:/a", "/a"),
    ],
)
def test_editors_spell_uris_differently(uri: str, path: str) -> None:
    assert path_of(uri) == Path(path)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "a",
        "/a/b",
        "file:",
        "file:a",
        "file://",
        "http://x/a",
        "untitled:1",
        "file://[",
        "file:///a%00",
        "file:///\0",
    ],
)
def test_what_is_no_folder_uri(uri: str) -> None:
    with pytest.raises(FolderNotFound):
        path_of(uri)


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert real_path(tmp_path / "link" / "link") == tmp_path.resolve()
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    real_path(tmp_path / "a" / "x")
