"""Which folders a client means."""

from __future__ import annotations

from typing import Any

import pytest

from kore_ls.lsp.folders import changed, opened_at_start

A, B = {"uri": "file:///a", "name": "a"}, {"uri": "file:///b", "name": "b"}


@pytest.mark.parametrize(
    ("params", "uris"),
    [
        ({"workspaceFolders": [A, B, A], "rootUri": "file:///root"}, ["file:///a", "file:///b"]),
        ({"workspaceFolders": None, "rootUri": "file:///root"}, ["file:///root"]),
        ({"rootUri": "file:///root", "rootPath": "/path"}, ["file:///root"]),
        ({"rootUri": None, "rootPath": "/some path"}, ["file:///some%20path"]),
        ({"workspaceFolders": [], "rootUri": "file:///root"}, []),
        ({"workspaceFolders": None, "rootUri": None}, []),
        ({"rootPath": "relative"}, []),
        ({}, []),
    ],
)
def test_folders_at_the_start(params: Any, uris: list[str]) -> None:
    assert opened_at_start(params) == uris


@pytest.mark.parametrize(
    ("params", "closed_and_opened"),
    [
        ({"event": {"added": [A], "removed": [B]}}, (["file:///b"], ["file:///a"])),
        ({"event": {"added": [A, {"uri": 7}, 7, {}]}}, ([], ["file:///a"])),
        ({"event": {"added": "x", "removed": None}}, ([], [])),
        ({"event": []}, ([], [])),
        (None, ([], [])),
    ],
)
def test_folders_that_change(params: Any, closed_and_opened: tuple[list[str], list[str]]) -> None:
    assert changed(params) == closed_and_opened
