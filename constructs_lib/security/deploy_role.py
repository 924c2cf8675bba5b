"""The role that GitHub Actions assumes to deploy: no long-lived key anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.iam_openid_connect_provider import IamOpenidConnectProvider
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from constructs import Construct

from constructs_lib.security.policy_documents import Statement, policy_document
from constructs_lib.terraform.aws_stack import stack_of

if TYPE_CHECKING:
    from constructs_lib.terraform.aws_stack import AwsStack

GITHUB_ISSUER = "token.actions.githubusercontent.com"
# What the two stacks are made of. IAM is apart: it is what would let a deploy give itself more.
DEPLOYED_SERVICES = (
    "application-autoscaling",
    "cloudfront",
    "cloudwatch",
    "dynamodb",
    "ec2",
    "ecr",
    "ecs",
    "elasticloadbalancing",
    "events",
    "kms",
    "logs",
    "route53",
    "s3",
    "sns",
    "wafv2",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeployRoleProps:
    name: str
    environment: str
    github_repository: str  # owner/name
    create_oidc_provider: bool
    role_names: tuple[str, ...]  # the roles that a deploy makes


class DeployRole(Construct):
    """Defines the role, open to one repository's deployments into one GitHub environment."""

    def __init__(self, scope: Construct, id_: str, props: DeployRoleProps) -> None:
        super().__init__(scope, id_)
        stack = stack_of(self)
        provider_arn: str = stack.global_arn("iam", f"oidc-provider/{GITHUB_ISSUER}")
        if props.create_oidc_provider:
            provider_arn = IamOpenidConnectProvider(
                self, "Github", url=f"https://{GITHUB_ISSUER}", client_id_list=["sts.amazonaws.com"]
            ).arn
        self.oidc_provider_arn = provider_arn
        trust = policy_document(
            self,
            "Trust",
            [
                Statement(
                    sid="GithubDeploys",
                    actions=["sts:AssumeRoleWithWebIdentity"],
                    principals={"Federated": [provider_arn]},
                    conditions=[
                        ("StringEquals", f"{GITHUB_ISSUER}:aud", ["sts.amazonaws.com"]),
                        (
                            "StringEquals",
                            f"{GITHUB_ISSUER}:sub",
                            [f"repo:{props.github_repository}:environment:{props.environment}"],
                        ),
                    ],
                )
            ],
        )
        self.role = IamRole(self, "Resource", name=props.name, assume_role_policy=trust.json, max_session_duration=3600)
        policy = policy_document(self, "Policy", deploy_statements(props, stack))
        IamRolePolicy(self, "RolePolicy", name="deploy", role=self.role.id, policy=policy.json)


def deploy_statements(props: DeployRoleProps, stack: AwsStack) -> list[Statement]:
    """What a deploy may do: anything in the services that the stacks use, and IAM for the stacks' own roles only."""
    role_arns = [stack.global_arn("iam", f"role/{name}") for name in props.role_names]
    return [
        Statement(
            sid="Stacks",
            actions=[f"{service}:*" for service in DEPLOYED_SERVICES],
            resources=["*"],
        ),
        Statement(
            sid="StackRoles",
            actions=[
                "iam:CreateRole",
                "iam:DeleteRole",
                "iam:DeleteRolePolicy",
                "iam:GetRole",
                "iam:GetRolePolicy",
                "iam:ListAttachedRolePolicies",
                "iam:ListInstanceProfilesForRole",
                "iam:ListRolePolicies",
                "iam:ListRoleTags",
                "iam:PutRolePolicy",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateRole",
            ],
            resources=role_arns,
        ),
        Statement(
            sid="PassStackRoles",
            actions=["iam:PassRole"],
            resources=role_arns,
            conditions=[
                (
                    "StringEquals",
                    "iam:PassedToService",
                    ["ecs-tasks.amazonaws.com", "vpc-flow-logs.amazonaws.com"],
                )
            ],
        ),
        Statement(
            sid="ServiceLinkedRoles",
            actions=["iam:CreateServiceLinkedRole"],
            resources=[stack.global_arn("iam", "role/aws-service-role/*")],
        ),
    ]
