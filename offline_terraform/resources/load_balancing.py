"""Load balancers. Source: elbv2 in the provider (ForceNew flags, and the rules in its CustomizeDiff functions)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from offline_terraform.values import collect, contains_unknown, is_unknown

from .checks import arn, at_most_one_of, between, exactly_one_of, matches
from .model import Making, Problem, ResourceType, generated_name, in_use

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAME = matches(
    "name", r"(?!-)(?!internal-)[A-Za-z0-9-]{1,32}(?<!-)", "1 to 32 letters, digits and hyphens, none at either end"
)
_ACTIONS = (
    "authenticate-cognito",
    "authenticate-oidc",
    "fixed-response",
    "forward",
    "jwt-validation",
    "redirect",
)
_KINDS = {"application": "app", "gateway": "gwy", "network": "net"}
# Route 53 zones of the load balancers' names, from AWS's table of endpoints; one for each kind will do here.
_ZONES = {"application": "Z35SXDOTRQ7X7K", "gateway": "Z35SXDOTRQ7X7K", "network": "Z26RNL4JYFTOTI"}


def _network_load_balancer(prior: Mapping[str, Any], planned: Mapping[str, Any]) -> Iterator[str]:
    """What a network load balancer cannot do in place; an application load balancer can.

    More subnets come in place, fewer or others do not (a swap leaves their number the same). Security groups change in
    place, but not from none to some, or from some to none. While the new value is not known, nothing is forced.
    """
    if planned["load_balancer_type"] != "network":
        return
    before, after = prior["subnets"] or [], planned["subnets"] or []
    if not contains_unknown(after) and set(before) != set(after) and len(after) <= len(before):
        yield "subnets"
    before, after = _mappings(prior), _mappings(planned)
    if not contains_unknown(after) and before != after and not _only_adds(before, after):
        yield "subnet_mapping"
    before, after = prior["security_groups"] or [], planned["security_groups"] or []
    if not contains_unknown(after) and bool(before) != bool(after):
        yield "security_groups"


def _mappings(load_balancer: Mapping[str, Any]) -> list[Any]:
    """The subnet mappings as they were asked for, without what AWS adds to them."""
    arguments = ("allocation_id", "ipv6_address", "private_ipv4_address", "subnet_id")
    return [{name: mapping[name] for name in arguments} for mapping in load_balancer["subnet_mapping"] or []]


def _only_adds(before: list[Any], after: list[Any]) -> bool:
    return len(after) > len(before) and all(mapping in after for mapping in before)


def _protected(resource: Mapping[str, Any]) -> Iterator[Problem]:
    if resource["enable_deletion_protection"]:
        yield Problem(
            summary=(
                f"deleting ELBv2 Load Balancer ({resource['arn']}): OperationNotPermitted: Load balancer "
                f"'{resource['arn']}' cannot be deleted because deletion protection is enabled"
            )
        )


def _target_group_address(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Only a group of functions has no address."""
    target_type = config.get("target_type") or "instance"
    if is_unknown(target_type) or target_type == "lambda":
        return
    for name in ("port", "protocol", "vpc_id"):
        if config.get(name) is None:
            yield Problem(
                summary="Missing required argument",
                detail=f'Attribute "{name}" must be specified when "target_type" is "{target_type}".',
            )


def _certificate(config: Mapping[str, Any]) -> Iterator[Problem]:
    """AWS refuses the listener otherwise, at apply."""
    if config.get("protocol") in ("HTTPS", "TLS") and config.get("certificate_arn") is None:
        yield Problem(
            summary=f"ValidationError: A certificate must be specified for {config['protocol']} listeners",
            path=("protocol",),
        )


def _load_balancer_arn(making: Making) -> str:
    kind = _KINDS[making["load_balancer_type"]]
    return making.fill_in(f"arn:aws:elasticloadbalancing:{{region}}:{{account}}:loadbalancer/{kind}/{{name}}/{{hex16}}")


def _load_balancer_name(making: Making) -> str:
    if making["load_balancer_type"] == "network":
        return making.fill_in("{name}-{hex16}.elb.{region}.amazonaws.com")
    prefix = "internal-" if making["internal"] else ""
    return making.fill_in(f"{prefix}{{name}}-{{hex10}}.{{region}}.elb.amazonaws.com")


def _listener_arn(making: Making) -> str:
    return making.fill_in(making["load_balancer_arn"].replace(":loadbalancer/", ":listener/") + "/{hex16}")


