"""The messages of Terraform's plugin protocol 6 that the stand-in speaks, built at run time.

Field names and numbers are those of `tfplugin6.proto` in hashicorp/terraform (docs/plugin-protocol). Fields that we
never read are left out: protobuf skips what it does not know. The file is declared as proto2, which is the same on the
wire and keeps a zero that was set (the first element of a list in an `AttributePath`); a `map<string, Schema>` is
written as what it is on the wire, a list of entries.
"""

from __future__ import annotations

import re
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "offline_tfplugin6"

_MESSAGES = """
message DynamicValue { bytes msgpack = 1; bytes json = 2; }
message RawState { bytes json = 1; }
message Step { string attribute_name = 1; string element_key_string = 2; int64 element_key_int = 3; }
message AttributePath { repeated Step steps = 1; }
message Diagnostic { int32 severity = 1; string summary = 2; string detail = 3; AttributePath attribute = 4; }

message SchemaAttribute { string name = 1; bytes type = 2; bool required = 4; bool optional = 5; bool computed = 6; }
message SchemaNestedBlock {
  string type_name = 1; SchemaBlock block = 2; int32 nesting = 3; int64 min_items = 4; int64 max_items = 5;
}
message SchemaBlock { repeated SchemaAttribute attributes = 2; repeated SchemaNestedBlock block_types = 3; }
message Schema { int64 version = 1; SchemaBlock block = 2; }
message SchemaEntry { string key = 1; Schema value = 2; }
message ServerCapabilities { bool plan_destroy = 1; bool get_provider_schema_optional = 2; }

message GetProviderSchemaRequest { }
message GetProviderSchemaResponse {
  Schema provider = 1; repeated SchemaEntry resource_schemas = 2; repeated SchemaEntry data_source_schemas = 3;
  repeated Diagnostic diagnostics = 4; ServerCapabilities server_capabilities = 6;
}
message ValidateProviderConfigRequest { DynamicValue config = 1; }
message ValidateProviderConfigResponse { repeated Diagnostic diagnostics = 2; }
message ValidateResourceConfigRequest { string type_name = 1; DynamicValue config = 2; }
message ValidateResourceConfigResponse { repeated Diagnostic diagnostics = 1; }
message ValidateDataResourceConfigRequest { string type_name = 1; DynamicValue config = 2; }
message ValidateDataResourceConfigResponse { repeated Diagnostic diagnostics = 1; }
message ConfigureProviderRequest { string terraform_version = 1; DynamicValue config = 2; }
message ConfigureProviderResponse { repeated Diagnostic diagnostics = 1; }
message UpgradeResourceStateRequest { string type_name = 1; int64 version = 2; RawState raw_state = 3; }
message UpgradeResourceStateResponse { DynamicValue upgraded_state = 1; repeated Diagnostic diagnostics = 2; }
message ReadResourceRequest { string type_name = 1; DynamicValue current_state = 2; bytes private = 3; }
message ReadResourceResponse { DynamicValue new_state = 1; repeated Diagnostic diagnostics = 2; bytes private = 3; }
message PlanResourceChangeRequest {
  string type_name = 1; DynamicValue prior_state = 2; DynamicValue proposed_new_state = 3; DynamicValue config = 4;
  bytes prior_private = 5;
}
message PlanResourceChangeResponse {
  DynamicValue planned_state = 1; repeated AttributePath requires_replace = 2; bytes planned_private = 3;
  repeated Diagnostic diagnostics = 4; bool legacy_type_system = 5;
}
message ApplyResourceChangeRequest {
  string type_name = 1; DynamicValue prior_state = 2; DynamicValue planned_state = 3; DynamicValue config = 4;
  bytes planned_private = 5;
}
message ApplyResourceChangeResponse {
  DynamicValue new_state = 1; bytes private = 2; repeated Diagnostic diagnostics = 3; bool legacy_type_system = 4;
}
message ImportResourceStateRequest { string type_name = 1; string id = 2; }
message ImportedResource { string type_name = 1; DynamicValue state = 2; bytes private = 3; }
message ImportResourceStateResponse {
  repeated ImportedResource imported_resources = 1; repeated Diagnostic diagnostics = 2;
}
message ReadDataSourceRequest { string type_name = 1; DynamicValue config = 2; }
message ReadDataSourceResponse { DynamicValue state = 1; repeated Diagnostic diagnostics = 2; }
message StopProviderRequest { }
message StopProviderResponse { string Error = 1; }
"""

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bool": _Field.TYPE_BOOL,
    "bytes": _Field.TYPE_BYTES,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "string": _Field.TYPE_STRING,
}
ERROR_SEVERITY = 1
NESTING = {"single": 1, "list": 2, "set": 3}


def _compile(messages: str) -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto2")
    for name, body in re.findall(r"message (\w+) \{(.*?)\}", messages, re.DOTALL):
        message = file.message_type.add(name=name)
        for repeated, type_name, field_name, number in re.findall(r"(repeated )?(\w+) (\w+) = (\d+);", body):
            field = message.field.add(name=field_name, number=int(number))
            field.label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            if type_name in _SCALARS:
                field.type = _SCALARS[type_name]
            else:
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{type_name}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        message.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{message.name}"))
        for message in file.message_type
    }


MESSAGES = _compile(_MESSAGES)
"""Message classes by name. They are made at run time, so their types are Any."""
