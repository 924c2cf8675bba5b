"""The resource types that the stand-in knows, by service. Any other type is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import content_delivery, ecs, iam, load_balancing, network, observability, storage, waf

if TYPE_CHECKING:
    from .model import ResourceType

RESOURCES: dict[str, ResourceType] = {
    **content_delivery.RESOURCES,
    **ecs.RESOURCES,
    **iam.RESOURCES,
    **load_balancing.RESOURCES,
    **network.RESOURCES,
    **observability.RESOURCES,
    **storage.RESOURCES,
    **waf.RESOURCES,
}
