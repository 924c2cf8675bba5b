"""Where the stack can live: CloudFront reaches the playback balancer through a VPC origin, which not every zone has.

Source: CloudFront developer guide, "Restrict access with VPC origins", table of supported regions. A zone is known by
its AZ id there; which letter has that id differs between accounts in regions from before November 2012 (AWS regions and
availability zones, "AZ IDs"), so that a plan has to look. The same ids are those without Fargate (ECS developer guide,
"Supported Regions for Amazon ECS on AWS Fargate") in Tokyo and Northern California. "Using service-linked roles for
CloudFront" lists the regions, too.
"""

from __future__ import annotations

VPC_ORIGIN_REGIONS = frozenset(
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

ZONE_IDS_WITHOUT_VPC_ORIGINS = ("apne1-az3", "apne2-az1", "cac1-az3", "use1-az3", "usw1-az2")

# Region to letter to AZ id, where the letter alone tells: the region maps letters to ids alike in all accounts.
LETTERS_WITHOUT_VPC_ORIGINS = {"ap-northeast-2": {"a": "apne2-az1"}}

# The letters that a region's zones have, in any account (AWS regions and availability zones, as of 2026; an account
# may see fewer). Only where it is known for certain: a note about another letter must not be wrong.
ZONE_LETTERS = {
    "ap-northeast-1": "abcd",
    "ap-northeast-2": "abcd",
    "ap-northeast-3": "abc",
    "ap-south-1": "abc",
    "ap-southeast-1": "abc",
    "ap-southeast-2": "abc",
    "ca-central-1": "abd",
    "eu-central-1": "abc",
    "eu-north-1": "abc",
    "eu-west-1": "abc",
    "eu-west-2": "abc",
    "eu-west-3": "abc",
    "sa-east-1": "abc",
    "us-east-1": "abcdef",
    "us-east-2": "abc",
    "us-west-1": "abc",
    "us-west-2": "abcd",
}
