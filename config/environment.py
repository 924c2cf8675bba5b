"""`EnvironmentConfig`: the only source of names, tags, state keys and sizes. The sections are those of the TOML file.

Every section is frozen and refuses unknown keys. A rule over one key stands at its field; a rule over several keys
raises `cross_field`, which names the key that an operator would change.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from config.fargate import MEMORY_MIB_BY_CPU, allowed_memory
from config.subnets import ZONE_LETTERS, ZoneSubnets, plan_subnets, smallest_vpc_prefix
from config.zones import LETTERS_WITHOUT_VPC_ORIGINS, VPC_ORIGIN_REGIONS

# Load balancer names may have 32 characters (`rtmp-nlb-<name>`), S3 bucket names 63 (`state_bucket_name`).
NAME_PATTERN = r"[a-z][a-z0-9-]{0,10}[a-z0-9]"

# The regions with CloudFront Origin Shield; elsewhere the nearest one is used.
# Source: CloudFront developer guide, "Choosing the AWS Region for your Origin Shield".
ORIGIN_SHIELD_REGIONS = frozenset(
    [
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "eu-central-1",
        "eu-west-1",
        "eu-west-2",
        "me-central-1",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-2",
    ]
)
NEAREST_ORIGIN_SHIELD_REGION = {
    "af-south-1": "eu-west-1",
    "ap-east-1": "ap-southeast-1",
    "ap-northeast-3": "ap-northeast-1",
    "ap-southeast-3": "ap-southeast-1",
    "ca-central-1": "us-east-1",
    "eu-north-1": "eu-west-2",
    "eu-south-1": "eu-central-1",
    "eu-west-3": "eu-west-2",
    "me-south-1": "ap-south-1",
    "us-west-1": "us-west-2",
}

# Source: CloudWatch Logs API reference, PutRetentionPolicy.
LogRetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]
PriceClass = Literal["PriceClass_100", "PriceClass_200", "PriceClass_All"]

ECS_STOP_TIMEOUT_SECONDS = 120  # the most that Fargate gives a container to stop
MIN_PART_SECONDS = 0.2  # players grow unstable below it
# Inbound, and as many outbound. Source: Amazon VPC user guide, "Amazon VPC quotas".
RULES_PER_SECURITY_GROUP = 60


def cross_field(key: str, value: object, requirement: str) -> PydanticCustomError:
    """A mistake that shows only beside other keys: `key` (dotted, below the section) is the one to change."""
    return PydanticCustomError("cross_field", "{requirement}", {"key": key, "value": value, "requirement": requirement})


def _matching(pattern: str, what: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise PydanticCustomError("pattern", "must be {what}", {"what": what})
        return value

    return AfterValidator(check)


def _ipv4_network(value: str) -> str:
    """As AWS writes it: an address alone and a netmask in place of the prefix are networks, and refused there."""
    try:
        network = IPv4Network(value)
    except ValueError as error:
        raise PydanticCustomError(
            "cidr", "must be an IPv4 network like 10.20.0.0/16, with no host bits set ({why})", {"why": str(error)}
        ) from None
    if str(network) != value:
        raise PydanticCustomError("cidr", "must be written as {network}", {"network": str(network)})
    return value


def _apart(values: tuple[str, ...]) -> tuple[str, ...]:
    """A network inside another one admits nobody more, uses up a rule, and looks like a restriction."""
    networks = [IPv4Network(value) for value in values]
    for inner in networks:
        for outer in networks:
            if inner != outer and inner.subnet_of(outer):
                raise PydanticCustomError(
                    "overlap",
                    "must not lie inside one another: leave {inner} out, it is in {outer}",
                    {"inner": str(inner), "outer": str(outer)},
                )
    return values


def _vpc_network(value: str) -> str:
    prefix = IPv4Network(value).prefixlen
    if not 16 <= prefix <= smallest_vpc_prefix():
        raise PydanticCustomError(
            "vpc_cidr",
            "must have a prefix from /16 (the largest VPC) to /{smallest} (its sixteen subnets would be too small)",
            {"smallest": smallest_vpc_prefix()},
        )
    return value


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise PydanticCustomError("unique", "must not name anything twice", {})
    return values


def _without_a_user(value: str) -> str:
    if "@" in value.split("://", 1)[-1].split("/", 1)[0]:
        raise PydanticCustomError(
            "user", "must have no user or password in it: backend.token_secret_arn is for what nobody may read", {}
        )
    return value


def _with_a_port_that_exists(value: str) -> str:
    port = value.split("://", 1)[1].split("/", 1)[0].partition(":")[2]
    if port and not 1 <= int(port) <= 65535:
        raise PydanticCustomError("port", "must have a port from 1 to 65535, or none", {})
    return value


def _reachable_from_tasks(value: str) -> str:
    """A backend on the operator's own machine works in compose, and never in AWS."""
    host = value.split("://", 1)[1].split("/", 1)[0].partition(":")[0].lower().rstrip(".")
    here = host == "localhost" or host.endswith(".localhost")
    try:
        address = IPv4Address(host)
    except ValueError:
        pass
    else:
        here = address.is_loopback or address.is_unspecified or address.is_link_local
    if here:
        raise PydanticCustomError(
            "here",
            "must be an address that tasks in AWS can reach: {host} is the task itself (make live asks a backend here)",
            {"host": host},
        )
    return value


