"""Which files need more care than others, told by their names alone. Pure; looks at no file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from enum import Enum
from fnmatch import translate
from functools import cache, lru_cache
from pathlib import Path


class Guard(Enum):
    """Why a path is special."""

    SECRET = "secret"
    """Keys, passwords, tokens: neither read nor written without a word of the user."""
    INTERNAL = "internal"
    """Inside `.kore` or `.git`: never written by a tool."""
    CODE = "code"
    """What an editor, an agent, a CI service or git runs or obeys without asking."""


_SECRET_NAMES = (
    *(".env", ".env.*", ".env?*", "*.env", "*.env.local", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore"),
    *("*.ppk", "*.kdbx", "*.ovpn", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*_rsa", "*_ed25519"),
    *(".netrc", "_netrc", ".npmrc", ".pypirc", ".pgpass", ".my.cnf", ".mylogin.cnf", ".htpasswd", ".git-credentials"),
    *(".vault-token", ".terraformrc", ".dockercfg", ".boto", ".s3cfg", ".databrickscfg", ".passwd-s3fs", "rclone.conf"),
    *("credentials.json", ".credentials.json", "credentials.toml", "credentials.yml", "credentials.yaml"),
    *("credentials.tfrc.json", "application_default_credentials.json", "client_secret*", "oauth_creds.json"),
    *("secrets.json", "secrets.toml", "secrets.yml", "secrets.yaml", "service-account*.json", "service_account*.json"),
    *("*.tfvars", "*.tfstate", "*.tfstate.*", "kubeconfig", "kubeconfig.*", "*.kubeconfig"),
)
_PUBLIC_NAMES = (
    *(".env.example", "example.env", "*.example.env", "sample.env", "*.sample.env", "template.env", "*.template.env"),
    *("*.pub", "cacert.pem", "ca-bundle.pem", "roots.pem", "cert.pem", "chain.pem", "fullchain.pem"),
)
_SECRET_PLACES = (
    *((".ssh",), (".gnupg",), (".aws",), (".azure",), (".kube",), (".docker", "config.json"), (".config", "gcloud")),
    *((".config", "gh"), (".config", "hub"), (".local", "share", "keyrings"), (".password-store",), (".oci",)),
    *((".config", "git", "credentials"), (".config", "rclone"), (".config", "doctl"), (".config", "containers")),
    *((".cargo", "credentials"), (".cargo", "credentials.toml"), (".gem", "credentials"), (".codex", "auth.json")),
    *((".m2", "settings.xml"), (".m2", "settings-security.xml"), (".gradle", "gradle.properties"), (".terraform.d",)),
    *((".composer", "auth.json"), (".config", "composer", "auth.json"), (".config", "op"), (".config", "sops")),
)
_INTERNAL_NAMES = (".git", ".kore", "git~1", "kore~1")
_SHELL_NAMES = (
    *(".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile", ".zshrc", ".zshenv"),
    *(".zprofile", ".zlogin", ".zlogout", ".kshrc", ".cshrc", ".tcshrc", ".login", ".xprofile", ".xinitrc"),
    *(".xsessionrc", ".xsession", ".pam_environment", ".gitconfig", ".tmux.conf", ".screenrc"),
)
_EDITOR_NAMES = (
    *("*.code-workspace", "*.sublime-project", ".nvim.lua", ".nvimrc", ".vimrc", "_vimrc", ".gvimrc", "_gvimrc"),
    *(".exrc", "_exrc", ".lvimrc", ".local.vimrc", ".vimrc.local", ".dir-locals.el", ".dir-locals-2.el", ".emacs"),
    *(".envrc", "mise.toml", ".mise.toml", "mise.*.toml", ".mise.*.toml", ".tool-versions", ".devcontainer.json"),
)
_AGENT_NAMES = (
    *(".mcp.json", "opencode.json", "opencode.jsonc", "crush.json", ".crush.json", ".roomodes"),
    *(".aider.conf.yml", ".aider.conf.yaml", ".aider.model.settings.yml"),
)
_HOOK_NAMES = (
    *(".gitmodules", ".pre-commit-config.yaml", ".pre-commit-config.yml", "lefthook.*", ".lefthook.*"),
    *("lefthook-local.*", ".lefthook-local.*", ".overcommit.yml", ".lintstagedrc", ".lintstagedrc.*"),
    *("lint-staged.config.*", ".simple-git-hooks.*", "simple-git-hooks.*", ".huskyrc", ".huskyrc.*"),
)
_CI_NAMES = (
    *(".gitlab-ci.yml", "*.gitlab-ci.yml", ".gitlab-ci.yaml", "jenkinsfile", "jenkinsfile.*", "*.jenkinsfile"),
    *("azure-pipelines*.yml", "azure-pipelines*.yaml", ".travis.yml", ".travis.yaml", "bitbucket-pipelines.yml"),
    *("bitbucket-pipelines.yaml", ".drone.*", ".woodpecker.yml", ".woodpecker.yaml", "buildspec.yml", "buildspec.yaml"),
    *("cloudbuild.yaml", "cloudbuild.yml", "cloudbuild.json", "appveyor.yml", ".appveyor.yml", ".cirrus.yml"),
    *(".cirrus.star", "wercker.yml", "codemagic.yaml", ".build.yml", ".cirrus.yaml"),
)
_CODE_NAMES = (*_SHELL_NAMES, *_EDITOR_NAMES, *_AGENT_NAMES, *_HOOK_NAMES, *_CI_NAMES)
_CODE_PLACES = (
    # editors
    *((".vscode",), (".devcontainer",), (".zed",), (".idea",), (".helix",), (".nvim",), (".vs",), (".fleet",)),
    *((".mise",), (".config", "mise"), (".config", "mise.toml")),
    # agents
    *((".claude",), (".gemini",), (".cursor",), (".codex",), (".opencode",), (".crush",), (".qwen",), (".roo",)),
    *((".kiro",), (".amazonq",), (".continue",), (".windsurf",), (".kilocode",), (".trae",), (".factory",)),
    *((".junie",), (".augment",), (".config", "kore"), (".config", "opencode"), (".config", "crush")),
    # hooks and settings of version control, of cargo, of the login
    *((".husky",), (".githooks",), (".git-hooks",), (".hg", "hgrc"), (".hg", "hgrc-not-shared"), (".hg", "sharedpath")),
    *((".jj", "repo", "config.toml"), (".jj", "repo", "config-id"), (".jj", "workspace-config.toml")),
    *((".config", "jj"), (".config", "git"), (".cargo", "config"), (".cargo", "config.toml")),
    *((".config", "autostart"), (".config", "systemd"), (".config", "fish"), (".local", "bin")),
    # CI
    *((".github", "workflows"), (".github", "actions"), (".forgejo", "workflows"), (".gitea", "workflows")),
    *((".circleci",), (".woodpecker",), (".buildkite",), (".gitlab-ci",), (".gitlab", "ci"), (".azure-pipelines",)),
    *((".teamcity",), (".semaphore",), (".tekton",), (".builds",)),
)
_CODE_HOLDERS = frozenset(place[0] for place in _CODE_PLACES if len(place) > 1)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


def plain_name(segment: str) -> str:
    """A path segment as the most forgiving file system reads it: no case, no trailing dots, no stream, no dressing."""
    plain = segment if segment.isascii() else _INVISIBLE.sub("", unicodedata.normalize("NFKC", segment))
    bare = plain.casefold()
    return bare.split(":", 1)[0].rstrip(". ") or bare


def names_of(folder: Path, path: Path) -> tuple[str, ...]:
    """A path's segments as they count for `guards_of`: below a folder after those of the folder itself, which may lie
    in a special place; elsewhere below the root. Both paths are absolute.
    """
    if path == folder or folder in path.parents:
        return (*_names_of_root(folder), *path.relative_to(folder).parts)
    return path.parts[1:]


@lru_cache(maxsize=256)
def _names_of_root(folder: Path) -> tuple[str, ...]:
    """Agents put whole working trees below their own directories, as `.cursor/worktrees/NAME`: these are plain."""
    names = folder.parts[1:]
    plain = [plain_name(each) for each in names]
    if "worktrees" in plain and not any(each in _INTERNAL_NAMES for each in plain):
        return names[len(plain) - plain[::-1].index("worktrees") :]
    return names


def guards_of(segments: Sequence[str]) -> frozenset[Guard]:
    """What is special about a path, given as its segments; see `names_of`."""
    return _guards(tuple(segments))


@lru_cache(maxsize=1 << 15)
def _guards(segments: tuple[str, ...]) -> frozenset[Guard]:
    names = [plain_name(each) for each in segments]
    found: set[Guard] = set()
    if any(name in _INTERNAL_NAMES for name in names):
        found.add(Guard.INTERNAL)
    last = names[-1:]
    if any(_fits(name, _SECRET_NAMES) and not _fits(name, _PUBLIC_NAMES) for name in last):
        found.add(Guard.SECRET)
    if _within(names, _SECRET_PLACES):
        found.add(Guard.SECRET)
    if any(_fits(name, _CODE_NAMES) for name in last) or _within(names, _CODE_PLACES):
        found.add(Guard.CODE)
    return frozenset(found)


def secret_patterns() -> tuple[list[str], list[str]]:
    """Git's patterns for all secrets, whatever their case; and those for what looks like one and is none."""
    secret = [pattern for name in _SECRET_NAMES for pattern in (name, f"**/{name}/**")]
    secret += [pattern for place in map("/".join, _SECRET_PLACES) for pattern in (f"**/{place}", f"**/{place}/**")]
    return [_any_case(each) for each in secret], [_any_case(each) for each in _PUBLIC_NAMES]


def _any_case(pattern: str) -> str:
    return "".join(f"[{each}{each.upper()}]" if each.isalpha() else each for each in pattern)


def holds_code(name: str) -> bool:
    """Whether a directory of this name has a place for what is run; it may hold other things as well."""
    return plain_name(name) in _CODE_HOLDERS


def may_hold_special(name: str) -> bool:
    """Whether something special has its place below a directory of this name."""
    plain = plain_name(name)
    return plain in _CODE_HOLDERS or plain in _beginnings(_SECRET_PLACES)


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return _one_of(patterns).match(name) is not None


@cache
def _one_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, patterns)))


def _within(names: Sequence[str], places: tuple[tuple[str, ...], ...]) -> bool:
    if _beginnings(places).isdisjoint(names):
        return False
    return any(
        tuple(names[at : at + len(place)]) == place for place in places for at in range(len(names) - len(place) + 1)
    )


@cache
def _beginnings(places: tuple[tuple[str, ...], ...]) -> frozenset[str]:
    return frozenset(place[0] for place in places)
