"""Who are we in AWS, and is it the account that is meant? Asked before anything else is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ops.errors import NotReadyError
from ops.terminal import say

if TYPE_CHECKING:
    from config.environment import EnvironmentConfig

QUICK = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2})


def check_credentials(config: EnvironmentConfig) -> None:
    """Say who the credentials are.

    Raises:
        NotReadyError: there are none, they do not work, or they are of another account.
    """
    try:
        identity = boto3.client("sts", region_name=config.aws.region, config=QUICK).get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise NotReadyError(
            f"no AWS credentials that work: {error}\n"
            "Sign in (aws sso login, aws configure), or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ) from None
    if identity["Account"] != config.aws.account:
        raise NotReadyError(
            f"the AWS credentials are of account {identity['Account']} ({identity['Arn']}), but {config.name} lives in "
            f"account {config.aws.account} (CDK_DEFAULT_ACCOUNT in .env, or aws.account in "
            f"environments/{config.name}.toml); nothing was changed"
        )
    say(f"{config.name}: account {config.aws.account}, {config.aws.region}, as {identity['Arn']}")
