"""What is asked of git before a command of it runs."""

from __future__ import annotations

import pytest

from kore_ls.agents.git.foresight import questions


@pytest.mark.parametrize(
    ("line", "compared"),
    [
        ("git checkout x", ["HEAD x"]),
        ("git checkout -", ["HEAD @{-1}"]),
        ("git switch -c new x", ["HEAD x"]),
        ("git checkout -b new", []),
        ("git checkout x -- a.txt", []),
        ("git merge --no-ff x y", ["HEAD...x", "HEAD...y"]),
        ("git merge --abort", []),
        ("git pull --rebase", ["HEAD...@{upstream}"]),
        ("git rebase main", ["HEAD main"]),
        ("git rebase --continue", []),
        ("git reset --hard HEAD~1", ["HEAD HEAD~1"]),
        ("git reset HEAD~1", []),
        ("git cherry-pick a b", ["a^ a", "b^ b"]),
        ("git stash pop", ["stash@{0}^1 stash@{0}"]),
        ("git stash apply 2", ["stash@{2}^1 stash@{2}"]),
        ("git stash", []),
        ("git status", []),
        ("sh -c git", []),
        ("git", []),
    ],
)
def test_the_revisions_between_which_the_change_lies(line: str, compared: list[str]) -> None:
    asked = questions(line.split(" "))
    assert [" ".join(each[each.index("-z") + 1 : -1]) for each in asked] == compared


def test_options_before_the_command_are_kept() -> None:
    (question,) = questions(["/usr/bin/git", "-C", "sub", "-c", "a.b=c", "checkout", "x"])
    assert question[:6] == ["/usr/bin/git", "-C", "sub", "-c", "a.b=c", "diff"]
