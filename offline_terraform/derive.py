"""Terraform schemas out of the JavaScript that cdktf generated from them.

`cdktf get` turns a provider's schema into classes; this reads those classes backwards. Per class it looks at

* getters: `get idleTimeout() { return this.getNumberAttribute('idle_timeout'); }` names and types an attribute;
* a second getter `idleTimeoutInput`: the attribute can be set; no `resetIdleTimeout()`: it must be set;
* `this._accessLogs = new LbAccessLogsOutputReference(this, "access_logs")`: a nested block or object, sometimes with
  a comment that gives its computed and optional flags;
* the `...ToTerraform` functions: `listMapper(x, true)` writes blocks, `listMapper(x, false)` an attribute's value;
* the `...ToHclTerraform` functions: a block's nesting ("struct" is single, "list", "set").

Lost in that translation: whether a plain attribute is optional *and* computed, defaults, ForceNew, validation, and
types that recurse (`any`). `resources` holds those for the types that this project uses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from .schema import Attribute, Block, CtyType, NestedBlock, Nesting, ProviderSchema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from .bindings import Bindings

_CLASS = re.compile(r"^class (?P<name>\w+) extends cdktf\.(?P<base>\w+) \{\n(?P<body>.*?)^\}", re.DOTALL | re.MULTILINE)
_FUNCTION = re.compile(r"^function (?P<name>\w+)\(struct\) \{\n(?P<body>.*?)^\}", re.DOTALL | re.MULTILINE)
_GETTER = re.compile(r"^    get (?P<name>\w+)\(\) \{\n(?P<code>(?:        .*\n)+?)    \}", re.MULTILINE)
_NESTED = re.compile(
    r"(?:// \w+ - computed: (?P<computed>\w+), .*\n\s+)?"
    r"this\.(?P<field>_\w+) = new (?P<cls>[\w.]+)\(this, \"(?P<name>\w+)\"(?:, (?P<is_set>true|false))?\)"
)
_SYNTHESIZE = re.compile(r"^    synthesizeAttributes\(\) \{\n(.*?)^    \}", re.DOTALL | re.MULTILINE)
_SYNTHESIZE_HCL = re.compile(r"^    synthesizeHclAttributes\(\) \{\n(.*?)^    \}", re.DOTALL | re.MULTILINE)
_VALUE = re.compile(r"^ +(\w+): (.*),$", re.MULTILINE)
_HCL_VALUE = re.compile(
    r"^ +(?P<name>\w+): \{\n +value: .*,\n +isBlock: (?P<is_block>true|false),\n"
    r" +type: \"(?P<kind>\w+)\",\n +storageClassType: \"(?P<storage>\w+)\"",
    re.MULTILINE,
)
_SCALAR_CALL = re.compile(r"\.get(String|Number|Boolean)(List|Map)?Attribute\(")
_SCALARS = {"String": "string", "Number": "number", "Boolean": "bool"}
_SCALAR_COLLECTION = re.compile(r"(String|Number|Boolean)(Map)?(List|Map)")
_CLASS_SUFFIX = re.compile(r"(OutputReference|List|Map)$")
_TYPE_NAME = re.compile(r'tfResourceType = "(\w+)"')

_Kind = Literal["resource", "data"]
_MARKERS: dict[str, _Kind] = {
    "extends cdktf.TerraformResource {": "resource",
    "extends cdktf.TerraformDataSource {": "data",
}


class DerivationError(RuntimeError):
    """The bindings do not look the way this module reads them."""


@dataclass(frozen=True, kw_only=True)
class _Field:
    """One attribute or block of a class; `cls` is empty for values that are not nested."""

    name: str
    cls: str = ""
    type: CtyType = "dynamic"
    is_set: bool = False
    required: bool = False
    optional: bool = False
    computed: bool = False


class _Class:
    """One generated class: a resource, a data source, or the reference to a nested block."""

    def __init__(self, name: str, base: str, body: str, functions: dict[str, str]) -> None:
        self.body = body
        if base.startswith("Complex"):
            stem = name[0].lower() + _CLASS_SUFFIX.sub("", name)[1:]
            to_terraform = functions.get(f"{stem}ToTerraform", "")
            to_hcl = functions.get(f"{stem}ToHclTerraform", "")
        else:
            to_terraform = _first_group(_SYNTHESIZE, body)
            to_hcl = _first_group(_SYNTHESIZE_HCL, body)
        self.written_as = dict(_VALUE.findall(to_terraform))
        self.hcl_kind = {match["name"]: match["kind"] for match in _HCL_VALUE.finditer(to_hcl)}

    def fields(self) -> Iterator[_Field]:
        nested = {match["field"]: match for match in _NESTED.finditer(self.body)}
        getters = dict(_GETTER.findall(self.body))
        for name, code in getters.items():
            if name == "internalValue" or (name.endswith("Input") and name.removesuffix("Input") in getters):
                continue
            settable = f"{name}Input" in getters
            required = settable and f"reset{name[0].upper()}{name[1:]}()" not in self.body
            returned = re.search(r"return this\.(_\w+);", code)
            quoted = re.search(r"'([\w.]+)'", code)
            if returned and returned[1] in nested:
                match = nested[returned[1]]
                yield _Field(
                    name=match["name"],
                    cls=match["cls"].rpartition(".")[2],
                    is_set=match["is_set"] == "true",
                    required=required,
                    optional=settable and not required,
                    computed=match["computed"] == "true" if match["computed"] else not settable,
                )
            elif quoted:
                yield _Field(
                    name=quoted[1],
                    type=_plain_type(code),
                    required=required,
                    optional=settable and not required,
                    computed=not settable,
                )

    def is_block(self, field: _Field) -> bool:
        if field.computed and not (field.required or field.optional):
            return False
        if _SCALAR_COLLECTION.fullmatch(field.cls) or field.cls.endswith("Map"):
            return False
        written = self.written_as.get(field.name, "")
        if "listMapper(" in written:
            return ", true)(" in written
        return not field.cls.endswith("List")


class _Module:
    """The classes of one module."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._functions = {match["name"]: match["body"] for match in _FUNCTION.finditer(text)}

    @cached_property
    def _classes(self) -> dict[str, _Class]:
        return {
            match["name"]: _Class(match["name"], match["base"], match["body"], self._functions)
            for match in _CLASS.finditer(self._text)
        }

    def top_level_block(self, base: str) -> Block:
        for match in _CLASS.finditer(self._text):
            if match["base"] == base:
                return self._block(match["name"])
        raise DerivationError(f"no class extends cdktf.{base}")

    def _block(self, class_name: str) -> Block:
        generated = self._classes[class_name]
        attributes: dict[str, Attribute] = {}
        blocks: dict[str, NestedBlock] = {}
        for field in generated.fields():
            if field.cls and generated.is_block(field):
                blocks[field.name] = self._nested_block(field, generated.hcl_kind.get(field.name, "list"))
            else:
                attributes[field.name] = Attribute(
                    type=self._object_type(field) if field.cls else field.type,
                    required=field.required,
                    optional=field.optional,
                    computed=field.computed,
                )
        return Block(attributes=attributes, blocks=blocks)

    def _nested_block(self, field: _Field, hcl_kind: str) -> NestedBlock:
        block = self._block(_reference_class(field.cls))
        if field.cls.endswith("List"):
            nesting: Nesting = "set" if field.is_set else "list"
            return NestedBlock(nesting=nesting, block=block, min_items=int(field.required))
        if hcl_kind == "struct":
            return NestedBlock(nesting="single", block=block, min_items=int(field.required))
        nesting = "set" if hcl_kind == "set" else "list"
        return NestedBlock(nesting=nesting, block=block, min_items=int(field.required), max_items=1)

    def _object_type(self, field: _Field) -> CtyType:
        """The type of a nested object that is written as an attribute's value."""
        scalar = _SCALAR_COLLECTION.fullmatch(field.cls)
        collection = "set" if field.is_set else "list"
        if scalar:
            element: CtyType = ["map", _SCALARS[scalar[1]]] if scalar[2] else _SCALARS[scalar[1]]
            return ["map", element] if scalar[3] == "Map" else [collection, element]
        object_type = [
            "object",
            {
                inner.name: self._object_type(inner) if inner.cls else inner.type
                for inner in self._classes[_reference_class(field.cls)].fields()
            },
        ]
        if field.cls.endswith("OutputReference"):
            return object_type
        return ["map" if field.cls.endswith("Map") else collection, object_type]

    def provider_block(self) -> Block:
        """The provider's configuration, from its functions alone: it has no classes for its nested blocks."""
        body = next(
            (match["body"] for match in _CLASS.finditer(self._text) if match["base"] == "TerraformProvider"), ""
        )
        block = self._block_of_functions(_first_group(_SYNTHESIZE, body), _first_group(_SYNTHESIZE_HCL, body))
        # `alias` is Terraform's own argument; core takes it out before the provider sees the configuration.
        attributes = {name: attribute for name, attribute in block.attributes.items() if name != "alias"}
        if "region" not in attributes:
            raise DerivationError("the provider's class has no region")
        return Block(attributes=attributes, blocks=block.blocks)

    def _block_of_functions(self, to_terraform: str, to_hcl: str) -> Block:
        written_as = dict(_VALUE.findall(to_terraform))
        attributes: dict[str, Attribute] = {}
        blocks: dict[str, NestedBlock] = {}
        for match in _HCL_VALUE.finditer(to_hcl):
            name, kind, storage = match["name"], match["kind"], match["storage"]
            if match["is_block"] == "true":
                writer = re.search(r"(\w+)ToTerraform\b", written_as[name])
                if writer is None:
                    raise DerivationError(f"no function writes the provider's block {name}")
                inner = self._block_of_functions(
                    self._functions[f"{writer[1]}ToTerraform"], self._functions[f"{writer[1]}ToHclTerraform"]
                )
                blocks[name] = NestedBlock(nesting="set" if kind == "set" else "list", block=inner)
            else:
                attributes[name] = Attribute(type=_storage_type(kind, storage), optional=True)
        return Block(attributes=attributes, blocks=blocks)


