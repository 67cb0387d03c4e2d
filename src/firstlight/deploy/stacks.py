"""
Creates, updates and deletes a stack, and says which resource failed and why.
"""

import time
from typing import Any

from firstlight import boto
from firstlight.deploy.assembly import Stack
from firstlight.errors import DeploymentError

# CloudFormation takes longer templates from S3 only.
_LONGEST_BODY = 51_200
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 3.0  # seconds between two looks


def deploy(stack: Stack, cloudformation: Any, *, deadline: float) -> dict[str, str]:
    """
    Create *stack*, or update it when it is there, and return its outputs.

    A stack whose creation was rolled back is deleted first, since it cannot be updated.
    *deadline* is of `time.monotonic()`, seconds.

    Raises:
        DeploymentError: a resource failed, or the deadline came first.
    """
    with boto.refusals(f"Deploying {stack.name}", error=DeploymentError):
        there = _describe(stack.name, cloudformation)
        if there is not None and there["StackStatus"].endswith("_IN_PROGRESS"):
            there = _wait(stack.name, cloudformation, deadline)
        if there is not None and there["StackStatus"] in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"}:
            delete(stack.name, cloudformation, deadline=deadline)
            there = None
        template = _template(stack, cloudformation.meta.region_name)
        request = {"StackName": stack.name, "Capabilities": _CAPABILITIES, **template}
        if there is None:
            cloudformation.create_stack(**request)
            return _outputs(_settled(stack.name, cloudformation, deadline, {"CREATE_COMPLETE"}))
        if not _update(cloudformation, request):
            return _outputs(there)
        return _outputs(_settled(stack.name, cloudformation, deadline, {"UPDATE_COMPLETE"}))


def delete(name: str, cloudformation: Any, *, deadline: float) -> None:
    """
    Delete the stack called *name*; one that is not there is deleted already.

    Raises:
        DeploymentError: a resource would not go, or the deadline came first.
    """
    with boto.refusals(f"Deleting {name}", error=DeploymentError):
        cloudformation.delete_stack(StackName=name)
        there = _wait(name, cloudformation, deadline)
        if there is not None and there["StackStatus"] != "DELETE_COMPLETE":
            raise _failure(name, cloudformation, there)


def _template(stack: Stack, region: str) -> dict[str, str]:
    if len(stack.template.encode()) <= _LONGEST_BODY:
        return {"TemplateBody": stack.template}
    place = stack.template_url.removeprefix("s3://")
    return {"TemplateURL": f"https://s3.{region}.amazonaws.com/{place}"}


def _update(cloudformation: Any, request: dict[str, Any]) -> bool:
    try:
        cloudformation.update_stack(**request)
    except cloudformation.exceptions.ClientError as e:
        # CloudFormation says so only in words.
        if "No updates are to be performed" in str(e):
            return False
        raise
    return True


def _describe(name: str, cloudformation: Any) -> dict[str, Any] | None:
    try:
        found: list[dict[str, Any]] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except cloudformation.exceptions.ClientError as e:
        if boto.code_of(e) == "ValidationError" and "does not exist" in str(e):
            return None
        raise
    return found[0]


def _wait(name: str, cloudformation: Any, deadline: float) -> dict[str, Any] | None:
    pause = _FIRST_WAIT
    while (stack := _describe(name, cloudformation)) is not None and stack["StackStatus"].endswith("_IN_PROGRESS"):
        if time.monotonic() + pause > deadline:
            raise DeploymentError(
                f"Stack {name} is still {stack['StackStatus']}.", hint="It goes on by itself; look again later."
            )
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_WAIT)
    return stack


def _settled(name: str, cloudformation: Any, deadline: float, wanted: set[str]) -> dict[str, Any]:
    stack = _wait(name, cloudformation, deadline)
    if stack is None or stack["StackStatus"] not in wanted:
        raise _failure(name, cloudformation, stack)
    return stack


def _failure(name: str, cloudformation: Any, stack: dict[str, Any] | None) -> DeploymentError:
    status = stack["StackStatus"] if stack else "gone"
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=(stack or {}).get("StackId", name))
    # Newest first; the oldest failure of the newest operation is the cause, what follows is cancelled.
    cause = None
    for event in (e for page in pages for e in page["StackEvents"]):
        own = event["ResourceType"] == "AWS::CloudFormation::Stack" and event["LogicalResourceId"] == name
        if own and event["ResourceStatus"] in {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"}:
            break
        if event["ResourceStatus"].endswith("_FAILED") and not own:
            cause = event
    if cause is None:
        reason = (stack or {}).get("StackStatusReason", "")
        return DeploymentError(f"Stack {name} is {status}" + (f": {reason}" if reason else "."))
    reason = " ".join(cause.get("ResourceStatusReason", "no reason given").split()).rstrip(".")
    return DeploymentError(
        f"Stack {name} is {status} since {cause['LogicalResourceId']} ({cause['ResourceType']}) failed: {reason}."
    )


def _outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}
