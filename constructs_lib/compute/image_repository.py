"""Where the container image lies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf_cdktf_provider_aws.ecr_lifecycle_policy import EcrLifecyclePolicy
from cdktf_cdktf_provider_aws.ecr_repository import (
    EcrRepository,
    EcrRepositoryEncryptionConfiguration,
    EcrRepositoryImageScanningConfiguration,
)
from constructs import Construct

if TYPE_CHECKING:
    from cdktf_cdktf_provider_aws.kms_key import KmsKey

ENTRIES_OF_A_PUSH = 3  # docs/adr/0021


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageRepositoryProps:
    name: str
    encryption_key: KmsKey
    kept_images: int = 30


class ImageRepository(Construct):
    """Defines an ECR repository whose tags never move and whose images are scanned when pushed."""

    def __init__(self, scope: Construct, id_: str, props: ImageRepositoryProps) -> None:
        super().__init__(scope, id_)
        self.repository = EcrRepository(
            self,
            "Resource",
            name=props.name,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=EcrRepositoryImageScanningConfiguration(scan_on_push=True),
            encryption_configuration=[
                EcrRepositoryEncryptionConfiguration(encryption_type="KMS", kms_key=props.encryption_key.arn)
            ],
        )
        EcrLifecyclePolicy(
            self,
            "Lifecycle",
            repository=self.repository.name,
            policy=lifecycle_policy(kept_images=props.kept_images),
        )


def lifecycle_policy(*, kept_images: int) -> str:
    """Return ECR's lifecycle rules as JSON (ECR user guide, "Lifecycle policy properties").

    A push is three entries: an index, and untagged in it the image and its attestations. A rule about untagged ones
    would rest on ECR sparing what an index names; by count, the entries of a push go together.
    """
    rules = [
        {
            "rulePriority": 1,
            "description": f"the newest {kept_images} pushes stay, to roll back to",
            "selection": {
                "tagStatus": "any",
                "countType": "imageCountMoreThan",
                "countNumber": kept_images * ENTRIES_OF_A_PUSH,
            },
            "action": {"type": "expire"},
        },
    ]
    return json.dumps({"rules": rules}, sort_keys=True)
