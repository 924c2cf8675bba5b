"""Environment files: what is accepted, and the one line that each mistake gets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from config.errors import ConfigurationError
from config.loader import load_environment, load_environments
from tests.shipped import ENVIRONMENTS, EVERYTHING, everything_config, shipped_configs

if TYPE_CHECKING:
    from pathlib import Path

    from config.environment import EnvironmentConfig

DEV = (ENVIRONMENTS / "dev.toml").read_text()
ACCOUNT = "210987654321"


def load(tmp_path: Path, text: str, name: str = "dev", env: dict[str, str] | None = None) -> EnvironmentConfig:
    path = tmp_path / "environments" / f"{name}.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return load_environment(path, env or {}).config


def edited(old: str, new: str, text: str = DEV) -> str:
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the file"
    return text.replace(old, new)


def test_shipped_environments_load_without_a_dotenv_file() -> None:
    """Dev and prod are complete: no variable is needed to synthesize them."""
    assert [config.name for config in shipped_configs()] == ["dev", "prod"]
    assert {config.aws.account for config in shipped_configs()} == {"123456789012"}


def test_every_option_can_be_set() -> None:
    """The file with everything on uses every key of every section."""
    config = everything_config()

    unset = [
        f"{section}.{key}"
        for section, model in config
        if hasattr(model, "model_fields_set")
        for key in type(model).model_fields
        if key not in model.model_fields_set
    ]
    assert unset == ["task.image_tag"]  # image_digest stands in its place


def test_placeholders_are_named(tmp_path: Path) -> None:
    """Whoever runs without `.env` hears which values are made up."""
    path = tmp_path / "dev.toml"
    path.write_text(DEV)

    loaded = load_environment(path, {})

    assert loaded.placeholders == (
        "CDK_DEFAULT_ACCOUNT=123456789012",
        "CDK_DEFAULT_REGION=ap-northeast-2",
        "BACKEND_URL=https://api-dev.example.com",
    )


def test_variables_fill_what_the_file_leaves_out(tmp_path: Path) -> None:
    """`.env` works with the keys that operators have today."""
    env = {
        "CDK_DEFAULT_ACCOUNT": ACCOUNT,
        "CDK_DEFAULT_REGION": "eu-west-1",
        "BACKEND_URL": "https://api.dev.shop.example",
        "CERTIFICATE_ARN_DEV": f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/abc",
        "BACKEND_URL_PROD": "https://api.shop.example",
        "CERTIFICATE_ARN_PROD": f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/def",
    }

    dev = load(tmp_path, DEV, env=env)
    prod = load(tmp_path, DEV, name="prod", env=env)

    assert (dev.aws.account, dev.aws.region) == (ACCOUNT, "eu-west-1")
    assert (dev.backend.url, prod.backend.url) == ("https://api.dev.shop.example", "https://api.shop.example")
    assert dev.viewer.certificate_arn == env["CERTIFICATE_ARN_DEV"]
    assert prod.viewer.certificate_arn == env["CERTIFICATE_ARN_PROD"]


def test_the_development_backend_is_no_fallback_for_others(tmp_path: Path) -> None:
    """BACKEND_URL is dev's alone: production must never ask the development backend about keys."""
    prod = load(tmp_path, DEV, name="prod", env={"BACKEND_URL": "https://api.dev.shop.example"})

    assert prod.backend.url == "https://api-prod.example.com"


def test_the_file_wins_over_variables(tmp_path: Path) -> None:
    """What was reviewed in git is not overridden from somebody's shell."""
    text = DEV + f'\n[aws]\naccount = "{ACCOUNT}"\n'

    config = load(tmp_path, text, env={"CDK_DEFAULT_ACCOUNT": "111111111111"})

    assert config.aws.account == ACCOUNT


def test_a_third_environment_is_a_third_file(tmp_path: Path) -> None:
    """Names derive from the file's name and nothing else."""
    config = load(tmp_path, DEV, name="staging")

    assert config.streaming_stack_name == "LiveCommerceStreamingStack-staging"
    assert config.state_bucket_name == "live-commerce-tfstate-staging-123456789012-ap-northeast-2"
    assert config.image.startswith("123456789012.dkr.ecr.ap-northeast-2.amazonaws.com/live-commerce-rtmp-staging:")


