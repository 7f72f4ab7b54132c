"""All tools by name. Imported late: most sessions are only looked at."""

from __future__ import annotations

from kore_ls.agents.tools.definition import Definition
from kore_ls.agents.tools.delete import Delete
from kore_ls.agents.tools.diagnostics import Diagnostics
from kore_ls.agents.tools.diff import Diff
from kore_ls.agents.tools.document_symbols import DocumentSymbols
from kore_ls.agents.tools.edit_file import EditFile
from kore_ls.agents.tools.grep import Grep
from kore_ls.agents.tools.hover import Hover
from kore_ls.agents.tools.list_dir import ListDir
from kore_ls.agents.tools.move import Move
from kore_ls.agents.tools.read_file import ReadFile
from kore_ls.agents.tools.references import References
from kore_ls.agents.tools.rename import Rename
from kore_ls.agents.tools.run_command import RunCommand
from kore_ls.agents.tools.search_sessions import SearchSessions
from kore_ls.agents.tools.symbols import Symbols
from kore_ls.agents.tools.todo import Todo
from kore_ls.agents.tools.tool import Tool
from kore_ls.agents.tools.write_file import WriteFile

TOOLS: dict[str, type[Tool]] = {
    tool.name: tool
    for tool in (
        *(ReadFile, ListDir, Grep, Symbols, EditFile, WriteFile, Move, Delete, RunCommand, Todo, SearchSessions, Diff),
        *(Definition, References, Hover, DocumentSymbols, Diagnostics, Rename),
    )
}
"""In the order in which models are told of them."""
