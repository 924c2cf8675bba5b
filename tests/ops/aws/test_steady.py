"""After an apply: watching the service until it serves, or until it is known why it does not."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from ops.aws.steady import wait_until_steady
from ops.errors import FailedError
from tests.ops.account import DEV, Deployment, Moment

if TYPE_CHECKING:
    from tests.local_aws import LocalAws
    from tests.ops.account import Account
    from tests.ops.harness import Project

SOON = 0.5 / 60  # minutes: what never comes
LONG = 2.0
NO_IMAGE = {
    "stoppedReason": "CannotPullContainerError: pull image manifest has been retried 1 time(s): image not found",
    "containers": [{"name": "RTMPContainer", "reason": "CannotPullContainerError: image not found"}],
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks again at once: what is waited for here takes no time."""
    monkeypatch.setattr("ops.aws.steady._FIRST_PAUSE_SECONDS", 0.02)


def starting(*tasks: int, **changes: Any) -> Deployment:
    return Deployment(id="ecs-svc/2", tasks=tasks, desired=2, rollout="IN_PROGRESS", **changes)


def old(*tasks: int, **changes: Any) -> Deployment:
    return Deployment(id="ecs-svc/1", tasks=tasks, desired=2, status="ACTIVE", **changes)


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_it_waits_until_all_new_tasks_are_healthy(asking: Account, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each change: running is not enough, and neither is what ECS thinks of the old ones."""
    asking.moments = [
        Moment(deployments=(starting(), old(1, 2)), event="started"),
        Moment(deployments=(starting(), old(1, 2)), event="started"),
        Moment(deployments=(starting(3, 4), old(1, 2)), unhealthy=(4,), event="registered"),
        Moment(deployments=(starting(3, 4), old(1, 2)), event="healthy"),
        Moment(deployments=(), event="never asked for"),
    ]

    wait_until_steady(DEV, LONG)

    lines = [line.partition(" s: ")[2] for line in said(capsys) if " s: " in line]
    older = "2 older (0 with broadcasts); rollout IN_PROGRESS; last event:"
    assert lines == [
        f"0 of 2 new tasks running, 0 healthy, {older} started",
        f"2 of 2 new tasks running, 1 healthy, {older} registered",
        f"2 of 2 new tasks running, 2 healthy, {older} healthy",
    ]


def test_earlier_tasks_with_broadcasts_are_not_waited_for(asking: Account, capsys: pytest.CaptureFixture[str]) -> None:
    """They may go on for hours; the deployment is open until they end, and that is well."""
    asking.moments = [Moment(deployments=(starting(3, 4), old(1, 2)), protected=(1,))]

    wait_until_steady(DEV, LONG)

    assert said(capsys)[-2:] == [
        "deploy: steady: 2 of 2 tasks run and are healthy",
        "deploy: 1 earlier tasks with broadcasts stay until these end (python -m ops broadcasts dev)",
    ]


def test_fails_when_the_deployment_is_rolled_back(asking: Account, capsys: pytest.CaptureFixture[str]) -> None:
    """Why the tasks stopped, the same reasons together; each is told as soon as it is seen."""
    failing = starting(failed=((5, NO_IMAGE), (6, NO_IMAGE)))
    failed = Deployment(id="ecs-svc/2", status="ACTIVE", rollout="FAILED", failed=failing.failed)
    asking.moments = [
        Moment(deployments=(failing, old(1, 2)), event="unable to place"),
        Moment(deployments=(Deployment(id="ecs-svc/3", tasks=(1, 2), desired=2), failed)),
    ]

    with pytest.raises(FailedError) as told:
        wait_until_steady(DEV, LONG)

    text = str(told.value)
    assert "live-commerce-rtmp-dev is not steady: ECS gave the deployment up and rolled back" in text
    assert "\n  2 x CannotPullContainerError: pull image manifest has been retried 1 time(s): image not found;" in text
    assert "aws logs tail /ecs/live-commerce-rtmp-dev --region ap-northeast-2" in text
    assert [line for line in said(capsys) if line.startswith("deploy: a task stopped: CannotPull")] != []


def test_fails_when_there_is_nothing_to_roll_back_to(asking: Account) -> None:
    """The first deploy."""
    crash = {
        "stoppedReason": "Essential container in task exited",
        "containers": [{"name": "RTMPContainer", "exitCode": 2}],
    }
    asking.moments = [
        Moment(
            deployments=(Deployment(id="ecs-svc/1", rollout="FAILED", failed=((1, crash), (2, NO_IMAGE), (3, crash))),)
        )
    ]

    with pytest.raises(FailedError, match="there was none before to roll back to") as told:
        wait_until_steady(DEV, LONG)

    assert "\n  2 x Essential container in task exited; exit status 2\n  1 x CannotPull" in str(told.value)


def test_reasons_that_differ_in_addresses_only_are_one(asking: Account) -> None:
    unhealthy = [
        (number, {"stoppedReason": f"Task failed ELB health checks in (10.0.0.{number} port 8080: {number:032x})"})
        for number in (5, 6)
    ]
    asking.moments = [Moment(deployments=(Deployment(id="ecs-svc/1", rollout="FAILED", failed=tuple(unhealthy)),))]

    with pytest.raises(FailedError) as told:
        wait_until_steady(DEV, LONG)

    assert "\n  2 x Task failed ELB health checks in (... ...: ...)" in str(told.value)


def test_fails_when_it_takes_too_long(asking: Account) -> None:
    """With the last that was heard, when no task stopped."""
    asking.moments = [Moment(deployments=(starting(),), event="unable to place a task: capacity is unavailable")]

    with pytest.raises(FailedError) as told:
        wait_until_steady(DEV, SOON)

    said = f"is not steady after {SOON:g} minutes; ECS goes on trying. Last heard:\n  unable to place a task"
    assert said in str(told.value)


def test_fails_when_broadcasts_take_all_the_room(asking: Account) -> None:
    """Twice as many tasks as wanted are the most: with all of the older ones protected, no new one starts."""
    asking.moments = [Moment(deployments=(starting(), old(1, 2, failed=()), old(3, 4)), protected=(1, 2, 3, 4))]

    with pytest.raises(FailedError, match="4 earlier tasks have broadcasts, and ECS runs twice as many as it wants"):
        wait_until_steady(DEV, SOON)


def test_what_may_not_be_looked_at_is_told_once(asking: Account, capsys: pytest.CaptureFixture[str]) -> None:
    """Then the tasks' own health has to do."""
    asking.refused["DescribeTargetHealth"] = "AccessDenied"
    asking.moments = [Moment(deployments=(starting(1),)), Moment(deployments=(starting(1, 2),))]

    wait_until_steady(DEV, LONG)

    told = [line for line in said(capsys) if "not looked at" in line]
    assert len(told) == 1
    assert "(elasticloadbalancing:DescribeTargetHealth): AccessDenied" in told[0]


def test_a_look_that_fails_is_tried_again(asking: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Throttled once in twenty minutes is nothing."""
    asking.refused["DescribeServices"] = "ThrottlingException"
    handle, seen = asking._handle, []

    def heal(handler: Any) -> None:
        seen.append(handler)
        if len(seen) > 2:  # two attempts are one look
            asking.refused.clear()
        handle(handler)

    monkeypatch.setattr(asking, "_handle", heal)

    wait_until_steady(DEV, LONG)

    assert len(seen) > 2


def test_fails_when_the_service_cannot_be_seen(asking: Account) -> None:
    """The apply is over all the same, which the text says."""
    asking.refused["DescribeServices"] = "AccessDeniedException"

    with pytest.raises(FailedError, match=r"applied, but whether the tasks run cannot be seen: .*AccessDenied"):
        wait_until_steady(DEV, LONG)


def test_fails_when_the_credentials_expire_meanwhile(asking: Account) -> None:
    asking.refused["DescribeServices"] = "ExpiredTokenException"

    with pytest.raises(FailedError, match="applied, but not watched to the end: the AWS credentials") as told:
        wait_until_steady(DEV, LONG)
    assert told.value.status == 1


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ctrl_c_while_waiting_leaves_the_deployment_going(project: Project, account: Account, aws: LocalAws) -> None:
    """Nothing is undone. URLs are printed when the tasks serve, or when nobody asked to wait."""
    aws.make_state_buckets()
    run = project.run("deploy", "dev", "--yes", "--no-wait")
    assert run.returncode == 0, run.stderr
    assert "whether the tasks start was not waited for" in run.stderr
    assert "Viewers:" in run.stdout

    account.moments = [Moment(deployments=(starting(),))]
    with project.start("deploy", "dev") as process:
        assert process.stderr is not None
        seen = ""
        while "0 of 2 new tasks running" not in seen:
            line = process.stderr.readline()
            assert line, f"ended before it watched: {seen}"
            seen += line
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "what was applied stays applied, and ECS goes on with it by itself" in stderr
    assert "Traceback" not in stderr
    assert "Viewers:" not in stdout

    run = project.run("deploy", "dev", "--wait-minutes", "0.01")
    assert run.returncode == 1
    assert "live-commerce-rtmp-dev is not steady after 0.01 minutes" in run.stderr
    assert "Viewers:" not in run.stdout
