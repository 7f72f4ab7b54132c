"""A folder full of traps, and beside it what must never be reached from there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from attrs import frozen

TOKEN = "TOKEN-OF-THE-FOLDER"
OUTER = "TOKEN-FROM-OUTSIDE"
VARIABLE = "TOKEN-OF-THE-SERVER"


@frozen
class World:
    """`work` is the workspace folder, `outside` holds what is not in it."""

    work: Path
    outside: Path

    def guarded(self) -> dict[str, bytes]:
        """Everything that no attempt may change in any mode unless the user says so."""
        names = [".env", ".kore", ".git/config", ".git/hooks", ".vscode", "sub/.git"]
        files = [path for name in names for path in [self.work / name, *(self.work / name).rglob("*")]]
        everything = [path for path in [*files, *self.outside.rglob("*")] if path.is_file() and not path.is_symlink()]
        return {str(path): path.read_bytes() for path in everything}


def git(*words: str, cwd: Path) -> str:
    """Run git without anything of the user's; what it prints."""
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    identity = ("-c", "user.name=n", "-c", "user.email=m@example.org")
    done = subprocess.run(["git", *identity, *words], cwd=cwd, env=env, check=True, capture_output=True, text=True)
    return done.stdout


def repository(base: Path) -> Path:
    """A repository with one commit and no hooks, to be copied."""
    work = base / "work"
    (work / "src/deep").mkdir(parents=True)
    (work / "src/app.py").write_text("def run():\n    pass\n")
    (work / "src/note.txt").write_text("note\n")
    (work / ".gitattributes").write_text("*.py filter=evil diff=evil\n")
    git("init", "-q", "-b", "main", "--template=", ".", cwd=work)
    git("add", "src", ".gitattributes", cwd=work)
    git("commit", "-q", "-m", "first", cwd=work)
    return work


def build(original: Path, base: Path) -> World:
    """Make it from a repository: symlinks, hard links, hostile settings, archives, a pipe."""
    work, outside = base / "work", base / "outside"
    shutil.copytree(original, work)
    for directory in (work / ".kore", work / ".vscode", work / "sub", work / ".git/hooks", outside):
        directory.mkdir(parents=True)
    (outside / "victim.txt").write_text("as it was\n")
    (outside / "key").write_text(f"{OUTER}\n")
    (work / "src/app.py").write_text("def run():\n    return 1\n")
    (work / ".env").write_text(f"TOKEN={TOKEN}\n")
    (work / ".kore/sessions.db").write_bytes(b"store")
    (work / ".vscode/tasks.json").write_text("{}\n")
    (work / "sub/.git").write_text(f"gitdir: {outside}\n")
    for name, target in {
        "out": str(outside), "victim": str(outside / "victim.txt"), "relative": "../outside/key", "plain": ".env",
        "g": ".git", "k": ".kore", "loop": "loop", "dangling": str(outside / "made"), "up": "..", "self": ".",
    }.items():  # fmt: skip
        (work / name).symlink_to(target)
    (work / "hard").hardlink_to(work / ".env")
    (work / "hard-out").hardlink_to(outside / "victim.txt")
    os.mkfifo(work / "pipe")
    _hostile_settings(work, outside)
    _archive(work, outside)
    return World(work.resolve(), outside.resolve())


def _hostile_settings(work: Path, outside: Path) -> None:
    script = work / "evil.sh"
    script.write_text(f"#!/bin/sh\necho evil > {work}/EVIL\necho evil > {outside}/EVIL\ncat\n")
    script.chmod(0o755)
    (work / ".git/hooks/pre-commit").write_text(script.read_text())
    (work / ".git/hooks/pre-commit").chmod(0o755)
    with (work / ".git/config").open("a") as file:
        file.write(
            f"[core]\n\tfsmonitor = {script}\n\tpager = {script}\n[diff]\n\texternal = {script}\n"
            f'[diff "evil"]\n\ttextconv = {script}\n\tcommand = {script}\n[filter "evil"]\n\tclean = {script}\n'
            f"\tsmudge = {script}\n[alias]\n\tst = !{script}\n[include]\n\tpath = {outside}/key\n"
        )
    for name in ("rg", "git", "bwrap", "python3"):
        shutil.copy(script, work / name)


def _archive(work: Path, outside: Path) -> None:
    payload = work / "src/note.txt"
    with tarfile.open(work / "evil.tar", "w") as archive:
        link = tarfile.TarInfo("lnk")
        link.type, link.linkname = tarfile.SYMTYPE, str(outside)
        archive.addfile(link)
        for name in (
            "lnk/victim.txt",
            "../outside/victim.txt",
            str(outside / "victim.txt"),
            ".git/hooks/post-checkout",
        ):
            member = archive.gettarinfo(payload, name)
            with payload.open("rb") as content:
                archive.addfile(member, content)