def test_physical_names_fit_their_limits_for_the_longest_name(tmp_path: Path) -> None:
    """Load balancer names have at most 32 characters, bucket names 63, also in the longest region's name."""
    config = load(
        tmp_path, DEV, name="abcdefghijkl", env={"CDK_DEFAULT_REGION": "ap-southeast-2", "CDK_DEFAULT_ACCOUNT": ACCOUNT}
    )

    assert len(config.ingest_load_balancer_name) <= 32
    assert len(config.playback_load_balancer_name) <= 32
    assert len(config.state_bucket_name) <= 63
    assert len(config.access_log_bucket_name) <= 63


RTMPS = f'certificate_arn = "arn:aws:acm:ap-northeast-2:{ACCOUNT}:certificate/a"\ndomain_name = "in.example.com"\n'
STORED = "arn:aws:secretsmanager:ap-northeast-2:123456789012:secret:streaming/token-AbCdEf"
KEY = "arn:aws:kms:ap-northeast-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def publishers(cidrs: str, more: str = "") -> str:
    return edited('publisher_cidrs = ["0.0.0.0/0"]', f"publisher_cidrs = [{cidrs}]\n{more}")


def networks(count: int) -> str:
    return ", ".join(f'"10.0.{number}.0/24"' for number in range(count))


def backend(secret: str, key: str = "") -> str:
    encrypted = f'token_secret_kms_key_arn = "{key}"\n' if key else ""
    return DEV + f'\n[backend]\ntoken_secret_arn = "{secret}"\n{encrypted}'


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(publishers(networks(60)), id="as many publishers as a security group has rules"),
        pytest.param(publishers(networks(30), RTMPS), id="as many with RTMPS"),
        pytest.param(publishers('"203.0.112.0/24", "203.0.113.0/24"'), id="publishers side by side"),
        pytest.param(edited('["b", "c"]', '["b", "c", "d"]'), id="every zone of Seoul but one"),
        pytest.param(DEV.replace('["b", "c"]', '["a", "b"]') + '\n[aws]\nregion = "eu-west-3"\n', id="a elsewhere"),
        pytest.param(backend(STORED, KEY), id="secret with a key of ours"),
        pytest.param(backend(f"{STORED}:token::"), id="secret with a JSON key"),
        pytest.param(backend(f"{STORED}::AWSCURRENT:"), id="secret with a version stage"),
        pytest.param(backend(STORED.replace("123456789012", ACCOUNT), KEY), id="secret of another account"),
    ],
)
def test_what_aws_takes_is_taken(tmp_path: Path, text: str) -> None:
    """Each of these is a step away from a mistake in the list below."""
    assert load(tmp_path, text).name == "dev"


