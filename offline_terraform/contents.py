"""What lies in buckets and repositories: AWS deletes neither while there is anything in it.

With a local AWS (moto) that is asked; without one, only what AWS itself puts there is known, and only to this process.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

BUCKET, REPOSITORY = "aws_s3_bucket", "aws_ecr_repository"
_SECONDS = 30


@dataclass(frozen=True)
class Contents:
    """By resource type and name."""

    endpoint: str = ""
    region: str = "ap-northeast-2"
    _written: set[tuple[str, str]] = field(default_factory=set)

    def write(self, bucket: str, key: str) -> None:
        """AWS puts an object there by itself."""
        self._written.add((BUCKET, bucket))
        if self.endpoint:
            self._ask("PUT", f"/{bucket}/{key}", b"")

    def hold_something(self, resource_type: str, name: str) -> bool:
        """Whether the bucket has an object or an old version of one, or the repository an image."""
        if not self.endpoint:
            return (resource_type, name) in self._written
        return bool(self._versions(name) if resource_type == BUCKET else self._images(name))

    def clear(self, resource_type: str, name: str) -> None:
        """As the provider does when it is forced."""
        self._written.discard((resource_type, name))
        if not self.endpoint:
            return
        if resource_type == BUCKET:
            for key, version in self._versions(name):
                self._ask("DELETE", f"/{name}/{urllib.parse.quote(key)}?versionId={version}")
        else:
            self._ask_ecr("BatchDeleteImage", repositoryName=name, imageIds=self._images(name))

    def _versions(self, bucket: str) -> list[tuple[str, str]]:
        listing = self._ask("GET", f"/{bucket}?versions")
        if not listing:
            return []
        space = "{http://s3.amazonaws.com/doc/2006-03-01/}"
        document = ET.fromstring(listing)  # noqa: S314 - moto's
        entries = [*document.findall(f"{space}Version"), *document.findall(f"{space}DeleteMarker")]
        return [(entry.findtext(f"{space}Key", ""), entry.findtext(f"{space}VersionId") or "null") for entry in entries]

    def _images(self, repository: str) -> list[dict[str, str]]:
        answer = self._ask_ecr("ListImages", repositoryName=repository)
        images: list[dict[str, str]] = json.loads(answer)["imageIds"] if answer else []
        return images

    def _ask_ecr(self, operation: str, **arguments: object) -> bytes:
        return self._ask(
            "POST",
            "/",
            json.dumps(arguments).encode(),
            {
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": f"AmazonEC2ContainerRegistry_V20150921.{operation}",
                **self._somebody("ecr"),
            },
        )

    def _somebody(self, service: str) -> dict[str, str]:
        """Moto takes service and region from here, and checks no signature; nobody may not write over an object."""
        return {"Authorization": f"AWS4-HMAC-SHA256 Credential=x/20260101/{self.region}/{service}/aws4_request"}

    def _ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
        """The answer; nothing when there is no such thing."""
        request = urllib.request.Request(f"{self.endpoint}{path}", body, headers or self._somebody("s3"), method=method)
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as response:
                answer: bytes = response.read()
                return answer
        except urllib.error.HTTPError as error:
            if error.code in (400, 404):
                return b""
            raise
