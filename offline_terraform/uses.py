"""What uses what, of all that the stand-in has made or read: AWS refuses to delete some things while they are in use.

Known by ids and ARNs, as each resource names the others. It lives as long as the stand-in's process; each plan reads
what is in the state, and so tells it what is there. (Installed by `init` the stand-in is a process for each command,
which knows only what that command read and made.)
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from .resources import RESOURCES
from .values import collect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .resources.model import Problem

Resource = dict[str, Any]


def _names(resource: Mapping[str, Any]) -> set[str]:
    return {resource[key] for key in ("id", "arn", "name") if isinstance(resource.get(key), str) and resource[key]}


class Uses:
    """All users, by type and id."""

    def __init__(self) -> None:
        self._users: dict[tuple[str, str], Resource] = {}
        self._lock = threading.Lock()  # Terraform applies ten things at a time

    def note(self, type_name: str, resource: Resource) -> None:
        """It exists, as it is now."""
        if RESOURCES[type_name].uses:
            with self._lock:
                self._users[type_name, resource["id"]] = resource

    def forget(self, type_name: str, resource: Resource) -> None:
        """It is deleted."""
        with self._lock:
            self._users.pop((type_name, str(resource.get("id"))), None)

    def _of(self, type_name: str, resource: Resource) -> Iterator[tuple[str, Resource]]:
        names = _names(resource)
        with self._lock:
            users = dict(self._users)
        for (user_type, _), user in users.items():
            for path, used_type in RESOURCES[user_type].uses.items():
                if used_type == type_name and names & _flat(collect(user, path)):
                    yield user_type, user

    def refusals(self, type_name: str, resource: Resource) -> Iterator[Problem]:
        """With what AWS refuses to delete the resource as things are."""
        refusal = RESOURCES[type_name].refused_while_used
        if refusal is not None and next(self._of(type_name, resource), None) is not None:
            yield refusal(resource)

    def conflicts(self, type_name: str, resource: Resource) -> Iterator[Problem]:
        """With what AWS refuses to make or change the resource, for what else uses the same things."""
        with self._lock:
            others = [user for (user_type, id_), user in self._users.items() if id_ != resource.get("id")]
        for conflict in RESOURCES[type_name].conflicts:
            yield from conflict(resource, others)


def _flat(values: list[Any]) -> set[str]:
    """`collect` finds lists where the attribute is one."""
    return {
        each for value in values for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)
    }
