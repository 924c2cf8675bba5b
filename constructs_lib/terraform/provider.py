"""The AWS provider: one region by default, one account only, the same tags on everything.

Resources that AWS keeps in us-east-1 (CloudFront's alarms, logs and firewall) name that region themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.provider import AwsProvider, AwsProviderDefaultTags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs_lib.terraform.aws_stack import AwsStack


def define_provider(stack: AwsStack, tags: Mapping[str, str]) -> AwsProvider:
    """Give `stack` its provider."""
    return AwsProvider(
        stack,
        "Aws",
        region=stack.region,
        allowed_account_ids=[stack.account],  # an apply into the wrong account is the worst accident
        default_tags=[AwsProviderDefaultTags(tags=dict(tags))],
    )
