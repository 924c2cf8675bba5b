"""A stack of one account and one region. Constructs ask it for both, so that nobody has to pass them on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdktf import TerraformStack

if TYPE_CHECKING:
    from constructs import Construct, IConstruct


class AwsStack(TerraformStack):
    """A stack that knows, in plain text, where it is going to be."""

    def __init__(self, scope: Construct, name: str, *, account: str, region: str) -> None:
        super().__init__(scope, name)
        self.account = account
        self.region = region

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a regional resource in this account (IAM user guide, "Amazon Resource Names")."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def global_arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of a service that knows no regions, as IAM."""
        return f"arn:aws:{service}::{self.account}:{resource}"


def stack_of(construct: IConstruct) -> AwsStack:
    """The stack that a construct is in.

    Raises:
        TypeError: it is no AwsStack.
    """
    stack = TerraformStack.of(construct)
    if not isinstance(stack, AwsStack):
        raise TypeError(f"{construct.node.path} must be in an AwsStack, is in a {type(stack).__name__}")
    return stack
