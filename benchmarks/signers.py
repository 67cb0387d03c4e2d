"""
What one AWS signature costs: ours, the Common Runtime's, botocore's.  `python -m benchmarks.signers`
"""

import hashlib
import time
from collections.abc import Callable

from awscrt import auth as crt_auth
from awscrt import http as crt_http
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from firstlight.registries.aws_credentials import Keys
from firstlight.registries.aws_operations import Call, register_certificate
from firstlight.registries.sigv4 import Signer

_HOST = "iot.us-east-1.amazonaws.com"
# As long as a session token of a Lambda's role.
_KEYS = Keys("AKIDEXAMPLE", "secret", "t" * 1000)
_TIMES = 5000


def ours(call: Call) -> Callable[[], object]:
    signer = Signer(region="us-east-1", service="iot")
    headers = {**call.headers, "host": _HOST}

    return lambda: signer.sign(
        call.method, call.path, call.query, headers, call.body, credentials=_KEYS, at=time.time()
    )


def botocores(call: Call) -> Callable[[], object]:
    auth = SigV4Auth(Credentials(_KEYS.access_key, _KEYS.secret_key, _KEYS.token), "iot", "us-east-1")
    url = f"https://{_HOST}{call.path}"

    def sign() -> object:
        request = AWSRequest(call.method, url, headers=dict(call.headers), data=call.body)
        auth.add_auth(request)
        return request.headers

    return sign


def common_runtimes(call: Call) -> Callable[[], object]:
    provider = crt_auth.AwsCredentialsProvider.new_static(_KEYS.access_key, _KEYS.secret_key, _KEYS.token)

    def sign() -> object:
        headers = crt_http.HttpHeaders([("host", _HOST), *call.headers.items()])
        config = crt_auth.AwsSigningConfig(
            algorithm=crt_auth.AwsSigningAlgorithm.V4,
            signature_type=crt_auth.AwsSignatureType.HTTP_REQUEST_HEADERS,
            credentials_provider=provider,
            region="us-east-1",
            service="iot",
            signed_body_value=hashlib.sha256(call.body).hexdigest(),
        )
        return crt_auth.aws_sign_request(crt_http.HttpRequest(call.method, call.path, headers), config).result()

    return sign


def main() -> None:
    """
    Print microseconds of CPU a signature, all threads of the process counted.
    """
    call = register_certificate("x" * 800)
    for make in (ours, common_runtimes, botocores):
        sign = make(call)
        for _ in range(100):
            sign()
        used = time.process_time()
        for _ in range(_TIMES):
            sign()
        print(f"{make.__name__:<16} {(time.process_time() - used) / _TIMES * 1e6:6.1f} us")


if __name__ == "__main__":
    main()
