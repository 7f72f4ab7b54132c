"""Keys of model providers, as the user's editor gives them: in memory only, never stored, logged or shown."""

from __future__ import annotations


class ProviderKeys:
    """The keys of one server process, by provider."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}

    def give(self, provider: str, key: str | None) -> None:
        """Use this key from now on; None forgets the one that was given."""
        if key is None:
            self._keys.pop(provider, None)
        else:
            self._keys[provider] = key

    def of(self, provider: str) -> str | None:
        """The provider's key, if one was given."""
        return self._keys.get(provider)

    def __repr__(self) -> str:
        return f"<keys of {len(self._keys)} providers>"
