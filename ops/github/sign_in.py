"""AWS credentials for an hour, for a workflow that may have them: no long-lived key anywhere.

Sources: GitHub, "OpenID Connect reference" (ACTIONS_ID_TOKEN_REQUEST_*); AWS STS, AssumeRoleWithWebIdentity.
"""

from __future__ import annotations

import json
import os
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ops.errors import FailedError, NotReadyError

_SECONDS = 3600  # the longest that the roles allow
_AUDIENCE = "sts.amazonaws.com"
_ROLE = re.compile(r"arn:aws(-[a-z-]+)?:iam::\d{12}:role/[\w+=,.@/-]{1,512}")


def role_of(environment: str, roles: str) -> str:
    """The role of an environment in the variable PLAN_ROLES, or the one role that a deployment has.

    Raises:
        NotReadyError: there is none.
    """
    if roles.startswith("{"):
        try:
            known = json.loads(roles)
        except ValueError as error:
            raise NotReadyError(f"PLAN_ROLES is no JSON: {error}") from None
        roles = str(known.get(environment, ""))
    if not _ROLE.fullmatch(roles):
        raise NotReadyError(
            f"no role for {environment}: it must be an ARN like arn:aws:iam::123456789012:role/NAME "
            "(bootstrap's outputs PlanRoleArn and DeployRoleArn; docs/ci.md)"
        )
    return roles


def sign_in(role: str, region: str) -> Path:
    """Write credentials of the role to ~/.aws/credentials, for this job's commands.

    Raises:
        FailedError: GitHub or AWS refused.
        NotReadyError: the job may not ask for a token.
    """
    sts = boto3.client(
        "sts", region_name=region, config=Config(signature_version=UNSIGNED, connect_timeout=10, read_timeout=30)
    )
    try:
        answer = sts.assume_role_with_web_identity(
            RoleArn=role,
            RoleSessionName="github-actions",
            WebIdentityToken=_token(),
            DurationSeconds=_SECONDS,
        )
    except (ClientError, BotoCoreError) as error:
        raise FailedError(f"AWS does not give the role {role}: {error}") from None
    return _write(answer["Credentials"])


def _token() -> str:
    url, bearer = (os.environ.get(f"ACTIONS_ID_TOKEN_REQUEST_{name}", "") for name in ("URL", "TOKEN"))
    if not url.startswith(("https://", "http://127.0.0.1:")) or not bearer:
        raise NotReadyError("the job may not ask for a token: give it permissions: id-token: write")
    request = urllib.request.Request(  # noqa: S310 - https, or a test's loopback
        f"{url}&audience={_AUDIENCE}", headers={"Authorization": f"bearer {bearer}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            return str(json.loads(answer.read(1 << 20))["value"])
    except (OSError, ValueError, KeyError) as error:
        said = f"{error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
        raise FailedError(f"GitHub gives no token: {said}") from None


def _write(credentials: dict[str, Any]) -> Path:
    path = Path.home() / ".aws" / "credentials"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(
        f"[default]\naws_access_key_id={credentials['AccessKeyId']}\n"
        f"aws_secret_access_key={credentials['SecretAccessKey']}\naws_session_token={credentials['SessionToken']}\n"
    )
    return path
