"""Every stack from nothing to applied, changed and destroyed: real Terraform core, with the stand-in for AWS."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from config.environment import EnvironmentConfig
from config.loader import load_environments
from offline_terraform.engine import CONFIGURATION, OfflineTerraform, Stack, changes_in
from tests import shipped
from tests.shipped import everything_config, shipped_configs, synthesize_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from offline_terraform.engine import Result
    from stacks.document import Json
    from tests.template import Template

    Change = Callable[[EnvironmentConfig], Json]

pytestmark = pytest.mark.slow

ENVIRONMENTS = ("dev", "prod", "everything")
PROTECTED = ("prod", "everything")
BOOTSTRAP = [f"LiveCommerceBootstrapStack-{name}" for name in ENVIRONMENTS]
STREAMING = [f"LiveCommerceStreamingStack-{name}" for name in ENVIRONMENTS]

SERVICE = "aws_ecs_service.Service_DBC79909"
TASK_DEFINITION = "aws_ecs_task_definition.Service_TaskDefinition_4B51B9EA"
LEASES = "aws_dynamodb_table.Leases_EBFF46EF"
BALANCERS = {"aws_lb.Ingest_4069586C", "aws_lb.Playback_967724EE"}
NEW_TASKS = {TASK_DEFINITION: "delete, create", SERVICE: "update"}


def other_size(_config: EnvironmentConfig) -> Json:
    return {"task": {"cpu": 8192, "memory_mib": 16384}}


def other_image(config: EnvironmentConfig) -> Json:
    if config.task.image_digest is not None:
        return {"task": {"image_digest": f"sha256:{'f' * 64}"}}
    return {"task": {"image_tag": "0.2.0"}}


def other_ladder(config: EnvironmentConfig) -> Json:
    return {"hls": {"renditions": [rendition.model_dump() for rendition in config.hls.renditions[:-1]]}}


def without_protection(_config: EnvironmentConfig) -> Json:
    return {"protection": {"deletion_protection": False}}


def another_zone(config: EnvironmentConfig) -> Json:
    return {"network": {"availability_zones": [*config.network.availability_zones, "d"]}}


def without_options(_config: EnvironmentConfig) -> Json:
    return {
        "task": {"ecs_exec": False},
        "ingest": {"certificate_arn": None},
        "viewer": {"waf": False},
        "observability": {"access_logs": False},
    }


CHANGES: dict[str, tuple[Change, ...]] = {
    "another zone": (another_zone,),
    "without options": (without_options,),
    "size": (other_size,),
    "image": (other_image,),
    "ladder": (other_ladder,),
    "size, image and ladder": (other_size, other_image, other_ladder),
    "without protection": (without_protection,),
    "nothing": (),
}


def changed(config: EnvironmentConfig, changes: tuple[Change, ...]) -> EnvironmentConfig:
    """The environment as after an edit of its file: read and checked anew."""
    document = config.model_dump()
    for change in changes:
        for section, keys in change(config).items():
            document[section].update(keys)
    return EnvironmentConfig.model_validate(document)


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Json]:
    """A stack's Terraform JSON after one of `CHANGES`; all stacks of a change come from one synthesis."""
    configs = [*shipped_configs(), everything_config()]
    written: dict[str, Path] = {}

    def read(change: str, name: str) -> Json:
        if change not in written:
            written[change] = tmp_path_factory.mktemp("changed")
            synthesize_to(written[change], [changed(config, CHANGES[change]) for config in configs])
        document: Json = json.loads((written[change] / "stacks" / name / CONFIGURATION).read_text())
        return document

    return read


@pytest.fixture(scope="module")
def engines() -> Iterator[dict[str, OfflineTerraform]]:
    """By environment: the stand-in is in one account, and the environments are in two."""
    with OfflineTerraform() as ours, OfflineTerraform(account=everything_config().aws.account) as theirs:
        yield {"dev": ours, "prod": ours, "everything": theirs}


