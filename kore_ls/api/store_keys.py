"""kore/store/unlock, lock, encrypt, decrypt and rekey: who can read a folder's store. No key is ever in an answer."""

from __future__ import annotations

from typing import Annotated, Any

from attrs import frozen

from kore_ls.api.fields import Text
from kore_ls.api.progress import Progress
from kore_ls.api.store import StoreParams, StoreStatus, store_status
from kore_ls.errors import FolderNotFound, FolderRequired, InvalidParams, StoreBusy, StoreDamaged, StoreLocked, WrongKey
from kore_ls.model.secret import Secret, key_problem, passphrase_problem
from kore_ls.rpc.codec import Checked
from kore_ls.rpc.methods import method
from kore_ls.sessions import store_keys
from kore_ls.sessions.store_keys import Cipher
from kore_ls.sessions.workspace import Workspace

Passphrase = Annotated[str, Checked(passphrase_problem)]
Key = Annotated[str, Checked(key_problem)]


@frozen(kw_only=True)
class StoreUnlockParams:
    """Which folder's store, and its passphrase or key."""

    folder: Text | None = None
    passphrase: Passphrase | None = None
    key: Key | None = None
    """`base64:...` or `hex:...` of exactly 32 bytes."""
    plain: bool = False
    """True, in place of a key: the store is meant to be plain although a key is configured."""
    work_done_token: Any = None
    """With it, the answer waits until all is indexed for searches, and how far that is is reported.

    Cancelled, or without it, the store is unlocked all the same, and indexed in the background: clients with the
    capability `window.workDoneProgress` are shown that, and may cancel it until the store is next opened.
    """


@frozen(kw_only=True)
class StoreKeyParams:
    """Which folder's store, and its passphrase or key."""

    folder: Text | None = None
    passphrase: Passphrase | None = None
    key: Key | None = None
    """`base64:...` or `hex:...` of exactly 32 bytes."""
    work_done_token: Any = None


@frozen(kw_only=True)
class StoreRekeyParams:
    """Which folder's store, the passphrase or key it has, and the one it gets."""

    folder: Text | None = None
    passphrase: Passphrase | None = None
    key: Key | None = None
    new_passphrase: Passphrase | None = None
    new_key: Key | None = None
    rewrap: bool = False
    """True: the messages stay encrypted as they are, with a key that the new passphrase or key guards from now on.

    That is done at once. But whoever has an older copy of the store, and what opened that, can read this one, too.
    """
    work_done_token: Any = None


_RAISES = (FolderRequired, FolderNotFound, WrongKey, StoreDamaged, StoreBusy)


@method("kore/store/unlock", raises=(FolderRequired, FolderNotFound, WrongKey), command=False)
async def unlock(workspace: Workspace, params: StoreUnlockParams) -> StoreStatus:
    """Open an encrypted store with its passphrase or key; it is kept in memory until `lock` or the end."""
    opened = workspace.folder(params.folder)
    given = Secret(passphrase=params.passphrase, key=params.key)
    cipher = None if params.plain and not given else _cipher(workspace, given)
    if params.work_done_token is None:
        await store_keys.unlock(opened.folder, cipher, plain=params.plain)
        return await store_status(opened)
    with Progress(workspace.notify, params.work_done_token, "Indexing the store") as progress:
        await store_keys.unlock(opened.folder, cipher, plain=params.plain)
        await store_keys.index(opened.folder, lambda rows: progress.report(f"{rows} indexed"))
    return await store_status(opened)


@method("kore/store/lock", raises=(FolderRequired, FolderNotFound))
async def lock(workspace: Workspace, params: StoreParams) -> StoreStatus:
    """Forget the key of an encrypted store, and all that was read with it; a plain one stays as it is."""
    opened = workspace.folder(params.folder)
    await store_keys.lock(opened.folder)
    return await store_status(opened)


@method("kore/store/encrypt", raises=_RAISES, command=False)
async def encrypt(workspace: Workspace, params: StoreKeyParams) -> StoreStatus:
    """Encrypt a plain store; afterwards nothing that was written is in its files any more, but see `problems`.

    A passphrase that is lost can't be replaced: without it nobody can read the store.
    """
    opened = workspace.folder(params.folder)
    cipher = _cipher(workspace, Secret(passphrase=params.passphrase, key=params.key))
    with Progress(workspace.notify, params.work_done_token, "Encrypting the store") as progress:
        left = await store_keys.encrypt(opened.folder, cipher, progress.report)
    return await store_status(opened, tuple(left))


@method("kore/store/decrypt", raises=(*_RAISES, StoreLocked), command=False)
async def decrypt(workspace: Workspace, params: StoreKeyParams) -> StoreStatus:
    """Make an encrypted store a plain one, which anybody who has its file can read."""
    opened = workspace.folder(params.folder)
    cipher = _cipher(workspace, Secret(passphrase=params.passphrase, key=params.key))
    with Progress(workspace.notify, params.work_done_token, "Decrypting the store") as progress:
        await store_keys.decrypt(opened.folder, cipher, progress.report)
    return await store_status(opened)


@method("kore/store/rekey", raises=(*_RAISES, StoreLocked), command=False)
async def rekey(workspace: Workspace, params: StoreRekeyParams) -> StoreStatus:
    """Encrypt a store anew with another key, which the new passphrase or key opens; the old one opens it no more."""
    opened = workspace.folder(params.folder)
    cipher = _cipher(workspace, Secret(passphrase=params.passphrase, key=params.key))
    new = _cipher(workspace, Secret(passphrase=params.new_passphrase, key=params.new_key), "newPassphrase")
    with Progress(workspace.notify, params.work_done_token, "Encrypting the store anew") as progress:
        await store_keys.rekey(opened.folder, cipher, new, progress.report, rewrap=params.rewrap)
    return await store_status(opened)


def _cipher(workspace: Workspace, secret: Secret, field: str = "passphrase") -> Cipher:
    if bool(secret.passphrase) == bool(secret.key):
        other = "newKey" if field == "newPassphrase" else "key"
        raise InvalidParams([f"params.{field}: give either {field} or {other}"])
    return workspace.app.cipher(secret)
