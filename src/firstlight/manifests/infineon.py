"""
The Infineon bundle: a 7z archive of 7z archives, in which each certificate is a file called CHIPID_OBJECT.pem.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from firstlight.errors import ManifestError, UsageError
from firstlight.manifests.attributes import chosen
from firstlight.manifests.format import Format, Options, Sample
from firstlight.manifests.record import Record, one_line
from firstlight.manifests.spool import Kept, Limits, Spool, unpacked

_MAGIC = b"7z\xbc\xaf\x27\x1c"
OBJECTS = ("E0E0", "E0E1", "E0E2")
# a name may have line ends in it, too
_HOWEVER_WRITTEN = re.IGNORECASE | re.DOTALL
_CERTIFICATES = re.compile(r"(?P<reel>.*)_(?P<object>E0E\w)_Certs\.7z", _HOWEVER_WRITTEN)
_KEYS = re.compile(r".*_keys\.7z", _HOWEVER_WRITTEN)
_CHIP = re.compile(r"(?P<chip>.+)_(?P<object>E0E\w)\.pem", _HOWEVER_WRITTEN)
# Members of the bundle and of an inner archive, bytes of one member, bytes of all.  The list of members is held in
# memory, at some 1.1 KB each.
_BUNDLE = Limits(members=64, member=512 * 2**20, total=1024 * 2**20)
_INNER = Limits(members=200_000, member=64 * 2**10, total=1024 * 2**20)


def read(path: Path, options: Options) -> Iterator[Record]:
    """
    Yield a record per certificate; its ref is the chip id, which the objects of one chip share.

    Archives are unpacked one after the other to scratch files, never to memory; the one with the keys is left
    alone.  What is larger than any real bundle is an error that says so, never cut short.

    Raises:
        UsageError: the file is no 7z archive, or is encrypted or broken as a whole.
    """
    wanted = tuple(name.upper() for name in options.objects) or OBJECTS
    with Spool(_BUNDLE) as bundle:
        broken = unpacked(path, bundle, only=lambda name: _is_wanted(name, wanted, options))
        if broken and not bundle.kept:
            raise UsageError(f"{path} cannot be unpacked: {broken}.")
        for inner in bundle.kept:
            yield from _inner(path, bundle, inner, options)
        if broken:
            yield Record("", source=path.name, error=ManifestError(f"{path} cannot be unpacked whole: {broken}."))


def _is_wanted(name: str, wanted: tuple[str, ...], options: Options) -> bool:
    plain = PurePosixPath(name).name
    if _KEYS.fullmatch(plain):
        options.note(f"{plain} holds encrypted keys, which no cloud needs; it is left alone.")
        return False
    match = _CERTIFICATES.fullmatch(plain)
    if match is None:
        return False
    if match["object"].upper() not in wanted:
        options.note(f"{plain} holds other objects than {', '.join(wanted)}; it is left alone.")
        return False
    return True


def _inner(path: Path, bundle: Spool, inner: Kept, options: Options) -> Iterator[Record]:
    name = PurePosixPath(inner.name).name
    match = _CERTIFICATES.fullmatch(name)
    reel = match["reel"] if match else ""
    problem = _too_large(inner, _BUNDLE)
    with Spool(_INNER) as certificates:
        if not problem:
            with bundle.opened(inner) as archive:
                problem = unpacked(
                    archive, certificates, only=lambda member: _CHIP.fullmatch(_plain(member)) is not None
                )
        for kept in certificates.kept:
            yield _record(path, certificates, kept, reel, options)
    if problem:
        yield Record(
            one_line(name), source=path.name, error=ManifestError(f"{path}: {name} cannot be unpacked: {problem}.")
        )


def _record(path: Path, certificates: Spool, kept: Kept, reel: str, options: Options) -> Record:
    plain = _plain(kept.name)
    match = _CHIP.fullmatch(plain)
    chip, kind = (match["chip"], match["object"].upper()) if match else (plain, "")
    source = one_line(f"{path.name} {plain}")
    if problem := _too_large(kept, _INNER):
        return Record(one_line(chip), source=source, error=ManifestError(f"{path}: {plain} {problem}."))
    attributes = chosen({"chip": chip, "object": kind, "reel": one_line(reel)}, options.attributes)
    return Record(one_line(chip), certificates.data(kept), source, attributes)


def _plain(name: str) -> str:
    return PurePosixPath(name).name


def _too_large(kept: Kept, limits: Limits) -> str:
    return f"is larger than {limits.member} bytes" if kept.too_large else ""


def _recognises(sample: Sample, options: Options) -> bool:
    del options
    return sample.head.startswith(_MAGIC)


FORMAT = Format("infineon", "Infineon 7z bundle", _recognises, read)
