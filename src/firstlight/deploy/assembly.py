"""
Reads what `cdk synth` wrote, a cloud assembly, into the stacks and files there are to deploy.

The format is aws-cdk's cloud-assembly-schema: manifest.json names the stacks, <stack>.assets.json
the files each one expects in the bootstrap bucket.
"""

import json
from collections.abc import Iterator
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
    # Whether a Lambda function of the assembly runs it.
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
    reader = _Reader(folder, manifest, {"AccountId": account, "Region": region})
    runs = {key for name in order for key in _code_keys(reader.template(name))}
    return tuple(reader.stack(name, runs) for name in order)


def _is_for(artifact: dict[str, Any], account: str, region: str) -> bool:
    if artifact["type"] != "aws:cloudformation:stack":
        return False
    bound_account, _, bound_region = artifact["environment"].removeprefix("aws://").partition("/")
    return bound_account in {account, "unknown-account"} and bound_region in {region, "unknown-region"}


@dataclass(frozen=True, slots=True)
class _Reader:
    folder: Path
    manifest: dict[str, Any]
    where: dict[str, str]

    def template(self, name: str) -> str:
        file: str = self.manifest[name]["properties"]["templateFile"]
        return (self.folder / file).read_text("utf-8")

    def stack(self, name: str, runs: set[str]) -> Stack:
        properties = self.manifest[name]["properties"]
        named = [self.manifest[dependency] for dependency in self.manifest[name].get("dependencies", ())]
        files = [a["properties"]["file"] for a in named if a["type"] == "cdk:asset-manifest"]
        return Stack(
            name=properties.get("stackName", name),
            template=self.template(name),
            template_url=self._resolved(properties.get("stackTemplateAssetObjectUrl", "")),
            assets=tuple(asset for file in files for asset in self._assets(file, runs)),
        )

    def _assets(self, file: str, runs: set[str]) -> Iterator[Asset]:
        document = _json(self.folder / file)
        if document.get("dockerImages"):
            raise DeploymentError(f"{self.folder / file} has container images.", hint="Deploy it with the CDK CLI.")
        for entry in document.get("files", {}).values():
            for destination in entry["destinations"].values():
                if destination.get("region", self.where["Region"]) == self.where["Region"]:
                    yield Asset(
                        source=self.folder / entry["source"]["path"],
                        bucket=self._resolved(destination["bucketName"]),
                        key=destination["objectKey"],
                        zipped=entry["source"]["packaging"] == "zip",
                        runs=destination["objectKey"] in runs,
                    )

    def _resolved(self, text: str) -> str:
        for name, value in self.where.items():
            text = text.replace(f"${{AWS::{name}}}", value)
        return text


def _code_keys(template: str) -> set[str]:
    resources = json.loads(template).get("Resources", {}).values()
    functions = [r["Properties"] for r in resources if r["Type"] == "AWS::Lambda::Function"]
    return {key for f in functions if isinstance(key := f["Code"].get("S3Key"), str)}


def _json(file: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as e:
        raise DeploymentError(f"{file} is not part of a cloud assembly.", hint="Synthesize the stacks again.") from e
    return document