# (what, text of dev.toml, the one line without the file's name)
MISTAKES = [
    (
        "unknown key",
        edited("memory_mib", "memroy_mib"),
        (
            "task.memroy_mib = 4096: unknown key; did you mean memory_mib? allowed here: cpu, memory_mib, "
            "architecture, max_streams, image_tag, image_digest, ecs_exec"
        ),
    ),
    (
        "unknown section",
        DEV + "\n[networks]\n",
        (
            "networks = {}: unknown key; did you mean network? allowed here: aws, network, task, scaling, backend, "
            "ingest, viewer, hls, observability, protection, dns, deploy"
        ),
    ),
    ("text for a number", edited("cpu = 2048", 'cpu = "2048"'), 'task.cpu = "2048": must be one of 256, 512, '),
    ("text for a whole number", edited("max_streams = 3", 'max_streams = "3"'), "must be a whole number"),
    ("number for true or false", edited("ecs_exec = true", "ecs_exec = 1"), "task.ecs_exec = 1: must be true or false"),
    ("number for text", edited('image_tag = "0.1.0"', "image_tag = 1"), "task.image_tag = 1: must be a text in quotes"),
    ("text for a list", edited('["*"]', '"*"'), 'viewer.cors_origins = "*": must be a list in brackets'),
    (
        "section for a value",
        "network = 1\n" + DEV.replace("[network]", "[dns]"),
        "network = 1: must be a table of keys",
    ),
    ("missing key", edited("nat_gateways = 1\n", ""), "network.nat_gateways is not set: must be set"),
    (
        "VPC too small for its subnets",
        edited("10.20.0.0/16", "10.20.0.0/24"),
        'network.vpc_cidr = "10.20.0.0/24": must have a prefix from /16',
    ),
    ("VPC larger than AWS allows", edited("10.20.0.0/16", "10.0.0.0/8"), "must have a prefix from /16"),
    ("host bits in a network", edited("10.20.0.0/16", "10.20.0.1/16"), "must be an IPv4 network like 10.20.0.0/16"),
    ("no network at all", edited("10.20.0.0/16", "anywhere"), "must be an IPv4 network like 10.20.0.0/16"),
    ("one zone", edited('["b", "c"]', '["b"]'), "must have at least 2 entries"),
    ("zone with its region", edited('["b", "c"]', '["ap-northeast-2b", "c"]'), "must be the letter of a zone (a to h)"),
    ("zone twice", edited('["b", "c"]', '["b", "b"]'), "must not name anything twice"),
    ("no NAT gateway", edited("nat_gateways = 1", "nat_gateways = 0"), "network.nat_gateways = 0: must be at least 1"),
    (
        "more NAT gateways than zones",
        edited("nat_gateways = 1", "nat_gateways = 3"),
        "network.nat_gateways = 3: must be at most the number of availability zones (2)",
    ),
    ("cpu that Fargate lacks", edited("cpu = 2048", "cpu = 3000"), "task.cpu = 3000: must be one of 256, 512, 1024"),
    (
        "memory that does not go with the cpu",
        edited("memory_mib = 4096", "memory_mib = 3072"),
        "task.memory_mib = 3072: must be 4096 to 16384 in steps of 1024 with cpu = 2048 on Fargate",
    ),
    (
        "a task that takes nothing",
        edited("max_streams = 3", "max_streams = 0"),
        "task.max_streams = 0: must be at least 1",
    ),
    (
        "unknown architecture",
        edited('"ARM64"', '"arm64"'),
        "task.architecture = \"arm64\": must be one of 'ARM64', 'X86_64'",
    ),
    ("tag latest", edited('"0.1.0"', '"latest"'), 'task.image_tag = "latest": must be an image tag other than latest'),
    (
        "tag and digest",
        edited('image_tag = "0.1.0"', f'image_tag = "0.1.0"\nimage_digest = "sha256:{"0" * 64}"'),
        'task.image_tag = "0.1.0": and image_digest are both set: remove one of them',
    ),
    ("no image", edited('image_tag = "0.1.0"', ""), "task.image_tag is not set: must be set, or image_digest"),
    ("short digest", edited('image_tag = "0.1.0"', 'image_digest = "sha256:abc"'), "must be an image digest: sha256:"),
    (
        "desired outside min and max",
        edited("desired_tasks = 1", "desired_tasks = 6"),
        "scaling.desired_tasks = 6: must be between min_tasks and max_tasks (1..2)",
    ),
    ("min above max", edited("min_tasks = 1", "min_tasks = 3"), "scaling.min_tasks = 3: must be at most max_tasks (2)"),
    ("no task", edited("min_tasks = 1", "min_tasks = 0"), "scaling.min_tasks = 0: must be at least 1"),
    (
        "CPU target beyond reach",
        edited("cpu_target_percent = 60", "cpu_target_percent = 100"),
        "scaling.cpu_target_percent = 100: must be at most 90",
    ),
    ("negative cooldown", edited("cooldown_seconds = 120", "cooldown_seconds = -1"), "must be at least 0"),
    (
        "tasks full before more are added",
        edited("streams_per_task_target = 2.0", "streams_per_task_target = 3.0"),
        "scaling.streams_per_task_target = 3.0: must be below task.max_streams (3)",
    ),
    (
        "target of nothing",
        edited("streams_per_task_target = 2.0", "streams_per_task_target = 0.0"),
        "scaling.streams_per_task_target = 0.0: must be more than 0",
    ),
    (
        "unknown price class",
        edited("PriceClass_200", "PriceClass_300"),
        "'PriceClass_100', 'PriceClass_200', 'PriceClass_All'",
    ),
    ("CORS origin with a path", edited('["*"]', '["https://a.example/shop"]'), "viewer.cors_origins[0] = "),
    ("no publisher", edited('["0.0.0.0/0"]', "[]"), "ingest.publisher_cidrs = []: must have at least 1 entries"),
    (
        "retention that CloudWatch lacks",
        edited("log_retention_days = 30", "log_retention_days = 31"),
        "observability.log_retention_days = 31: must be one of 1, 3, 5, 7, 14, 30",
    ),
    (
        "viewer certificate outside us-east-1",
        edited("waf = false", f'certificate_arn = "arn:aws:acm:ap-northeast-2:{ACCOUNT}:certificate/a"'),
        "must be in us-east-1: CloudFront takes certificates from there",
    ),
    (
        "ingest certificate outside the region",
        edited(
            "[viewer]",
            f'certificate_arn = "arn:aws:acm:us-east-1:{ACCOUNT}:certificate/a"\n'
            'domain_name = "in.example.com"\n[viewer]',
        ),
        "must be in the environment's region (ap-northeast-2)",
    ),
    (
        "certificate that is no ARN",
        edited("waf = false", 'certificate_arn = "mine"'),
        "must be the ARN of an ACM certificate",
    ),
    (
        "viewer domain without certificate",
        edited("waf = false", 'domain_name = "live.example.com"'),
        "viewer.certificate_arn is not set: must be set with domain_name",
    ),
    (
        "RTMPS without a name",
        edited("[viewer]", f'certificate_arn = "arn:aws:acm:ap-northeast-2:{ACCOUNT}:certificate/a"\n[viewer]'),
        "ingest.domain_name is not set: must be set with certificate_arn",
    ),
    (
        "domain outside the zone",
        edited("[viewer]", 'domain_name = "in.example.org"\n[viewer]')
        + '\n[dns]\nhosted_zone_id = "Z0123456789"\nhosted_zone_name = "example.com"\n',
        'ingest.domain_name = "in.example.org": must be in the zone dns.hosted_zone_name (example.com)',
    ),
    (
        "zone for nothing",
        DEV + '\n[dns]\nhosted_zone_id = "Z0123456789"\nhosted_zone_name = "example.com"\n',
        "there is nothing to put into the zone",
    ),
    ("backend without a scheme", DEV + '\n[backend]\nurl = "api.example.com"\n', "must be an http:// or https:// URL"),
    ("no mail address", edited("access_logs = false", 'alarm_email = "oncall"'), "must be a mail address"),
    ("odd height", edited("height = 480", "height = 481"), "hls.renditions[1].height = 481: must be a multiple of 2"),
    (
        "ladder that climbs",
        edited("height = 480", "height = 1080"),
        'hls.renditions = "720p, 480p": must be listed highest first',
    ),
    ("rendition twice", edited('name = "480p"', 'name = "720p"'), "must have different names"),
    (
        "parts as long as segments",
        edited("part_seconds = 0.35", "part_seconds = 1.0").replace("segment_seconds = 2.0", "segment_seconds = 1.0"),
        "hls.part_seconds = 1.0: must be at most half of segment_seconds (1.0)",
    ),
    (
        "parts too short",
        edited("part_seconds = 0.35", "part_seconds = 0.1"),
        "hls.part_seconds = 0.1: must be at least 0.2",
    ),
    ("no account", DEV + '\n[aws]\naccount = "12345"\n', "must be an AWS account id of twelve digits"),
    ("no region", DEV + '\n[aws]\nregion = "seoul"\n', "must be an AWS region like ap-northeast-2"),
    (
        "region without VPC origins",
        DEV + '\n[aws]\nregion = "mx-central-1"\n',
        'aws.region = "mx-central-1": must be a region with CloudFront VPC origins (af-south-1, ',
    ),
    (
        "region without a known Origin Shield",
        DEV + '\n[aws]\nregion = "ap-south-2"\n',
        "must be a region near which CloudFront can gather viewers' requests",
    ),
    (
        "zone without VPC origins",
        edited('["b", "c"]', '["c", "a"]'),
        'network.availability_zones = ["c", "a"]: must not have a: zone ap-northeast-2a is apne2-az1, where CloudFront',
    ),
    ("address without its prefix", publishers('"203.0.113.7"'), "must be written as 203.0.113.7/32"),
    ("netmask for a prefix", publishers('"203.0.113.0/255.255.255.0"'), "must be written as 203.0.113.0/24"),
    ("IPv6 publishers", publishers('"2001:db8::/32"'), "must be an IPv4 network like 10.20.0.0/16"),
    ("publishers twice", publishers('"203.0.113.0/24", "203.0.113.0/24"'), "must not name anything twice"),
    (
        "publishers inside others",
        publishers('"203.0.113.7/32", "198.51.100.0/24", "203.0.113.0/24"'),
        "must not lie inside one another: leave 203.0.113.7/32 out, it is in 203.0.113.0/24",
    ),
    ("more publishers than a security group has rules", publishers(networks(61)), "must have at most 60 entries"),
    (
        "more publishers than RTMP and RTMPS have rules together",
        publishers(networks(31), RTMPS),
        'ingest.publisher_cidrs = "31 networks": must have at most 30 entries with certificate_arn set',
    ),
    (
        "any web site and some",
        edited('cors_origins = ["*"]', 'cors_origins = ["*", "https://shop.example.com"]'),
        'must be "*" alone (any), or leave it out to restrict',
    ),
    ("parameter for a secret", backend("arn:aws:ssm:ap-northeast-2:123456789012:parameter/a"), "of a Secrets Manager"),
    ("half of a JSON key", backend(f"{STORED}:token"), "which :<JSON key>:<version stage>:<version id> may follow"),
    (
        "alias for a key",
        backend(STORED, "arn:aws:kms:ap-northeast-2:123456789012:alias/mine"),
        "must be the ARN of a KMS key, not of an alias",
    ),
    (
        "key of another region",
        backend(STORED, "arn:aws:kms:us-east-1:123456789012:key/1234abcd"),
        "must be in the environment's region (ap-northeast-2)",
    ),
    (
        "key of no secret",
        DEV + f'\n[backend]\ntoken_secret_kms_key_arn = "{KEY}"\n',
        "backend.token_secret_arn is not set: must be set with token_secret_kms_key_arn",
    ),
    (
        "secret of another account with Secrets Manager's own key",
        backend(STORED.replace("123456789012", ACCOUNT)),
        f"backend.token_secret_kms_key_arn is not set: must be set: the secret is in account {ACCOUNT}",
    ),
    ("name in the file", 'name = "dev"\n' + DEV, 'name = "dev": unknown key: the file\'s name is the name'),
    (
        "repository without owner",
        DEV + '\n[deploy]\ngithub_repository = "mine"\n',
        "must be a GitHub repository as owner/name",
    ),
    ("no TOML", DEV + "\n[network\n", "is no valid TOML:"),
    ("no TOML at a key", edited("cpu = 2048", "cpu 2048"), ", column 5), at cpu"),
    ("key twice", edited("cpu = 2048", "cpu = 2048\ncpu = 4096"), ", column 11), at cpu"),
    ("half a table", edited("[scaling]", "[scaling"), ", at [scaling"),
    *(
        (
            f"backend on {host}",
            f'{DEV}\n[backend]\nurl = "http://{host}:3000/api"\n',
            f"must be an address that tasks in AWS can reach: {host.lower()} is the task itself",
        )
        for host in ("localhost", "LOCALHOST", "api.localhost", "127.0.0.1", "169.254.170.2")
    ),
]


