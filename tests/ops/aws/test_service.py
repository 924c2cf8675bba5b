"""What is asked of ECS before a deploy: room for one more deployment, what is live, how early retirements are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ops.aws.asking import SignedOutError, UnansweredError
from ops.aws.service import look_at_deployments, look_at_retirement
from tests.ops.account import DEV, Deployment, Moment

if TYPE_CHECKING:
    from tests.ops.account import Account


def deployments(count: int, *, old: int = 0) -> tuple[Deployment, ...]:
    """`count` that are active, with a task each, and `old` ones that ended."""
    newest = Deployment(id="ecs-svc/1", tasks=(1,))
    earlier = [Deployment(id=f"ecs-svc/{number}", tasks=(number,), status="ACTIVE") for number in range(2, count + 1)]
    ended = [Deployment(id=f"ecs-svc/{50 + number}", status="INACTIVE") for number in range(old)]
    return (newest, *earlier, *ended)


@pytest.mark.usefixtures("asking")
def test_one_deployment_and_nothing_live_is_nothing_to_tell() -> None:
    findings = look_at_deployments(DEV)

    assert (findings.problems, findings.notes) == ([], [])


def test_no_service_is_nothing_to_tell(asking: Account) -> None:
    """Before the first deploy there is not even a cluster."""
    asking.refused["DescribeServices"] = "ClusterNotFoundException"

    findings = look_at_deployments(DEV)

    assert (findings.problems, findings.notes) == ([], [])


def test_fails_when_five_deployments_are_active(asking: Account) -> None:
    """ECS would refuse the sixth in the middle of the apply."""
    asking.moments = [Moment(deployments=deployments(5))]

    (problem,) = look_at_deployments(DEV).problems

    assert problem.startswith("5 deployments of live-commerce-rtmp-dev are active, and ECS takes no more: ")


def test_the_last_deployment_that_fits_is_told(asking: Account) -> None:
    """Ended ones do not count."""
    asking.moments = [Moment(deployments=deployments(4, old=3))]

    findings = look_at_deployments(DEV)

    assert findings.problems == []
    assert findings.notes[0].startswith("this is the last of 5 deployments that ECS keeps")


def test_tasks_with_broadcasts_are_told(asking: Account) -> None:
    asking.moments = [Moment(deployments=deployments(3), protected=(2, 3))]

    assert look_at_deployments(DEV).notes == ["2 tasks with broadcasts stay as they are until these end"]


@pytest.mark.parametrize("days", ["0", "7"])
def test_a_short_notice_of_retirement_is_told(asking: Account, days: str) -> None:
    """With the command for the longest."""
    asking.retirement_days = days

    (note,) = look_at_retirement(DEV).notes

    assert note.startswith(f"Fargate tells {days} days before it retires tasks")
    assert note.endswith(
        "\n  aws ecs put-account-setting-default --region ap-northeast-2 --name fargateTaskRetirementWaitPeriod "
        "--value 14"
    )


@pytest.mark.usefixtures("asking")
def test_the_longest_notice_of_retirement_is_nothing_to_tell() -> None:
    assert look_at_retirement(DEV).notes == []


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("AccessDeniedException", "ecs:ListAccountSettings): AccessDeniedException"),
        ("ThrottlingException", "ecs:ListAccountSettings): ThrottlingException"),
        ("", "ecs:ListAccountSettings): Connection was closed"),
    ],
)
def test_a_refusal_says_what_was_asked(asking: Account, code: str, text: str) -> None:
    """No permission, too many requests, a connection that breaks off."""
    asking.refused["ListAccountSettings"] = code

    with pytest.raises(UnansweredError) as refused:
        look_at_retirement(DEV)

    assert text in str(refused.value)


def test_fails_when_the_credentials_expire(asking: Account) -> None:
    """Then no other question is of any use."""
    asking.refused["ListAccountSettings"] = "ExpiredTokenException"

    with pytest.raises(SignedOutError, match="sign in again, and run this again"):
        look_at_retirement(DEV)
