"""`kore-ls` and `python -m kore_ls`. Serving is dispatched before any command-line library is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["serve"] or (arguments and arguments[0] in ("--stdio", "--tcp")):
        from kore_ls.cli.serve import serve

        sys.exit(serve(arguments[1:] if arguments[0] == "serve" else arguments))
    from kore_ls.cli.main import run

    sys.exit(run(arguments))


if __name__ == "__main__":
    main()
