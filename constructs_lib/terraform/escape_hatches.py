"""Every `add_override` of the project, each with the feature that is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cdktf import TerraformResource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cdktf import S3Backend
    from constructs import Construct


def lock_state_in_s3(backend: S3Backend) -> None:
    """Lock with an object beside the state. cdktf 0.21 has no `use_lockfile` (hashicorp/terraform-cdk#3834).

    Terraform before 1.10 does not know the argument and refuses it, so no `required_version` is needed beside it
    (and checkov 3.3 cannot read a file that has one).
    """
    backend.add_override("use_lockfile", True)


def replace_with(resource: TerraformResource, cause: TerraformResource, attribute: str | None = None) -> None:
    """Replace `resource` when `cause` changes, or just that attribute of it.

    cdktf 0.21 writes each of `replace_triggered_by` as an expression, and Terraform wants plain references there.
    """
    reference = f"{cause.terraform_resource_type}.{cause.friendly_unique_id}"
    resource.add_override(
        "lifecycle.replace_triggered_by", [f"{reference}.{attribute}" if attribute is not None else reference]
    )


def define_terraform_data(scope: Construct, id_: str, content: Mapping[str, Any]) -> TerraformResource:
    """Define a `terraform_data`, which changes when its content does.

    cdktf 0.21 has a class for it that runs `terraform version` at each synthesis, which needs no Terraform otherwise.
    """
    data = TerraformResource(scope, id_, terraform_resource_type="terraform_data")
    data.add_override("input", dict(content))
    return data
