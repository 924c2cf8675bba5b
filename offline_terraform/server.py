"""The stand-in as a Terraform plugin: gRPC, go-plugin's handshake, and an end when Terraform ends.

Started by Terraform out of a filesystem mirror (`python -m offline_terraform.server`), it speaks TLS on a Unix
socket and serves one provider instance. With `--reattach FILE` it lives on, listens on loopback and writes the value of
TF_REATTACH_PROVIDERS to FILE; every provider instance of every Terraform run is then a connection of its own.
"""

from __future__ import annotations

import argparse
import base64
import datetime as dt
import json
import os
import signal
import sys
import tempfile
import threading
import traceback
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import msgpack

from .cache import load_schema, write_atomically
from .contents import Contents
from .hold import Hold
from .protocol import ERROR_SEVERITY, MESSAGES, NESTING
from .provider import Configuration, Provider, RefusedError
from .resources.model import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .schema import Block, ProviderSchema

ADDRESS = "registry.terraform.io/hashicorp/aws"
VERSION = "6.25.0"
_PROTOCOL_VERSION = 6
_MAX_MESSAGE_BYTES = 64 << 20
_PARENT_CHECK_SECONDS = 0.1


def encode_schema(schema: ProviderSchema) -> bytes:
    """The answer to GetProviderSchema, ready to send."""
    response = MESSAGES["GetProviderSchemaResponse"]()
    response.provider.block.CopyFrom(_encode_block(schema.provider))
    for entries, blocks, unsupported in (
        (response.resource_schemas, schema.resources, schema.unsupported_resources),
        (response.data_source_schemas, schema.data_sources, schema.unsupported_data_sources),
    ):
        for name, block in blocks.items():
            entries.add(key=name).value.block.CopyFrom(_encode_block(block))
        for name, attributes in unsupported.items():
            message = entries.add(key=name).value.block
            for attribute in attributes:
                # Anything goes in, and it may be referred to: only so does core get as far as asking us to validate.
                message.attributes.add(name=attribute, type=b'"dynamic"', optional=True, computed=True)
    response.server_capabilities.plan_destroy = True
    response.server_capabilities.get_provider_schema_optional = True
    return bytes(response.SerializeToString(deterministic=True))


def _encode_block(block: Block) -> Any:
    message = MESSAGES["SchemaBlock"]()
    for name, attribute in block.attributes.items():
        message.attributes.add(
            name=name,
            type=json.dumps(attribute.type).encode(),
            required=attribute.required,
            optional=attribute.optional,
            computed=attribute.computed,
        )
    for name, nested in block.blocks.items():
        message.block_types.add(
            type_name=name,
            block=_encode_block(nested.block),
            nesting=NESTING[nested.nesting],
            min_items=nested.min_items,
            max_items=nested.max_items,
        )
    return message


def _decode(value: Any) -> Any:
    if value.msgpack:
        return msgpack.unpackb(value.msgpack, raw=False, strict_map_key=False, ext_hook=msgpack.ExtType)
    return json.loads(value.json) if value.json else None


def _encode(value: Any) -> Any:
    return MESSAGES["DynamicValue"](msgpack=msgpack.packb(value))


def _encode_problem(problem: Problem) -> Any:
    message = MESSAGES["Diagnostic"](severity=ERROR_SEVERITY, summary=problem.summary, detail=problem.detail)
    message.attribute.steps.extend(_encode_path(problem.path).steps)
    return message


def _encode_path(path: tuple[str | int, ...]) -> Any:
    message = MESSAGES["AttributePath"]()
    for step in path:
        if isinstance(step, str):
            message.steps.add(attribute_name=step)
        else:
            message.steps.add(element_key_int=step)
    return message


