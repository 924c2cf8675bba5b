"""AWS deletes no bucket with anything in it, and no repository with images; nor does the stand-in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from offline_terraform import samples
from offline_terraform.engine import OfflineTerraform, Stack
from tests.local_aws import LocalAws

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

BUCKET = "some-bucket-of-ours"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def logging(**bucket: Any) -> samples.Document:
    """A load balancer that logs into a bucket."""
    logs = {"bucket": "${aws_s3_bucket.logs.id}", "prefix": "balancers", "enabled": True}
    return {
        **samples.load_balancer(access_logs=logs),
        "aws_s3_bucket": {"logs": {"bucket": BUCKET, **bucket}},
    }


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as running:
        yield running


@pytest.fixture(scope="module")
def beside_aws(aws: LocalAws) -> Iterator[Callable[[samples.Document], Stack]]:
    """Working copies of stacks, with moto to say what is in things."""
    with OfflineTerraform(s3_endpoint=aws.endpoint) as engine:

        def make(document: samples.Document) -> Stack:
            stack = engine.stack(samples.stack(document))
            stack.init()
            stack.apply()
            return stack

        yield make


def refused(stack: Stack) -> str:
    result = stack.destroy(check=False)
    assert result.status == 1, result.text
    return " ".join(result.text.replace("│", "").split())


def test_fails_when_the_log_bucket_of_a_load_balancer_goes(initialized: Callable[[samples.Document], Stack]) -> None:
    """Nobody ever published: the test object is enough. Told to empty it, the provider does, once that is applied."""
    stack = initialized(samples.stack(logging()))
    stack.apply()

    assert f"deleting S3 Bucket ({BUCKET}): BucketNotEmpty: The bucket you tried to delete is not empty" in refused(
        stack
    )
    assert "aws_s3_bucket.logs" in stack.attributes()

    stack.configure(samples.stack(logging(force_destroy=True)))
    stack.apply()
    stack.destroy()
    assert stack.attributes() == {}


def test_fails_when_a_bucket_holds_old_versions_only(
    beside_aws: Callable[[samples.Document], Stack], aws: LocalAws
) -> None:
    """What was deleted in a versioned bucket is still in it."""
    stack = beside_aws({"aws_s3_bucket": {"one": {"bucket": BUCKET}}})
    s3 = aws.client("s3")
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=BUCKET, Key="a key/of two", Body=b"one")
    s3.delete_object(Bucket=BUCKET, Key="a key/of two")
    assert aws.objects() == {BUCKET: []}

    assert "BucketNotEmpty" in refused(stack)

    stack.configure(samples.stack({"aws_s3_bucket": {"one": {"bucket": BUCKET, "force_destroy": True}}}))
    stack.apply()
    stack.destroy()
    assert aws.objects() == {}


def test_fails_when_a_repository_has_images(beside_aws: Callable[[samples.Document], Stack], aws: LocalAws) -> None:
    """Also an image without a tag."""
    stack = beside_aws({"aws_ecr_repository": {"one": {"name": "one"}}})
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName="one")
    ecr.put_image(
        repositoryName="one",
        imageManifest=json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "layers": []}),
        imageTag="1",
    )

    assert "RepositoryNotEmptyException: The repository with name 'one' cannot be deleted" in refused(stack)

    stack.configure(samples.stack({"aws_ecr_repository": {"one": {"name": "one", "force_delete": True}}}))
    stack.apply()
    stack.destroy()
    assert ecr.list_images(repositoryName="one")["imageIds"] == []
