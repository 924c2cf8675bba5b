"""What a task may do, and what ECS may do to start it: two roles, least privilege each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from constructs import Construct

from constructs_lib.security.policy_documents import Statement, policy_document, service_trust
from constructs_lib.terraform.aws_stack import stack_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
    from cdktf_cdktf_provider_aws.dynamodb_table import DynamodbTable
    from cdktf_cdktf_provider_aws.kms_key import KmsKey

    from constructs_lib.terraform.aws_stack import AwsStack


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskRolesProps:
    name: str
    cluster_name: str
    repository_name: str
    leases_table: DynamodbTable
    log_group: CloudwatchLogGroup
    backend_token_secret_arn: str | None
    backend_token_kms_key_arn: str | None  # None: Secrets Manager's own key, which needs no permission
    exec_session_log: CloudwatchLogGroup | None  # None: ECS Exec is off
    encryption_key: KmsKey


class TaskRoles(Construct):
    """Defines the task role (for the origin) and the execution role (for ECS)."""

    def __init__(self, scope: Construct, id_: str, props: TaskRolesProps) -> None:
        super().__init__(scope, id_)
        stack = stack_of(self)
        trust = service_trust(self, "Trust", service="ecs-tasks.amazonaws.com", sources=("ecs", "*"))
        self.task = IamRole(self, "Task", name=f"{props.name}-task", assume_role_policy=trust.json)
        self.execution = IamRole(self, "Execution", name=f"{props.name}-execution", assume_role_policy=trust.json)
        self.task_policy = self._policy("Task", self.task, task_statements(props, stack))
        self.execution_policy = self._policy("Execution", self.execution, execution_statements(props, stack))

    def _policy(self, id_: str, role: IamRole, statements: Sequence[Statement]) -> IamRolePolicy:
        document = policy_document(self, f"{id_}PolicyDocument", statements)
        return IamRolePolicy(self, f"{id_}Policy", name=id_.lower(), role=role.id, policy=document.json)


def task_statements(props: TaskRolesProps, stack: AwsStack) -> list[Statement]:
    """What the origin asks of AWS: to hold its own task, and to read and write leases."""
    statements = [
        Statement(
            sid="ProtectTask",
            actions=["ecs:UpdateTaskProtection"],
            resources=[stack.arn("ecs", f"task/{props.cluster_name}/*")],
        ),
        Statement(
            sid="Leases",
            actions=["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Scan"],
            resources=[props.leases_table.arn],
        ),
    ]
    if props.exec_session_log is not None:
        # Source: ECS developer guide, "Monitor Amazon ECS containers with ECS Exec": permissions, encryption, logging.
        # The first two can name no resource.
        statements += [
            Statement(
                sid="EcsExec",
                actions=[
                    "ssmmessages:CreateControlChannel",
                    "ssmmessages:CreateDataChannel",
                    "ssmmessages:OpenControlChannel",
                    "ssmmessages:OpenDataChannel",
                ],
                resources=["*"],
            ),
            Statement(sid="EcsExecFindLog", actions=["logs:DescribeLogGroups"], resources=["*"]),
            Statement(
                sid="EcsExecLog",
                actions=["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                resources=[f"{props.exec_session_log.arn}:*"],
            ),
            Statement(sid="EcsExecKey", actions=["kms:Decrypt"], resources=[props.encryption_key.arn]),
        ]
    return statements


def execution_statements(props: TaskRolesProps, stack: AwsStack) -> list[Statement]:
    """What ECS does before and around the container: pull the image, open the log stream, read the secret."""
    statements = [
        # Takes no resource. Source: service authorization reference, Amazon ECR.
        Statement(sid="RegistryLogin", actions=["ecr:GetAuthorizationToken"], resources=["*"]),
        Statement(
            sid="PullImage",
            actions=["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            resources=[stack.arn("ecr", f"repository/{props.repository_name}")],
        ),
        Statement(
            sid="WriteLogs",
            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
            resources=[f"{props.log_group.arn}:*"],
        ),
    ]
    if props.backend_token_secret_arn is not None:
        statements.append(
            Statement(
                sid="BackendToken",
                actions=["secretsmanager:GetSecretValue"],
                resources=secret_resources(props.backend_token_secret_arn),
            )
        )
    if props.backend_token_kms_key_arn is not None:
        statements.append(
            Statement(
                sid="BackendTokenKey",
                actions=["kms:Decrypt"],
                resources=[props.backend_token_kms_key_arn],
                conditions=[("StringEquals", "kms:ViaService", [f"secretsmanager.{stack.region}.amazonaws.com"])],
            )
        )
    return statements


def secret_resources(value_from: str) -> list[str]:
    """What IAM calls the secret that ECS reads as `value_from`.

    IAM compares whole ARNs, which end in a hyphen and six random characters; ECS finds the secret without those, too.
    JSON key, version stage and version id are no part of it. A name that itself ends in a hyphen and six characters
    (`backend-secret`) may be meant either way, unless those look random.
    Source: Secrets Manager user guide, "Secret ARN" and "IAM policy examples".
    """
    arn = ":".join(value_from.split(":")[:7])
    suffixed = f"{arn}-??????"
    ending = re.search(r"-([A-Za-z0-9]{6})$", arn)
    if ending is None:
        return [suffixed]
    return [arn, suffixed] if re.fullmatch(r"[A-Z]?[a-z]+|[A-Z]+|\d+", ending[1]) else [arn]
