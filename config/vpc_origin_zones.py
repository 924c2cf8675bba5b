"""Where CloudFront VPC origins exist: the internal load balancer must stand in such a region, in such zones.

Source: CloudFront developer guide, "Restrict access with VPC origins" (Supported AWS Regions for VPC origins), and
"Using service-linked roles for CloudFront" (the same regions, for the role of VPC origins). The exceptions are AZ ids:
in older regions the letter of a zone says nothing, because each account has letters of its own.
"""

from __future__ import annotations

SUPPORTED_REGIONS = frozenset(
    [
        "af-south-1",
        "ap-east-1",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-south-2",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ca-central-1",
        "ca-west-1",
        "eu-central-1",
        "eu-central-2",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "il-central-1",
        "me-central-1",
        "me-south-1",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
    ]
)

UNSUPPORTED_ZONE_IDS: frozenset[str] = frozenset(["apne1-az3", "apne2-az1", "cac1-az3", "use1-az3", "usw1-az2"])
