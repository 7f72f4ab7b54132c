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
(defun run-action (start end wanted)
  "Run the code action of START to END whose title matches WANTED, as the menu does."
  (let* ((offered (append (eglot-code-actions start end) nil))
         (action (seq-find (lambda (each) (string-match-p wanted (plist-get each :title))) offered)))
    (eglot-execute-command (eglot-current-server) (plist-get action :command) (plist-get action :arguments))))
(run-action (point-min) (point-min) "new session")
(defvar asked nil)
(cl-letf (((symbol-function 'completing-read)
           (lambda (_ choices &rest _) (setq asked (append asked choices)) (car (last choices)))))
  (run-action (point-min) (line-end-position) "ask about the selection")
  (with-timeout (100 (error "Nothing was shown"))
    (while (not (file-expand-wildcards ".kore/view/*.md")) (accept-process-output nil 0.05)
      (kore "kore.session.list"))))
(princ (json-encode
        (list :current (plist-get (kore "kore.session.current") :name)
              :asked (vconcat asked)
              :answer (with-temp-buffer
                        (insert-file-contents (car (file-expand-wildcards ".kore/view/*.md")))
                        (buffer-string))
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
    assert said["current"] == "Session 1" and said["found"] == "登录\n    检查用户认证 😀\n"
    assert any("Explain this" in str(each) for each in said["asked"])
    assert "\nfirst line\n" in said["answer"]  # the last choice: the selection is the prompt
