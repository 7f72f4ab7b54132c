"""The server that start-up is compared with: pygls as it comes, one feature, nothing else."""

from __future__ import annotations

from lsprotocol import types
from pygls.lsp.server import LanguageServer

server = LanguageServer("bare", "1")


@server.feature(types.TEXT_DOCUMENT_DID_OPEN)
def opened(_: types.DidOpenTextDocumentParams) -> None:
    """Take no notice."""


if __name__ == "__main__":
    server.start_io()
