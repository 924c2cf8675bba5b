"""State bucket, image repository, deploy role, remote state."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from constructs_lib.compute.image_repository import lifecycle_policy

if TYPE_CHECKING:
    from tests.template import Template


def test_the_state_bucket_is_versioned_encrypted_private_and_tls_only(bootstrap: Template) -> None:
    """What a state must have: it holds every secret of the infrastructure."""
    assert bootstrap.one("aws_s3_bucket_versioning")["versioning_configuration"] == {"status": "Enabled"}
    rule = bootstrap.one("aws_s3_bucket_server_side_encryption_configuration")["rule"][0]
    encryption = rule["apply_server_side_encryption_by_default"]
    assert encryption == {
        "sse_algorithm": "aws:kms",
        "kms_master_key_id": bootstrap.reference("aws_kms_key", "State", "arn"),
    }
    block = bootstrap.one("aws_s3_bucket_public_access_block")
    assert all(value is True for key, value in block.items() if key not in ("bucket", "//"))
    deny = bootstrap.statements("State_Bucket_PolicyDocument")["TlsOnly"]
    assert (deny["effect"], deny["actions"]) == ("Deny", ["s3:*"])
    assert deny["condition"] == [{"test": "Bool", "values": ["false"], "variable": "aws:SecureTransport"}]
    ownership = bootstrap.one("aws_s3_bucket_ownership_controls")["rule"]
    assert ownership == {"object_ownership": "BucketOwnerEnforced"}


def test_old_states_can_be_had_back_for_a_year_and_the_current_one_never_expires(bootstrap: Template) -> None:
    """Lifecycle of versions, not of objects."""
    rule = bootstrap.one("aws_s3_bucket_lifecycle_configuration")["rule"][0]

    assert rule["noncurrent_version_expiration"][0]["noncurrent_days"] == 365
    assert "days" not in rule["expiration"][0]


def test_what_nobody_sees_does_not_stay(bootstrap: Template, prod: Template) -> None:
    """Each lock of the state leaves a mark of its deletion; objects that expire take theirs along, and S3 takes one."""
    for template, expiration in ((bootstrap, {"expired_object_delete_marker": True}), (prod, {"days": 365})):
        (rule,) = template.one("aws_s3_bucket_lifecycle_configuration")["rule"]
        assert rule["expiration"] == [expiration]
        assert rule["abort_incomplete_multipart_upload"] == [{"days_after_initiation": 7}]


def test_the_state_bucket_cannot_be_destroyed_where_deletion_protection_is_on(
    templates: dict[str, Template], bootstrap: Template
) -> None:
    """In prod Terraform itself refuses; in dev an empty bucket may go."""
    assert bootstrap.one("aws_s3_bucket")["lifecycle"] == {"prevent_destroy": True}
    assert "lifecycle" not in templates["LiveCommerceBootstrapStack-dev"].one("aws_s3_bucket")


def test_image_tags_never_move_and_images_are_scanned(bootstrap: Template) -> None:
    """A tag that is deployed stays what it was."""
    repository = bootstrap.one("aws_ecr_repository")

    assert repository["name"] == "live-commerce-rtmp-prod"
    assert repository["image_tag_mutability"] == "IMMUTABLE"
    assert repository["image_scanning_configuration"] == {"scan_on_push": True}
    assert repository["encryption_configuration"][0]["encryption_type"] == "KMS"


def test_old_images_go_and_enough_stay_to_roll_back_to() -> None:
    """Of each push an index, an image and its attestations; no rule takes the untagged ones from a tagged index."""
    (rule,) = json.loads(lifecycle_policy(kept_images=30))["rules"]

    assert rule["selection"] == {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 90}


def test_every_stack_has_a_state_of_its_own_in_its_environments_bucket(templates: dict[str, Template]) -> None:
    """Encrypted, locked, in one account; dev and prod never share a key."""
    places = set()
    for name, template in templates.items():
        backend = template.document["terraform"]["backend"]["s3"]
        account = template.document["provider"]["aws"][0]["allowed_account_ids"]
        environment = name.partition("-")[2]
        assert backend["encrypt"] is True
        assert backend["use_lockfile"] is True
        assert backend["kms_key_id"].endswith(f":alias/live-commerce-tfstate-{environment}")
        assert backend["allowed_account_ids"] == account
        assert f"-{environment}-" in backend["bucket"]
        places.add((backend["bucket"], backend["key"]))
    assert len(places) == len(templates)


def test_the_deploy_role_is_optional(bootstrap: Template) -> None:
    """Without a repository there is no role, no identity provider and no output."""
    assert not bootstrap.resources("aws_iam_role")
    assert not bootstrap.resources("aws_iam_openid_connect_provider")
    assert "DeployRoleArn" not in bootstrap.outputs()


def test_only_deployments_of_one_repository_into_this_environment_assume_the_role(
    everything_bootstrap: Template,
) -> None:
    """Neither a pull request nor another environment's job can."""
    trust = everything_bootstrap.statements("Deploy_Trust")["GithubDeploys"]

    assert trust["actions"] == ["sts:AssumeRoleWithWebIdentity"]
    conditions = {condition["variable"].split(":")[-1]: condition for condition in trust["condition"]}
    assert conditions["aud"]["values"] == ["sts.amazonaws.com"]
    assert conditions["sub"]["values"] == ["repo:example/live-commerce:environment:everything"]
    assert {condition["test"] for condition in trust["condition"]} == {"StringEquals"}


