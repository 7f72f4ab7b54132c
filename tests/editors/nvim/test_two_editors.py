"""Two editors, two servers, one folder: each sees what the other does."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.e2e.raw_client import process
from tests.editors.nvim.editor import BUFFER, Start


def test_each_sees_what_the_other_writes(start: Start, project: Path) -> None:
    one, two = start(project), start(project)
    one.kore("new shared")
    one.send("from one")
    two.kore("switch shared")
    two.chat("count(chat, 'user') == 1")

    two.send("from two")
    one.chat("count(chat, 'user') == 2")
    one.kore("rename ours")
    two.wait("return require('kore').session().name == 'ours'")
    one.send("again")
    two.chat("count(chat, 'user') == 3")

    for editor in (one, two):  # three prompts, each with its answer
        editor.chat("#chat.messages == 6 and not chat.live")
    two.shows("from one", "from two", "again")
    one.gives(BUFFER, two.text())
    assert two.text().index("from one") < two.text().index("from two") < two.text().index("again")


def test_neovim_and_another_editor_see_each_other(start: Start, project: Path) -> None:
    """The other one greets as VS Code does, and hears events."""
    with process((sys.executable, "-m", "kore_ls", "--stdio")) as other:
        other.initialize(
            clientInfo={"name": "Visual Studio Code"},
            capabilities={"general": {"positionEncodings": ["utf-16"]}},
            workspaceFolders=[{"uri": project.as_uri(), "name": "one"}],
            initializationOptions={"kore": {"events": True}},
        )
        session = other.request("kore/session/create", {"name": "ours"})["result"]["id"]
        nvim = start(project)
        nvim.kore("switch ours")
        nvim.chat()
        note = {"sessionId": session, "role": "user", "content": "from the other editor 😀"}
        other.request("kore/message/add", note)
        nvim.chat("#chat.messages == 1")
        nvim.shows("from the other editor 😀")

        nvim.note("from Neovim")
        nvim.kore("rename 我们的")
        other.wait(
            lambda message: (
                message.get("method") == "kore/event"
                and message["params"]["type"] == "store.changed"
                and other.request("kore/session/get", {"sessionId": session})["result"]["name"] == "我们的"
            )
        )
        listed = other.request("kore/message/list", {"sessionId": session})["result"]["messages"]
        assert [message["content"] for message in listed] == ["from the other editor 😀", "from Neovim"]