@pytest.fixture(scope="module")
def applied(
    engines: dict[str, OfflineTerraform], synthesized: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Stack]:
    """A working copy of a stack that is deployed as configured. Each caller gets a copy, with the state, of its own."""
    deployed: dict[str, Stack] = {}

    def copy(name: str) -> Stack:
        if name not in deployed:
            stack = engines[name.partition("-")[2]].stack(synthesized / name)
            stack.init()
            stack.validate()
            stack.apply()
            deployed[name] = stack
        folder = tmp_path_factory.mktemp("stack")
        shutil.copytree(deployed[name].folder, folder, dirs_exist_ok=True, symlinks=True)
        return dataclasses.replace(deployed[name], folder=folder)

    return copy


def managed(template: Template) -> list[str]:
    return [address for address in template.addresses() if not address.startswith("data.")]


@pytest.mark.parametrize("name", [*BOOTSTRAP, *STREAMING])
def test_what_is_applied_stays_as_it_is(
    applied: Callable[[str], Stack], templates: dict[str, Template], name: str
) -> None:
    """Init, validate, plan, apply: then everything exists, and a second plan finds nothing to do."""
    stack = applied(name)

    assert sorted(set(stack.attributes()) & set(managed(templates[name]))) == managed(templates[name])
    assert stack.changes() == {}


@pytest.mark.parametrize("name", [*BOOTSTRAP, *STREAMING])
def test_another_synthesis_of_the_same_configuration_changes_nothing(
    applied: Callable[[str], Stack], after: Callable[[str, str], Json], name: str
) -> None:
    stack = applied(name)
    stack.configure(after("nothing", name))

    assert stack.changes() == {}


# Which attributes of the task definition force its replacement, and what differs in its container.
DIFFERENCES: dict[str, tuple[set[str], set[str]]] = {
    "size": ({"cpu", "memory"}, set()),
    "image": ({"container_definitions"}, {"image"}),
    "ladder": ({"container_definitions"}, {"environment.LADDER"}),
}


@pytest.mark.parametrize("name", STREAMING)
@pytest.mark.parametrize("change", DIFFERENCES)
def test_a_change_of_the_tasks_replaces_their_definition_and_nothing_else(
    applied: Callable[[str], Stack], after: Callable[[str, str], Json], name: str, change: str
) -> None:
    """A new task definition, for the reason meant, and the service told of it in place: nobody's URL changes."""
    stack = applied(name)
    stack.configure(after(change, name))

    plan = stack.plan_json()

    assert changes_in(plan) == NEW_TASKS
    (definition,) = [entry["change"] for entry in plan["resource_changes"] if entry["address"] == TASK_DEFINITION]
    before, planned = (container(definition[when]) for when in ("before", "after"))
    assert (
        {path[0] for path in definition["replace_paths"]},
        {key for key in before.keys() | planned.keys() if before.get(key) != planned.get(key)},
    ) == DIFFERENCES[change]


def container(definition: Mapping[str, Any]) -> Json:
    """The container of a task definition, flat, with its environment by name."""
    (only,) = json.loads(definition["container_definitions"])
    variables = {f"environment.{entry['name']}": entry["value"] for entry in only.pop("environment")}
    return {**only, **variables}


@pytest.mark.parametrize("name", BOOTSTRAP)
def test_a_change_of_the_tasks_leaves_state_and_images_alone(
    applied: Callable[[str], Stack], after: Callable[[str, str], Json], name: str
) -> None:
    """The bootstrap stack has no part in it."""
    stack = applied(name)
    stack.configure(after("size, image and ladder", name))

    assert stack.changes() == {}


@pytest.mark.parametrize("name", STREAMING)
def test_an_applied_change_is_complete(
    applied: Callable[[str], Stack], after: Callable[[str, str], Json], name: str
) -> None:
    """All three changes at once, applied: nothing is left to do, and the URLs are what they were."""
    stack = applied(name)
    outputs = stack.outputs()
    stack.configure(after("size, image and ladder", name))

    assert stack.changes() == NEW_TASKS
    stack.apply()

    assert stack.changes() == {}
    assert stack.outputs() == outputs


@pytest.mark.parametrize("name", ["LiveCommerceBootstrapStack-dev", "LiveCommerceStreamingStack-dev"])
def test_an_unprotected_environment_is_destroyed_whole(applied: Callable[[str], Stack], name: str) -> None:
    stack = applied(name)

    stack.destroy()

    assert stack.attributes() == {}


