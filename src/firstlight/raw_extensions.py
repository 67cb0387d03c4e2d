"""
The extensions of a certificate as bytes, for one whose extensions no library reads.

Microchip's device certificates are such: their subjectAltName spells `eui48_…` as a PrintableString, in which an
underscore may not be (X.680, 41.4), and cryptography then reads none of the extensions.  The clouds take them.
"""

_SEQUENCE, _BOOLEAN, _OCTET_STRING, _OID, _EXTENSIONS = 0x30, 0x01, 0x04, 0x06, 0xA3
_BASIC_CONSTRAINTS = bytes.fromhex("551d13")
_LONG, _MAX_LENGTH_BYTES = 0x80, 3


def says_ca(tbs: bytes) -> bool:
    """
    Whether basicConstraints, if it is there, says CA; *tbs* is the DER of a TBSCertificate (RFC 5280, 4.1).

    Raises:
        ValueError: that cannot be said for certain.
    """
    value = _extensions(tbs).get(_BASIC_CONSTRAINTS)
    if value is None:
        return False
    ((tag, content),) = _elements(value)
    _require(tag == _SEQUENCE)
    return any(tag == _BOOLEAN and flag != b"\x00" for tag, flag in _elements(content))


def _extensions(tbs: bytes) -> dict[bytes, bytes]:
    ((tag, fields),) = _elements(tbs)
    _require(tag == _SEQUENCE)
    found: dict[bytes, bytes] = {}
    for tag, explicit in _elements(fields):
        if tag != _EXTENSIONS:
            continue
        ((_, extensions),) = _elements(explicit)
        for _, extension in _elements(extensions):
            (kind, oid), *_, (last, value) = _elements(extension)
            # of two with one name, readers differ in which they believe
            _require(kind == _OID and last == _OCTET_STRING and oid not in found)
            found[oid] = value
    return found


def _elements(data: bytes) -> list[tuple[int, bytes]]:
    """
    Return tag and content of each DER element in *data* (X.690).
    """
    found, at = [], 0
    while at < len(data):
        _require(at + 2 <= len(data))
        tag, length = data[at], data[at + 1]
        at += 2
        if length >= _LONG:
            size = length - _LONG
            _require(0 < size <= _MAX_LENGTH_BYTES and at + size <= len(data))
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        _require(at + length <= len(data))
        found.append((tag, data[at : at + length]))
        at += length
    return found


def _require(holds: bool) -> None:  # noqa: FBT001 -- reads as the sentence it is
    if not holds:
        raise ValueError("This is no DER of a certificate.")
