"""
Reads what `cdk synth` wrote, a cloud assembly, into the stacks and files there are to deploy.

The format is aws-cdk's cloud-assembly-schema: manifest.json names the stacks, <stack>.assets.json
the files each one expects in the bootstrap bucket.
"""

import json
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from firstlight.errors import DeploymentError


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """
    A file, or a folder to be zipped, that a stack expects under *key* in *bucket*.
    """

    source: Path
    bucket: str
    key: str
    zipped: bool
    # Whether a Lambda function of the stack runs it.
    runs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """
    One stack: its name, its template's text as synthesized, and its assets, the template among them.
    """

    name: str
    template: str
    template_url: str
    assets: tuple[Asset, ...]


def read(folder: Path, *, account: str, region: str) -> tuple[Stack, ...]:
    """
    Return the stacks that the assembly in *folder* has for *region*, each after those it depends on.

    A stack that is bound to no account is meant for *account*.

    Raises:
        DeploymentError: there is no assembly, no such stack, or something in it that only the CDK CLI can deploy.
    """
    manifest = _json(folder / "manifest.json")["artifacts"]
    names = [name for name, artifact in manifest.items() if _is_for(artifact, account, region)]
    if not names:
        raise DeploymentError(f"The assembly in {folder} has no stack for {region} in account {account}.")
    graph = {name: set(manifest[name].get("dependencies", ())) & set(names) for name in names}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as e:
        raise DeploymentError(f"The stacks of the assembly in {folder} depend on each other in a circle.") from e
    return tuple(_stack(folder, manifest, name, {"AccountId": account, "Region": region}) for name in order)


def _is_for(artifact: dict[str, Any], account: str, region: str) -> bool:
    if artifact["type"] != "aws:cloudformation:stack":
        return False
    bound_account, _, bound_region = artifact["environment"].removeprefix("aws://").partition("/")
    return bound_account in {account, "unknown-account"} and bound_region in {region, "unknown-region"}


def _stack(folder: Path, manifest: dict[str, Any], name: str, where: dict[str, str]) -> Stack:
    properties = manifest[name]["properties"]
    template = (folder / properties["templateFile"]).read_text("utf-8")
    assets = tuple(
        asset
        for dependency in manifest[name].get("dependencies", ())
        if manifest[dependency]["type"] == "cdk:asset-manifest"
        for asset in _assets(folder, manifest[dependency]["properties"]["file"], _code_keys(template), where)
    )
    return Stack(
        name=properties.get("stackName", name),
        template=template,
        template_url=_resolved(properties.get("stackTemplateAssetObjectUrl", ""), where),
        assets=assets,
    )


def _assets(folder: Path, file: str, code_keys: set[str], where: dict[str, str]) -> list[Asset]:
    document = _json(folder / file)
    if document.get("dockerImages"):
        raise DeploymentError(f"{folder / file} has container images.", hint="Deploy it with the CDK CLI.")
    return [
        Asset(
            source=folder / entry["source"]["path"],
            bucket=_resolved(destination["bucketName"], where),
            key=destination["objectKey"],
            zipped=entry["source"]["packaging"] == "zip",
            runs=destination["objectKey"] in code_keys,
        )
        for entry in document.get("files", {}).values()
        for destination in entry["destinations"].values()
    ]


def _code_keys(template: str) -> set[str]:
    resources = json.loads(template).get("Resources", {}).values()
    functions = [r["Properties"] for r in resources if r["Type"] == "AWS::Lambda::Function"]
    return {key for f in functions if isinstance(key := f["Code"].get("S3Key"), str)}


def _resolved(text: str, where: dict[str, str]) -> str:
    for name, value in where.items():
        text = text.replace(f"${{AWS::{name}}}", value)
    return text


def _json(file: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as e:
        raise DeploymentError(f"{file} is not part of a cloud assembly.", hint="Synthesize the stacks again.") from e
    return document
