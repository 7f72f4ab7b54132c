"""Which files need more care than others, told by their names alone. Pure; looks at no file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from enum import Enum
from fnmatch import translate
from functools import cache, lru_cache


class Guard(Enum):
    """Why a path is special."""

    SECRET = "secret"
    """Keys, passwords, tokens: neither read nor written without a word of the user."""
    INTERNAL = "internal"
    """Inside `.kore` or `.git`: never written by a tool."""
    CODE = "code"
    """What an editor, an agent, a CI service or git runs or obeys without asking."""


_SECRET_NAMES = (
    *(".env", ".env.*", ".env?*", "*.env.local", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.ppk"),
    *("*.kdbx", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*_rsa", "*_ed25519", ".netrc", "_netrc", ".npmrc"),
    *(".pypirc", ".pgpass", ".my.cnf", ".htpasswd", ".git-credentials", ".vault-token", ".terraformrc", ".dockercfg"),
    *("credentials.json", "credentials.toml", "credentials.yml", "credentials.yaml", "client_secret*"),
    *("secrets.json", "secrets.toml", "secrets.yml", "secrets.yaml", "service-account*.json", "service_account*.json"),
    *("*.tfvars", "*.tfstate", "*.tfstate.*"),
)
_PUBLIC_NAMES = (
    *(".env.example", "*.pub", "cacert.pem", "ca-bundle.pem", "roots.pem", "cert.pem", "chain.pem", "fullchain.pem"),
)
_SECRET_PLACES = (
    *((".ssh",), (".gnupg",), (".aws",), (".azure",), (".kube",), (".docker", "config.json"), (".config", "gcloud")),
    *((".config", "gh"), (".config", "hub"), (".local", "share", "keyrings"), (".password-store",)),
)
_INTERNAL_NAMES = (".git", ".kore", "git~1", "kore~1")
_CODE_NAMES = (
    *("*.code-workspace", ".nvim.lua", ".nvimrc", ".vimrc", ".exrc", ".lvimrc", ".dir-locals.el", ".dir-locals-2.el"),
    *(".envrc", ".mcp.json", "opencode.json", "opencode.jsonc", ".devcontainer.json", ".gitlab-ci.yml", ".gitmodules"),
    *(".pre-commit-config.yaml", "lefthook.yml", ".lefthook.yml", "jenkinsfile", "azure-pipelines.yml", ".travis.yml"),
)
_CODE_PLACES = (
    *((".vscode",), (".claude",), (".gemini",), (".devcontainer",), (".github", "workflows"), (".github", "actions")),
    *((".cursor",), (".codex",), (".opencode",), (".zed",), (".idea",), (".helix",), (".circleci",), (".husky",)),
    *((".config", "kore"), (".githooks",), (".forgejo", "workflows"), (".gitea", "workflows"), (".nvim",)),
)
_CODE_HOLDERS = frozenset(place[0] for place in _CODE_PLACES if len(place) > 1)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


def plain_name(segment: str) -> str:
    """A path segment as the most forgiving file system reads it: no case, no trailing dots, no stream, no dressing."""
    plain = segment if segment.isascii() else _INVISIBLE.sub("", unicodedata.normalize("NFKC", segment))
    bare = plain.casefold()
    return bare.split(":", 1)[0].rstrip(". ") or bare


def guards_of(segments: Sequence[str]) -> frozenset[Guard]:
    """What is special about a path, given as its segments below the folder (or below the root, for one outside)."""
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
