"""Each role may do what somebody calls, and nothing is called that its role may not do: both ways, from the code."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from origin.cluster.dynamodb_table import DynamoDbTable
from origin.cluster.lease_table import Lease, LeaseTable
from origin.cluster.registry import Holder
from origin.cluster.task_protection import TaskProtection
from origin.metrics import Metrics
from origin.packaging.position import Position

from constructs_lib.security.deploy_role import DEPLOYED_SERVICES
from tests.container.delivery.test_routing import until
from tests.container.dynamodb_stand_in import dynamodb
from tests.container.ecs_agent import API, EcsAgent
from tests.local_aws import REGION
from tests.shipped import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.template import Template

ORIGIN = ROOT / "container" / "origin"
# What the agent does for whom with the task's role (aws/amazon-ecs-agent, tmds/handlers/taskprotection/v1/handlers).
OF_AGENT = {"PUT": "ecs:UpdateTaskProtection", "GET": "ecs:GetTaskProtection"}
LEASE = Lease("show", "v1", Holder("task", "http://10.0.0.1:8080"), "session", Position(1, 0), released=False)
# What each method of the table is called with. Whoever adds a method says so here.
CALLS: dict[str, Any] = {
    "read": lambda table: table.read("show"),
    "look": lambda table: table.look("show"),
    "listing": lambda table: table.listing(),
    "write": lambda table: table.write(LEASE, over=None),
}


def actions(template: Template, document: str, *, beside: str = "-") -> set[str]:
    """What a policy allows, without the statements whose name begins with `beside`."""
    return {
        action
        for sid, statement in template.statements(document).items()
        if not sid.startswith(beside)
        for action in statement["actions"]
    }


class Called(NamedTuple):
    """A method's name, what it is called on and the first argument, as written."""

    name: str
    on: str
    first: str


def calls(source: str) -> Iterator[Called]:
    """Every method that is called in a Python source."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield Called(node.func.attr, ast.unparse(node.func.value), ast.unparse(node.args[0]) if node.args else "")


def operations_in_source(known: dict[str, str]) -> set[str]:
    """The operations of a client that appear in the origin's source, called or passed on to be called."""
    names = {
        node.attr
        for path in ORIGIN.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "client"
    }
    return {known[name] for name in names if name in known}


