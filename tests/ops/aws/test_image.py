"""The image that the tasks are to run, looked for in ECR."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ops.aws.asking import UnansweredError
from ops.aws.image import image_digests, look_at_image
from ops.errors import NotReadyError
from tests.ops.account import DEV, MANIFEST, digest_of, index_of

if TYPE_CHECKING:
    from config.environment import EnvironmentConfig
    from tests.ops.account import Account

SINGLE: dict[str, Any] = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": "sha256:" + "c" * 64}}
BUILD = "\n  scripts/build-and-push-image.sh dev ap-northeast-2"


def with_task(**changes: Any) -> EnvironmentConfig:
    return DEV.model_copy(update={"task": DEV.task.model_copy(update=changes)})


@pytest.mark.parametrize("manifest", [index_of("arm64"), index_of("amd64", "arm64"), SINGLE])
def test_an_image_for_the_tasks_processor_is_fine(asking: Account, manifest: dict[str, Any]) -> None:
    """Alone, or among others in an index; alone, its configuration says what it is for."""
    asking.image = manifest
    asking.image_configuration = json.dumps({"architecture": "arm64"}).encode()

    assert look_at_image(DEV).problems == []


def test_fails_when_the_tag_was_never_pushed(asking: Account) -> None:
    """With what to type."""
    asking.image = None

    (problem,) = look_at_image(with_task(image_tag="0.1.0", image_digest=None)).problems

    assert problem.startswith("task.image_tag: 123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/")
    assert ":0.1.0 is not in ECR, no task could start." in problem
    assert problem.endswith(BUILD)


def test_fails_when_the_digest_was_never_pushed(asking: Account) -> None:
    """The key named is the one that is set."""
    asking.image = None

    (problem,) = look_at_image(with_task(image_tag=None, image_digest="sha256:" + "d" * 64)).problems

    assert problem.startswith("task.image_digest: ")
    assert "@sha256:dddd" in problem


@pytest.mark.parametrize("manifest", [index_of("amd64"), SINGLE])
def test_fails_when_the_image_is_for_another_processor(asking: Account, manifest: dict[str, Any]) -> None:
    asking.image = manifest
    asking.image_configuration = json.dumps({"architecture": "amd64"}).encode()

    (problem,) = look_at_image(with_task(architecture="ARM64")).problems

    assert "is built for amd64, but task.architecture = ARM64 wants arm64." in problem
    assert problem.endswith(BUILD)


def test_fails_when_there_is_no_repository(asking: Account) -> None:
    asking.refused["BatchGetImage"] = "RepositoryNotFoundException"

    assert look_at_image(DEV).problems == ["there is no repository live-commerce-rtmp-dev: make bootstrap ENV=dev"]


@pytest.mark.parametrize("content", [b"", b"[]", b"{"])
def test_a_configuration_that_says_nothing_is_no_answer(asking: Account, content: bytes) -> None:
    """Neither a fault of the image nor a traceback."""
    asking.image, asking.image_configuration = SINGLE, content

    with pytest.raises(UnansweredError, match="the image's configuration: it is no JSON object"):
        look_at_image(DEV)


def test_no_permission_is_no_answer(asking: Account) -> None:
    asking.refused["BatchGetImage"] = "AccessDeniedException"

    with pytest.raises(UnansweredError, match=r"the image \(ecr:BatchGetImage\): AccessDeniedException"):
        look_at_image(DEV)


def test_of_an_index_each_image_counts(asking: Account) -> None:
    """One for each processor; neither the index nor an attestation: nobody scans or runs these."""
    asking.image = index_of("amd64", "arm64")

    assert image_digests(DEV, digest_of("0")) == [digest_of("a"), digest_of("b")]
    assert image_digests(DEV, None) == [digest_of("a"), digest_of("b")]


def test_an_image_without_an_index_is_itself(asking: Account) -> None:
    """By digest or by tag."""
    asking.image = SINGLE

    assert image_digests(DEV, digest_of("0")) == [digest_of("0")]
    assert image_digests(with_task(image_tag="0.1.0", image_digest=None), None) == [digest_of("f")]


@pytest.mark.parametrize(("manifest", "says"), [(None, "has no image sha256:00"), (index_of(), "has no image in it")])
def test_fails_when_there_is_no_such_image(asking: Account, manifest: dict[str, Any] | None, says: str) -> None:
    """With what to type."""
    asking.image = manifest

    with pytest.raises(NotReadyError, match=says) as failed:
        image_digests(DEV, digest_of("0"))

    assert str(failed.value).endswith(BUILD)
