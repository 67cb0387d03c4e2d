"""
Of a certificate nobody registered: is there a CA here that introduces it?
"""

from collections.abc import Sequence

from firstlight.doctor.aws_case import AwsCase, Ca
from firstlight.doctor.causes import Fine, Found


def not_registered(case: AwsCase) -> Found | None:
    """
    Neither the certificate nor any CA of that name.
    """
    if not _is_stranger(case) or _namesakes(case) or _above(case):
        return None
    count = len(case.cas.value)
    standing = "left pending" if case.registered.value else "not registered"
    return Found(
        f"The certificate is {standing} in {case.region}, and none of the {count} registered CAs is its issuer "
        f"({case.device.issuer}).",
        (f"firstlight push {case.device.file} --url INGEST_URL", f"firstlight ca register ca.pem {case.at}"),
        "Push this one certificate, or register the CA that signs the devices' certificates.",
    )


def another_key(case: AwsCase) -> Found | None:
    """
    A CA of the issuer's name is registered, with another key.
    """
    if not _is_stranger(case) or _above(case) or not (namesakes := _namesakes(case)):
        return None
    return Found(
        f"The registered CA {namesakes[0].id[:16]}… is called {case.device.issuer}, as the issuer is, and its key did "
        "not sign the certificate.",
        (f"firstlight ca register ca.pem {case.at}",),
        "The maker's CA was made anew, or somebody else uses its name: register the one that signed.",
    )


def above_registered(case: AwsCase) -> Found | None:
    """
    The CA that is registered stands above the one that signed.
    """
    if not _is_stranger(case) or not (above := _above(case)):
        return None
    return Found(
        f"The certificate is signed by {case.device.issuer}; registered is {above.subject}, a CA above that one.",
        (f"firstlight ca register intermediate.pem {case.at}",),
        "Register the CA that signs the devices' certificates itself, not one above it.",
    )


def ca_inactive(case: AwsCase) -> Found | Fine | None:
    if case.introduction is None:
        return None
    ca = case.introduction.ca
    if ca.status == "ACTIVE":
        return Fine(f"Its CA {ca.id[:16]}… ({ca.subject}) is registered and ACTIVE.")
    return Found(
        f"Its CA {ca.id[:16]}… ({ca.subject}) is {ca.status}, so nothing it signed is registered.",
        (f"{_update(ca)} --new-status ACTIVE {case.at}",),
        "So is a CA that was retired, because it leaked perhaps: ask who did it and why first.",
    )


def auto_registration_off(case: AwsCase) -> Found | Fine | None:
    if case.introduction is None:
        return None
    ca = case.introduction.ca
    if ca.auto_registers:
        return Fine("Its CA registers certificates by itself.")
    return Found(
        f"Auto-registration of its CA {ca.id[:16]}… is off, so a first connect registers nothing.",
        (f"{_update(ca)} --new-auto-registration-status ENABLE {case.at}",),
        "Or push the certificate: that needs no CA.",
    )


def ca_out_of_date(case: AwsCase) -> Found | None:
    """
    AWS registers no CA that has expired; what it does when a registered one expires is not documented.
    """
    if case.introduction is None:
        return None
    ca = case.introduction.ca
    if case.device.now <= ca.certificate.x509.not_valid_after_utc:
        return None
    return Found(
        f"Its CA {ca.id[:16]}… ({ca.subject}) expired {ca.certificate.x509.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}.",
        (f"firstlight ca register ca.pem {case.at}",),
        "Register the CA's new certificate, if its key is the same.",
        certain=False,
    )


def same_subject(case: AwsCase) -> Found | None:
    """
    A device that sends no chain leaves AWS to guess among CAs of one name.
    """
    if case.introduction is None or case.device.chain:
        return None
    others = [ca for ca in _namesakes(case) if ca.id != case.introduction.ca.id]
    if not others:
        return None
    return Found(
        f"{len(others) + 1} registered CAs are called {case.device.issuer}, and the device sends no chain that would "
        "tell them apart.",
        advice="Let the device send its CA's certificate behind its own, or delete the CA that is not used.",
        certain=False,
    )


def template_of_another(case: AwsCase) -> Found | None:
    """
    The CA runs nothing, and a template is there for another CA.
    """
    if not _runs_nothing(case) or not (others := _with_template(case)) or _ca_is_of_allow_list(case):
        return None
    name = others[0].template_name or "inline"
    return Found(
        f"Its CA {_ca(case).id[:16]}… has no provisioning template; the template {name} is linked to another CA, "
        f"{others[0].subject}.",
        (_link(_ca(case), others[0].template_name, case),),
        "Without a template its certificates are registered and stay PENDING_ACTIVATION.",
    )


def no_template(case: AwsCase) -> Found | None:
    """
    Nothing runs, unless a topic rule hears of the registration (JITR).
    """
    if not _runs_nothing(case) or _with_template(case) or case.introduction is None:
        return None
    if case.introduction.announced.value is not None:
        return None
    rules = case.introduction.listeners.value
    if rules:
        return Found(
            f"Its CA has no provisioning template, and the topic rule {', '.join(rules)} hears of new certificates: "
            "what the rule calls decides about the device.",
            advice="Was the certificate announced to it? Look at the logs of the function that the rule calls.",
            certain=False,
        )
    return Found(
        f"Its CA {_ca(case).id[:16]}… has no provisioning template and no topic rule hears of new certificates: they "
        "are registered and stay PENDING_ACTIVATION.",
        (_link(_ca(case), "FirstlightJitp", case),),
    )


def not_announced(case: AwsCase) -> Found | Fine | None:
    """
    The region's allow-list lets announced certificates in, and no others.
    """
    if not _ca_is_of_allow_list(case) or case.introduction is None:
        return None
    if case.introduction.announced.value:
        return Fine("The certificate is announced: the allow-list lets it in at its next connect.")
    return Found(
        f"{case.region} lets announced certificates in at their first connect, and this one is not announced.",
        (f"firstlight announce {case.device.file} --to aws:{case.region}",),
        "An announcement admits once, and may have expired. Until then the certificate stays PENDING_ACTIVATION.",
    )


def _ca_is_of_allow_list(case: AwsCase) -> bool:
    return _runs_nothing(case) and case.introduction is not None and case.introduction.announced.value is not None


def _is_stranger(case: AwsCase) -> bool:
    return case.is_newcomer and case.introduction is None


def _namesakes(case: AwsCase) -> Sequence[Ca]:
    name = case.device.certificate.x509.issuer.public_bytes()
    return [ca for ca in case.cas.value if ca.certificate.x509.subject.public_bytes() == name]


def _above(case: AwsCase) -> Ca | None:
    """
    Return a registered CA that signed one of the chain, which the device sends.
    """
    return next((ca for one in case.device.chain for ca in case.cas.value if one.is_issued_by(ca.certificate)), None)


def _with_template(case: AwsCase) -> Sequence[Ca]:
    return [ca for ca in case.cas.value if ca.template_name or ca.template_body]


def _runs_nothing(case: AwsCase) -> bool:
    if case.introduction is None:
        return False
    ca = case.introduction.ca
    return not (ca.template_name or ca.template_body)


def _ca(case: AwsCase) -> Ca:
    assert case.introduction is not None  # noqa: S101 -- _runs_nothing has said so
    return case.introduction.ca


def _update(ca: Ca) -> str:
    return f"aws iot update-ca-certificate --certificate-id {ca.id}"


def _link(ca: Ca, template: str, case: AwsCase) -> str:
    return f"{_update(ca)} --registration-config templateName={template or 'FirstlightJitp'} {case.at}"