class _Service:
    """One method for each RPC; the configuration belongs to the connection, because aliases share the process."""

    def __init__(self, provider: Provider, s3_endpoint: str) -> None:
        self._provider = provider
        self._s3_endpoint = s3_endpoint
        self._configurations: dict[str, Configuration] = {}

    def _configuration(self, peer: str) -> Configuration:
        if peer not in self._configurations:
            raise RefusedError(Problem(summary=f"The offline stand-in has no configured provider for {peer}"))
        return self._configurations[peer]

    def validate_provider_config(self, _request: Any, response: Any, _peer: str) -> None:
        """Nothing beyond the schema: the account is checked when it is known, in `configure_provider`."""

    def configure_provider(self, request: Any, _response: Any, peer: str) -> None:
        self._configurations[peer] = self._provider.configure(_decode(request.config))

    def validate_resource_config(self, request: Any, _response: Any, _peer: str) -> None:
        self._provider.validate_resource(request.type_name, _decode(request.config))

    def validate_data_resource_config(self, request: Any, _response: Any, _peer: str) -> None:
        self._provider.validate_data_source(request.type_name)

    def upgrade_resource_state(self, request: Any, response: Any, _peer: str) -> None:
        response.upgraded_state.json = request.raw_state.json

    def read_resource(self, request: Any, response: Any, _peer: str) -> None:
        """There is no AWS in which a resource could have changed."""
        self._provider.read(request.type_name, _decode(request.current_state))
        response.new_state.CopyFrom(request.current_state)
        response.private = request.private

    def plan_resource_change(self, request: Any, response: Any, peer: str) -> None:
        plan = self._provider.plan(
            request.type_name,
            _decode(request.prior_state),
            _decode(request.proposed_new_state),
            self._configuration(peer),
        )
        response.planned_state.CopyFrom(_encode(plan.resource if plan else None))
        response.requires_replace.extend(_encode_path(path) for path in (plan.replace if plan else ()))
        response.planned_private = request.prior_private
        # As terraform-plugin-sdk does: core then accepts defaults in the plan.
        response.legacy_type_system = True

    def apply_resource_change(self, request: Any, response: Any, peer: str) -> None:
        # What core keeps when we refuse; overwritten when we do not.
        response.new_state.CopyFrom(request.prior_state)
        response.legacy_type_system = True
        prior = _decode(request.prior_state)
        resource = self._provider.apply(
            request.type_name, prior, _decode(request.planned_state), self._configuration(peer)
        )
        if request.type_name == "aws_s3_bucket" and self._s3_endpoint:
            _make_or_delete_bucket(self._s3_endpoint, prior, resource)
        response.new_state.CopyFrom(_encode(resource))

    def import_resource_state(self, request: Any, response: Any, peer: str) -> None:
        resource = self._provider.imported(request.type_name, request.id, self._configuration(peer))
        if not _bucket_exists(self._s3_endpoint, request.id):
            raise RefusedError(Problem(summary="Cannot import non-existent remote object", detail=request.id))
        response.imported_resources.add(type_name=request.type_name, state=_encode(resource))

    def read_data_source(self, request: Any, response: Any, peer: str) -> None:
        state = self._provider.read_data_source(request.type_name, _decode(request.config), self._configuration(peer))
        response.state.CopyFrom(_encode(state))

    def stop_provider(self, _request: Any, response: Any, _peer: str) -> None:
        """Core says on interrupt: finish what is under way. Nothing here takes long."""


def _make_or_delete_bucket(endpoint: str, prior: dict[str, Any] | None, resource: dict[str, Any] | None) -> None:
    """In a local S3, where there is one: the one thing that somebody else (the S3 backend) looks for afterwards."""
    bucket = resource or prior
    if bucket is None or (prior and resource):
        return
    request = urllib.request.Request(f"{endpoint}/{bucket['bucket']}", method="PUT" if resource else "DELETE")
    try:
        urllib.request.urlopen(request, timeout=30).close()
    except urllib.error.HTTPError as error:
        if resource or error.code != 404:  # gone already is gone
            raise


def _bucket_exists(endpoint: str, bucket: str) -> bool:
    if not endpoint:
        return False
    try:
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{bucket}", method="HEAD"), timeout=30).close()
    except urllib.error.HTTPError:
        return False
    return True


_RPCS = (
    "ValidateProviderConfig",
    "ConfigureProvider",
    "ValidateResourceConfig",
    "ValidateDataResourceConfig",
    "UpgradeResourceState",
    "ReadResource",
    "PlanResourceChange",
    "ApplyResourceChange",
    "ImportResourceState",
    "ReadDataSource",
    "StopProvider",
)


def _snake_case(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).removeprefix("_")


class _Handler:
    """Routes by method name: the provider service, and go-plugin's controller and stdio services."""

    def __init__(self, service: _Service, schema: bytes, stop: threading.Event) -> None:
        self._service = service
        self._schema = schema
        self._stop = stop

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        name = handler_call_details.method.rpartition("/")[2]
        if name == "GetProviderSchema":
            return grpc.unary_unary_rpc_method_handler(lambda _request, _context: self._schema)
        if name == "Shutdown":
            return grpc.unary_unary_rpc_method_handler(self._shut_down)
        if name == "StreamStdio":
            return grpc.unary_stream_rpc_method_handler(_no_output)
        if name not in _RPCS:
            return None
        return grpc.unary_unary_rpc_method_handler(
            self._answer(name, getattr(self._service, _snake_case(name))),
            MESSAGES[f"{name}Request"].FromString,
            lambda message: message.SerializeToString(),
        )

    def _answer(self, name: str, method: Callable[[Any, Any, str], None]) -> Callable[[Any, grpc.ServicerContext], Any]:
        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            response = MESSAGES[f"{name}Response"]()
            try:
                method(request, response, context.peer())
            except RefusedError as refused:
                response.diagnostics.extend(_encode_problem(problem) for problem in refused.problems)
            except Exception as error:  # noqa: BLE001 whatever it is, Terraform's user must see it
                traceback.print_exc()
                problem = Problem(
                    summary=f"The offline stand-in failed in {name}: {error!r}", detail=traceback.format_exc()
                )
                response.diagnostics.extend([_encode_problem(problem)])
            return response

        return answer

    def _shut_down(self, _request: bytes, _context: grpc.ServicerContext) -> bytes:
        self._stop.set()
        return b""