@pytest.mark.parametrize(("text", "expected"), [pytest.param(*mistake[1:], id=mistake[0]) for mistake in MISTAKES])
def test_fails_when_a_value_is_wrong(tmp_path: Path, text: str, expected: str) -> None:
    """One line names file, key, value and what is allowed."""
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path, text)

    lines = str(error.value).splitlines()
    assert any(expected in line for line in lines), lines
    assert all(line.startswith("environments/dev.toml: ") for line in lines), lines


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (edited('["b", "c"]', '["b", "Z9"]'), 'network.availability_zones[1] = "Z9": must be the letter of a zone'),
        (edited('["b", "c"]', "[1]"), "network.availability_zones[0] = 1: must be a text in quotes"),
        (edited("availability_zones", "availability_zone"), "did you mean availability_zones?"),
        (edited("cpu = 2048", "cpus = 2048"), "did you mean cpu?"),
        (DEV.replace("[task]", "[tsk]"), "did you mean task?"),
        (edited('name = "720p"', 'nam = "720p"'), "did you mean name?"),
    ],
    ids=["entry", "entry of one", "key", "key of a section", "section", "key in a list"],
)
def test_a_mistake_is_told_once(tmp_path: Path, text: str, line: str) -> None:
    """Not that a list is too short, too, for want of its wrong entry; nor that the key is missing that a typo meant."""
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path, text)

    (only,) = str(error.value).splitlines()
    assert line in only


