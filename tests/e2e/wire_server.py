"""A real server process over a small method table: what life-cycle tests start while they need no sessions.

`python -m tests.e2e.wire_server --stdio` or `--tcp HOST:PORT TOKEN_DIRECTORY`. Says on standard error what is closed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from kore_ls.lsp.serving import serve_stdio, serve_tcp
from tests.wire_table import TABLE, TableApplication


def main(arguments: list[str]) -> int:
    application = TableApplication(lambda word: print(word, file=sys.stderr, flush=True))
    if arguments[0] == "--tcp":
        host, _, port = arguments[1].rpartition(":")
        return serve_tcp(application, TABLE, "0", host, int(port), Path(arguments[2]))
    return serve_stdio(application, TABLE, "0")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
