"""Starts a program confined by Landlock and seccomp, and ends what it leaves. A script for `python -I`, not to import.

Arguments: the number of a descriptor with JSON `{read: [...], write: [...], list: [...], network: bool}`, then argv.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import signal
import stat
import struct
import sys

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_REMOVE_AND_MAKE = 0b1_1111_1111 << 4
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_ALL = _READ | _WRITE_FILE | _REMOVE_AND_MAKE | _REFER | _TRUNCATE
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_PARENT_DEATH_SIGNAL, _NO_NEW_PRIVS, _SET_SECCOMP, _SECCOMP_FILTER, _SUBREAPER = 1, 38, 22, 2, 36
_MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""seccomp's number of the machine, and the number of its call `socket`."""
_IO_URING_SETUP = 425
_AF_UNIX = 1
_libc = ctypes.CDLL(None, use_errno=True)


def abi() -> int:
    """The kernel's version of Landlock; 0 or less where there is none. From 4 on it knows of TCP."""
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        return 0
    return int(_libc.syscall(_CREATE, None, ctypes.c_size_t(0), 1))


def restrict(read: list[str], write: list[str], listed: list[str], network: bool) -> None:
    """Confine this process and its children for good. Raises OSError."""
    version = abi()
    attributes = struct.pack("QQ", _ALL, 0 if network else 3) + (struct.pack("Q", 3) if version >= 6 else b"")
    rules = _libc.syscall(_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        raise OSError(ctypes.get_errno(), "landlock_create_ruleset")
    for paths, rights in ((read, _READ), (write, _ALL), (listed, _READ_DIR)):
        for path in paths:
            _allow(rules, path, rights)
    _prctl(_PARENT_DEATH_SIGNAL, 9, 0, 0, 0)
    _prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    if _libc.syscall(_RESTRICT, rules, 0):
        raise OSError(ctypes.get_errno(), "landlock_restrict_self")
    os.close(rules)
    _drop_capabilities()
    _filter_sockets(network)


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return  # what is gone, or turned into a link, is not granted
    try:
        mode = os.fstat(place).st_mode
        if stat.S_ISLNK(mode):
            return
        if not stat.S_ISDIR(mode):
            rights &= _OF_FILES
        if rights and _libc.syscall(_ADD, rules, 1, struct.pack("=QI", rights, place), 0):
            raise OSError(ctypes.get_errno(), "landlock_add_rule")
    finally:
        os.close(place)


def _drop_capabilities() -> None:
    """Root's capabilities would see other processes in spite of Landlock; no program started later gets them back."""
    header = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0))
    if _libc.capset(header, ctypes.create_string_buffer(24)):
        raise OSError(ctypes.get_errno(), "capset")


def _filter_sockets(network: bool) -> None:
    """No sockets at all, or none to services of this machine: Landlock knows TCP alone. And no way around: io_uring."""
    machine, call_socket = _MACHINES[platform.machine()]
    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06
    allow, forbid = 0x7FFF0000, 0x00050000 | 1
    steps = [
        (load, 0, 0, 4),
        (equal, 0, 7, machine),
        (load, 0, 0, 0),
        (at_least, 5, 0, 0x40000000),
        (equal, 4, 0, _IO_URING_SETUP),
        (equal, 0 if network else 3, 2, call_socket),
        (load, 0, 0, 16),
        (equal, 1, 0, _AF_UNIX),
        (give, 0, 0, allow),
        (give, 0, 0, forbid),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code)))
    _prctl(_SET_SECCOMP, _SECCOMP_FILTER, ctypes.addressof(program), 0, 0)


def _prctl(option: int, *values: int) -> None:
    if _libc.prctl(option, *(ctypes.c_ulong(value) for value in values)):
        raise OSError(ctypes.get_errno(), "prctl")


def main() -> None:
    """Read what is granted; a child confines itself and becomes the program, this process ends what it leaves running.

    The exit code is the program's, 128 and its signal, or 126 or 127 where it can't be started, as shells have it.
    """
    descriptor, argv = int(sys.argv[1]), sys.argv[2:]
    with os.fdopen(descriptor, "rb") as file:
        granted = json.loads(file.read())
    _prctl(_SUBREAPER, 1, 0, 0, 0)  # what loses its parent becomes this one's child, whatever it does
    child = os.fork()
    if child:
        return _outlive(child)
    try:
        restrict(granted["read"], granted["write"], granted["list"], granted["network"])
    except OSError as error:
        sys.stderr.write(f"kore-ls: the sandbox failed ({error.strerror})\n")
        sys.exit(126)
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        sys.stderr.write(f"kore-ls: the program can't be started ({os.strerror(error.errno or 0)})\n")
        sys.exit(127)


class _Alone(Exception):
    """The server is gone."""


def _outlive(child: int) -> None:
    """Wait for the program, or for the end of the server; kill all that is left and end as the program did."""

    def alone(number: int, frame: object) -> None:
        raise _Alone

    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(each, signal.SIG_IGN)  # they are the program's, which has this group as well
    status: int = signal.SIGKILL
    try:
        signal.signal(signal.SIGUSR1, alone)
        _prctl(_PARENT_DEATH_SIGNAL, signal.SIGUSR1, 0, 0, 0)
        for descriptor in range(3):
            os.close(descriptor)  # whoever reads what is printed learns when nobody prints any more
        ended = 0
        while ended != child:
            ended, status = os.waitpid(-1, 0)
    except _Alone:
        pass
    while left := _children():
        for process in left:
            os.kill(process, signal.SIGKILL)
        for process in left:
            os.waitpid(process, 0)
    os._exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))


def _children() -> list[int]:
    found = []
    with os.scandir("/proc") as entries:
        names = [each.name for each in entries if each.name.isdecimal()]
    for name in names:
        try:
            with os.fdopen(os.open(f"/proc/{name}/stat", os.O_RDONLY | os.O_CLOEXEC), "rb") as file:
                parent = int(file.read().rsplit(b")", 1)[1].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if parent == os.getpid():
            found.append(int(name))
    return found


if __name__ == "__main__":
    main()
