"""All importers, in the order in which they are shown. A new one is a file beside this one and a line here."""

from __future__ import annotations

from kore_ls.sessions.importers.aider import Aider
from kore_ls.sessions.importers.claude_code import ClaudeCode
from kore_ls.sessions.importers.cline import Cline
from kore_ls.sessions.importers.codex import Codex
from kore_ls.sessions.importers.continue_dev import Continue
from kore_ls.sessions.importers.crush import Crush
from kore_ls.sessions.importers.gemini_cli import GeminiCli
from kore_ls.sessions.importers.goose import Goose
from kore_ls.sessions.importers.llm import Llm
from kore_ls.sessions.importers.opencode import Opencode
from kore_ls.sessions.importers.thread import Importer

IMPORTERS: tuple[Importer, ...] = (
    ClaudeCode(),
    Codex(),
    Opencode(),
    GeminiCli(),
    Goose(),
    Crush(),
    Continue(),
    Cline(),
    Aider(),
    Llm(),
)
