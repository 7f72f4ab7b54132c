"""The command line but for `serve`: which commands there are, and how their failures end. Loads no LSP library."""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated, Any

import typer

from kore_ls import __version__
from kore_ls.cli import history, sessions, store, store_keys
from kore_ls.cli.chat.start import chat
from kore_ls.cli.doctor import doctor
from kore_ls.cli.failures import CommandFailed, explained, unexpected
from kore_ls.cli.nvim_path import nvim_path
from kore_ls.cli.reference import reference
from kore_ls.cli.safe_text import line
from kore_ls.cli.screen import Screen, settle_streams
from kore_ls.cli.trust import trust
from kore_ls.errors import KoreError

USAGE_ERROR = 2
INTERRUPTED = 130

# typer has carried these classes under two names, but always above its public one
_UsageError: Any = typer.BadParameter.__mro__[1]
_ClickError: Any = typer.BadParameter.__mro__[2]

commands = typer.Typer(
    name="kore-ls",
    help="Sessions of AI coding agents, kept in the project folder, for every editor and this terminal.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@commands.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Sessions of AI coding agents, kept in the project folder, for every editor and this terminal."""
    if version:
        typer.echo(f"kore-ls {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@commands.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def serve(context: typer.Context) -> int:
    """Serve the language server protocol: --stdio (the default) or --tcp HOST:PORT."""
    from kore_ls.cli.serve import serve as run_server  # reached only behind other options: main dispatches it itself

    return run_server(context.args)


commands.command()(chat)
commands.add_typer(sessions.commands)
commands.add_typer(history.commands)
for _command in (store_keys.encrypt, store_keys.decrypt, store_keys.rekey, store_keys.unlock_check):
    store.commands.command()(_command)
commands.add_typer(store.commands)
commands.command()(trust)
commands.command()(doctor)
commands.command()(nvim_path)
commands.command()(reference)


def run(arguments: list[str]) -> int:
    """Run the command line. The exit code: 0 done, 1 it could not be done, 2 wrong usage, 130 interrupted."""
    settle_streams()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="kore-ls: %(message)s")
    try:
        code = typer.main.get_command(commands).main(arguments, prog_name="kore-ls", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("\n")
        return INTERRUPTED
    except _ClickError as error:
        return _refuse(error)
    except (KoreError, CommandFailed) as error:
        Screen().fail(explained(error))
    except OSError as error:
        place = f": {line(str(error.filename))}" if error.filename else ""
        Screen().fail(f"{error.strerror or type(error).__name__}{place}")
    except Exception as error:  # the boundary to the shell: a user gets a line, never a trace-back
        Screen().fail(unexpected(error))
    return 1


def _refuse(error: Any) -> int:
    usage = isinstance(error, _UsageError) and error.ctx is not None
    hint = f"\n{error.ctx.command_path} --help shows how it is used" if usage else ""
    Screen().fail(line(error.format_message()) + hint)
    return USAGE_ERROR
