"""Is the image there that the tasks are to run, and is it built for their processor? Terraform never asks."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ops.aws.asking import Findings, UnansweredError, ask, client, error_code
from ops.errors import NotReadyError

if TYPE_CHECKING:
    from config.environment import EnvironmentConfig

_PLATFORMS = {"ARM64": "arm64", "X86_64": "amd64"}  # ours to the images' name of it
_INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_CONFIG_BYTES = 1_000_000  # of an image's configuration: ours has 10,000
_CONFIG_SECONDS = 10


def look_at_image(config: EnvironmentConfig) -> Findings:
    """Look for the configured tag or digest in ECR, and at its architecture.

    Raises:
        UnansweredError: AWS did not tell.
    """
    try:
        image = _image(config, _configured(config))
    except _NoRepositoryError:
        return Findings(problems=[_no_repository(config)])
    if image is None:
        return Findings(
            problems=[f"task.{_key(config)}: {config.image} is not in ECR, no task could start. {_build(config)}"]
        )
    manifest = _json(image["imageManifest"], "the image's manifest")
    wanted = _PLATFORMS[config.task.architecture]
    built_for = _architectures(config, manifest)
    if wanted in built_for:
        return Findings()
    problem = (
        f"task.{_key(config)}: {config.image} is built for {', '.join(sorted(built_for)) or 'nothing'}, but "
        f"task.architecture = {config.task.architecture} wants {wanted}. {_build(config)}"
    )
    return Findings(problems=[problem])


def image_digests(config: EnvironmentConfig, digest: str | None) -> list[str]:
    """The digests of the images themselves: of an index, of each image in it, whatever processor it is for.

    Without `digest` it is the configured image.

    Raises:
        NotReadyError: there is no such image.
        UnansweredError: AWS did not tell.
    """
    wanted = {"imageDigest": digest} if digest is not None else _configured(config)
    try:
        image = _image(config, wanted)
    except _NoRepositoryError:
        raise NotReadyError(_no_repository(config)) from None
    if image is None:
        raise NotReadyError(f"{config.repository_url} has no image {next(iter(wanted.values()))}. {_build(config)}")
    manifest = _json(image["imageManifest"], "the image's manifest")
    if "manifests" not in manifest:
        return [str(image["imageId"]["imageDigest"])]
    images = [str(entry["digest"]) for entry in manifest["manifests"] if _architecture(entry) is not None]
    if not images:
        raise NotReadyError(f"{next(iter(wanted.values()))} has no image in it. {_build(config)}")
    return images


class _NoRepositoryError(Exception):
    pass


def _no_repository(config: EnvironmentConfig) -> str:
    return f"there is no repository {config.repository_name}: make bootstrap ENV={config.name}"


def _configured(config: EnvironmentConfig) -> dict[str, str]:
    task = config.task
    return {"imageDigest": task.image_digest} if task.image_digest is not None else {"imageTag": str(task.image_tag)}


def _key(config: EnvironmentConfig) -> str:
    return "image_digest" if config.task.image_digest is not None else "image_tag"


def _build(config: EnvironmentConfig) -> str:
    return (
        f"Build and push one, and put the digest that it prints into environments/{config.name}.toml:\n"
        f"  scripts/build-and-push-image.sh {config.name} {config.aws.region}"
    )


def _image(config: EnvironmentConfig, image_id: dict[str, str]) -> dict[str, Any] | None:
    ecr = client(config, "ecr")

    def get() -> Any:
        try:
            return ecr.batch_get_image(
                registryId=config.aws.account,
                repositoryName=config.repository_name,
                imageIds=[image_id],
                acceptedMediaTypes=[*_INDEX_TYPES, *_MANIFEST_TYPES],
            )
        except ClientError as error:
            if error_code(error) == "RepositoryNotFoundException":
                raise _NoRepositoryError from None
            raise

    images = ask(get, "the image (ecr:BatchGetImage)")["images"]
    image: dict[str, Any] | None = images[0] if images else None
    return image


def _architecture(entry: dict[str, Any]) -> str | None:
    """Which processor an entry of an index is for; None: it is no image but an attestation."""
    name = entry.get("platform", {}).get("architecture")
    return None if name in {None, "unknown"} else str(name)


def _architectures(config: EnvironmentConfig, manifest: dict[str, Any]) -> set[str]:
    """For which processors there is an image."""
    if "manifests" in manifest:
        return {name for name in map(_architecture, manifest["manifests"]) if name is not None}
    digest = manifest.get("config", {}).get("digest")
    if digest is None:
        raise UnansweredError("the image's architecture: its manifest names no configuration")
    ecr = client(config, "ecr")
    url = ask(
        lambda: ecr.get_download_url_for_layer(
            registryId=config.aws.account, repositoryName=config.repository_name, layerDigest=digest
        ),
        "the image's architecture (ecr:GetDownloadUrlForLayer)",
    )["downloadUrl"]
    return {str(_json(_fetch(url), "the image's configuration").get("architecture"))}


def _fetch(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_CONFIG_SECONDS) as response:  # noqa: S310 - ECR's own answer
            content: bytes = response.read(_CONFIG_BYTES)
            return content
    except (OSError, ValueError) as error:
        raise UnansweredError(f"the image's configuration: {error}") from None


def _json(text: str | bytes, what: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise UnansweredError(f"{what}: it is no JSON object")
    return document
