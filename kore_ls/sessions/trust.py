"""Which workspace folders the user trusts: the user's own list, in a file no repository can write to."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from kore_ls.errors import StoreReadOnly
from kore_ls.storage.private_files import locked, make_private_directory, read_private, write_private

log = logging.getLogger(__name__)

_MOST_BYTES = 4 << 20


class TrustList:
    """The user's word about folders, kept by real path: one folder's says nothing about those inside it."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "trust.json"

    def trusted(self, folder: Path) -> bool | None:
        """True or False as the user said, None for a folder the user was never asked about."""
        return self.entries().get(str(folder.resolve()))

    def trust(self, folder: Path) -> None:
        """Remember that the folder is trusted. Raises StoreReadOnly."""
        self._keep(folder, True)

    def distrust(self, folder: Path) -> None:
        """Remember that the folder is not trusted. Raises StoreReadOnly."""
        self._keep(folder, False)

    def entries(self) -> dict[str, bool]:
        """All that the user said, by real path, in order of the paths. What can't be read counts as never said."""
        content = read_private(self._path, most=_MOST_BYTES)
        if content is None:
            return {}
        try:
            folders = json.loads(content)["folders"].items()
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            log.warning("the trust list can't be read: no folder is trusted")
            return {}
        return dict(sorted((path, word) for path, word in folders if isinstance(word, bool)))

    def _keep(self, folder: Path, word: bool) -> None:
        try:
            make_private_directory(self._path.parent)
            with locked(self._path.with_name("trust.lock")):
                folders = self.entries() | {str(folder.resolve()): word}
                document = {"version": 1, "folders": folders}
                write_private(self._path, json.dumps(document, indent=1).encode() + b"\n")
        except OSError as error:
            raise StoreReadOnly("the trust list can't be written", reason="state") from error
