"""The VS Code extension's own checks, and what goes into its package."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

import kore_ls
from tests.editors.vscode.conftest import EXTENSION, Npm

pytestmark = [pytest.mark.xdist_group("vscode"), pytest.mark.timeout(300)]


def test_its_types_hold_strictly(npm: Npm) -> None:
    npm("run", "check")


def test_its_unit_tests_pass(npm: Npm) -> None:
    assert "# fail 0" in npm("test")


def test_the_package_holds_what_runs_and_nothing_else(vsix: Path) -> None:
    with zipfile.ZipFile(vsix) as package:
        names = {name.removeprefix("extension/") for name in package.namelist() if name.startswith("extension/")}

    assert {"dist/extension.js", "package.nls.zh-cn.json", "l10n/bundle.l10n.zh-cn.json", "LICENSE.txt"} <= names
    assert not [name for name in names if name.endswith((".ts", ".map")) or "node_modules" in name]
    assert vsix.stat().st_size < 1_000_000


def test_the_extension_and_the_server_have_one_version() -> None:
    manifest = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))

    assert manifest["version"] == kore_ls.__version__
    assert f'"kore-ls=={kore_ls.__version__}"' in (EXTENSION / "src/server/locate.ts").read_text(encoding="utf-8")


def test_the_lock_file_holds_no_addresses_of_downloads() -> None:
    assert "resolved" not in (EXTENSION / "package-lock.json").read_text(encoding="utf-8")
