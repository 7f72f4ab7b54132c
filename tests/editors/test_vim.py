"""Vim without plugins runs sessions by the commands of the README."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from tests.editors import missing
from tests.editors.snippets import environment, snippet

JOURNEY = r"""
KoreNew 登录
let first = Kore('kore.session.current')
KoreNote 检查用户认证 😀
KoreNew %{system('touch evil')} | quit
execute 'KoreSwitch' first.id
let listed = execute('KoreList')
let hits = Kore('kore.session.search', {'query': '用户'}).hits
let told = {'current': Kore('kore.session.current').name, 'listed': listed, 'found': hits[0].matches[0].snippet}
try
  call Kore('kore.session.get', {'sessionId': 'nobody'})
catch /^kore: /
  let told.refused = v:true
endtry
edit notes.txt
let told.offered = map(KoreActions(1, 1), 'v:val.title')
execute '1,1KoreAct show the session'
let waited = 0
while empty(glob('.kore/view/*.md')) && waited < 1000
  sleep 100m
  let waited += 1
endwhile
let told.shown = readfile(glob('.kore/view/*.md', 0, 1)[0])
call writefile([json_encode(told)], 'told.json')
qall!
"""


def test_sessions_are_made_switched_and_searched(tmp_path: Path, project: Path) -> None:
    vim = shutil.which("vim.nox") or shutil.which("vim") or missing("Vim is not installed: apt-get install vim")
    script = tmp_path / "journey.vim"
    script.write_text("set nocompatible encoding=utf-8\n" + snippet("Vim") + JOURNEY, encoding="utf-8")
    ran = subprocess.run(
        [vim, "-Es", "-u", "NONE", "-S", str(script)],
        cwd=project,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert (project / "told.json").exists(), ran.stdout + ran.stderr
    told = json.loads((project / "told.json").read_text(encoding="utf-8"))
    assert told["current"] == "登录"
    assert told["found"] == "检查用户认证 😀"
    assert "登录" in told["listed"] and "%{system('touch evil')} | quit" in told["listed"]
    assert told["refused"]
    assert told["offered"][0] == "Kore: ask about the selection" and "Kore: show the session" in told["offered"]
    assert told["shown"][0] == "# 登录" and "检查用户认证 😀" in told["shown"]
    assert not (project / "evil").exists()
