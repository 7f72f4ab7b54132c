"""`kore-ls serve`: the language server. Imports no command-line library, so that editors start quickly."""

from __future__ import annotations

import logging
import sys

from kore_ls import __version__

USAGE = """\
usage: kore-ls serve [--stdio | --tcp HOST:PORT]

Serve the language server protocol on standard input and output (the default), or to several clients on a loopback
address; port 0 takes a free one. Over TCP the client must give the token from the file named at the start.
"""


def serve(arguments: list[str]) -> int:
    """Serve as the arguments say; the exit code. Unknown arguments of editors (`--clientProcessId=1`) are ignored."""
    if "-h" in arguments or "--help" in arguments:
        sys.stdout.write(USAGE)
        return 0
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s"
    )
    from kore_ls.api import TABLE
    from kore_ls.api.application import Application
    from kore_ls.lsp.serving import serve_stdio, serve_tcp
    from kore_ls.sessions.app import App
    from kore_ls.sessions.user_config import default_config_file
    from kore_ls.storage.home import default_state_dir

    state_dir = default_state_dir()
    application = Application(App(state_dir, config_file=default_config_file()))
    address = _tcp_address(arguments)
    if address is None:
        return serve_stdio(application, TABLE, __version__)
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        return _refuse("--tcp takes HOST:PORT")
    try:
        return serve_tcp(application, TABLE, __version__, host.strip("[]"), int(port), state_dir)
    except (ValueError, OSError) as error:
        return _refuse(f"can't listen there: {error}")


def _tcp_address(arguments: list[str]) -> str | None:
    for index, argument in enumerate(arguments):
        if argument == "--tcp":
            return arguments[index + 1] if index + 1 < len(arguments) else ""
        if argument.startswith("--tcp="):
            return argument.removeprefix("--tcp=")
    return None


def _refuse(text: str) -> int:
    sys.stderr.write(f"kore-ls serve: {text}\n")
    return 2
