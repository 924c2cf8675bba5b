"""`aws_iam_policy_document`: IAM policies as JSON, rendered as the provider renders them.

Its rules (documentation of the data source, and `internal/service/iam/policy_model.go` in the provider): one action,
resource or identifier is a string, several are a list in descending order; the values of a condition keep theirs; `&{`
stands for `${`; a statement replaces an earlier one with the same Sid.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Document = dict[str, Any]


class PolicyDocumentError(ValueError):
    """The documents cannot be merged into one."""


def render(config: Mapping[str, Any]) -> dict[str, Any]:
    """The computed attributes of the data source."""
    document = _document(config)
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return {
        "id": str(int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)),
        "json": text,
        "minified_json": json.dumps(document, separators=(",", ":"), ensure_ascii=False),
        "version": document["Version"],
    }


def _document(config: Mapping[str, Any]) -> Document:
    own: Document = {"Version": config.get("version") or "2012-10-17"}
    if config.get("policy_id"):
        own["Id"] = config["policy_id"]
    own["Statement"] = [_statement(statement) for statement in config.get("statement") or []]
    _require_unique_sids(own["Statement"], "statement")

    sources = [_parse(text) for text in config.get("source_policy_documents") or [] if text]
    _require_unique_sids(
        [statement for source in sources for statement in source["Statement"]], "source_policy_documents"
    )
    overrides = [_parse(text) for text in config.get("override_policy_documents") or [] if text]
    merged: Document = {"Version": own["Version"], "Statement": []}
    for document in (*sources, own, *overrides):
        merged = _merge(merged, document)
    return merged


def _parse(text: str) -> Document:
    document = json.loads(text)
    statements = document.get("Statement", [])
    return {**document, "Statement": statements if isinstance(statements, list) else [statements]}


def _merge(earlier: Document, later: Document) -> Document:
    statements = list(earlier["Statement"])
    positions = {statement.get("Sid"): index for index, statement in enumerate(statements) if statement.get("Sid")}
    for statement in later["Statement"]:
        if statement.get("Sid") in positions:
            statements[positions[statement["Sid"]]] = statement
        else:
            statements.append(statement)
    merged = {
        "Version": later.get("Version") or earlier["Version"],
        "Id": later.get("Id") or earlier.get("Id"),
        "Statement": statements,
    }
    return {key: value for key, value in merged.items() if value}


def _require_unique_sids(statements: list[Document], where: str) -> None:
    sids = [statement["Sid"] for statement in statements if statement.get("Sid")]
    for sid in sids:
        if sids.count(sid) > 1:
            raise PolicyDocumentError(f"duplicate Sid ({sid}) in {where}")


def _statement(config: Mapping[str, Any]) -> Document:
    statement = {
        "Sid": config.get("sid"),
        "Effect": config.get("effect") or "Allow",
        "Action": _one_or_many(config.get("actions")),
        "NotAction": _one_or_many(config.get("not_actions")),
        "Resource": _one_or_many(_with_variables(config.get("resources"))),
        "NotResource": _one_or_many(_with_variables(config.get("not_resources"))),
        "Principal": _principals(config.get("principals")),
        "NotPrincipal": _principals(config.get("not_principals")),
        "Condition": _conditions(config.get("condition")),
    }
    return {key: value for key, value in statement.items() if value}


def _one_or_many(values: list[str] | None) -> str | list[str] | None:
    if not values:
        return None
    return values[0] if len(values) == 1 else sorted(values, reverse=True)


def _with_variables(values: list[str] | None) -> list[str]:
    return [value.replace("&{", "${") for value in values or []]


def _principals(blocks: list[Mapping[str, Any]] | None) -> str | Document | None:
    merged: dict[str, list[str]] = {}
    for block in blocks or []:
        merged.setdefault(block["type"], []).extend(_with_variables(block["identifiers"]))
    if merged == {"*": ["*"]}:
        return "*"
    return {kind: _one_or_many(identifiers) for kind, identifiers in sorted(merged.items())} or None


def _conditions(blocks: list[Mapping[str, Any]] | None) -> Document | None:
    merged: Document = {}
    for block in blocks or []:
        values = _with_variables(block["values"])
        merged.setdefault(block["test"], {})[block["variable"]] = values[0] if len(values) == 1 else values
    return {test: dict(sorted(merged[test].items())) for test in sorted(merged)} or None
