"""
The memory that a 7z archive's dictionaries need.
"""

from types import SimpleNamespace
from typing import Any

import pytest

from firstlight.manifests import dictionaries

_LZMA2, _LZMA, _DELTA = bytes.fromhex("21"), bytes.fromhex("030101"), bytes.fromhex("03")


def _folder(*coders: tuple[bytes, bytes | None], unpacks: int = 2**40) -> Any:
    return SimpleNamespace(coders=[{"method": m, "properties": p} for m, p in coders], unpacksizes=[unpacks])


@pytest.mark.parametrize(
    ("properties", "size"),
    [(0, 4 * 2**10), (1, 6 * 2**10), (12, 2**18), (28, 2**26), (39, 3 * 2**30), (40, 2**32), (255, 2**32)],
)
def test_lzma2_says_its_dictionary_in_one_byte(properties: int, size: int) -> None:
    """
    The table of the LZMA SDK's 7zFormat.txt.
    """
    assert size == dictionaries.memory([_folder((_LZMA2, bytes([properties])))])


def test_every_coder_of_every_folder_counts_and_none_more_than_it_unpacks() -> None:
    """
    As py7zr holds all of them.
    """
    lzma = (_LZMA, b"\x5d" + (2**20).to_bytes(4, "little"))
    folders = [_folder(lzma, (_DELTA, b"\x01")), _folder(lzma, lzma), _folder(lzma, unpacks=1000)]

    assert 3 * 2**20 + 1000 == dictionaries.memory(folders)
    assert 0 == dictionaries.memory([_folder((_LZMA2, None), (_LZMA, None)), _folder(lzma, unpacks=0)])
