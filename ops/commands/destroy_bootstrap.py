"""Take down what bootstrap made: state bucket with all versions, key, image repository with all images, deploy role.

The state of that lies in the bucket that goes. So it is copied back to where bootstrap had it first
(`.bootstrap/<bucket>/`), and from the answer on the copy is the true one: a file beside it says so, for a run after one
that was cut off. Until then the bucket's is, and a no leaves everything as it was.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from ops.aws.asking import UnansweredError, ask, client
from ops.aws.credentials import check_credentials
from ops.commands.bootstrap import OVERRIDE, alone, states, write_local_backend
from ops.environment import ROOT, find_environment, synthesize, with_account
from ops.errors import FailedError, NotReadyError
from ops.terminal import confirm_by_name, say
from ops.terraform.core import Terraform, find_terraform, plan_ask_apply
from ops.terraform.local_state import local_state, taking_down
from ops.terraform.remote_state import State, StateBucket

if TYPE_CHECKING:
    from config.environment import EnvironmentConfig

_IMAGES_A_CALL = 100  # of BatchDeleteImage


def destroy_bootstrap(name: str) -> None:
    """Show what would go, have the environment's name typed, empty bucket and repository, destroy the bootstrap stack.

    Raises:
        FailedError: it did not work, or the name was not typed; run again to go on.
        NotReadyError: the streaming stack is there, deletion is protected, or something is missing; nothing was begun.
    """
    config = with_account(find_environment(name))
    if config.protection.deletion_protection:
        raise NotReadyError(
            f"{name} is protected from deletion; nothing was changed. "
            f"Set protection.deletion_protection = false in environments/{name}.toml first"
        )
    command = find_terraform()
    check_credentials(config)
    with alone(config):
        bucket = StateBucket(config=config)
        if bucket.state_of(config.streaming_stack_name) is not None:
            raise NotReadyError(
                f"{name} is deployed, and its state is in s3://{config.state_bucket_name}: "
                f"make destroy ENV={name} first"
            )
        folder = synthesize(config.bootstrap_stack_name)
        terraform = Terraform(command=command, folder=folder, meanwhile=local_state(config).keep)
        state = _state_here(config, terraform, bucket)
        if state is None:
            say(f"destroy-bootstrap: nothing that bootstrap made for {name} is there")
        else:
            _destroy(config, terraform, state)
            _say_what_is_left(config, state)
        _forget(config, terraform)


def _state_here(config: EnvironmentConfig, terraform: Terraform, bucket: StateBucket) -> State | None:
    """The state, in the file; None when there is nothing to destroy."""
    file = local_state(config)
    if taking_down(config).exists():
        say("destroy-bootstrap: going on where an earlier run was cut off")
        local = file.read()
    else:
        local, stored = states(config, bucket)
        if stored is not None:
            return _fetch(config, terraform, stored)
    if local is not None:
        write_local_backend(config, terraform)
        terraform.init("-reconfigure")
    return local


def _fetch(config: EnvironmentConfig, terraform: Terraform, stored: State) -> State:
    say(f"destroy-bootstrap: copying the state out of s3://{config.state_bucket_name} ...")
    (terraform.folder / OVERRIDE).unlink(missing_ok=True)
    terraform.init("-reconfigure")
    write_local_backend(config, terraform)
    terraform.init("-migrate-state", "-force-copy")
    local = local_state(config).read()
    if local is None or local.resources != stored.resources:
        raise FailedError(
            f"the state did not arrive whole in {local_state(config).path.relative_to(ROOT)}; nothing was destroyed"
        )
    return local


def _destroy(config: EnvironmentConfig, terraform: Terraform, state: State) -> None:
    began = taking_down(config)

    def agree() -> None:
        if not began.exists():
            _say_what_goes(config, state)
            confirm_by_name(config.name, f"destroy-bootstrap: this cannot be undone for {config.name}.")
            began.touch()
        _empty(config, state)

    say("destroy-bootstrap: terraform plan -destroy ...")
    try:
        plan_ask_apply(terraform, agree, "-destroy")
    finally:
        if not began.exists():  # not agreed: the bucket's state is the true one, as before
            _put_back(config, terraform)


def _put_back(config: EnvironmentConfig, terraform: Terraform) -> None:
    if StateBucket(config=config).state_of(config.bootstrap_stack_name) is not None:
        local_state(config).set_aside()
        (terraform.folder / OVERRIDE).unlink(missing_ok=True)


def _forget(config: EnvironmentConfig, terraform: Terraform) -> None:
    """Nothing is left that a later bootstrap might go on from."""
    local_state(config).discard()
    (terraform.folder / OVERRIDE).unlink(missing_ok=True)
    taking_down(config).unlink(missing_ok=True)


def _say_what_goes(config: EnvironmentConfig, state: State) -> None:
    say("destroy-bootstrap: this goes, for good:")
    if _made(state, "aws_s3_bucket"):
        count = len(_versions(config))
        say(f"  s3://{config.state_bucket_name} and {count} versions of states in it")
    if _made(state, "aws_ecr_repository"):
        say(f"  {config.repository_url} and {len(_images(config))} images in it")
    for key in _made(state, "aws_kms_key"):
        say(f"  the key {key['key_id']}, {key['deletion_window_in_days']} days from now")
    for role in _made(state, "aws_iam_role"):
        say(f"  the deploy role {role['name']}")
    for provider in _made(state, "aws_iam_openid_connect_provider"):
        say(f"  {provider['arn']}: deploy roles of other environments of this account need it too")


def _say_what_is_left(config: EnvironmentConfig, state: State) -> None:
    say(f"destroy-bootstrap: nothing of {config.name} is left in account {config.aws.account}")
    for key in _made(state, "aws_kms_key"):
        say(
            f"destroy-bootstrap: the key can be had back for {key['deletion_window_in_days']} days:\n"
            f"  aws kms cancel-key-deletion --region {config.aws.region} --key-id {key['key_id']}"
        )


def _made(state: State, resource_type: str) -> list[dict[str, Any]]:
    """The attributes of each resource of a type."""
    return [
        instance["attributes"]
        for entry in state.resources
        if entry["mode"] == "managed" and entry["type"] == resource_type
        for instance in entry["instances"]
    ]


def _empty(config: EnvironmentConfig, state: State) -> None:
    """AWS deletes neither a bucket with versions in it nor a repository with images."""
    try:
        if _made(state, "aws_ecr_repository"):
            _delete_images(config)
        if _made(state, "aws_s3_bucket"):
            _delete_versions(config)
    except UnansweredError as error:
        raise FailedError(f"not emptied: {error}; run this again to go on") from None


def _versions(config: EnvironmentConfig) -> list[dict[str, str]]:
    s3 = client(config, "s3")

    def listed() -> list[dict[str, str]]:
        try:
            pages = s3.get_paginator("list_object_versions").paginate(
                Bucket=config.state_bucket_name, ExpectedBucketOwner=config.aws.account
            )
            return [
                {"Key": entry["Key"], "VersionId": entry["VersionId"]}
                for page in pages
                for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            ]
        except s3.exceptions.NoSuchBucket:
            return []

    return ask(listed, "what is in the state bucket (s3:ListBucketVersions)")


def _delete_versions(config: EnvironmentConfig) -> None:
    s3, versions = client(config, "s3"), _versions(config)
    for start in range(0, len(versions), 1000):
        some = {"Objects": versions[start : start + 1000], "Quiet": True}
        delete = partial(
            s3.delete_objects, Bucket=config.state_bucket_name, ExpectedBucketOwner=config.aws.account, Delete=some
        )
        answer = ask(delete, "s3:DeleteObjectVersion")
        if errors := answer.get("Errors"):
            raise FailedError(f"s3://{config.state_bucket_name} is not empty yet: {json.dumps(errors[0], default=str)}")


def _images(config: EnvironmentConfig) -> list[dict[str, str]]:
    """By digest: all tags of one go with it."""
    ecr = client(config, "ecr")

    def listed() -> list[dict[str, str]]:
        try:
            pages = ecr.get_paginator("list_images").paginate(
                registryId=config.aws.account, repositoryName=config.repository_name
            )
            digests = {entry["imageDigest"] for page in pages for entry in page["imageIds"]}
        except ecr.exceptions.RepositoryNotFoundException:
            return []
        return [{"imageDigest": digest} for digest in sorted(digests)]

    return ask(listed, "the images (ecr:ListImages)")


def _delete_images(config: EnvironmentConfig) -> None:
    """Until none is left: an image that an index names goes only after the index."""
    ecr = client(config, "ecr")
    left = _images(config)
    while left:
        delete = partial(
            ecr.batch_delete_image,
            registryId=config.aws.account,
            repositoryName=config.repository_name,
            imageIds=left[:_IMAGES_A_CALL],
        )
        ask(delete, "ecr:BatchDeleteImage")
        before, left = left, _images(config)
        if len(left) == len(before):
            raise FailedError(f"{config.repository_name} is not empty yet: {left[0]['imageDigest']} stays")
