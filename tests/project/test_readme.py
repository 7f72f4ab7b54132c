"""What the README files show and claim is true: examples run, the map lists the modules that exist."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path

import pytest

from tests.project.source import PACKAGE, ROOT, modules

PAGES = [ROOT / "README.md", PACKAGE / "README.md"]
MAP = PACKAGE / "README.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> dict[str, str]:
    """Every block marked `python`, by the file and line where it starts; padded so that tracebacks name its lines."""
    found = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8") if page.exists() else ""
        for block in _BLOCK.finditer(text):
            line = text.count("\n", 0, block.start(1)) + 1
            found[f"{page.relative_to(ROOT).as_posix()}:{line}"] = "\n" * (line - 1) + block[1]
    return found


EXAMPLES = examples()


@pytest.mark.parametrize("place", EXAMPLES)
def test_an_example_runs_as_printed(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder, as a script or with `await` at its top level, as in `python -m asyncio`."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    page = place.rpartition(":")[0]
    code = compile(EXAMPLES[place], page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    names = {"__name__": "__main__"}

    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(eval(code, names))
    else:
        exec(code, names)


def test_the_readme_has_examples_to_run() -> None:
    assert any(place.startswith("README.md:") for place in EXAMPLES)


def test_the_map_names_every_module_and_no_other() -> None:
    """A module is named by its path below the package, as `storage/rows.py`; an `__init__.py` needs no line."""
    named = set(re.findall(r"[\w/]+\.py\b", MAP.read_text(encoding="utf-8")))

    assert {each for each in named if not each.endswith("__init__.py")} == {
        each for each in modules() if not each.endswith("__init__.py")
    }
