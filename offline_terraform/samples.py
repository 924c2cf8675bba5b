"""Small stacks for the tests, in the shape that cdktf writes."""

from __future__ import annotations

import json
from typing import Any

Document = dict[str, Any]

PROVIDER: Document = {"region": "ap-northeast-2", "allowed_account_ids": ["123456789012"]}


def stack(
    resources: Document | None = None,
    *,
    data: Document | None = None,
    outputs: Document | None = None,
    providers: list[Document] | None = None,
    backend: Document | None = None,
) -> Document:
    """A `cdk.tf.json`: resources and data by type and name, outputs as expressions."""
    terraform: Document = {"required_providers": {"aws": {"source": "aws", "version": "6.25.0"}}}
    if backend:
        terraform["backend"] = backend
    document: Document = {"terraform": terraform, "provider": {"aws": providers or [PROVIDER]}}
    if resources:
        document["resource"] = resources
    if data:
        document["data"] = data
    if outputs:
        document["output"] = {name: {"value": value} for name, value in outputs.items()}
    return document


def network(*, zones: str = "ab") -> Document:
    """A VPC with one subnet in each zone."""
    return {
        "aws_vpc": {"main": {"cidr_block": "10.0.0.0/16"}},
        "aws_subnet": {
            zone: {
                "vpc_id": "${aws_vpc.main.id}",
                "cidr_block": f"10.0.{index}.0/24",
                "availability_zone": f"ap-northeast-2{zone}",
            }
            for index, zone in enumerate(zones)
        },
        "aws_security_group": {
            name: {"name": name, "description": name, "vpc_id": "${aws_vpc.main.id}"} for name in ("first", "second")
        },
    }


def load_balancer(**arguments: Any) -> Document:
    """A network load balancer named `ingest` in zone a of `network`, and what it stands in."""
    defaults: Document = {
        "name": "ingest",
        "load_balancer_type": "network",
        "subnets": ["${aws_subnet.a.id}"],
        "security_groups": ["${aws_security_group.first.id}"],
    }
    return {**network(), "aws_lb": {"ingest": {**defaults, **arguments}}}


def table(**arguments: Any) -> Document:
    """A DynamoDB table named `leases`."""
    defaults: Document = {
        "name": "leases",
        "billing_mode": "PAY_PER_REQUEST",
        "hash_key": "stream",
        "attribute": [{"name": "stream", "type": "S"}],
    }
    return {"aws_dynamodb_table": {"leases": {**defaults, **arguments}}}


def log_groups(*names: str, **arguments: Any) -> Document:
    return {"aws_cloudwatch_log_group": {name: {"name": name, **arguments} for name in names}}


_POLICY = json.dumps({"Version": "2012-10-17", "Statement": []})
_VISIBILITY = {"cloudwatch_metrics_enabled": True, "metric_name": "one", "sampled_requests_enabled": True}
_POLICY_PARTS: Document = {
    "cookies_config": {"cookie_behavior": "none"},
    "headers_config": {"header_behavior": "none"},
    "query_strings_config": {"query_string_behavior": "none"},
}


