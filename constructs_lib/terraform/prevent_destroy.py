"""What Terraform must not destroy by accident."""

from __future__ import annotations

from cdktf import TerraformResourceLifecycle


def prevent_destroy(when: bool) -> TerraformResourceLifecycle | None:  # noqa: FBT001 - the environment's own switch
    """Make Terraform refuse a plan that destroys or replaces the resource, where the environment says so.

    AWS's deletion protection alone refuses too late: by then a destroy has taken the service and the CDN down.
    """
    return TerraformResourceLifecycle(prevent_destroy=True) if when else None
