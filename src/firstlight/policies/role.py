"""
The provisioning role: may AWS IoT assume it here, and may it do what the template asks for.
"""

from firstlight.errors import JitpError
from firstlight.policies.iam_role import Role
from firstlight.policies.patterns import Context
from firstlight.policies.place import Place
from firstlight.policies.statements import allowed, parse

SERVICE = "iot.amazonaws.com"


class AssumedRole:
    """
    *role* as AWS IoT holds it while it provisions, on behalf of *source_arn* (the template or the CA).

    Raises:
        JitpError: the role does not exist, or its trust policy does not let AWS IoT assume it for that.
    """

    def __init__(self, role: Role | None, role_arn: str, *, source_arn: str, place: Place) -> None:
        name = role_arn.rpartition("/")[2]
        if role is None:
            raise JitpError(f"The provisioning role {name} does not exist.", hint="Deploy the JITP stack again.")
        asked = Context({"aws:SourceAccount": place.account, "aws:SourceArn": source_arn})
        trust = [s for s in parse(role.trust, f"of trust of {name}") if {SERVICE, "*"} & set(s.services)]
        # a trust policy names no resource: it is about the role it is on
        if not any(s.allows and s.concerns("sts:AssumeRole", asked) for s in trust) or any(
            not s.allows and s.concerns("sts:AssumeRole", asked) for s in trust
        ):
            raise JitpError(
                f"The provisioning role {name} does not let AWS IoT assume it.",
                hint=f"Its trust policy must allow {SERVICE}, under conditions that {source_arn} meets.",
            )
        self._name = name
        self._context = Context(
            {
                "aws:RequestedRegion": place.region,
                "aws:PrincipalAccount": place.account,
                "aws:ResourceAccount": place.account,
                "aws:PrincipalArn": role.arn,
            }
        )
        self._statements = [s for title, document in role.policies.items() for s in parse(document, title)]
        self._boundary = parse(role.boundary, f"boundary of {name}") if role.boundary else None

    def refuses(self, action: str, *resources: str) -> str | None:
        """
        Return the first of *resources* on which the role may not do *action*, or None when it may on all.
        """
        for resource in resources:
            for statements in (self._statements, self._boundary):
                if statements is not None and not allowed(statements, action, resource, self._context):
                    return resource
        return None

    def require(self, action: str, *resources: str) -> None:
        """
        Return only if the role may do *action* on each of *resources*.

        Raises:
            JitpError: it may not.
        """
        refused = self.refuses(action, *resources)
        if refused is not None:
            raise JitpError(
                f"The provisioning role {self._name} may not {action} on {refused}.",
                hint="Add the action to the role; the next connection tries again.",
            )
