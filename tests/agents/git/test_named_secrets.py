"""Which secrets a command of git names, in the common spellings."""

from __future__ import annotations

import pytest

from kore_ls.agents.git.named_secrets import named_secrets

KNOWN = (".npmrc", "sub/server.key")


@pytest.mark.parametrize(
    "line",
    [
        *("git show HEAD:.npmrc", "git cat-file -p HEAD~1:sub/server.key", "git show :.npmrc", "git show :0:.npmrc"),
        *("git show HEAD:sub/../.npmrc", "git show HEAD:./.npmrc", "git -C . log -p -- .npmrc", "/x/git show a:.NPMRC"),
        *("git archive HEAD sub/server.key", "git checkout HEAD~1 -- :(top).npmrc", "git grep T HEAD -- *.key"),
        *("env git diff HEAD~1 -- :(glob)**/*.key", "git restore --source=HEAD .env", "git show stash@{0}:.aws/config"),
        *("git show main^{tree}:.env.local", "git blame .env", "git log -p -- .npm*", "git show HEAD:.ssh"),
    ],
)  # fmt: skip
def test_a_secret_is_found(line: str) -> None:
    assert named_secrets(line.split(" "), KNOWN)
    assert named_secrets(["sh", "-c", f"cd . && '{line}' | cat; true"], KNOWN)


@pytest.mark.parametrize(
    "line",
    [
        *("git add .npmrc", "git show HEAD:a.txt", "git log -p -- sub/*.txt", "cat .npmrc", "git status .npmrc"),
        *("git show HEAD:.env.example", "git commit -m env", "scp host:.npmrc .", "git log --oneline -5", "git"),
    ],
)  # fmt: skip
def test_what_shows_no_secret_is_not_asked_about(line: str) -> None:
    assert named_secrets(line.split(" "), KNOWN) == ()
