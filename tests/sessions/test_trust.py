from __future__ import annotations

import stat
from pathlib import Path

import pytest

from kore_ls.errors import StoreReadOnly
from kore_ls.sessions.trust import TrustList


@pytest.fixture
def trust(tmp_path: Path) -> TrustList:
    return TrustList(tmp_path / "state")


def test_a_folder_nobody_was_asked_about_is_neither(trust: TrustList, tmp_path: Path) -> None:
    assert trust.trusted(tmp_path) is None
    assert not (tmp_path / "state").exists()


def test_the_last_word_counts_and_outlives_the_process(trust: TrustList, tmp_path: Path) -> None:
    trust.trust(tmp_path)
    trust.trust(tmp_path / "other")
    trust.distrust(tmp_path)

    again = TrustList(tmp_path / "state")

    assert again.trusted(tmp_path) is False
    assert again.entries() == {str(tmp_path): False, str(tmp_path / "other"): True}
    assert stat.S_IMODE((tmp_path / "state" / "trust.json").stat().st_mode) == 0o600


def test_trust_in_a_folder_says_nothing_about_those_inside(trust: TrustList, tmp_path: Path) -> None:
    trust.trust(tmp_path)

    assert trust.trusted(tmp_path / "inside") is None


def test_a_folder_is_known_by_its_real_path(trust: TrustList, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)

    trust.trust(tmp_path / "link")

    assert trust.trusted(tmp_path / "real") is True


def test_a_name_that_is_not_unicode_is_kept(trust: TrustList, tmp_path: Path) -> None:
    folder = tmp_path / b"\xff".decode(errors="surrogateescape")

    trust.trust(folder)

    assert trust.trusted(folder) is True


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"folders": 1}', '{"folders": {"/": "yes"}}', "[" * 100_000])
def test_a_broken_list_trusts_nobody(content: str, trust: TrustList, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "trust.json").write_text(content)

    assert trust.trusted(Path("/")) is None
    trust.trust(tmp_path)
    assert trust.entries() == {str(tmp_path): True}


def test_a_list_that_cant_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StoreReadOnly):
        TrustList(tmp_path / "file").trust(tmp_path)
