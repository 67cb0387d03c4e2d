"""
Azure Resource Manager at management.azure.com: groups, resources, CA certificates, deployments.
"""

from collections.abc import Callable
from typing import Any

from firstlight.local.azure_cloud import arm_certificates
from firstlight.local.azure_cloud.arm_deployments import Deployments, failure, operation_id
from firstlight.local.azure_cloud.arm_resources import CERTIFICATES, Resources, parse_id
from firstlight.local.azure_cloud.rest import Answer, Call, Handler, Refusal, Routes
from firstlight.local.azure_cloud.tokens import MANAGEMENT, TokenRefusedError, Tokens
from firstlight.local.azure_cloud.world import CaCertificate, Hub, World

_SUBSCRIPTION = "/subscriptions/{subscription}"
_GROUP = f"{_SUBSCRIPTION}/resourceGroups/{{group}}"
_DEPLOYMENT = f"{_GROUP}/providers/Microsoft.Resources/deployments/{{deployment}}"
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete", "POST": "action"}
_REMEMBERED = 1000  # results of operations
_PARENTS = ("IotHubs", "provisioningServices")


class ResourceManager:
    """
    Answers what the management libraries ask.  Long-running operations are over when they are first asked for.
    """

    def __init__(self, world: World, tokens: Tokens) -> None:
        self._world = world
        self._tokens = tokens
        self._resources = Resources(world)
        self._deployments = Deployments(world, self._resources)
        self._results: dict[str, dict[str, Any]] = {}
        self.routes = Routes()
        for method, path, handler in self._table():
            self.routes.add(method, path, self._allowed(handler))

    @property
    def resources(self) -> Resources:
        """
        The same, for those inside.
        """
        return self._resources

    def _table(self) -> list[tuple[str, str, Callable[[Call], Answer]]]:
        parts = []
        for parent in _PARENTS:
            one = f"{_GROUP}/providers/Microsoft.Devices/{parent}/{{owner}}/certificates/{{name}}"
            parts += [
                ("GET", one.removesuffix("/{name}"), self._certificates),
                ("PUT", one, self._put_certificate),
                ("DELETE", one, self._delete_certificate),
                ("POST", f"{one}/generateVerificationCode", self._generate_code),
                ("POST", f"{one}/verify", self._verify_certificate),
            ]
        return [
            *parts,
            ("GET", f"{_SUBSCRIPTION}/providers/Microsoft.Resources/operations/{{operation}}", self._operation),
            ("GET", _SUBSCRIPTION, self._subscription),
            ("GET", f"{_SUBSCRIPTION}/providers/Microsoft.Devices/{{kind}}", self._list),
            ("GET", f"{_GROUP}/providers/Microsoft.Devices/{{kind}}", self._list),
            ("PUT", _GROUP, self._put_group),
            ("GET", _GROUP, self._get),
            ("HEAD", _GROUP, self._head),
            ("DELETE", _GROUP, self._delete),
            ("PUT", _DEPLOYMENT, self._deploy),
            ("POST", f"{_DEPLOYMENT}/whatIf", self._what_if),
            ("POST", f"{_DEPLOYMENT}/validate", self._validate),
            ("GET", "/{resource:path}", self._get),
            ("HEAD", "/{resource:path}", self._head),
            ("PUT", "/{resource:path}", self._put),
            ("DELETE", "/{resource:path}", self._delete),
        ]

    @staticmethod
    def refuse(refusal: Refusal) -> Any:
        """
        Return the body of an error; IoT Hub's own, with numbers, are not wrapped.
        """
        if isinstance(refusal.code, int):
            return {"code": refusal.code, "httpStatusCode": refusal.status, "message": refusal.message}
        return {"error": {"code": refusal.code, "message": refusal.message}}

    def _allowed(self, handler: Callable[[Call], Answer]) -> Handler:
        def answer(call: Call) -> Answer:
            if "api-version" not in call.query:
                raise Refusal(400, "MissingApiVersionParameter", "The api-version query parameter is required.")
            try:
                principal = self._tokens.principal(call.headers.get("authorization", ""), MANAGEMENT)
            except TokenRefusedError as e:
                raise Refusal(401, e.code, str(e)) from e
            action = f"laptop/{_VERBS[call.method]}"
            if not self._world.directory.allows(principal, action, call.path):
                raise Refusal(
                    403,
                    "AuthorizationFailed",
                    f"The client '{principal.client_id}' with object id '{principal.object_id}' does not have "
                    f"authorization to perform action '{_VERBS[call.method]}' over scope '{call.path}' or the scope "
                    "is invalid. If access was recently granted, please refresh your credentials.",
                )
            subscription = call.names.get("subscription", self._world.subscription)
            if subscription.lower() != self._world.subscription:
                raise Refusal(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")
            return handler(call)

        return answer

    def _subscription(self, _call: Call) -> Answer:
        known = self._world.subscription
        shown = {"id": f"/subscriptions/{known}", "subscriptionId": known, "displayName": "laptop", "state": "Enabled"}
        return Answer(200, shown | {"tenantId": self._world.tenant})

    def _operation(self, call: Call) -> Answer:
        if call.names["operation"] not in self._results:
            raise Refusal(404, "OperationNotFound", f"There is no operation {call.names['operation']}.")
        return Answer(200, self._results[call.names["operation"]])

    def _put_group(self, call: Call) -> Answer:
        body, new = call.object(), call.path.lower() not in self._world.resources
        group = {
            "id": call.path,
            "name": call.names["group"],
            "type": "Microsoft.Resources/resourceGroups",
            "location": body.get("location", ""),
            "tags": body.get("tags") or {},
            "properties": {"provisioningState": "Succeeded"},
        }
        self._world.resources[call.path.lower()] = group
        return Answer(201 if new else 200, group)

    def _get(self, call: Call) -> Answer:
        return Answer(200, self._resources.get(call.path))

    def _head(self, call: Call) -> Answer:
        return Answer(204 if call.path.lower() in self._world.resources else 404)

    def _list(self, call: Call) -> Answer:
        scope, _, kind = call.path.partition("/providers/")
        return Answer(200, {"value": self._resources.list(kind.lower(), scope)})

    def _put(self, call: Call) -> Answer:
        known = self._world.resources.get(call.path.lower(), {})
        if call.etag and call.etag not in {"*", known.get("etag")}:
            raise Refusal(412, 412001, f"Invalid ETag {call.etag!r}.")
        shown, new = self._resources.put(call.path, call.object())
        return Answer(201 if new else 200, shown, self._finished({"status": "Succeeded"}))

    def _delete(self, call: Call) -> Answer:
        known = parse_id(call.path) if "/providers/" in call.path else None
        if known and known.kind in CERTIFICATES:
            return self._delete_certificate(call)
        if not self._resources.delete(call.path):
            return Answer(204)
        return Answer(202, None, self._finished({"status": "Succeeded"}))

    def _deploy(self, call: Call) -> Answer:
        given = call.object().get("properties") or {}
        template = self._deployments.template(call.path.partition("/providers/")[0], given)
        self._deployments.validate(template)
        properties = {"mode": given.get("mode", "Incremental"), "parameters": given.get("parameters") or {}}
        result: dict[str, Any]
        try:
            properties |= self._deployments.deploy(template)
            result = {"status": "Succeeded"}
        except Refusal as refusal:
            result = {"status": "Failed", "error": failure(refusal)}
            properties["error"] = result["error"]
        shown = {
            "id": call.path,
            "name": call.names["deployment"],
            "type": "Microsoft.Resources/deployments",
            "properties": properties | {"provisioningState": result["status"]},
        }
        self._world.resources[call.path.lower()] = shown
        accepted = {**shown, "properties": {**properties, "provisioningState": "Accepted"}}
        return Answer(201, accepted, self._finished(result))

    def _what_if(self, call: Call) -> Answer:
        template = self._template(call)
        return Answer(200, {"status": "Succeeded", "properties": {"changes": self._deployments.what_if(template)}})

    def _validate(self, call: Call) -> Answer:
        planned = self._deployments.validate(self._template(call))
        found = [{"id": one.id} for one in planned]
        return Answer(200, {"properties": {"provisioningState": "Succeeded", "validatedResources": found}})

    def _template(self, call: Call) -> Any:
        group = call.path.partition("/providers/")[0]
        return self._deployments.template(group, call.object().get("properties") or {})

    def _certificates(self, call: Call) -> Answer:
        owner = self._resources.owner(call.path.rpartition("/")[0])
        return Answer(200, {"value": [self._resources.get(f"{call.path}/{name}") for name in owner.certificates]})

    def _put_certificate(self, call: Call) -> Answer:
        resource = parse_id(call.path)
        owner = self._resources.owner(resource.parent)
        # a provisioning service answers 200 for new ones too: its SDK takes nothing else
        new = resource.name not in owner.certificates and isinstance(owner, Hub)
        ca = arm_certificates.put(owner, resource.name, call.object(), etag=call.etag)
        return _certificate(ca, call.path, 201 if new else 200)

    def _delete_certificate(self, call: Call) -> Answer:
        resource = parse_id(call.path)
        owner = self._resources.owner(resource.parent)
        if resource.name not in owner.certificates:
            return Answer(204)
        arm_certificates.delete(owner, resource.name, etag=call.etag)
        return Answer(200)

    def _generate_code(self, call: Call) -> Answer:
        path = call.path.rpartition("/")[0]
        owner = self._resources.owner(parse_id(path).parent)
        return _certificate(arm_certificates.generate_code(owner, call.names["name"], etag=call.etag), path)

    def _verify_certificate(self, call: Call) -> Answer:
        path = call.path.rpartition("/")[0]
        owner = self._resources.owner(parse_id(path).parent)
        ca = arm_certificates.verify(owner, call.names["name"], call.object(), etag=call.etag)
        return _certificate(ca, path)

    def _finished(self, result: dict[str, Any]) -> dict[str, str]:
        """
        Return the headers of a long-running operation with this *result*.
        """
        operation = operation_id()
        self._results[operation] = result
        while len(self._results) > _REMEMBERED:
            del self._results[next(iter(self._results))]
        where = (
            f"{MANAGEMENT}/subscriptions/{self._world.subscription}/providers/Microsoft.Resources/operations/"
            f"{operation}?api-version=2022-09-01"
        )
        return {"Azure-AsyncOperation": where, "Retry-After": "1"}


def _certificate(ca: CaCertificate, path: str, status: int = 200) -> Answer:
    return Answer(status, arm_certificates.shown(ca, path, parse_id(path).kind))
