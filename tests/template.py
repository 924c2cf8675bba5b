"""Read a synthesized stack the way a test wants to: by type, by id, with failures that say what there was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stacks.document import Json, StackDocument


@dataclass(frozen=True, slots=True)
class Template:
    """One stack's Terraform JSON."""

    stack: StackDocument

    @property
    def document(self) -> Json:
        """Its Terraform JSON."""
        return self.stack.document

    def resources(self, type_: str) -> dict[str, Json]:
        """Logical id to arguments."""
        return _by_id(self.stack.resources(type_))

    def data(self, type_: str) -> dict[str, Json]:
        """Logical id to arguments, of data sources."""
        return _by_id(self.stack.data_sources(type_))

    def one(self, type_: str, id_start: str = "") -> Json:
        """The only resource of this type whose id starts so."""
        return self._only(self.resources(type_), type_, id_start)

    def one_data(self, type_: str, id_start: str = "") -> Json:
        """The only data source of this type whose id starts so."""
        return self._only(self.data(type_), type_, id_start)

    def reference(self, type_: str, id_start: str, attribute: str) -> str:
        """`${type.id.attribute}` of the only such resource."""
        matching = [id_ for id_ in self.resources(type_) if id_.startswith(id_start)]
        assert len(matching) == 1, f"{type_} starting with {id_start!r}: expected one, there are {matching}"
        return f"${{{type_}.{matching[0]}.{attribute}}}"

    def statements(self, id_start: str) -> dict[str, Json]:
        """Sid to statement, of one policy document."""
        document = self.one_data("aws_iam_policy_document", id_start)
        return {statement["sid"]: statement for statement in document["statement"]}

    def outputs(self) -> Json:
        """Output name to value."""
        return self.stack.outputs

    def addresses(self) -> list[str]:
        """Every address, sorted."""
        return self.stack.addresses

    @staticmethod
    def _only(named: dict[str, Json], type_: str, id_start: str) -> Json:
        matching = {id_: arguments for id_, arguments in named.items() if id_.startswith(id_start)}
        assert len(matching) == 1, (
            f"{type_} starting with {id_start!r}: expected one, there are {sorted(matching) or sorted(named)}"
        )
        return next(iter(matching.values()))


def _by_id(addressed: dict[str, Json]) -> dict[str, Json]:
    return {address.rpartition(".")[2]: arguments for address, arguments in addressed.items()}
