"""
The laptop's AWS by itself: who may do what, where it listens, and that it goes when its owner goes.
"""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstlight import boto
from firstlight.boto import Credentials
from firstlight.errors import UsageError
from firstlight.local.addresses import Addresses
from firstlight.local.control_plane import ROOT, ControlPlane
from tests.local import processes

REGION = "eu-west-1"
LOOPBACK = "0100007F"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("control-plane")


@pytest.fixture(scope="module")
def aws(folder: Path) -> Iterator[Addresses]:
    with ControlPlane(folder, region=REGION) as running:
        yield Addresses(endpoint_url=running.endpoint_url, region=REGION, account=running.account, credentials=ROOT)


def allowed(aws: Addresses, *statements: dict[str, object]) -> Credentials:
    """
    Return keys of a new user who may do just what *statements* say.
    """
    iam = aws.client("iam")
    name = f"user-{len(iam.list_users()['Users'])}"
    iam.create_user(UserName=name)
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def test_devices_are_sent_to_the_front_door(aws: Addresses) -> None:
    """
    DescribeEndpoint answers a host that resolves, without ministack's HTTP port.
    """
    answer = aws.client("iot").describe_endpoint(endpointType="iot:Data-ATS")

    assert "localhost" == answer["endpointAddress"]


def test_other_endpoints_keep_their_name(aws: Addresses) -> None:
    """
    There is a front door for devices' data only.
    """
    answer = aws.client("iot").describe_endpoint(endpointType="iot:CredentialProvider")

    assert ".credentials.iot." in answer["endpointAddress"]


def test_iam_decides_who_may_ask_for_the_endpoint(aws: Addresses) -> None:
    """
    The wrapper changes an answer that was allowed; it lets nobody past IAM.
    """
    may = allowed(aws, {"Effect": "Allow", "Action": "iot:DescribeEndpoint", "Resource": "*"})
    may_not = allowed(aws, {"Effect": "Allow", "Action": "iot:ListThings", "Resource": "*"})

    asked = aws.client("iot", credentials=may).describe_endpoint(endpointType="iot:Data-ATS")
    iot = aws.client("iot", credentials=may_not)

    assert "localhost" == asked["endpointAddress"]
    with pytest.raises(iot.exceptions.ClientError) as refused:
        iot.describe_endpoint(endpointType="iot:Data-ATS")
    assert "AccessDeniedException" == boto.code_of(refused.value)


def test_a_statement_for_one_thing_allows_no_other(aws: Addresses) -> None:
    """
    Resources are enforced, so a role that is too narrow is found here and not in a region.
    """
    mine = f"arn:aws:iot:{REGION}:{aws.account}:thing/mine-*"
    iot = aws.client(
        "iot", credentials=allowed(aws, {"Effect": "Allow", "Action": "iot:CreateThing", "Resource": mine})
    )

    iot.create_thing(thingName="mine-1")

    with pytest.raises(iot.exceptions.ClientError) as refused:
        iot.create_thing(thingName="theirs-1")
    assert "AccessDeniedException" == boto.code_of(refused.value)


def test_a_wrong_secret_is_refused(aws: Addresses) -> None:
    """
    Signatures are checked, ours computed by hand in the registry included.
    """
    right = allowed(aws, {"Effect": "Allow", "Action": "iot:ListThings", "Resource": "*"})
    iot = aws.client("iot", credentials=Credentials(right.access_key, "wrong"))

    with pytest.raises(iot.exceptions.ClientError) as refused:
        iot.list_things()
    assert "does not know the credentials" in str(boto.explain(refused.value, "Listing"))


def test_only_the_loopback_address_listens(aws: Addresses, folder: Path) -> None:
    """
    Nobody on the network reaches a laptop's clouds: Lambdas run there as the engineer.
    """
    assert aws.client("sts").get_caller_identity()["Account"] == aws.account

    assert {LOOPBACK} == processes.listening(processes.of(folder))


def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    """
    The sentence names the port, its hint the option.
    """
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        with (
            pytest.raises(UsageError, match=rf"Port {port} .*--port"),
            ControlPlane(tmp_path, region=REGION, port=port),
        ):
            pass


def test_real_credentials_do_not_get_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What the engineer's shell holds is not what a Lambda on the laptop sees.
    """
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a real one")

    with ControlPlane(tmp_path, region=REGION):
        environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in processes.of(tmp_path)]

    assert environments
    assert not [e for e in environments if b"AWS_PROFILE" in e or b"AWS_SESSION_TOKEN" in e]


def test_nothing_is_left_when_it_stops(tmp_path: Path) -> None:
    """
    No process, no temporary file; only the log.
    """
    with ControlPlane(tmp_path, region=REGION):
        assert processes.of(tmp_path)

    assert processes.soon(lambda: not processes.of(tmp_path))
    assert ["aws.log"] == [f.name for f in tmp_path.iterdir()]


OWNER = """
import signal, sys
from pathlib import Path
from firstlight.local.control_plane import ControlPlane
with ControlPlane(Path(sys.argv[1]), region="eu-west-1"):
    print("up", flush=True)
    signal.pause()
"""


def test_it_goes_when_its_owner_is_killed(tmp_path: Path) -> None:
    """
    Even SIGKILL, which no owner can tidy up after, leaves nothing running.
    """
    with subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert b"up\n" == owner.stdout.readline()
        owner.kill()

    assert processes.soon(lambda: not processes.of(tmp_path))
