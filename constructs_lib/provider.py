"""The AWS provider: one region by default, one account only, the same tags on everything.

Resources that AWS keeps in us-east-1 (CloudFront's alarms, logs and firewall) name that region themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.provider import AwsProvider, AwsProviderDefaultTags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdktf import TerraformStack


def define_provider(stack: TerraformStack, *, region: str, account: str, tags: Mapping[str, str]) -> AwsProvider:
    """Give `stack` its provider."""
    return AwsProvider(
        stack,
        "Aws",
        region=region,
        allowed_account_ids=[account],  # an apply into the wrong account is the worst accident
        default_tags=[AwsProviderDefaultTags(tags=dict(tags))],
    )