def _rule_arn(making: Making) -> str:
    return making.fill_in(making["listener_arn"].replace(":listener/", ":listener-rule/") + "/{hex16}")


def _target_groups(resource: Mapping[str, Any]) -> set[str]:
    found = [*collect(resource, "default_action.target_group_arn"), *collect(resource, "action.target_group_arn")]
    return {arn for arn in found if arn}


def _balancer_of(resource: Mapping[str, Any]) -> str:
    """The balancer's part of a listener's or a rule's ARN: `app/hls-alb-dev/0123456789abcdef`."""
    return "/".join(str(resource["arn"]).split("/")[1:4])


def _target_group_of_another_balancer(resource: Mapping[str, Any], others: list[dict[str, Any]]) -> Iterator[Problem]:
    for other in others:
        for target_group in _target_groups(resource) & _target_groups(other):
            if _balancer_of(other) != _balancer_of(resource):
                yield Problem(
                    summary=(
                        "TargetGroupAssociationLimit: The following target groups cannot be associated with more than "
                        f"one load balancer: {target_group}"
                    )
                )


def _action_defaults(block: str) -> dict[str, Any]:
    """A redirect keeps what it is not told to change; `#{...}` are AWS's placeholders."""
    kept = {"host": "#{host}", "path": "/#{path}", "port": "#{port}", "protocol": "#{protocol}", "query": "#{query}"}
    return {f"{block}.redirect.{name}": value for name, value in kept.items()}


def _after_last_colon(making: Making) -> str:
    return str(making["arn"]).rpartition(":")[2]