async def operations_at_work(monkeypatch: pytest.MonkeyPatch) -> tuple[set[str], dict[str, str]]:
    """The operations that the table's methods come to, as botocore sends them; and its names for all there are."""
    seen: set[str] = set()

    def note(model: Any, **_: Any) -> None:
        seen.add(f"{model.service_model.endpoint_prefix}:{model.name}")

    async with dynamodb() as stand_in:
        monkeypatch.setenv("AWS_ENDPOINT_URL", stand_in.endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        table = DynamoDbTable("leases", REGION)
        try:
            lanes = [lane.client for lane in (table._owning, table._viewing)]
            for client in lanes:
                client.meta.events.register("before-call", note)
            for call in CALLS.values():
                await call(table)
            known = {name: f"dynamodb:{model}" for name, model in lanes[0].meta.method_to_api_mapping.items()}
        finally:
            table.close()
    return seen, known


async def test_the_task_may_do_with_leases_what_the_origin_does_with_them(
    prod: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As sent, as written down and as allowed: a call without its action fails in AWS only, one too many is no use."""
    methods = {name for name, _ in inspect.getmembers(LeaseTable, inspect.isfunction) if not name.startswith("_")}
    assert methods == CALLS.keys(), "tests/test_permissions.py: CALLS has to call each method of LeaseTable"

    sent, known = await operations_at_work(monkeypatch)

    assert sent == operations_in_source(known), (
        "each call to DynamoDB in the source is made by some method of the table"
    )
    assert sent == actions(prod, "Roles_TaskPolicyDocument", beside="ProtectTask")


async def test_the_task_may_do_with_its_protection_what_the_origin_asks_of_the_agent(prod: Template) -> None:
    """The agent acts for the container that asks, with its task's role."""
    agent, methods, live = EcsAgent(), set[str](), True

    @web.middleware
    async def note(request: web.Request, handler: Any) -> web.StreamResponse:
        methods.add(request.method)
        response: web.StreamResponse = await handler(request)
        return response

    application = agent.application()
    application.middlewares.append(note)
    async with TestServer(application) as server, aiohttp.ClientSession() as http:
        metrics = Metrics(namespace="n", cluster_name="c", service_name="s", write=lambda _: None)
        task = asyncio.create_task(TaskProtection(str(server.make_url(API)), http, metrics, lambda: live).run())
        await until(lambda: agent.protected, "protection")
        task.cancel()

    source = (ORIGIN / "cluster" / "task_protection.py").read_text()
    written = {call.name.upper() for call in calls(source) if call.on.endswith("_http")}
    assert methods == written
    assert {OF_AGENT[method] for method in methods} == actions(prod, "Roles_TaskPolicyDocument", beside="Leases")


def test_the_origin_speaks_to_no_other_service_of_aws() -> None:
    """Or else its role, the gateway endpoints and the security groups have to know."""
    clients = {
        call.first
        for path in ORIGIN.rglob("*.py")
        for call in calls(path.read_text())
        if call.name in {"client", "resource", "create_client"} and call.first
    }
    assert clients == {"'dynamodb'"}


@pytest.mark.parametrize("environment", ["dev", "prod", "everything"])
def test_what_is_not_the_origins_in_the_task_role_is_for_ecs_exec(
    templates: dict[str, Template], environment: str
) -> None:
    """SSM's agent uses it, where ECS Exec is on; nothing else has a statement."""
    template = templates[f"LiveCommerceStreamingStack-{environment}"]
    others = template.statements("Roles_TaskPolicyDocument").keys() - {"ProtectTask", "Leases"}

    enabled = template.one("aws_ecs_service")["enable_execute_command"]
    assert others == ({"EcsExec", "EcsExecFindLog", "EcsExecLog", "EcsExecKey"} if enabled else set())


@pytest.mark.parametrize("environment", ["dev", "prod", "everything"])
def test_ecs_may_do_what_the_task_definition_makes_it_do(templates: dict[str, Template], environment: str) -> None:
    """Source: ECS developer guide, "Amazon ECS task execution IAM role": by image, log driver and secrets."""
    template = templates[f"LiveCommerceStreamingStack-{environment}"]
    (container,) = json.loads(template.one("aws_ecs_task_definition")["container_definitions"])
    needed: set[str] = set()
    if ".dkr.ecr." in container["image"]:
        layers = {"BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer"}
        needed |= {f"ecr:{action}" for action in {"GetAuthorizationToken", *layers}}
    if container["logConfiguration"]["logDriver"] == "awslogs":
        needed |= {"logs:CreateLogStream", "logs:PutLogEvents"}
    if container.get("secrets"):
        needed |= {"secretsmanager:GetSecretValue"}

    # A secret with a key of its own needs that key as well.
    assert actions(template, "Roles_ExecutionPolicyDocument") - {"kms:Decrypt"} == needed


# The service that IAM knows a kind of resource by; the longest beginning counts.
SERVICES = {
    "aws_appautoscaling": "application-autoscaling",
    "aws_cloudfront": "cloudfront",
    "aws_cloudwatch": "cloudwatch",
    "aws_cloudwatch_event": "events",
    "aws_cloudwatch_log": "logs",
    "aws_dynamodb": "dynamodb",
    "aws_ecr": "ecr",
    "aws_ecs": "ecs",
    "aws_iam": "iam",
    "aws_kms": "kms",
    "aws_lb": "elasticloadbalancing",
    "aws_route53": "route53",
    "aws_s3": "s3",
    "aws_sns": "sns",
    "aws_wafv2": "wafv2",
    **dict.fromkeys(
        ("aws_default_security_group", "aws_ec2", "aws_eip", "aws_flow_log", "aws_internet_gateway"), "ec2"
    ),
    **dict.fromkeys(("aws_nat", "aws_route", "aws_security_group", "aws_subnet", "aws_vpc"), "ec2"),
}


def test_a_deploy_may_touch_the_services_that_the_stacks_are_made_of(templates: dict[str, Template]) -> None:
    """No more, no fewer; IAM apart, which has statements of its own."""
    kinds = {
        kind for each in templates.values() for kind in each.document.get("resource", {}) if kind.startswith("aws_")
    }
    starts = {kind: max((start for start in SERVICES if kind.startswith(start)), key=len, default="") for kind in kinds}
    assert {kind for kind, start in starts.items() if not start} == set(), "tests/test_permissions.py: SERVICES"

    assert {SERVICES[start] for start in starts.values()} - {"iam"} == set(DEPLOYED_SERVICES)