@pytest.mark.parametrize("environment", PROTECTED)
def test_a_protected_state_bucket_is_destroyed_only_after_protection_is_off(
    applied: Callable[[str], Stack], after: Callable[[str, str], Json], environment: str
) -> None:
    """Terraform refuses at the plan, so nothing goes before; turning protection off changes nothing by itself."""
    name = f"LiveCommerceBootstrapStack-{environment}"
    stack = applied(name)
    before = stack.attributes()

    refused = stack.destroy(check=False)

    assert refused.status == 1
    assert "Instance cannot be destroyed" in refused.text
    assert stack.attributes() == before

    stack.configure(after("without protection", name))
    assert stack.changes() == {}
    stack.destroy()
    assert stack.attributes() == {}


@pytest.mark.parametrize("environment", PROTECTED)
def test_protection_is_turned_off_in_place_and_then_all_can_be_destroyed(
    applied: Callable[[str], Stack], after: Callable[[str, str], Json], environment: str
) -> None:
    """Three settings. The role's policy names the table and so is read anew after it; its text stays the same."""
    name = f"LiveCommerceStreamingStack-{environment}"
    stack = applied(name)
    policy = "aws_iam_role_policy.Roles_TaskPolicy_02602289"
    before = stack.attributes()[policy]
    stack.configure(after("without protection", name))

    assert stack.changes() == dict.fromkeys([*BALANCERS, LEASES, policy], "update")
    stack.apply()
    assert stack.attributes()[policy] == before
    assert stack.changes() == {}

    stack.destroy()
    assert stack.attributes() == {}


def test_fails_when_a_protected_environment_is_destroyed(
    applied: Callable[[str], Stack], after: Callable[[str, str], Json]
) -> None:
    """Terraform refuses the plan, before anything is touched: what is live stays so."""
    name = "LiveCommerceStreamingStack-prod"
    stack = applied(name)
    before = stack.attributes()

    refused = stack.destroy(check=False)

    assert refused.status == 1
    assert "Instance cannot be destroyed" in refused.text
    assert stack.attributes() == before

    stack.configure(after("without protection", name))
    changes = stack.changes()
    assert {changes[address] for address in (*BALANCERS, LEASES)} == {"update"}
    assert {*changes.values()} == {"update"}


DISTRIBUTION = "aws_cloudfront_distribution.Distribution_830FAC52"
VPC_ORIGIN = "aws_cloudfront_vpc_origin.Distribution_VpcOrigin_1B0462B3"
INGEST = "aws_lb.Ingest_4069586C"
PLAYBACK = "aws_lb.Playback_967724EE"
PLAYBACK_TARGETS = "aws_lb_target_group.Playback_TargetGroup_E9C57B10"
HLS_RULE = "aws_lb_listener_rule.Playback_HlsRule_FC41576E"
CREATED, MODIFIED, DESTROYED = "Creation complete", "Modifications complete", "Destruction complete"


def steps(applied: Result) -> list[tuple[str, str]]:
    """What an apply finished, in order: address and kind of change. An old generation is "(deposed object ...)"."""
    pattern = rf"^(\S+?)(?: \(deposed object \w+\))?: ({CREATED}|{MODIFIED}|{DESTROYED})"
    return re.findall(pattern, applied.stdout, re.MULTILINE)


def in_order(done: list[tuple[str, str]], *expected: tuple[str, str]) -> bool:
    return all(step in done for step in expected) and sorted(expected, key=done.index) == [*expected]


def test_a_new_playback_balancer_takes_over_before_the_old_one_goes(
    applied: Callable[[str], Stack], synthesized: Path
) -> None:
    """New balancer with all that answers behind it, new VPC origin, distribution; only then the old ones, backwards.

    At every moment viewers have a way: AWS would refuse any other order, and so does the stand-in.
    """
    name = "LiveCommerceStreamingStack-dev"
    stack = applied(name)
    document: Json = json.loads((synthesized / name / CONFIGURATION).read_text())
    document["resource"]["aws_lb"][PLAYBACK.partition(".")[2]]["name"] = "hls-alb-dev-2"
    stack.configure(document)

    plan = stack.changes()
    done = steps(stack.apply())

    assert plan[PLAYBACK] == plan[VPC_ORIGIN] == plan[PLAYBACK_TARGETS] == plan[HLS_RULE] == "create, delete"
    assert plan[DISTRIBUTION] == "update"
    assert in_order(
        done,
        (PLAYBACK, CREATED),
        (HLS_RULE, CREATED),
        (VPC_ORIGIN, CREATED),
        (DISTRIBUTION, MODIFIED),
        (VPC_ORIGIN, DESTROYED),
        (HLS_RULE, DESTROYED),
        (PLAYBACK, DESTROYED),
    ), done
    assert stack.changes() == {}
    stack.destroy()
    assert stack.attributes() == {}


