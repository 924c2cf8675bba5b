"""The role that GitHub Actions assumes to plan a pull request: it reads, and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from constructs import Construct

from constructs_lib.security.deploy_role import GITHUB_ISSUER
from constructs_lib.security.policy_documents import Statement, policy_document
from constructs_lib.terraform.aws_stack import stack_of

if TYPE_CHECKING:
    from cdktf_cdktf_provider_aws.kms_key import KmsKey

# What a plan's refresh reads. Not s3:Get* and not dynamodb:*: these read what is in buckets and tables, and
# secretsmanager has nothing to do with it.
_READ = (
    "application-autoscaling:Describe*",
    "application-autoscaling:ListTagsForResource",
    "cloudfront:Describe*",
    "cloudfront:Get*",
    "cloudfront:List*",
    "cloudwatch:Describe*",
    "cloudwatch:GetDashboard",
    "cloudwatch:ListTagsForResource",
    "dynamodb:Describe*",
    "dynamodb:ListTagsOfResource",
    "ec2:Describe*",
    "ec2:GetManagedPrefixListEntries",
    "ecr:DescribeRepositories",
    "ecr:GetLifecyclePolicy",
    "ecr:ListTagsForResource",
    "ecs:Describe*",
    "ecs:List*",
    "elasticloadbalancing:Describe*",
    "events:Describe*",
    "events:List*",
    "iam:GetOpenIDConnectProvider",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "kms:Describe*",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:List*",
    "logs:Describe*",
    "logs:GetDelivery*",
    "logs:ListTagsForResource",
    "route53:Get*",
    "route53:List*",
    "s3:GetAccelerateConfiguration",
    "s3:GetBucket*",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetReplicationConfiguration",
    "s3:ListBucket",
    "sns:Get*",
    "sns:List*",
    "wafv2:Get*",
    "wafv2:List*",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanRoleProps:
    name: str
    github_repository: str  # owner/name
    oidc_provider_arn: str
    state_bucket_arn: str
    state_key: KmsKey


class PlanRole(Construct):
    """Defines the role, open to one repository's pull requests; GitHub gives forks no token for it.

    Source: GitHub, "OpenID Connect reference": the subject of a pull request's workflow is `repo:<repo>:pull_request`,
    of a workflow on a branch `repo:<repo>:ref:refs/heads/<branch>`.
    """

    def __init__(self, scope: Construct, id_: str, props: PlanRoleProps) -> None:
        super().__init__(scope, id_)
        stack_of(self)
        subject = f"repo:{props.github_repository}"
        trust = policy_document(
            self,
            "Trust",
            [
                Statement(
                    sid="GithubPlans",
                    actions=["sts:AssumeRoleWithWebIdentity"],
                    principals={"Federated": [props.oidc_provider_arn]},
                    conditions=[
                        ("StringEquals", f"{GITHUB_ISSUER}:aud", ["sts.amazonaws.com"]),
                        (
                            "StringEquals",
                            f"{GITHUB_ISSUER}:sub",
                            [f"{subject}:pull_request", f"{subject}:ref:refs/heads/main"],
                        ),
                    ],
                )
            ],
        )
        self.role = IamRole(self, "Resource", name=props.name, assume_role_policy=trust.json, max_session_duration=3600)
        statements = [
            Statement(sid="Refresh", actions=list(_READ), resources=["*"]),
            Statement(sid="ReadState", actions=["s3:GetObject"], resources=[f"{props.state_bucket_arn}/*"]),
            Statement(sid="DecryptState", actions=["kms:Decrypt"], resources=[props.state_key.arn]),
        ]
        policy = policy_document(self, "Policy", statements)
        IamRolePolicy(self, "RolePolicy", name="plan", role=self.role.id, policy=policy.json)