def test_no_value_is_told_of_a_line_that_is_no_toml(tmp_path: Path) -> None:
    """It may be a secret."""
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path, DEV + '\n[backend]\nurl = "https://user:hush@example.com\n')

    assert str(error.value).endswith(", at url")


def test_there_are_at_least_25_kinds_of_mistakes() -> None:
    """The list above is what the issue asks for; removing from it should not go unnoticed."""
    assert len(MISTAKES) >= 25


def test_fails_when_a_variable_is_wrong_naming_the_variable(tmp_path: Path) -> None:
    """The mistake is where the operator made it: in `.env`, not in the file."""
    with pytest.raises(ConfigurationError) as error:
        load(tmp_path, DEV, env={"CDK_DEFAULT_ACCOUNT": "12-34", "BACKEND_URL": "ftp://x"})

    assert str(error.value).splitlines() == [
        '.env (or the environment): CDK_DEFAULT_ACCOUNT = "12-34": must be an AWS account id of twelve digits',
        '.env (or the environment): BACKEND_URL = "ftp://x": must be an http:// or https:// URL, with no query',
    ]


@pytest.mark.parametrize("name", ["Dev", "1dev", "a", "much-too-long-a-name", "dev_1"])
def test_fails_when_the_files_name_is_no_environment_name(tmp_path: Path, name: str) -> None:
    """The name goes into load balancer and bucket names, which have their rules."""
    with pytest.raises(ConfigurationError, match=r"the file's name is the environment's name and must be"):
        load(tmp_path, DEV, name=name)


def test_fails_when_several_files_are_wrong_naming_each(tmp_path: Path) -> None:
    """All mistakes of all files are told at once."""
    (tmp_path / "dev.toml").write_text(edited("cpu = 2048", "cpu = 1"))
    (tmp_path / "prod.toml").write_text(edited("max_tasks = 2", "max_tasks = 0"))

    with pytest.raises(ConfigurationError) as error:
        load_environments(tmp_path, {})

    files = {re.split(r"[/:]", line)[1] for line in str(error.value).splitlines()}
    assert files == {"dev.toml", "prod.toml"}


def test_fails_when_there_is_no_environment_file(tmp_path: Path) -> None:
    """An empty folder is a mistake, not an empty success."""
    with pytest.raises(ConfigurationError, match="must hold at least one environment file"):
        load_environments(tmp_path, {})


def test_the_everything_file_has_a_mistake_free_copy() -> None:
    """The file of the tests is itself checked by the loader."""
    assert load_environment(EVERYTHING, {}).placeholders == ()
