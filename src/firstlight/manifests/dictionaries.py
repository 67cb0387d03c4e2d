"""
The memory that the dictionaries of a 7z archive would take to unpack.
"""

from collections.abc import Iterable
from typing import Any

# 7zFormat.txt of the LZMA SDK: a folder's coders have a method id and properties, and these a dictionary's size.
_LZMA2 = bytes.fromhex("21")
_LZMA = bytes.fromhex("030101")
_PPMD = bytes.fromhex("030401")
_LARGEST_LZMA2 = 40


def memory(folders: Iterable[Any]) -> int:
    """
    Return bytes: for each coder of each folder its dictionary, or what it unpacks if that is less.

    All folders at once, because py7zr keeps what it has made for a folder until the archive is closed.
    """
    return sum(
        min(_dictionary(coder["method"], coder.get("properties") or b""), max(folder.unpacksizes, default=0))
        for folder in folders
        for coder in folder.coders
    )


def _dictionary(method: bytes, properties: bytes) -> int:
    if method == _LZMA2 and properties:
        # a mantissa of 2 or 3 and an exponent; 40 stands for 4 GiB less one
        bits = min(properties[0], _LARGEST_LZMA2)
        return (2 | bits & 1) << (bits // 2 + 11)
    if method in (_LZMA, _PPMD):
        return int.from_bytes(properties[1:5], "little")
    return 0