def every_type() -> Document:
    """One resource of each supported type, each called `one`, with little more than what is required."""
    network_types: Document = {
        "aws_vpc": {"cidr_block": "10.0.0.0/16"},
        "aws_subnet": {"vpc_id": "${aws_vpc.one.id}", "cidr_block": "10.0.0.0/24"},
        "aws_internet_gateway": {"vpc_id": "${aws_vpc.one.id}"},
        "aws_eip": {"domain": "vpc"},
        "aws_nat_gateway": {"allocation_id": "${aws_eip.one.id}", "subnet_id": "${aws_subnet.one.id}"},
        "aws_route_table": {"vpc_id": "${aws_vpc.one.id}"},
        "aws_route": {
            "route_table_id": "${aws_route_table.one.id}",
            "destination_cidr_block": "0.0.0.0/0",
            "nat_gateway_id": "${aws_nat_gateway.one.id}",
        },
        "aws_route_table_association": {
            "route_table_id": "${aws_route_table.one.id}",
            "subnet_id": "${aws_subnet.one.id}",
        },
        "aws_vpc_endpoint": {"vpc_id": "${aws_vpc.one.id}", "service_name": "com.amazonaws.ap-northeast-2.s3"},
        "aws_flow_log": {
            "vpc_id": "${aws_vpc.one.id}",
            "traffic_type": "ALL",
            "iam_role_arn": "${aws_iam_role.one.arn}",
            "log_destination": "${aws_cloudwatch_log_group.one.arn}",
        },
        "aws_default_security_group": {"vpc_id": "${aws_vpc.one.id}"},
        "aws_security_group": {"vpc_id": "${aws_vpc.one.id}"},
        "aws_vpc_security_group_ingress_rule": {
            "security_group_id": "${aws_security_group.one.id}",
            "ip_protocol": "tcp",
            "from_port": 1935,
            "to_port": 1935,
            "cidr_ipv4": "0.0.0.0/0",
        },
        "aws_vpc_security_group_egress_rule": {
            "security_group_id": "${aws_security_group.one.id}",
            "ip_protocol": "-1",
            "referenced_security_group_id": "${aws_security_group.one.id}",
        },
    }
    task_types: Document = {
        "aws_ecs_cluster": {"name": "one", "setting": [{"name": "containerInsights", "value": "enabled"}]},
        "aws_ecs_task_definition": {
            "family": "one",
            "container_definitions": json.dumps([{"name": "one", "image": "one:1"}]),
            "volume": [{"name": "scratch"}],
        },
        "aws_ecs_service": {
            "name": "one",
            "cluster": "${aws_ecs_cluster.one.id}",
            "task_definition": "${aws_ecs_task_definition.one.arn}",
            "load_balancer": [
                {
                    "container_name": "one",
                    "container_port": 1935,
                    "target_group_arn": "${aws_lb_target_group.one.arn}",
                }
            ],
        },
        "aws_appautoscaling_target": {
            "min_capacity": 1,
            "max_capacity": 2,
            "resource_id": "service/${aws_ecs_cluster.one.name}/${aws_ecs_service.one.name}",
            "scalable_dimension": "ecs:service:DesiredCount",
            "service_namespace": "ecs",
        },
        "aws_appautoscaling_policy": {
            "name": "one",
            "policy_type": "TargetTrackingScaling",
            "resource_id": "${aws_appautoscaling_target.one.resource_id}",
            "scalable_dimension": "${aws_appautoscaling_target.one.scalable_dimension}",
            "service_namespace": "${aws_appautoscaling_target.one.service_namespace}",
            "target_tracking_scaling_policy_configuration": {
                "target_value": 60,
                "predefined_metric_specification": {"predefined_metric_type": "ECSServiceAverageCPUUtilization"},
            },
        },
        "aws_lb": {"subnets": ["${aws_subnet.one.id}"]},
        "aws_lb_listener": {
            "load_balancer_arn": "${aws_lb.one.arn}",
            "port": 8080,
            "default_action": [{"type": "forward", "target_group_arn": "${aws_lb_target_group.one.arn}"}],
        },
        "aws_lb_listener_rule": {
            "listener_arn": "${aws_lb_listener.one.arn}",
            "action": [{"type": "redirect", "redirect": {"status_code": "HTTP_301"}}],
            "condition": [{"path_pattern": {"values": ["/*"]}}],
        },
        "aws_lb_target_group": {
            "port": 8080,
            "protocol": "HTTP",
            "vpc_id": "${aws_vpc.one.id}",
            "health_check": {"path": "/health"},
        },
    }
    delivery_types: Document = {
        "aws_cloudfront_distribution": {
            "enabled": True,
            "origin": [
                {
                    "origin_id": "one",
                    "domain_name": "${aws_lb.one.dns_name}",
                    "vpc_origin_config": {"vpc_origin_id": "${aws_cloudfront_vpc_origin.one.id}"},
                }
            ],
            "default_cache_behavior": {
                "allowed_methods": ["GET", "HEAD"],
                "cached_methods": ["GET", "HEAD"],
                "cache_policy_id": "${aws_cloudfront_cache_policy.one.id}",
                "target_origin_id": "one",
                "viewer_protocol_policy": "https-only",
            },
            "restrictions": {"geo_restriction": {"restriction_type": "none"}},
            "viewer_certificate": {"cloudfront_default_certificate": True},
        },
        "aws_cloudfront_vpc_origin": {
            "vpc_origin_endpoint_config": [
                {
                    "name": "one",
                    "arn": "${aws_lb.one.arn}",
                    "http_port": 8080,
                    "https_port": 443,
                    "origin_protocol_policy": "http-only",
                    "origin_ssl_protocols": [{"items": ["TLSv1.2"], "quantity": 1}],
                }
            ]
        },
        "aws_cloudfront_cache_policy": {
            "name": "one",
            "parameters_in_cache_key_and_forwarded_to_origin": _POLICY_PARTS,
        },
        "aws_cloudfront_origin_request_policy": {"name": "one", **_POLICY_PARTS},
        "aws_cloudfront_response_headers_policy": {
            "name": "one",
            "security_headers_config": {"content_type_options": {"override": True}},
        },
        "aws_route53_record": {
            "zone_id": "Z1",
            "name": "live.example.com",
            "type": "A",
            "alias": {
                "name": "${aws_cloudfront_distribution.one.domain_name}",
                "zone_id": "${aws_cloudfront_distribution.one.hosted_zone_id}",
                "evaluate_target_health": False,
            },
        },
        "aws_wafv2_web_acl": {
            "scope": "CLOUDFRONT",
            "region": "us-east-1",
            "default_action": {"allow": {}},
            "visibility_config": _VISIBILITY,
            "rule": [
                {
                    "name": "common",
                    "priority": 1,
                    "override_action": {"none": {}},
                    "statement": {
                        "managed_rule_group_statement": {"name": "AWSManagedRulesCommonRuleSet", "vendor_name": "AWS"}
                    },
                    "visibility_config": _VISIBILITY,
                },
                {
                    "name": "rate",
                    "priority": 2,
                    "action": {"block": {}},
                    "statement": {"rate_based_statement": {"limit": 2000}},
                    "visibility_config": _VISIBILITY,
                },
            ],
        },
        "aws_wafv2_web_acl_logging_configuration": {
            "region": "us-east-1",
            "resource_arn": "${aws_wafv2_web_acl.one.arn}",
            "log_destination_configs": ["${aws_cloudwatch_log_group.one.arn}"],
        },
    }
    access_types: Document = {
        "aws_iam_role": {"assume_role_policy": _POLICY},
        "aws_iam_role_policy": {"role": "${aws_iam_role.one.id}", "policy": _POLICY},
        "aws_iam_role_policy_attachment": {
            "role": "${aws_iam_role.one.name}",
            "policy_arn": "${aws_iam_policy.one.arn}",
        },
        "aws_iam_policy": {"policy": _POLICY},
        "aws_iam_openid_connect_provider": {
            "url": "https://token.actions.githubusercontent.com",
            "client_id_list": ["sts.amazonaws.com"],
        },
        "aws_kms_key": {"description": "one"},
        "aws_kms_alias": {"name": "alias/one", "target_key_id": "${aws_kms_key.one.key_id}"},
    }
    watching_types: Document = {
        "aws_cloudwatch_log_group": {},
        "aws_cloudwatch_log_delivery": {
            "delivery_source_name": "${aws_cloudwatch_log_delivery_source.one.name}",
            "delivery_destination_arn": "${aws_cloudwatch_log_delivery_destination.one.arn}",
        },
        "aws_cloudwatch_log_delivery_destination": {
            "name": "one",
            "delivery_destination_configuration": [{"destination_resource_arn": "${aws_s3_bucket.one.arn}"}],
        },
        "aws_cloudwatch_log_delivery_source": {
            "name": "one",
            "log_type": "ACCESS_LOGS",
            "resource_arn": "${aws_cloudfront_distribution.one.arn}",
        },
        "aws_cloudwatch_dashboard": {"dashboard_name": "one", "dashboard_body": '{"widgets": []}'},
        "aws_cloudwatch_metric_alarm": {
            "alarm_name": "one",
            "comparison_operator": "GreaterThanThreshold",
            "evaluation_periods": 1,
            "metric_name": "CPUUtilization",
            "namespace": "AWS/ECS",
            "period": 60,
            "statistic": "Average",
            "threshold": 80,
        },
        "aws_cloudwatch_event_rule": {"name": "one", "event_pattern": '{"source": ["aws.health"]}'},
        "aws_cloudwatch_event_target": {
            "rule": "${aws_cloudwatch_event_rule.one.name}",
            "arn": "${aws_sns_topic.one.arn}",
            "input_transformer": {"input_paths": {"start": "$.time"}, "input_template": '"at <start>"'},
        },
        "aws_sns_topic": {},
        "aws_sns_topic_policy": {"arn": "${aws_sns_topic.one.arn}", "policy": _POLICY},
        "aws_sns_topic_subscription": {
            "topic_arn": "${aws_sns_topic.one.arn}",
            "protocol": "email",
            "endpoint": "on-call@example.com",
        },
    }
    storage_types: Document = {
        "aws_dynamodb_table": {
            "name": "one",
            "billing_mode": "PAY_PER_REQUEST",
            "hash_key": "key",
            "attribute": [{"name": "key", "type": "S"}],
            "point_in_time_recovery": {"enabled": True},
            "server_side_encryption": {"enabled": True},
        },
        "aws_ecr_repository": {"name": "one", "encryption_configuration": [{"encryption_type": "KMS"}]},
        "aws_ecr_lifecycle_policy": {"repository": "${aws_ecr_repository.one.name}", "policy": '{"rules": []}'},
        "aws_s3_bucket": {},
        "aws_s3_bucket_lifecycle_configuration": {
            "bucket": "${aws_s3_bucket.one.id}",
            "rule": [{"id": "one", "status": "Enabled", "expiration": [{"days": 1}]}],
        },
        "aws_s3_bucket_logging": {
            "bucket": "${aws_s3_bucket.one.id}",
            "target_bucket": "${aws_s3_bucket.one.id}",
            "target_prefix": "log/",
        },
        "aws_s3_bucket_ownership_controls": {
            "bucket": "${aws_s3_bucket.one.id}",
            "rule": {"object_ownership": "BucketOwnerEnforced"},
        },
        "aws_s3_bucket_policy": {"bucket": "${aws_s3_bucket.one.id}", "policy": _POLICY},
        "aws_s3_bucket_public_access_block": {"bucket": "${aws_s3_bucket.one.id}"},
        "aws_s3_bucket_server_side_encryption_configuration": {
            "bucket": "${aws_s3_bucket.one.id}",
            "rule": [{"apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms"}}],
        },
        "aws_s3_bucket_versioning": {
            "bucket": "${aws_s3_bucket.one.id}",
            "versioning_configuration": {"status": "Enabled"},
        },
    }
    types = {
        **network_types,
        **task_types,
        **delivery_types,
        **access_types,
        **watching_types,
        **storage_types,
    }
    return {type_name: {"one": arguments} for type_name, arguments in types.items()}
