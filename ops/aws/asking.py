"""Questions to AWS that no work depends on: an answer that does not come is told, and the work goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
)

from ops.errors import NotReadyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.environment import EnvironmentConfig

_Answer = TypeVar("_Answer")

# At worst half a minute for one question.
_LIMITS = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2, "mode": "standard"})
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_SIGNED_OUT = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "RequestExpired",
    "UnrecognizedClientException",
}


class UnansweredError(Exception):
    """AWS did not answer a question: no permission, throttled, or nothing in time."""

    def __init__(self, text: str, *, denied: bool = False) -> None:
        super().__init__(text)
        self.denied = denied  # asking again is no use


class SignedOutError(NotReadyError):
    """The credentials worked before, and do not any more."""


@dataclass(kw_only=True, slots=True)
class Findings:
    """What a look at the account brought to light."""

    problems: list[str] = field(default_factory=list)  # the work would fail on these
    notes: list[str] = field(default_factory=list)  # it would not, but the operator wants to know


def client(config: EnvironmentConfig, service: str, region: str = "") -> Any:
    """A boto3 client in the environment's region or another one, with limits in time."""
    return boto3.client(service, region_name=region or config.aws.region, config=_LIMITS)


def ask(question: Callable[[], _Answer], what: str) -> _Answer:
    """The answer; `what` says in a few words what was asked for.

    Raises:
        UnansweredError: none came.
        SignedOutError: the credentials ended.
    """
    try:
        return question()
    except ClientError as error:
        code = error_code(error)
        if code in _SIGNED_OUT:
            raise _signed_out(error) from None
        raise UnansweredError(f"{what}: {code}", denied=code in _DENIED) from None
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, SSOError) as error:
        raise _signed_out(error) from None
    except BotoCoreError as error:
        raise UnansweredError(f"{what}: {error}") from None


def error_code(error: ClientError) -> str:
    """AWS's name of an error."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def _signed_out(error: Exception) -> SignedOutError:
    return SignedOutError(f"the AWS credentials do not work any more ({error}): sign in again, and run this again")