def _first_group(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""


def _reference_class(cls: str) -> str:
    return f"{_CLASS_SUFFIX.sub('', cls)}OutputReference"


def _plain_type(getter_code: str) -> CtyType:
    collection = "set" if "tolist(" in getter_code else "list"
    match = _SCALAR_CALL.search(getter_code)
    if match:
        scalar = _SCALARS[match[1]]
        if match[2] == "Map":
            return ["map", scalar]
        return [collection, scalar] if match[2] == "List" else scalar
    if ".getListAttribute(" in getter_code:
        return [collection, "string"]
    return "dynamic"


def _storage_type(kind: str, storage: str) -> CtyType:
    scalars = {"string": "string", "number": "number", "boolean": "bool", "any": "string"}
    if kind == "simple":
        return scalars[storage]
    element = re.match("string|number|boolean", storage)
    if element is None:
        raise DerivationError(f"unknown storage class {storage}")
    return [kind, scalars[element[0]]]


def _attribute_names(text: str) -> list[str]:
    """Names of everything at the top level of a resource or data source, from its class alone, in a hurry."""
    body = text[text.rindex("synthesizeHclAttributes()") :] if "synthesizeHclAttributes()" in text else ""
    start = max(text.find(marker) for marker in _MARKERS)
    getters = re.findall(r"Attribute\('(\w+)'\)|= new [\w.]+\(this, \"(\w+)\"", text[start:])
    names = {name for pair in getters for name in pair if name}
    return sorted(names | {match["name"] for match in _HCL_VALUE.finditer(body)})


def derive(bindings: Bindings, resource_types: Collection[str], data_source_types: Collection[str]) -> ProviderSchema:
    """The schema of the given types in full, and of all others by name."""
    wanted: dict[_Kind, Collection[str]] = {"resource": resource_types, "data": data_source_types}
    known: dict[_Kind, dict[str, Block]] = {"resource": {}, "data": {}}
    others: dict[_Kind, dict[str, list[str]]] = {"resource": {}, "data": {}}
    provider: Block | None = None
    for module_name, text in bindings.modules():
        if module_name == "provider":
            provider = _Module(text).provider_block()
            continue
        kind = next((kind for marker, kind in _MARKERS.items() if marker in text), None)
        type_name = _first_group(_TYPE_NAME, text)
        if kind is None or not type_name:
            continue
        if type_name in wanted[kind]:
            base = "TerraformResource" if kind == "resource" else "TerraformDataSource"
            known[kind][type_name] = _Module(text).top_level_block(base)
        else:
            others[kind][type_name] = _attribute_names(text)
    missing = sorted({*resource_types, *data_source_types} - {*known["resource"], *known["data"]})
    if provider is None or missing:
        raise DerivationError(f"the bindings have no {', '.join(missing) or 'provider'}")
    return ProviderSchema(
        provider=provider,
        resources=known["resource"],
        data_sources=known["data"],
        unsupported_resources=others["resource"],
        unsupported_data_sources=others["data"],
    )
