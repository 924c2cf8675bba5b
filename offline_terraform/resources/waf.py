"""Web access control lists.

The bindings give a rule's statement as `any`, because statements nest in statements without end. The kinds that a stack
of ours may use are written out here from the provider's documentation of `aws_wafv2_web_acl`; any other is an
unsupported block to Terraform core, and belongs here once we need it.
"""

from __future__ import annotations

from offline_terraform.schema import Attribute, Block, NestedBlock

from .checks import arn, between, json_document, matches
from .model import ResourceType, generated_name, in_use


def _one(block: Block, *, required: bool = False) -> NestedBlock:
    return NestedBlock(nesting="list", block=block, min_items=int(required), max_items=1)


def _required(*names: str) -> dict[str, Attribute]:
    return {name: Attribute(type="string", required=True) for name in names}


def _optional(*names: str) -> dict[str, Attribute]:
    return {name: Attribute(type="string", optional=True) for name in names}


_GEO_MATCH = _one(Block(attributes={"country_codes": Attribute(type=["list", "string"], required=True)}))
_IP_SET = _one(Block(attributes=_required("arn")))
_FORWARDED_IP = _one(Block(attributes=_required("fallback_behavior", "header_name")))

_SCOPE_DOWN = _one(
    Block(
        blocks={
            "geo_match_statement": _GEO_MATCH,
            "ip_set_reference_statement": _IP_SET,
            "not_statement": _one(
                Block(
                    blocks={
                        "statement": NestedBlock(
                            nesting="list",
                            block=Block(
                                blocks={
                                    "geo_match_statement": _GEO_MATCH,
                                    "ip_set_reference_statement": _IP_SET,
                                }
                            ),
                            min_items=1,
                        )
                    }
                )
            ),
        }
    )
)

_MANAGED_RULE_GROUP = Block(
    attributes={**_required("name", "vendor_name"), **_optional("version")},
    blocks={
        "rule_action_override": NestedBlock(
            nesting="list",
            block=Block(
                attributes=_required("name"),
                blocks={
                    "action_to_use": _one(
                        Block(
                            blocks={
                                action: _one(Block()) for action in ("allow", "block", "captcha", "challenge", "count")
                            }
                        ),
                        required=True,
                    )
                },
            ),
        ),
        "scope_down_statement": _SCOPE_DOWN,
    },
)

_RATE_BASED = Block(
    attributes={
        **_optional("aggregate_key_type"),
        "evaluation_window_sec": Attribute(type="number", optional=True),
        "limit": Attribute(type="number", required=True),
    },
    blocks={"forwarded_ip_config": _FORWARDED_IP, "scope_down_statement": _SCOPE_DOWN},
)

_STATEMENT = Block(
    blocks={
        "geo_match_statement": _GEO_MATCH,
        "ip_set_reference_statement": _IP_SET,
        "managed_rule_group_statement": _one(_MANAGED_RULE_GROUP),
        "rate_based_statement": _one(_RATE_BASED),
    }
)

_RATE = "rule.statement.rate_based_statement"

RESOURCES = {
    "aws_wafv2_web_acl": ResourceType(
        schema_parts={"rule.statement": _one(_STATEMENT)},
        force_new=("name", "name_prefix", "scope"),
        computed=("application_integration_url", "name", "name_prefix"),
        defaults={f"{_RATE}.aggregate_key_type": "IP", f"{_RATE}.evaluation_window_sec": 300},
        allowed={
            "scope": ("CLOUDFRONT", "REGIONAL"),
            f"{_RATE}.aggregate_key_type": ("IP", "FORWARDED_IP", "CONSTANT"),
        },
        checks=(
            matches("name", r"[A-Za-z0-9_-]{1,128}", "1 to 128 letters, digits, hyphens and underscores"),
            between(f"{_RATE}.limit", 10, 2_000_000_000),
            json_document("rule_json"),
        ),
        json_documents=("rule_json",),
        refused_while_used=in_use(
            "deleting WAFv2 WebACL ({id}): WAFAssociatedItemException: AWS WAF couldn't perform the operation because "
            "your resource is being used by another resource or it's associated with another resource."
        ),
        values={
            "id": "{uuid}",
            "name": generated_name(),
            "name_prefix": "",
            "lock_token": "{uuid}",
            "arn": lambda making: making.fill_in(
                "arn:aws:wafv2:{region}:{account}:"
                f"{'global' if making['scope'] == 'CLOUDFRONT' else 'regional'}/webacl/{{name}}/{{id}}"
            ),
            "capacity": lambda making: 2 * len(making["rule"] or []),
            "application_integration_url": "",
        },
    ),
    "aws_wafv2_web_acl_logging_configuration": ResourceType(
        force_new=("resource_arn",),
        checks=(arn("resource_arn"), arn("log_destination_configs")),
        values={"id": "{resource_arn}"},
    ),
}
