"""What both stacks of an environment have: provider, tags, remote state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from constructs_lib.terraform.aws_stack import AwsStack
from constructs_lib.terraform.provider import define_provider
from constructs_lib.terraform.remote_state import RemoteStateProps, define_remote_state

if TYPE_CHECKING:
    from constructs import Construct

    from config.environment import EnvironmentConfig


class EnvironmentStack(AwsStack):
    """A stack of one environment: tagged, tied to its account, with a state of its own."""

    def __init__(self, scope: Construct, name: str, config: EnvironmentConfig) -> None:
        super().__init__(scope, name, account=config.aws.account, region=config.aws.region)
        self.config = config
        define_provider(self, config.tags)
        define_remote_state(
            self,
            RemoteStateProps(
                bucket=config.state_bucket_name,
                key=config.state_key(name),
                kms_key_alias=config.state_key_alias,
            ),
        )
