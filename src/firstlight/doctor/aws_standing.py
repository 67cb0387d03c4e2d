"""
What AWS IoT's registry says of the certificate itself.
"""

from firstlight.doctor.aws_case import ACTIVE, PENDING, AwsCase
from firstlight.doctor.causes import Fine, Found
from firstlight.jitp.algorithms import TAKEN_IN_WORDS, refused_signature

_NO_PUSH = "No push and no first connect revives it; somebody switched it off, so ask who and why first."


def signature(case: AwsCase) -> Found | None:
    """
    AWS IoT registers no certificate that is signed with RSA-PSS, for instance.
    """
    name = "" if case.registered.value else refused_signature(case.device.certificate)
    if not name:
        return None
    return Found(
        f"The certificate is signed with {name}, which AWS IoT does not take.",
        advice=f"{TAKEN_IN_WORDS} Have the device's certificate issued again.",
    )


def inactive(case: AwsCase) -> Found | Fine | None:
    registered = case.registered.value
    if registered is None:
        return None
    if registered.status == ACTIVE:
        return Fine(f"The certificate is registered and ACTIVE{_mode(registered.mode)}.")
    if registered.status != "INACTIVE":
        return None
    return Found(
        _is("INACTIVE", case),
        (f"firstlight devices enable --cert {case.device.file} {case.at}", _update(case)),
        _NO_PUSH,
    )


def revoked(case: AwsCase) -> Found | None:
    """
    AWS IoT never changes that: the certificate is forgotten, or it stays out.
    """
    registered = case.registered.value
    if registered is None or registered.status != "REVOKED":
        return None
    return Found(
        _is("REVOKED", case),
        (
            f"firstlight devices retire --cert {case.device.file} --forget --yes {case.at}",
            f"firstlight push {case.device.file} --url INGEST_URL",
        ),
        "So are devices that were retired: ask who did it and why first. AWS IoT never takes it back; forgotten, the "
        "certificate comes in again by a push, or at its first connect. A new one is the usual answer.",
    )


def being_transferred(case: AwsCase) -> Found | None:
    registered = case.registered.value
    if registered is None or registered.status in {ACTIVE, PENDING, "INACTIVE", "REVOKED"}:
        return None
    certificate_id = case.device.certificate.fingerprint
    return Found(
        _is(registered.status, case),
        (f"aws iot accept-certificate-transfer --certificate-id {certificate_id} --set-as-active {case.at}",),
        "It is on its way to another account; that one accepts it.",
    )


def elsewhere(case: AwsCase) -> Found | None:
    """
    Not known here, and no CA would introduce it, but another region knows it.
    """
    if not case.is_newcomer or case.introduction is not None:
        return None
    regions = case.elsewhere.value
    if not regions:
        return None
    return Found(
        f"The certificate is registered in {', '.join(regions)} and not in {case.region}.",
        (f"aws iot describe-endpoint --endpoint-type iot:Data-ATS --region {regions[0]}",),
        f"Give the device that endpoint, or provision it in {case.region}, too.",
    )


def name_taken(case: AwsCase) -> Found | None:
    """
    A push would be refused: the thing it would make belongs to another certificate.
    """
    if not case.is_newcomer or case.introduction is not None:
        return None
    thing = case.thing.value
    if thing is None:
        return None
    others = thing.certificates.value - {case.device.certificate.fingerprint}
    if not others:
        return None
    return Found(
        f"The thing {thing.name} belongs to the certificate {min(others)[:16]}…, and a push of this one is refused.",
        (f"firstlight devices retire {thing.name} --yes {case.at}",),
        "Serial numbers are each issuer's own: two issuers may give the same. Retire the other device if it is gone, "
        "else name devices by fingerprint.",
    )


def _is(status: str, case: AwsCase) -> str:
    return f"The certificate {case.device.certificate.fingerprint[:16]}… is registered in {case.region} and {status}."


def _mode(mode: str) -> str:
    return ", known by the server name only: the device must send it (SNI)" if mode == "SNI_ONLY" else ""


def _update(case: AwsCase) -> str:
    certificate_id = case.device.certificate.fingerprint
    return f"aws iot update-certificate --certificate-id {certificate_id} --new-status ACTIVE {case.at}"
