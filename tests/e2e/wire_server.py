"""A real server process over a small method table: what life-cycle tests start while they need no sessions.

`python -m tests.e2e.wire_server --stdio` or `--tcp HOST:PORT TOKEN_DIRECTORY`; it tells on standard error what closes.
The environment makes it worse: `HANG=close` never closes the application, `HANG=thread` leaves a thread behind, and
`PATIENCE` says how many seconds it waits for such things.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from kore_ls.lsp.serving import serve_stdio, serve_tcp
from kore_ls.rpc.serve import Patience
from tests.wire_table import TABLE, TableApplication


def main(arguments: list[str]) -> int:
    application = TableApplication(lambda word: print(word, file=sys.stderr, flush=True))
    application.hangs = os.environ.get("HANG") == "close"
    if os.environ.get("HANG") == "thread":
        threading.Thread(target=threading.Event().wait).start()
    seconds = float(os.environ.get("PATIENCE", "30"))
    patience = Patience(greeting=seconds, connection=seconds, application=seconds, process=3 * seconds)
    if arguments[0] == "--tcp":
        host, _, port = arguments[1].rpartition(":")
        return serve_tcp(application, TABLE, "0", host, int(port), Path(arguments[2]), patience=patience)
    return serve_stdio(application, TABLE, "0", patience=patience)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
