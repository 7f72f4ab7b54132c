"""A small language server in UTF-16 that answers what the bridge asks; run as a script by Neovim."""

from __future__ import annotations

import json
import sys
from typing import Any


def place(params: Any) -> dict[str, Any]:
    """The word at the position asked about, shown as a range of two UTF-16 units."""
    start = params["position"]
    end = {"line": start["line"], "character": start["character"] + 2}
    return {"start": start, "end": end}


def answer(method: str, params: Any) -> Any:
    """The result of a request."""
    if method == "initialize":
        offered = {"definitionProvider": True, "hoverProvider": True, "renameProvider": True}
        return {"capabilities": offered | {"positionEncoding": "utf-16"}}
    if method == "textDocument/definition":
        return [{"uri": params["textDocument"]["uri"], "range": place(params)}]
    if method == "textDocument/hover":
        return {"contents": f"unit {params['position']['character']}", "range": place(params)}
    if method == "textDocument/rename":
        edit = {"range": place(params), "newText": params["newName"]}
        return {"changes": {params["textDocument"]["uri"]: [edit]}}
    return None


def main() -> None:
    """Serve on standard input and output until told to exit."""
    while header := sys.stdin.buffer.readline():
        sys.stdin.buffer.readline()
        message = json.loads(sys.stdin.buffer.read(int(header.split(b":")[1])))
        if message.get("method") == "exit":
            return
        if "id" in message and "method" in message:
            result = answer(message["method"], message.get("params"))
            body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
            sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
