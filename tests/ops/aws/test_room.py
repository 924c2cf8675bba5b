"""Before a deployment during shows: nobody live is unprotected, and ECS wants enough tasks to protect new ones, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ops.aws.room import look_at_unprotected_broadcasts, make_room
from tests.ops.account import DEV, Deployment, Moment
from tests.ops.commands.test_broadcasts import log, stream

if TYPE_CHECKING:
    from tests.local_aws import LocalAws
    from tests.ops.account import Account


def service(*, tasks: int, protected: tuple[int, ...] = (), desired: int = 1) -> list[Moment]:
    numbers = tuple(range(1, tasks + 1))
    return [Moment(deployments=(Deployment(id="ecs-svc/1", tasks=numbers),), protected=protected, desired=desired)]


def test_protected_broadcasts_are_no_obstacle(asking: Account, aws: LocalAws) -> None:
    """And neither are idle tasks, nor what was live on a task that is gone."""
    asking.moments = service(tasks=2, protected=(1,))
    log(aws, 1, (10, [stream("a")]))
    log(aws, 7, (10, [stream("gone")]))

    assert look_at_unprotected_broadcasts(DEV).problems == []


def test_fails_when_a_broadcast_is_on_an_unprotected_task(asking: Account, aws: LocalAws) -> None:
    """ECS would stop that one first."""
    asking.moments = service(tasks=2, protected=(1,))
    log(aws, 1, (10, [stream("a")]))
    log(aws, 2, (10, [stream("b")]))

    (problem,) = look_at_unprotected_broadcasts(DEV).problems

    assert problem.startswith(f"task {2:032x} has broadcasts and no protection, and ECS would stop it")
    assert "scaling.max_tasks (2)" in problem


def test_the_service_wants_as_many_more_as_are_protected(asking: Account) -> None:
    asking.moments = service(tasks=1, protected=(1,))

    make_room(DEV)

    assert [update["desiredCount"] for update in asking.updates] == [2]
    assert asking.updates[0]["service"] == DEV.service_name


def test_it_never_wants_more_than_the_environment_allows(asking: Account) -> None:
    """Autoscaling would lower it again, and the bill is the operator's."""
    asking.moments = service(tasks=2, protected=(1, 2), desired=DEV.scaling.max_tasks)

    make_room(DEV)

    assert asking.updates == []


@pytest.mark.usefixtures("aws")
def test_nothing_is_changed_when_nothing_is_live(asking: Account) -> None:
    asking.moments = service(tasks=2)

    make_room(DEV)

    assert asking.updates == []


def test_a_deploy_goes_on_when_the_count_may_not_be_changed(
    asking: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scaling does it too, some minutes later."""
    asking.moments = service(tasks=1, protected=(1,))
    asking.refused["UpdateService"] = "AccessDeniedException"

    make_room(DEV)

    assert "scaling does so in some minutes: a larger desired count" in "".join(capsys.readouterr())