def _no_output(_request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    """go-plugin reads the plugin's output from here until the connection ends; an early end is an error to it."""
    ended = threading.Event()
    context.add_callback(ended.set)
    ended.wait()
    yield from ()


def _certificate() -> tuple[bytes, grpc.ServerCredentials]:
    """A throw-away certificate for go-plugin's automatic TLS: as DER for the handshake, and as server credentials."""
    # Imported here: the long-lived server speaks no TLS.
    from cryptography import x509  # noqa: PLC0415 # not needed there
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 # not needed there
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 # not needed there
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID  # noqa: PLC0415 # not needed there

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=True)
        .sign(key, hashes.SHA256())
    )
    private_key = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    credentials = grpc.ssl_server_credentials([(private_key, certificate.public_bytes(serialization.Encoding.PEM))])
    return certificate.public_bytes(serialization.Encoding.DER), credentials


def _start(stop: threading.Event) -> grpc.Server:
    """A server with everything but a port."""
    schema = load_schema()
    endpoint = os.environ.get("OFFLINE_AWS_S3_ENDPOINT", "")
    provider = Provider(
        schema=schema,
        account=os.environ.get("OFFLINE_AWS_ACCOUNT", "123456789012"),
        hold=Hold(Path(os.environ["OFFLINE_AWS_HOLD"])) if os.environ.get("OFFLINE_AWS_HOLD") else None,
        contents=Contents(endpoint),
    )
    service = _Service(provider, s3_endpoint=endpoint)
    server = grpc.server(
        # Each StreamStdio holds a thread for as long as its connection lives.
        ThreadPoolExecutor(max_workers=64),
        options=[
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
        ],
    )
    server.add_generic_rpc_handlers([_Handler(service, encode_schema(schema), stop)])
    return server


def _wait(stop: threading.Event, parent: int) -> None:
    """Until told to stop, or until the process that started us is gone: a killed Terraform says no goodbye."""
    while os.getppid() == parent and not stop.wait(_PARENT_CHECK_SECONDS):
        pass


def serve_terraform() -> None:
    """One Terraform run, as its plugin process."""
    stop, parent = threading.Event(), os.getppid()
    server = _start(stop)
    with tempfile.TemporaryDirectory(prefix="offline-aws-") as folder:
        socket = f"{folder}/socket"
        certificate, credentials = _certificate()
        server.add_secure_port(f"unix:{socket}", credentials)
        server.start()
        handshake = [
            "1",
            str(_PROTOCOL_VERSION),
            "unix",
            socket,
            "grpc",
            base64.b64encode(certificate).decode().rstrip("="),
        ]
        print("|".join(handshake), flush=True)  # noqa: T201 go-plugin reads it from our standard output
        _wait(stop, parent)
        server.stop(grace=0.2).wait()


def serve_many(reattach_file: Path, parent: int) -> None:
    """Many Terraform runs, until the parent process ends or SIGTERM comes."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: stop.set())
    server = _start(stop)
    # TCP and not a Unix socket: a TCP peer's port tells one provider instance from another.
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    reattach = {
        ADDRESS: {
            "Protocol": "grpc",
            "ProtocolVersion": _PROTOCOL_VERSION,
            "Pid": os.getpid(),
            "Test": True,
            "Addr": {"Network": "tcp", "String": f"127.0.0.1:{port}"},
        }
    }
    write_atomically(reattach_file, json.dumps(reattach))
    _wait(stop, parent)
    server.stop(grace=0.2).wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="Offline stand-in for the Terraform AWS provider.")
    parser.add_argument(
        "--reattach", type=Path, metavar="FILE", help="serve many runs; write TF_REATTACH_PROVIDERS here"
    )
    parser.add_argument(
        "--parent", type=int, default=os.getppid(), metavar="PID", help="end when this process has ended"
    )
    arguments = parser.parse_args()
    if arguments.reattach:
        serve_many(arguments.reattach, arguments.parent)
    elif "TF_PLUGIN_MAGIC_COOKIE" in os.environ:
        serve_terraform()
    else:
        parser.error("this is a Terraform provider plugin: Terraform starts it, or use --reattach")
    # Not through the interpreter's exit: gRPC's threads of connections still open would hold it up.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