def test_a_deploy_can_change_the_stacks_own_roles_only(everything: Template, everything_bootstrap: Template) -> None:
    """It cannot give itself more: its own role is not among them."""
    statements = everything_bootstrap.statements("Deploy_Policy")
    arns = {f"arn:aws:iam::210987654321:role/{role['name']}" for role in everything.resources("aws_iam_role").values()}

    for sid in ("StackRoles", "PassStackRoles"):
        assert set(statements[sid]["resources"]) == arns
    assert not any(action.startswith("iam:") for action in statements["Stacks"]["actions"])


def test_pull_requests_and_main_of_one_repository_assume_the_role_that_plans(everything_bootstrap: Template) -> None:
    """Not a job of a GitHub environment, and no other branch."""
    trust = everything_bootstrap.statements("Plan_Trust")["GithubPlans"]

    conditions = {condition["variable"].split(":")[-1]: condition for condition in trust["condition"]}
    assert conditions["aud"]["values"] == ["sts.amazonaws.com"]
    repository = "repo:example/live-commerce"
    assert conditions["sub"]["values"] == [f"{repository}:pull_request", f"{repository}:ref:refs/heads/main"]
    assert {condition["test"] for condition in trust["condition"]} == {"StringEquals"}


def test_who_plans_changes_nothing_and_reads_no_secret(everything_bootstrap: Template) -> None:
    """Verbs that read; of what is in buckets the state alone."""
    statements = everything_bootstrap.statements("Plan_Policy")
    actions = {action for statement in statements.values() for action in statement["actions"]}
    verbs = ("Describe", "Get", "List")

    assert {action for action in actions if not action.split(":")[1].startswith(verbs)} == {"kms:Decrypt"}
    assert not any(action.startswith(("secretsmanager:", "ssm:", "sts:")) for action in actions)
    assert not {"s3:GetObject", "s3:Get*", "s3:*", "dynamodb:GetItem", "dynamodb:*"} & set(
        statements["Refresh"]["actions"]
    )
    bucket = everything_bootstrap.reference("aws_s3_bucket", "State", "arn")
    assert statements["ReadState"]["resources"] == [f"{bucket}/*"]
    assert statements["DecryptState"]["resources"] == [everything_bootstrap.reference("aws_kms_key", "State", "arn")]
