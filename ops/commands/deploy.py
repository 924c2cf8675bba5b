"""Deploy a streaming stack, and tell what people need to know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.aws.credentials import check_credentials
from ops.aws.room import make_room
from ops.aws.steady import wait_until_steady
from ops.commands.before_deploy import check_configuration, check_plan, updates_service
from ops.environment import complete, find_environment, with_account
from ops.errors import StaleError
from ops.plan_review.fingerprint import fingerprint
from ops.terminal import confirm, result, say
from ops.terraform.core import find_terraform, plan_ask_apply
from ops.terraform.stack import check_state_bucket, stack_outputs, streaming_terraform

if TYPE_CHECKING:
    from config.environment import EnvironmentConfig


def deploy(name: str, *, yes: bool, wait_minutes: float, reviewed: str | None = None) -> None:
    """Look at the account, show the plan of the streaming stack, ask, apply it, wait for the tasks, print the outputs.

    With `reviewed`, the fingerprint of a plan, nothing but that is applied (docs/adr/0024).

    Raises:
        StaleError: the plan is another one by now.
        FailedError: it did not work, the operator said no, or the tasks are not steady after `wait_minutes` (0: nobody
            looks).
        NotReadyError: nothing was begun.
    """
    config = complete(find_environment(name))
    command = find_terraform()
    check_credentials(config)
    check_state_bucket(config)
    check_configuration(config)
    terraform = streaming_terraform(config, command)

    def ask() -> None:
        plan = terraform.planned()
        if reviewed is not None and fingerprint(plan) != reviewed:
            raise StaleError(
                f"the plan is not the one that was reviewed ({reviewed[:12]}…, now {fingerprint(plan)[:12]}…): "
                "something changed since. Nothing was applied; plan and review again"
            )
        check_plan(config, plan)
        if not yes:
            confirm(f"deploy: apply this to {name}?")
        if updates_service(plan):
            make_room(config)

    say("deploy: terraform plan ...")
    if not plan_ask_apply(terraform, ask):
        say("deploy: nothing to change")
    if wait_minutes:
        wait_until_steady(config, wait_minutes)
    else:
        say("deploy: applied; whether the tasks start was not waited for")
    _print_outputs(config)


def _print_outputs(config: EnvironmentConfig) -> None:
    outputs = stack_outputs(config)
    width = max(map(len, outputs))
    for output, value in sorted(outputs.items()):
        result(f"{output:<{width}}  {value}")
    result(
        f"\nStreamer, in OBS (Settings, Stream, Server):  {outputs['RTMPSServerURL'] or outputs['RTMPServerURL']}\n"
        f"Viewers:  {outputs['CloudFrontURL']}/hls/<id>/master.m3u8"
    )


def print_backend_settings(name: str) -> None:
    """Print the lines for the backend's `.env`, and nothing else.

    Raises:
        FailedError: nothing is deployed.
        NotReadyError: the state cannot be read.
    """
    config = with_account(find_environment(name))
    check_credentials(config)
    check_state_bucket(config)
    outputs = stack_outputs(config)
    result(f"RTMP_SERVER_URL={outputs['RTMPServerURL']}\nHLS_SERVER_URL={outputs['CloudFrontURL']}")
