"""Emacs with eglot runs sessions by the functions of the README."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from tests.editors import missing
from tests.editors.snippets import environment, snippet

JOURNEY = """
(setq eglot-connect-timeout 100 jsonrpc-default-request-timeout 100)
(find-file "notes.txt")
(let ((eglot-sync-connect t)) (apply #'eglot--connect (eglot--guess-contact)))
(kore-new "登录")
(kore-note "检查用户认证 😀")
(kore-new "other")
(cl-letf (((symbol-function 'completing-read) (lambda (&rest _) "登录")))
  (kore-switch))
(kore-search "用户")
(let* ((offered (append (eglot-code-actions (point-min)) nil))
       (new (seq-find (lambda (each) (equal (plist-get each :title) "Kore: new session")) offered)))
  (eglot-execute-command (eglot-current-server) (plist-get new :command) (plist-get new :arguments)))
(princ (json-encode
        (list :current (plist-get (kore "kore.session.current") :name)
              :found (with-current-buffer "*kore*" (buffer-string)))))
(eglot-shutdown (eglot-current-server))
"""


def test_sessions_are_made_switched_and_searched(tmp_path: Path, project: Path) -> None:
    emacs = shutil.which("emacs") or missing("Emacs is not installed: apt-get install emacs-nox elpa-eglot")
    script = tmp_path / "journey.el"
    script.write_text(";;; -*- lexical-binding: t -*-\n" + snippet("Emacs") + JOURNEY, encoding="utf-8")
    command = [emacs, "-q", "--batch", "--eval", "(require 'eglot nil t)", "--eval"]
    probe = subprocess.run([*command, "(kill-emacs (if (featurep 'eglot) 0 3))"], capture_output=True, check=False)
    if probe.returncode:
        missing("eglot is not installed: apt-get install elpa-eglot")
    ran = subprocess.run(
        [emacs, "-q", "--batch", "-l", str(script)],
        cwd=project,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout.splitlines()[-1])
    assert said == {"current": "Session 1", "found": "登录\n    检查用户认证 😀\n"}
