"""
`python -m cdk.app`: with nothing in the environment, and with something wrong in it.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cdk import app
from firstlight import pki
from firstlight.deploy import bundle, tree
from firstlight.deploy.bundle import Platform
from tests.factory import Factory
from tests.synth.conftest import CHECKOUT

_STACKS = {f"Firstlight{s}-{r}" for s in ("Ingest", "Jitp") for r in ("eu-west-1", "us-east-1")}


def test_nothing_is_needed_of_the_environment(tmp_path: Path) -> None:
    """
    No variable at all, no network where the machine can take it away: two regions, CDK's own validation included.
    """
    command = [*_without_network(), sys.executable, "-m", "cdk.app"]
    work = tmp_path / "checkout"
    work.mkdir()
    for name in ("cdk", "regions.toml"):
        (work / name).symlink_to(CHECKOUT / name)

    done = subprocess.run(command, check=False, capture_output=True, text=True, env={}, cwd=work)

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)
    assert _STACKS == {f.name.removesuffix(".template.json") for f in (work / "cdk.out").glob("*.template.json")}
    assert [] == json.loads((work / "cdk.out" / "validation-report.json").read_text())["pluginReports"]


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"JSII_RUNTIME_PACKAGE_CACHE_ROOT": "/dev/null/jsii"}, "CDK cannot be started: Cannot use the jsii package"),
        (
            {"PYTHONPATH": "without"},
            "The CDK is not installed: No module named 'aws_cdk'. pip install 'firstlight[cdk]",
        ),
    ],
)
def test_a_cdk_that_cannot_start_is_one_sentence(environ: dict[str, str], sentence: str, tmp_path: Path) -> None:
    """
    Exit code 2 and no traceback, jsii's neither.
    """
    (tmp_path / "without" / "aws_cdk").mkdir(parents=True)
    (tmp_path / "without" / "aws_cdk" / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'aws_cdk'\")\n"
    )
    (tmp_path / "cdk").symlink_to(CHECKOUT / "cdk")

    done = subprocess.run(
        [sys.executable, "-m", "cdk.app"], check=False, capture_output=True, text=True, env=environ, cwd=tmp_path
    )

    assert (2, "", 1) == (done.returncode, done.stdout, done.stderr.count("\n"))
    assert done.stderr.startswith(sentence)


def test_a_home_that_cannot_be_written_is_not_needed(tmp_path: Path) -> None:
    """
    Nothing goes there; what was unpacked before is used again.
    """
    done = subprocess.run(
        [sys.executable, "-m", "cdk.app"],
        check=False,
        capture_output=True,
        text=True,
        env={"HOME": "/dev/null", "CDK_OUTDIR": str(tmp_path), "CDK_VALIDATION": "false"},
        cwd=CHECKOUT,
    )

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_the_code_is_the_checkouts_own(tmp_path: Path) -> None:
    """
    The asset that the template names is the bundle of the source as it is now.
    """
    assert 0 == app.main({"CDK_OUTDIR": str(tmp_path), "FIRSTLIGHT_REGIONS_FILE": str(CHECKOUT / "regions.toml")})
    (asset,) = tmp_path.glob("asset.*")
    bundle.assemble(Platform.LAMBDA, out=tmp_path / "fresh")

    assert _contents(asset) == _contents(tmp_path / "fresh")


def test_trusted_issuers_go_with_the_code(tmp_path: Path, factory: Factory) -> None:
    """
    Beside the handler, where its environment says.
    """
    pki.write_certificate(tmp_path / "issuer.pem", factory.ca)
    environ = _environ(tmp_path, '[aws.eu-west-1]\njitp = false\ntrusted_issuers = ["issuer.pem"]\n' + _KEY)

    assert 0 == app.main(environ)
    (asset,) = Path(environ["CDK_OUTDIR"]).glob("asset.*")
    assert factory.ca.pem == (asset / "trusted_issuers.pem").read_text()


_KEY = 'token_key_url = "https://example.com/key.pem"\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[aws.eu-west-1]\nthing_prefx = 'x'\n", "aws.eu-west-1: unknown key 'thing_prefx'."),
        ("[aws.narnia-1]\n", "'narnia-1' is not the name of an AWS region;"),
        ("[aws.eu-west-1]\n", "needs exactly one of token_key_url and token_key_file."),
        ("[aws.eu-west-1]\nca_certificates = ['ca.pem']\n" + _KEY, "ca.pem does not exist."),
        ("[aws.eu-west-1]\nthing_groups = ['a b']\n" + _KEY, "'a b' is no name of a thing type or group"),
        ("[aws.eu-west-1]\nthing_groups = ['a', 'a']\n" + _KEY, "thing_groups has an empty or repeated name."),
        ("[aws.eu-west-1]\nlog_retention_days = 8\n" + _KEY, "log_retention_days is 8; CloudWatch takes 0, 1, 3"),
        ("[aws.eu-west-1]\nstage = 'v-1'\n" + _KEY, "stage 'v-1' is not"),
        (
            "[aws.eu-west-1]\nalarm_topic_arn = 'arn:aws:sns:us-east-1:123456789012:t'\n" + _KEY,
            "SNS topic in eu-west-1.",
        ),
        ("[aws.eu-west-1]\ntoken_key_file = 'regions.toml'\n", "The token key is not a public key in PEM."),
        ("[aws.eu-west-1\n", "is not TOML"),
        (None, "cannot be read: No such file or directory."),
    ],
)
def test_a_bad_regions_file_is_one_sentence(
    text: str | None, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Exit code 2, the sentence on stderr with the file's name in it, nothing synthesized, no traceback.
    """
    environ = _environ(tmp_path, text)

    assert 2 == app.main(environ)
    said = capsys.readouterr()
    assert "" == said.out
    assert sentence in said.err
    assert "regions.toml" in said.err
    assert "Traceback" not in said.err
    assert 1 == said.err.count("\n")


def test_a_missing_bundle_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Synth fetches nothing; it says what does.
    """
    monkeypatch.setattr(bundle, "vendored", lambda platform, *, checkout: checkout / "nowhere" / platform)

    assert 2 == app.main(_environ(tmp_path, "[aws.eu-west-1]\n" + _KEY))
    assert "Fetch them once: python -m firstlight.deploy.bundle\n" == capsys.readouterr().err.partition(". ")[2]


def test_the_exit_code_reaches_the_shell(tmp_path: Path) -> None:
    """
    The CDK CLI stops there.
    """
    environ = _environ(tmp_path, None)
    done = subprocess.run(
        [sys.executable, "-m", "cdk.app"], check=False, capture_output=True, text=True, env=environ, cwd=CHECKOUT
    )

    assert (2, "", 1) == (done.returncode, done.stdout, done.stderr.count("\n"))


def _environ(folder: Path, regions: str | None) -> dict[str, str]:
    file = folder / "regions.toml"
    if regions is not None:
        file.write_text(regions)
    return {"CDK_OUTDIR": str(folder / "out"), "FIRSTLIGHT_REGIONS_FILE": str(file), "CDK_VALIDATION": "false"}


def _without_network() -> list[str]:
    unshare = shutil.which("unshare")
    command = [unshare or "", "--map-root-user", "--net"]
    works = unshare and subprocess.run([*command, sys.executable, "-c", ""], check=False, capture_output=True)
    return command if works and works.returncode == 0 else []


def _contents(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in tree.files_of(folder).items()}
