"""What the server asks of clients and tells them: for the reference. Sends nothing."""

from __future__ import annotations

from kore_ls.api.permission_asking import METHOD
from kore_ls.rpc.reference.contract import Asked

LANGUAGE = {
    "definition": "textDocument/definition",
    "references": "textDocument/references",
    "hover": "textDocument/hover",
    "documentSymbol": "textDocument/documentSymbol",
    "diagnostics": "textDocument/diagnostic",
    "rename": "textDocument/rename",
}
"""The requests `kore/lsp/<name>` and the method of LSP whose params and result each has."""

_OTHERWISE = {"diagnostics": ", a list of diagnostics, or a list of `{uri, diagnostics}`"}

ASKED = (
    Asked(
        name=METHOD,
        params="[PermissionRequest](#permissionrequest)",
        result="`{outcome, optionId?, feedback?}`, as in [kore/permission/answer](#korepermissionanswer)",
        doc="May a tool do this? Sent to every client that opted in with `permissions: true`; the first answer of any "
        "counts, then the others get `$/cancelRequest`. Where none opted in, the client that started the turn is asked "
        "by `window/showMessageRequest`.",
    ),
    *(
        Asked(
            name=f"kore/lsp/{name}",
            params=f"those of `{method}`",
            result=f"that of `{method}`" + _OTHERWISE.get(name, ""),
            doc=f"Sent to clients that list `{name}` in `lspBridge`, in the connection's position encoding. An answer "
            "that takes longer than 5 s, or an error, counts as not available.",
        )
        for name, method in LANGUAGE.items()
    ),
    Asked(
        name="workspace/applyEdit",
        params="as in LSP, with document versions",
        result="as in LSP",
        doc="A tool changes a document that is open. One edit at a time; the tool ends when the change has come back "
        "by `textDocument/didChange`.",
    ),
    Asked(
        name="window/showMessageRequest",
        params="as in LSP",
        result="as in LSP",
        doc="What a command called without arguments still needs, whether a folder is trusted, and permission requests "
        "where no client opted in.",
    ),
    Asked(
        name="window/showDocument",
        params="as in LSP",
        result="as in LSP",
        doc="Show a transcript, to clients that can.",
    ),
    Asked(
        name="window/workDoneProgress/create",
        params="as in LSP",
        result="as in LSP",
        doc="Progress of long work that no request of the client gave a token for.",
    ),
    Asked(
        name="workspace/textDocumentContent/refresh",
        params="as in LSP",
        result="as in LSP",
        doc="A transcript that the client shows has changed.",
    ),
    Asked(
        name="workspace/configuration",
        params="as in LSP, section `kore`",
        result="as in LSP",
        doc="The settings that may come from a workspace; never any that gives authority.",
    ),
)
"""Every request that the server sends."""
