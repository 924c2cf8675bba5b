"""IAM policy documents as data sources: checkov reads them, plans show their differences, tokens are safe in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.data_aws_iam_policy_document import (
    DataAwsIamPolicyDocument,
    DataAwsIamPolicyDocumentStatement,
    DataAwsIamPolicyDocumentStatementCondition,
    DataAwsIamPolicyDocumentStatementPrincipals,
)

from constructs_lib.terraform.aws_stack import stack_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from constructs import Construct


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """One statement. `principals` maps a principal type to identifiers; `conditions` are (test, variable, values)."""

    sid: str
    actions: Sequence[str]
    resources: Sequence[str] = ()
    effect: str = "Allow"
    principals: Mapping[str, Sequence[str]] = field(default_factory=dict)
    conditions: Sequence[tuple[str, str, Sequence[str]]] = ()


def policy_document(scope: Construct, id_: str, statements: Sequence[Statement]) -> DataAwsIamPolicyDocument:
    """Define a policy document."""
    return DataAwsIamPolicyDocument(scope, id_, statement=[_statement(statement) for statement in statements])


def service_trust(scope: Construct, id_: str, *, service: str, sources: tuple[str, str]) -> DataAwsIamPolicyDocument:
    """Define the trust of a role that an AWS service assumes, for our own account's resources only.

    `sources` are these: a service, and its name for them. The conditions keep another account from using the service as
    a confused deputy (IAM user guide, "The confused deputy problem").
    """
    stack = stack_of(scope)
    return policy_document(
        scope,
        id_,
        [
            Statement(
                sid="Assume",
                actions=["sts:AssumeRole"],
                principals={"Service": [service]},
                conditions=[
                    ("StringEquals", "aws:SourceAccount", [stack.account]),
                    ("ArnLike", "aws:SourceArn", [stack.arn(*sources)]),
                ],
            )
        ],
    )


def _statement(statement: Statement) -> DataAwsIamPolicyDocumentStatement:
    return DataAwsIamPolicyDocumentStatement(
        sid=statement.sid,
        effect=statement.effect,
        actions=list(statement.actions),
        resources=list(statement.resources) or None,
        principals=[
            DataAwsIamPolicyDocumentStatementPrincipals(type=type_, identifiers=list(identifiers))
            for type_, identifiers in sorted(statement.principals.items())
        ]
        or None,
        condition=[
            DataAwsIamPolicyDocumentStatementCondition(test=test, variable=variable, values=list(values))
            for test, variable, values in statement.conditions
        ]
        or None,
    )
