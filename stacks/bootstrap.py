"""What must exist before the streaming stack: a place for state, a place for images, a role for deploys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdktf import TerraformOutput

from constructs_lib.compute.image_repository import ImageRepository, ImageRepositoryProps
from constructs_lib.security.deploy_role import DeployRole, DeployRoleProps
from constructs_lib.security.plan_role import PlanRole, PlanRoleProps
from constructs_lib.storage.state_bucket import StateBucket, StateBucketProps
from stacks.environment_stack import EnvironmentStack

if TYPE_CHECKING:
    from constructs import Construct

    from config.environment import EnvironmentConfig


class BootstrapStack(EnvironmentStack):
    """State bucket, key, image repository and, on request, the deploy role of one environment."""

    def __init__(self, scope: Construct, config: EnvironmentConfig) -> None:
        super().__init__(scope, config.bootstrap_stack_name, config)
        state = StateBucket(
            self,
            "State",
            StateBucketProps(
                bucket_name=config.state_bucket_name,
                key_alias=config.state_key_alias,
                prevent_destroy=config.protection.deletion_protection,
            ),
        )
        images = ImageRepository(
            self,
            "Images",
            ImageRepositoryProps(name=config.repository_name, encryption_key=state.encryption.key),
        )
        TerraformOutput(self, "StateBucket", value=state.bucket.bucket, static_id=True)
        TerraformOutput(self, "RepositoryURL", value=images.repository.repository_url, static_id=True)
        if config.deploy is not None:
            role = DeployRole(
                self,
                "Deploy",
                DeployRoleProps(
                    name=f"live-commerce-deploy-{config.name}",
                    environment=config.name,
                    github_repository=config.deploy.github_repository,
                    create_oidc_provider=config.deploy.create_oidc_provider,
                    role_names=config.role_names,
                ),
            )
            TerraformOutput(self, "DeployRoleArn", value=role.role.arn, static_id=True)
            plan_role = PlanRole(
                self,
                "Plan",
                PlanRoleProps(
                    name=f"live-commerce-plan-{config.name}",
                    github_repository=config.deploy.github_repository,
                    oidc_provider_arn=role.oidc_provider_arn,
                    state_bucket_arn=state.bucket.arn,
                    state_key=state.encryption.key,
                ),
            )
            TerraformOutput(self, "PlanRoleArn", value=plan_role.role.arn, static_id=True)