def test_what_is_new_about_the_vpc_origin_alone_makes_a_new_one(
    applied: Callable[[str], Stack], synthesized: Path
) -> None:
    """Its tags, for one: its name follows them. The balancer stays, and nobody's URL changes."""
    name = "LiveCommerceStreamingStack-dev"
    stack = applied(name)
    outputs = stack.outputs()
    text = (synthesized / name / CONFIGURATION).read_text()
    (old,) = set(re.findall(r"2\)}-([0-9a-f]{8})", text))
    stack.configure(json.loads(text.replace(old, "01234567").replace('"ManagedBy": "cdktf"', '"ManagedBy": "us"')))

    plan = stack.changes()
    done = steps(stack.apply())

    assert plan[VPC_ORIGIN] == "create, delete"
    assert PLAYBACK not in plan or plan[PLAYBACK] == "update"
    assert in_order(done, (VPC_ORIGIN, CREATED), (DISTRIBUTION, MODIFIED), (VPC_ORIGIN, DESTROYED)), done
    assert stack.outputs() == outputs
    assert stack.changes() == {}


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_a_zone_is_added_in_place_and_taken_away_by_a_replacement_that_protection_refuses(
    applied: Callable[[str], Stack], after: Callable[[str, str], Json], environment: str
) -> None:
    """One more: new subnets, and everything stays what it is. One less: a new ingest balancer, and so a new URL."""
    name = f"LiveCommerceStreamingStack-{environment}"
    stack = applied(name)
    stack.configure(after("another zone", name))

    changes = stack.changes()

    assert set(changes.values()) <= {"create", "update"}
    assert {changes[address] for address in BALANCERS} == {"update"}
    stack.apply()
    assert stack.changes() == {}

    stack.configure(after("nothing", name))
    if environment in PROTECTED:
        refused = stack.plan(check=False)
        assert refused.status == 1
        assert "Instance cannot be destroyed" in refused.text
        assert INGEST in refused.text
    else:
        changes = stack.changes()
        assert (changes[INGEST], changes[PLAYBACK]) == ("delete, create", "update")


def test_options_can_be_turned_off_again(applied: Callable[[str], Stack], after: Callable[[str, str], Json]) -> None:
    """Firewall, RTMPS, access logs, ECS Exec: what used them lets go first, or AWS would refuse."""
    name = "LiveCommerceStreamingStack-everything"
    stack = applied(name)
    stack.configure(after("without options", name))

    stack.apply()

    assert stack.changes() == {}
    assert not any(address.startswith("aws_wafv2") for address in stack.attributes())


def test_a_renamed_environment_is_the_same_under_other_names(
    engines: dict[str, OfflineTerraform], synthesized: Path, tmp_path: Path
) -> None:
    """A copy of dev's file under another name: everything is made, at dev's addresses, and only names differ."""
    environments = tmp_path / "environments"
    environments.mkdir()
    shutil.copy(shipped.ENVIRONMENTS / "dev.toml", environments / "qa7.toml")
    synthesize_to(tmp_path, [loaded.config for loaded in load_environments(environments, {})])

    for kind in ("Bootstrap", "Streaming"):
        plans = []
        for folder, environment in ((synthesized, "dev"), (tmp_path / "stacks", "qa7")):
            stack = engines["dev"].stack(folder / f"LiveCommerce{kind}Stack-{environment}")
            stack.init()
            plans.append(stack.plan_json())
        dev, renamed = ({change["address"]: change["change"] for change in plan["resource_changes"]} for plan in plans)

        assert set(changes_in(plans[1]).values()) == {"create"}
        assert renamed.keys() == dev.keys()
        for address, change in renamed.items():
            text = json.dumps(change)
            assert "-dev" not in text, f"{address} still has the old name"
            assert json.loads(text.replace("qa7", "dev")) == dev[address], address
