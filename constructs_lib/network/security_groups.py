"""Who may talk to whom: ingest balancer, playback balancer, tasks.

Each rule is a resource of its own with a description, so that a plan names the rule that changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.data_aws_ec2_managed_prefix_list import DataAwsEc2ManagedPrefixList
from cdktf_cdktf_provider_aws.security_group import SecurityGroup
from cdktf_cdktf_provider_aws.vpc_security_group_egress_rule import VpcSecurityGroupEgressRule
from cdktf_cdktf_provider_aws.vpc_security_group_ingress_rule import VpcSecurityGroupIngressRule
from constructs import Construct

from constructs_lib.network.ports import HLS_PORT, HTTPS_PORT, RTMP_PORT, RTMPS_PORT
from constructs_lib.network.vpc import EVERYWHERE

if TYPE_CHECKING:
    from cdktf_cdktf_provider_aws.vpc import Vpc

# The addresses that CloudFront reaches origins from. It counts as 55 of a security group's 60 rules (VPC quotas), so
# the playback balancer's group can hold nothing else of size.
CLOUDFRONT_PREFIX_LIST = "com.amazonaws.global.cloudfront.origin-facing"


@dataclass(frozen=True, kw_only=True, slots=True)
class SecurityGroupsProps:
    name: str
    vpc: Vpc
    publisher_cidrs: tuple[str, ...]
    rtmps: bool
    backend_port: int


class SecurityGroups(Construct):
    """Defines the three groups and every rule between them."""

    def __init__(self, scope: Construct, id_: str, props: SecurityGroupsProps) -> None:
        super().__init__(scope, id_)
        self.ingest = self._group("Ingest", props, "Ingest load balancer: RTMP from publishers")
        self.playback = self._group("Playback", props, "Playback load balancer: HLS requests from CloudFront")
        self.task = self._group("Task", props, "RTMP tasks: reached through the load balancers and by each other")
        self.rules: list[VpcSecurityGroupIngressRule | VpcSecurityGroupEgressRule] = []
        self._ingest_rules(props)
        self._playback_rules()
        self._task_rules(props)

    def _ingest_rules(self, props: SecurityGroupsProps) -> None:
        ports = {"Rtmp": RTMP_PORT} | ({"Rtmps": RTMPS_PORT} if props.rtmps else {})
        for protocol, port in ports.items():
            for cidr in props.publisher_cidrs:
                # The network is the rule's name: reordering the list then changes nothing.
                network = "World" if cidr == EVERYWHERE else cidr.replace(".", "-").replace("/", "-")
                self._admit(
                    f"{protocol}From{network}",
                    to=self.ingest,
                    port=port,
                    description=f"{protocol.upper()} from publishers in {cidr}",
                    cidr_ipv4=cidr,
                )
        self._allow("IngestToTaskRtmp", of=self.ingest, port=RTMP_PORT, description="RTMP to tasks", peer=self.task)
        self._allow(
            "IngestToTaskHealth", of=self.ingest, port=HLS_PORT, description="Health checks of tasks", peer=self.task
        )

    def _playback_rules(self) -> None:
        cloudfront = DataAwsEc2ManagedPrefixList(self, "CloudfrontAddresses", name=CLOUDFRONT_PREFIX_LIST)
        self._admit(
            "HlsFromCloudfront",
            to=self.playback,
            port=HLS_PORT,
            description="HLS from CloudFront's VPC origin",
            prefix_list_id=cloudfront.id,
        )
        self._allow(
            "PlaybackToTask", of=self.playback, port=HLS_PORT, description="HLS and health to tasks", peer=self.task
        )

    def _task_rules(self, props: SecurityGroupsProps) -> None:
        self._admit(
            "TaskRtmp", to=self.task, port=RTMP_PORT, description="RTMP from the ingest balancer", peer=self.ingest
        )
        self._admit(
            "TaskHealth",
            to=self.task,
            port=HLS_PORT,
            description="Health checks from the ingest balancer",
            peer=self.ingest,
        )
        self._admit(
            "TaskHls", to=self.task, port=HLS_PORT, description="HLS from the playback balancer", peer=self.playback
        )
        self._admit(
            "TaskFromPeers", to=self.task, port=HLS_PORT, description="HLS for viewers on another task", peer=self.task
        )
        self._allow(
            "TaskToPeers", of=self.task, port=HLS_PORT, description="HLS from the task that has it", peer=self.task
        )
        self._allow(
            "TaskToHttps",
            of=self.task,
            port=HTTPS_PORT,
            description="AWS APIs and an HTTPS backend",
            cidr_ipv4=EVERYWHERE,
        )
        if props.backend_port != HTTPS_PORT:
            self._allow(
                "TaskToBackend",
                of=self.task,
                port=props.backend_port,
                description="The backend that knows the stream keys",
                cidr_ipv4=EVERYWHERE,
            )

    def _group(self, id_: str, props: SecurityGroupsProps, description: str) -> SecurityGroup:
        name = f"{props.name}-{id_.lower()}"
        return SecurityGroup(
            self,
            id_,
            name_prefix=f"{name}-",  # two generations have to exist side by side while one replaces the other
            description=description,
            vpc_id=props.vpc.id,
            tags={"Name": name},
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )

    def _admit(
        self,
        id_: str,
        *,
        to: SecurityGroup,
        port: int,
        description: str,
        peer: SecurityGroup | None = None,
        cidr_ipv4: str | None = None,
        prefix_list_id: str | None = None,
    ) -> None:
        rule = VpcSecurityGroupIngressRule(
            self,
            id_,
            security_group_id=to.id,
            description=description,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            referenced_security_group_id=peer.id if peer is not None else None,
            cidr_ipv4=cidr_ipv4,
            prefix_list_id=prefix_list_id,
        )
        self.rules.append(rule)

    def _allow(
        self,
        id_: str,
        *,
        of: SecurityGroup,
        port: int,
        description: str,
        peer: SecurityGroup | None = None,
        cidr_ipv4: str | None = None,
    ) -> None:
        rule = VpcSecurityGroupEgressRule(
            self,
            id_,
            security_group_id=of.id,
            description=description,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            referenced_security_group_id=peer.id if peer is not None else None,
            cidr_ipv4=cidr_ipv4,
        )
        self.rules.append(rule)
