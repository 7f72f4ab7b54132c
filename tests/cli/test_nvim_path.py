"""`kore-ls nvim-path`: the plugin that came with the installation, in a checkout and in a wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.project.source import ROOT


def test_it_prints_the_plugin_of_this_installation() -> None:
    run = [sys.executable, "-m", "kore_ls", "nvim-path"]
    printed = subprocess.run(run, capture_output=True, text=True, check=True, timeout=60).stdout

    assert printed.endswith("\n") and printed.count("\n") == 1
    assert (Path(printed.strip()) / "lsp" / "kore.lua").is_file()


@pytest.mark.slow
def test_a_wheel_has_the_whole_plugin_and_finds_it(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")

    source = ROOT / "editors" / "nvim"
    files = {path.relative_to(source) for path in source.rglob("*") if path.is_file()}
    packed = tmp_path / "site" / "kore_ls" / "editors" / "nvim"
    assert {path.relative_to(packed) for path in packed.rglob("*") if path.is_file()} == files

    run = [sys.executable, "-c", "import kore_ls.cli.nvim_path as it; print(it.plugin_directory())"]
    printed = subprocess.run(run, cwd=tmp_path / "site", capture_output=True, text=True, check=True, timeout=60).stdout
    assert Path(printed.strip()) == packed
