"""The way of a user through sessions in the real VS Code, driven in a browser."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from kore_ls.api.application import Application
from tests.client import connected, served
from tests.editors.vscode.conftest import Npm, run_node_tests
from tests.sessions.importers.tools import TALK, claude_code

pytestmark = [pytest.mark.xdist_group("vscode"), pytest.mark.timeout(900)]

PASSPHRASE = "correct horse 电池"

HOSTILE = "\n\n".join(
    [
        "<script>window.hit = 1</script>",
        '<img src="x" onerror="window.hit = 1">',
        '<svg onload="window.hit = 1"></svg><iframe src="https://evil.test/"></iframe>',
        "![picture](https://evil.test/picture.png)",
        "[run](command:workbench.action.toggleZenMode) [js](javascript:window.hit=1)",
        "after the picture",
    ]
)


@pytest.fixture
async def locked(application: Application, tmp_path: Path) -> Path:
    """A folder with an encrypted store, and in it a session whose name and messages mean harm."""
    folder = tmp_path / "locked"
    folder.mkdir()
    client = await connected(application, folder)
    name = "$(trash) [run](command:workbench.action.toggleZenMode) \u202eevil"
    session: dict[str, Any] = await client.call("kore/session/create", {"name": name})
    for role in ("user", "assistant"):
        await client.call("kore/message/add", {"sessionId": session["id"], "role": role, "content": HOSTILE})
    await client.call("kore/store/encrypt", {"passphrase": PASSPHRASE})
    await client.workspace.close()
    return folder


@pytest.fixture
async def chinese(application: Application, tmp_path: Path) -> Path:
    """A folder with a session that has a Chinese name."""
    folder = tmp_path / "chinese"
    folder.mkdir()
    client = await connected(application, folder)
    session = await client.call("kore/session/create", {"name": "登录接口", "mode": "general"})
    await client.call("kore/message/add", {"sessionId": session["id"], "role": "user", "content": "帮我加上登录限流"})
    await client.workspace.close()
    return folder


@pytest.fixture
async def foreign(tmp_path: Path) -> Path:
    """A folder whose sessions another user made."""
    folder = tmp_path / "foreign"
    folder.mkdir()
    others = served(tmp_path / "state of another user")
    client = await connected(others, folder)
    session = await client.call("kore/session/create", {"name": "theirs"})
    await client.call("kore/message/add", {"sessionId": session["id"], "role": "user", "content": "hello"})
    await client.workspace.close()
    await others.close()
    return folder


@pytest.fixture
async def lost(tmp_path: Path) -> Path:
    """A folder that lost its sessions, of which the user's state directory has a copy."""
    folder = tmp_path / "lost"
    folder.mkdir()
    application = served(tmp_path / "state" / "kore")
    client = await connected(application, folder)
    session = await client.call("kore/session/create", {"name": "登录接口"})
    await client.call("kore/message/add", {"sessionId": session["id"], "role": "user", "content": "hello"})
    await client.workspace.folder(None).folder.backups.keep("daily")
    await client.workspace.close()
    await application.close()
    shutil.rmtree(folder / ".kore")
    return folder


@pytest.fixture
def talked(tmp_path: Path) -> Path:
    """A folder without sessions, about which the user has talked with another tool."""
    folder = tmp_path / "talked"
    folder.mkdir()
    claude_code(tmp_path / "editor", folder, TALK)  # where the journey's editor has its home
    return folder


@pytest.fixture
def editor(vsix: Path, chromium: str, code_server: Path, tmp_path: Path) -> dict[str, str]:
    """What a journey must be told of this machine."""
    return {
        "KORE_E2E_DIR": str(tmp_path),
        "KORE_E2E_VSIX": str(vsix),
        "KORE_E2E_CHROMIUM": chromium,
        "KORE_E2E_CODE_SERVER": str(code_server),
    }


def test_from_a_fresh_folder_to_an_encrypted_one_opened_again_in_chinese(editor: dict[str, str]) -> None:
    run_node_tests("e2e/journey.test.mjs", editor | {"KORE_E2E_HOSTILE": HOSTILE, "KORE_E2E_PASSPHRASE": PASSPHRASE})


@pytest.mark.slow
def test_encrypted_and_hostile_sessions_and_a_chinese_editor(
    editor: dict[str, str], chinese: Path, locked: Path
) -> None:
    folders = {"KORE_E2E_LOCKED": str(locked), "KORE_E2E_CHINESE": str(chinese), "KORE_E2E_PASSPHRASE": PASSPHRASE}

    run_node_tests("e2e/guarded.test.mjs", editor | folders | {"KORE_E2E_HOSTILE": HOSTILE})


@pytest.mark.slow
def test_sessions_are_labelled_encrypted_exported_and_taken_over(editor: dict[str, str], foreign: Path) -> None:
    run_node_tests("e2e/keeping.test.mjs", editor | {"KORE_E2E_FOREIGN": str(foreign)})


@pytest.mark.slow
def test_lost_sessions_and_those_of_other_tools_are_offered_once(
    editor: dict[str, str], lost: Path, talked: Path, tmp_path: Path
) -> None:
    folders = {"KORE_E2E_LOST": str(lost), "KORE_E2E_TALKED": str(talked), "KORE_E2E_STATE": str(tmp_path / "state")}

    run_node_tests("e2e/upkeep.test.mjs", editor | folders)


@pytest.mark.slow
def test_folders_without_a_server_without_trust_and_several_of_them(editor: dict[str, str]) -> None:
    server = Path(sys.executable).with_name("kore-ls")

    run_node_tests("e2e/trust.test.mjs", editor | {"KORE_E2E_SERVER": str(server)})


@pytest.mark.slow
def test_in_the_extension_host(npm: Npm, editor: dict[str, str]) -> None:
    npm("run", "build")

    run_node_tests("e2e/inhost.test.mjs", editor)