def _any_alone(values: tuple[str, ...]) -> tuple[str, ...]:
    if "*" in values and len(values) > 1:
        raise PydanticCustomError("any_alone", 'must be "*" alone (any), or leave it out to restrict', {})
    return values


AccountId = Annotated[str, _matching(r"\d{12}", "an AWS account id of twelve digits")]
Region = Annotated[str, _matching(r"[a-z]{2}(-[a-z]+)+-\d", "an AWS region like ap-northeast-2")]
HttpUrl = Annotated[
    str,
    AfterValidator(_without_a_user),
    _matching(
        r"https?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?",
        "an http:// or https:// URL, with no query",
    ),
    AfterValidator(_with_a_port_that_exists),
    AfterValidator(_reachable_from_tasks),
]
DomainName = Annotated[
    str, _matching(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", "a domain name like live.example.com")
]
CertificateArn = Annotated[
    str,
    _matching(
        r"arn:aws:acm:[a-z0-9-]+:\d{12}:certificate/[A-Za-z0-9-]+",
        "the ARN of an ACM certificate (arn:aws:acm:<region>:<account>:certificate/<id>)",
    ),
]
# What ECS takes as `valueFrom`: a secret, or its :<JSON key>:<version stage>:<version id>, each of which may be empty.
# Source: ECS developer guide, "Pass Secrets Manager secrets through Amazon ECS environment variables".
SecretArn = Annotated[
    str,
    _matching(
        r"arn:aws:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+(:[\w/+=.@-]*:[\w/+=.@-]*:[\w/+=.@-]*)?",
        "the ARN of a Secrets Manager secret (arn:aws:secretsmanager:<region>:<account>:secret:<name>), "
        "which :<JSON key>:<version stage>:<version id> may follow",
    ),
]
KmsKeyArn = Annotated[
    str,
    _matching(
        r"arn:aws:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+",
        "the ARN of a KMS key, not of an alias (arn:aws:kms:<region>:<account>:key/<id>)",
    ),
]
Ipv4Cidr = Annotated[str, AfterValidator(_ipv4_network)]
CorsOrigin = Annotated[
    str, _matching(r"\*|https?://(\*\.)?[A-Za-z0-9.-]+(:\d{1,5})?", "an origin like https://shop.example.com, or *")
]
HostedZoneId = Annotated[str, _matching(r"Z[A-Z0-9]{5,32}", "a Route53 hosted zone id like Z0123456789ABCDEFGHIJ")]
MailAddress = Annotated[str, _matching(r"[^@\s]+@[^@\s]+\.[^@\s]+", "a mail address")]
ImageTag = Annotated[
    str, _matching(r"(?!latest$)\w[\w.-]{0,127}", "an image tag other than latest (letters, digits, . _ -)")
]
ImageDigest = Annotated[str, _matching(r"sha256:[0-9a-f]{64}", "an image digest: sha256: and 64 hexadecimal digits")]
RenditionName = Annotated[str, _matching(r"[a-z0-9]{1,16}", "1 to 16 lower-case letters and digits, like 720p")]
GithubRepository = Annotated[str, _matching(r"[\w.-]+/[\w.-]+", "a GitHub repository as owner/name")]


class Section(BaseModel):
    """What all sections have in common: frozen, typed to the letter, no unknown key."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Aws(Section):
    """Where the environment lives."""

    account: AccountId
    region: Region


class Network(Section):
    """The VPC."""

    vpc_cidr: Annotated[Ipv4Cidr, AfterValidator(_vpc_network)]
    # letters: the region is put in front
    availability_zones: Annotated[
        tuple[Annotated[str, _matching(f"[{ZONE_LETTERS}]", "the letter of a zone (a to h)")], ...],
        Field(min_length=2, max_length=6, strict=False),  # load balancers want two zones; TOML has no tuples
        AfterValidator(_unique),
    ]
    nat_gateways: Annotated[int, Field(ge=1)]  # tasks pull images and ask the backend through one

    @model_validator(mode="after")
    def _no_more_nat_gateways_than_zones(self) -> Self:
        if self.nat_gateways > len(self.availability_zones):
            raise cross_field(
                "nat_gateways",
                self.nat_gateways,
                f"must be at most the number of availability zones ({len(self.availability_zones)})",
            )
        return self


class Task(Section):
    """One ECS task on Fargate, and the image that it runs."""

    cpu: Literal[256, 512, 1024, 2048, 4096, 8192, 16384]  # 1024 = one vCPU
    memory_mib: int
    architecture: Literal["ARM64", "X86_64"]
    max_streams: Annotated[int, Field(ge=1, le=100)]  # a broadcast that has to be encoded counts twice
    image_tag: ImageTag | None = None
    image_digest: ImageDigest | None = None
    ecs_exec: bool = False

    @model_validator(mode="after")
    def _size_exists_on_fargate(self) -> Self:
        if self.memory_mib not in MEMORY_MIB_BY_CPU[self.cpu]:
            raise cross_field(
                "memory_mib", self.memory_mib, f"must be {allowed_memory(self.cpu)} with cpu = {self.cpu} on Fargate"
            )
        return self

    @model_validator(mode="after")
    def _one_image(self) -> Self:
        if self.image_tag is None and self.image_digest is None:
            raise cross_field("image_tag", None, "must be set, or image_digest (just one of the two) to name the image")
        if self.image_tag is not None and self.image_digest is not None:
            raise cross_field("image_tag", self.image_tag, "and image_digest are both set: remove one of them")
        return self


class Scaling(Section):
    """How many tasks run."""

    min_tasks: Annotated[int, Field(ge=1)]
    desired_tasks: Annotated[int, Field(ge=1)]
    max_tasks: Annotated[int, Field(ge=1, le=1000)]
    cpu_target_percent: Annotated[int, Field(ge=10, le=90)] = 60
    streams_per_task_target: Annotated[float, Field(gt=0)]  # in the units of task.max_streams
    scale_in_cooldown_seconds: Annotated[int, Field(ge=0, le=3600)] = 120
    scale_out_cooldown_seconds: Annotated[int, Field(ge=0, le=3600)] = 60

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_tasks > self.max_tasks:
            raise cross_field("min_tasks", self.min_tasks, f"must be at most max_tasks ({self.max_tasks})")
        if not self.min_tasks <= self.desired_tasks <= self.max_tasks:
            raise cross_field(
                "desired_tasks",
                self.desired_tasks,
                f"must be between min_tasks and max_tasks ({self.min_tasks}..{self.max_tasks})",
            )
        return self


class Backend(Section):
    """Who knows the stream keys."""

    url: HttpUrl
    token_secret_arn: SecretArn | None = None  # sent as a bearer token with each question
    token_secret_kms_key_arn: KmsKeyArn | None = None  # None: Secrets Manager's own key encrypts it

    @model_validator(mode="after")
    def _key_of_a_secret(self) -> Self:
        if self.token_secret_kms_key_arn is not None and self.token_secret_arn is None:
            raise cross_field(
                "token_secret_arn", None, "must be set with token_secret_kms_key_arn, the key of its secret"
            )
        return self

    @property
    def port(self) -> int:
        """The TCP port that tasks must reach."""
        scheme, _, rest = self.url.partition("://")
        _, colon, port = rest.split("/", 1)[0].partition(":")
        if colon:
            return int(port)
        return 443 if scheme == "https" else 80

    @model_validator(mode="after")
    def _token_is_sent_over_tls(self) -> Self:
        if self.token_secret_arn is not None and self.url.startswith("http://"):
            raise cross_field(
                "url", self.url, "must be https:// with token_secret_arn: everybody on the way would read the token"
            )
        return self


class Ingest(Section):
    """Where streamers publish: the network load balancer."""

    publisher_cidrs: Annotated[
        tuple[Ipv4Cidr, ...],
        Field(min_length=1, max_length=RULES_PER_SECURITY_GROUP, strict=False),
        AfterValidator(_unique),
        AfterValidator(_apart),
    ]
    certificate_arn: CertificateArn | None = None  # in the environment's region; turns RTMPS on
    domain_name: DomainName | None = None

    @model_validator(mode="after")
    def _rules_fit_one_security_group(self) -> Self:
        """RTMP and RTMPS have a rule each for each network. A prefix list would count with all its entries as well."""
        most = RULES_PER_SECURITY_GROUP if self.certificate_arn is None else RULES_PER_SECURITY_GROUP // 2
        if len(self.publisher_cidrs) > most:
            raise cross_field(
                "publisher_cidrs",
                f"{len(self.publisher_cidrs)} networks",
                f"must have at most {most} entries with certificate_arn set: each takes a rule for RTMP and one for "
                f"RTMPS, and AWS gives a security group {RULES_PER_SECURITY_GROUP}; merge networks",
            )
        return self

    @model_validator(mode="after")
    def _rtmps_has_a_name(self) -> Self:
        if self.certificate_arn is not None and self.domain_name is None:
            raise cross_field("domain_name", None, "must be set with certificate_arn, to the name in the certificate")
        return self


class Viewer(Section):
    """Where viewers watch: CloudFront."""

    price_class: PriceClass
    cors_origins: Annotated[
        tuple[CorsOrigin, ...],
        Field(min_length=1, max_length=100, strict=False),
        AfterValidator(_unique),
        AfterValidator(_any_alone),
    ]
    certificate_arn: CertificateArn | None = None  # in us-east-1
    domain_name: DomainName | None = None
    waf: bool = False
    waf_requests_per_ip: Annotated[int, Field(ge=1000, le=2_000_000_000)] = 100_000  # in five minutes

    @model_validator(mode="after")
    def _certificate_and_name(self) -> Self:
        if self.certificate_arn is not None and self.certificate_arn.split(":")[3] != "us-east-1":
            raise cross_field(
                "certificate_arn",
                self.certificate_arn,
                "must be in us-east-1: CloudFront takes certificates from there",
            )
        if self.domain_name is not None and self.certificate_arn is None:
            raise cross_field("certificate_arn", None, "must be set with domain_name, to a certificate for that name")
        return self


class Dns(Section):
    """The Route53 zone for `ingest.domain_name` and `viewer.domain_name`."""

    hosted_zone_id: HostedZoneId
    hosted_zone_name: DomainName


class Rendition(Section):
    """One rung of the ladder."""

    name: RenditionName
    height: Annotated[int, Field(ge=144, le=2160, multiple_of=2)]  # pixels, of a landscape picture
    video_kbps: Annotated[int, Field(ge=100, le=20_000)]
    audio_kbps: Annotated[int, Field(ge=32, le=320)]


class Hls(Section):
    """HLS timings and the rendition ladder, highest first."""

    segment_seconds: Annotated[float, Field(ge=1, le=6)]
    part_seconds: Annotated[float, Field(ge=MIN_PART_SECONDS, le=1)]
    playlist_segments: Annotated[int, Field(ge=4, le=60)]
    renditions: Annotated[tuple[Rendition, ...], Field(min_length=1, max_length=6, strict=False)]

    @model_validator(mode="after")
    def _parts_fit_and_ladder_descends(self) -> Self:
        if self.part_seconds * 2 > self.segment_seconds:
            raise cross_field(
                "part_seconds", self.part_seconds, f"must be at most half of segment_seconds ({self.segment_seconds})"
            )
        names = [rendition.name for rendition in self.renditions]
        if len(set(names)) != len(names):
            raise cross_field("renditions", names, "must have different names")
        for upper, lower in zip(self.renditions, self.renditions[1:], strict=False):
            if lower.height >= upper.height or lower.video_kbps >= upper.video_kbps:
                raise cross_field(
                    "renditions",
                    f"{upper.name}, {lower.name}",
                    "must be listed highest first, falling in both height and video_kbps",
                )
        return self


class Observability(Section):
    """Logs and alarms."""

    log_retention_days: LogRetentionDays
    access_logs: bool = False
    alarm_email: MailAddress | None = None


class Protection(Section):
    """What may not be deleted by accident."""

    deletion_protection: bool


class Deploy(Section):
    """Who deploys from GitHub: gives the bootstrap stack an OIDC role."""

    github_repository: GithubRepository
    create_oidc_provider: bool = True  # false when the account has one already (there can be just one)


class EnvironmentConfig(Section):
    """One environment, checked."""

    name: Annotated[str, _matching(NAME_PATTERN, "2 to 12 lower-case letters, digits and -, starting with a letter")]
    aws: Aws
    network: Network
    task: Task
    scaling: Scaling
    backend: Backend
    ingest: Ingest
    viewer: Viewer
    hls: Hls
    observability: Observability
    protection: Protection
    dns: Dns | None = None
    deploy: Deploy | None = None

    @model_validator(mode="after")
    def _tasks_scale_out_before_they_are_full(self) -> Self:
        if self.scaling.streams_per_task_target >= self.task.max_streams:
            raise cross_field(
                "scaling.streams_per_task_target",
                self.scaling.streams_per_task_target,
                f"must be below task.max_streams ({self.task.max_streams}): tasks are added before all are full",
            )
        return self

    @model_validator(mode="after")
    def _regional_arns_are_in_the_region(self) -> Self:
        regional = {
            "ingest.certificate_arn": self.ingest.certificate_arn,
            "backend.token_secret_arn": self.backend.token_secret_arn,
            "backend.token_secret_kms_key_arn": self.backend.token_secret_kms_key_arn,
        }
        for key, arn in regional.items():
            if arn is not None and arn.split(":")[3] != self.aws.region:
                raise cross_field(key, arn, f"must be in the environment's region ({self.aws.region})")
        return self

    @model_validator(mode="after")
    def _secret_of_another_account_has_its_own_key(self) -> Self:
        secret = self.backend.token_secret_arn
        if (
            secret is None
            or secret.split(":")[4] == self.aws.account
            or self.backend.token_secret_kms_key_arn is not None
        ):
            return self
        raise cross_field(
            "backend.token_secret_kms_key_arn",
            None,
            f"must be set: the secret is in account {secret.split(':')[4]}, and no other account can read what Secrets "
            "Manager's own key encrypts",
        )

    @model_validator(mode="after")
    def _vpc_origins_exist(self) -> Self:
        region = self.aws.region
        if region not in VPC_ORIGIN_REGIONS:
            known = ", ".join(sorted(VPC_ORIGIN_REGIONS))
            raise cross_field("aws.region", region, f"must be a region with CloudFront VPC origins ({known})")
        for letter, zone_id in LETTERS_WITHOUT_VPC_ORIGINS.get(region, {}).items():
            if letter in self.network.availability_zones:
                raise cross_field(
                    "network.availability_zones",
                    self.network.availability_zones,
                    f"must not have {letter}: zone {region}{letter} is {zone_id}, where CloudFront has no VPC origins",
                )
        return self

    @model_validator(mode="after")
    def _origin_shield_is_known(self) -> Self:
        if self.aws.region not in ORIGIN_SHIELD_REGIONS | NEAREST_ORIGIN_SHIELD_REGION.keys():
            known = ", ".join(sorted(ORIGIN_SHIELD_REGIONS | NEAREST_ORIGIN_SHIELD_REGION.keys()))
            raise cross_field(
                "aws.region",
                self.aws.region,
                f"must be a region near which CloudFront can gather viewers' requests ({known})",
            )
        return self

    @model_validator(mode="after")
    def _names_are_in_the_zone(self) -> Self:
        if self.dns is None:
            return self
        named = {"ingest.domain_name": self.ingest.domain_name, "viewer.domain_name": self.viewer.domain_name}
        for key, domain in named.items():
            zone = self.dns.hosted_zone_name
            if domain is not None and domain != zone and not domain.endswith(f".{zone}"):
                raise cross_field(key, domain, f"must be in the zone dns.hosted_zone_name ({zone})")
        if not any(named.values()):
            raise cross_field(
                "dns.hosted_zone_id",
                self.dns.hosted_zone_id,
                "must stand beside ingest.domain_name or viewer.domain_name: there is nothing to put into the zone",
            )
        return self

    # Names. Those of DESIGN section 4 are contracts: changing one is a breaking change.

    @property
    def bootstrap_stack_name(self) -> str:
        """Id of the CDKTF stack with state bucket, key, image repository and deploy role."""
        return f"LiveCommerceBootstrapStack-{self.name}"

    @property
    def streaming_stack_name(self) -> str:
        """Id of the CDKTF stack with all the rest."""
        return f"LiveCommerceStreamingStack-{self.name}"

    @property
    def cluster_name(self) -> str:
        """Name of the ECS cluster, and of the dashboard."""
        return f"live-commerce-streaming-{self.name}"

    @property
    def service_name(self) -> str:
        """Name of the ECS service."""
        return f"live-commerce-rtmp-{self.name}"

    @property
    def repository_name(self) -> str:
        """Name of the ECR repository."""
        return f"live-commerce-rtmp-{self.name}"

    @property
    def ingest_load_balancer_name(self) -> str:
        """Name of the network load balancer."""
        return f"rtmp-nlb-{self.name}"

    @property
    def playback_load_balancer_name(self) -> str:
        """Name of the application load balancer."""
        return f"hls-alb-{self.name}"

    @property
    def role_names(self) -> tuple[str, ...]:
        """Names of the roles that the streaming stack makes."""
        return (f"{self.service_name}-task", f"{self.service_name}-execution", self.flow_log_role_name)

    @property
    def flow_log_role_name(self) -> str:
        """Name of the role that writes the VPC's flow log."""
        return f"live-commerce-flow-log-{self.name}"

    @property
    def access_log_bucket_name(self) -> str:
        """Name of the bucket for access logs."""
        return f"live-commerce-logs-{self.name}-{self.aws.account}-{self.aws.region}"

    @property
    def leases_table_name(self) -> str:
        """Name of the DynamoDB table that says which task has which stream."""
        return f"live-commerce-leases-{self.name}"

    @property
    def log_group_name(self) -> str:
        """Name of the containers' log group."""
        return f"/ecs/{self.service_name}"

    @property
    def insights_log_group_name(self) -> str:
        """Name of the log group that Container Insights writes to: AWS's choice, in which the cluster's name stands."""
        return f"/aws/ecs/containerinsights/{self.cluster_name}/performance"

    @property
    def state_bucket_name(self) -> str:
        """Name of the environment's state bucket: derivable, so that no stack needs a reference to it."""
        return f"live-commerce-tfstate-{self.name}-{self.aws.account}-{self.aws.region}"

    @property
    def state_key_alias(self) -> str:
        """Alias of the KMS key that encrypts the state."""
        return f"alias/live-commerce-tfstate-{self.name}"

    @property
    def repository_url(self) -> str:
        """Address of the ECR repository, without tag."""
        return f"{self.aws.account}.dkr.ecr.{self.aws.region}.amazonaws.com/{self.repository_name}"

    @property
    def image(self) -> str:
        """The image that tasks run."""
        if self.task.image_digest is not None:
            return f"{self.repository_url}@{self.task.image_digest}"
        return f"{self.repository_url}:{self.task.image_tag}"

    @property
    def tags(self) -> dict[str, str]:
        """The tags of every resource."""
        return {"Project": "live-commerce-streaming", "Environment": self.name, "ManagedBy": "cdktf"}

    @property
    def availability_zone_names(self) -> dict[str, str]:
        """Zone letter to zone name."""
        return {letter: f"{self.aws.region}{letter}" for letter in self.network.availability_zones}

    @property
    def subnets(self) -> tuple[ZoneSubnets, ...]:
        """The subnets of each zone."""
        return plan_subnets(self.network.vpc_cidr, self.network.availability_zones)

    @property
    def origin_shield_region(self) -> str:
        """The region of CloudFront's Origin Shield: this one, or the nearest that has it."""
        return NEAREST_ORIGIN_SHIELD_REGION.get(self.aws.region, self.aws.region)

    def state_key(self, stack_name: str) -> str:
        """Where a stack's state lies in the state bucket."""
        return f"{stack_name}/terraform.tfstate"