def _test_object(balancer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Elastic Load Balancing tries at once whether it may write: the log bucket is never empty again."""
    for logs in balancer.get("access_logs") or []:
        if logs["enabled"]:
            yield logs["bucket"], f"{logs['prefix'] or ''}/AWSLogs/ELBAccessLogTestFile".lstrip("/")


RESOURCES = {
    "aws_lb": ResourceType(
        force_new=("customer_owned_ipv4_pool", "internal", "load_balancer_type", "name", "name_prefix"),
        replace_rules=(_network_load_balancer,),
        computed=(
            "enforce_security_group_inbound_rules_on_private_link_traffic",
            "internal",
            "ip_address_type",
            "name",
            "name_prefix",
            "secondary_ips_auto_assigned_per_subnet",
            "security_groups",
            "subnets",
        ),
        # Defaults for one kind of load balancer only are left out: the provider plans none of them for the others.
        defaults={
            "access_logs.enabled": False,
            "enable_deletion_protection": False,
            "load_balancer_type": "application",
        },
        allowed={
            "desync_mitigation_mode": ("monitor", "defensive", "strictest"),
            "ip_address_type": ("ipv4", "dualstack", "dualstack-without-public-ipv4"),
            "load_balancer_type": ("application", "gateway", "network"),
            "xff_header_processing_mode": ("append", "preserve", "remove"),
        },
        checks=(
            _NAME,
            at_most_one_of("name", "name_prefix"),
            exactly_one_of("subnet_mapping", "subnets"),
        ),
        values={
            "name": generated_name("tf-lb-"),
            "name_prefix": "",
            "internal": False,
            "arn": _load_balancer_arn,
            "arn_suffix": lambda making: str(making["arn"]).partition(":loadbalancer/")[2],
            "id": "{arn}",
            "dns_name": _load_balancer_name,
            "enforce_security_group_inbound_rules_on_private_link_traffic": "",
            "ip_address_type": "ipv4",
            "secondary_ips_auto_assigned_per_subnet": 0,
            "security_groups": [],
            "subnet_mapping.outpost_id": "",
            "subnets": lambda making: [mapping["subnet_id"] for mapping in making["subnet_mapping"]],
            "vpc_id": "vpc-{hex17}",
            "zone_id": lambda making: _ZONES[making["load_balancer_type"]],
        },
        delete_guard=_protected,
        uses={"subnets": "aws_subnet", "security_groups": "aws_security_group"},
        refused_while_used=in_use(
            "deleting ELBv2 Load Balancer ({arn}): ResourceInUse: Load balancer '{arn}' cannot be deleted because it "
            "is currently associated with another service"
        ),
        writes=_test_object,
    ),
    "aws_lb_listener": ResourceType(
        force_new=("load_balancer_arn",),
        computed=("default_action.order", "protocol", "ssl_policy", "tcp_idle_timeout_seconds"),
        defaults=_action_defaults("default_action"),
        allowed={
            "default_action.type": _ACTIONS,
            "protocol": ("GENEVE", "HTTP", "HTTPS", "QUIC", "TCP", "TCP_QUIC", "TCP_UDP", "TLS", "UDP"),
            "alpn_policy": ("HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred", "None"),
        },
        checks=(
            _certificate,
            arn("certificate_arn"),
            arn("default_action.target_group_arn"),
            arn("load_balancer_arn"),
            between("port", 1, 65_535),
        ),
        uses={"default_action.target_group_arn": "aws_lb_target_group"},
        conflicts=(_target_group_of_another_balancer,),
        values={
            "arn": _listener_arn,
            "id": "{arn}",
            "protocol": "HTTP",
            "default_action.order": 1,
            "ssl_policy": "",
            "tcp_idle_timeout_seconds": 350,
        },
    ),
    "aws_lb_listener_rule": ResourceType(
        force_new=("listener_arn",),
        computed=("action.order", "priority"),
        defaults=_action_defaults("action"),
        allowed={"action.type": _ACTIONS},
        checks=(arn("action.target_group_arn"), arn("listener_arn"), between("priority", 1, 99_999)),
        uses={"action.target_group_arn": "aws_lb_target_group"},
        conflicts=(_target_group_of_another_balancer,),
        values={"action.order": 1, "arn": _rule_arn, "id": "{arn}", "priority": 1},
    ),
    "aws_lb_target_group": ResourceType(
        force_new=(
            "ip_address_type",
            "name",
            "name_prefix",
            "port",
            "protocol",
            "protocol_version",
            "target_control_port",
            "target_type",
            "vpc_id",
        ),
        computed=(
            "connection_termination",
            "health_check.matcher",
            "health_check.path",
            "health_check.timeout",
            "ip_address_type",
            "load_balancing_algorithm_type",
            "load_balancing_anomaly_mitigation",
            "load_balancing_cross_zone_enabled",
            "name",
            "name_prefix",
            "preserve_client_ip",
            "protocol_version",
        ),
        defaults={
            "deregistration_delay": "300",
            "health_check.enabled": True,
            "health_check.healthy_threshold": 3,
            "health_check.interval": 30,
            "health_check.port": "traffic-port",
            "health_check.protocol": "HTTP",
            "health_check.unhealthy_threshold": 3,
            "lambda_multi_value_headers_enabled": False,
            "proxy_protocol_v2": False,
            "slow_start": 0,
            "stickiness.cookie_duration": 86_400,
            "stickiness.enabled": True,
            "target_health_state.unhealthy_draining_interval": 0,
            "target_type": "instance",
        },
        allowed={
            "ip_address_type": ("ipv4", "ipv6"),
            "protocol": ("GENEVE", "HTTP", "HTTPS", "QUIC", "TCP", "TCP_QUIC", "TCP_UDP", "TLS", "UDP"),
            "health_check.protocol": ("HTTP", "HTTPS", "TCP"),
            "load_balancing_cross_zone_enabled": ("true", "false", "use_load_balancer_configuration"),
            "stickiness.type": ("lb_cookie", "app_cookie", "source_ip", "source_ip_dest_ip", "source_ip_dest_ip_proto"),
            "target_type": ("instance", "ip", "lambda", "alb"),
        },
        checks=(
            _NAME,
            _target_group_address,
            at_most_one_of("name", "name_prefix"),
            between("deregistration_delay", 0, 3600),
            between("health_check.healthy_threshold", 2, 10),
            between("health_check.interval", 5, 300),
            between("health_check.timeout", 2, 120),
            between("health_check.unhealthy_threshold", 2, 10),
            between("port", 1, 65_535),
        ),
        refused_while_used=in_use(
            "deleting ELBv2 Target Group ({arn}): ResourceInUse: Target group '{arn}' is currently in use by a "
            "listener or a rule"
        ),
        values={
            "name": generated_name("tf-"),
            "name_prefix": "",
            "arn": "arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/{name}/{hex16}",
            "arn_suffix": _after_last_colon,
            "id": "{arn}",
            "connection_termination": False,
            "ip_address_type": "ipv4",
            "load_balancer_arns": [],
            "load_balancing_algorithm_type": "",
            "load_balancing_anomaly_mitigation": "",
            "health_check.matcher": "200",
            "health_check.path": "/",
            "health_check.timeout": 6,
            "load_balancing_cross_zone_enabled": "use_load_balancer_configuration",
            "preserve_client_ip": "",
            "protocol_version": "",
        },
    ),
}
