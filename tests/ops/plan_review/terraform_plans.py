"""Plans made by real Terraform from two configurations: what was applied, and what is wanted now. Offline."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.plan_review.reading import plan_in
from tests.template import Template

if TYPE_CHECKING:
    from collections.abc import Callable

    from offline_terraform.engine import OfflineTerraform, Stack
    from ops.plan_review.plan import Plan

    Edit = Callable[[Template], None]


@dataclass(frozen=True)
class AppliedStack:
    """A synthesized stack, applied once. Each plan starts from that state, and nothing more is ever applied."""

    stack: Stack
    template: Template

    def document_after(self, *edits: Edit) -> dict[str, Any]:
        """The plan's JSON for the configuration with edits, made in place on a copy."""
        wanted = Template(copy.deepcopy(self.template.document))
        for edit in edits:
            edit(wanted)
        self.stack.configure(wanted.document)
        return self.stack.plan_json()

    def plan_after(self, *edits: Edit) -> Plan:
        return plan_in(self.document_after(*edits), source="plan.json")


def applied(engine: OfflineTerraform, template: Template) -> AppliedStack:
    stack = engine.stack(template.document)
    stack.init()
    stack.apply()
    return AppliedStack(stack, template)


def edit_container(template: Template, edit: Callable[[dict[str, Any]], None]) -> None:
    """Change the container definition of RTMPContainer."""
    task = template.one("aws_ecs_task_definition")
    containers = json.loads(task["container_definitions"])
    edit(containers[0])
    task["container_definitions"] = json.dumps(containers)
