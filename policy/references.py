"""Terraform's references in a synthesized stack."""

from __future__ import annotations

import re


def reference(expression: str) -> str:
    """`${aws_security_group.Task.id}` refers to `aws_security_group.Task`."""
    match = re.fullmatch(r"\$\{(.+)\.[^.]+\}", expression)
    return match[1] if match else expression
