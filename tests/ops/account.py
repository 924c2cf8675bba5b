"""An AWS account as `python -m ops` sees it: moto, and in front of it answers to what moto cannot tell.

moto starts no tasks, validates no certificates, has quotas of the VPC only, fixed zones, hosted zones with ids like no
other, no way to an image's configuration, and is done with a scan before anybody has waited. Those questions are
answered here, from what a test sets; every other one goes on to moto. Real clients ask over real HTTP.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from tests.shipped import shipped_configs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

DEV = shipped_configs()[0]
REGION = "ap-northeast-2"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


_JSON = [("Content-Type", "application/x-amz-json-1.1")]
_XML = [("Content-Type", "text/xml")]


def zones_that_do() -> dict[str, str]:
    """Letter to AZ id, such that the shipped letters do: each account has letters of its own."""
    used = DEV.network.availability_zones
    letters = [*used, *(letter for letter in "abcd" if letter not in used)]
    return dict(zip(letters, ("apne2-az2", "apne2-az3", "apne2-az4", "apne2-az1"), strict=False))


def digest_of(character: str) -> str:
    return "sha256:" + character * 64


def index_of(*architectures: str, image: str = digest_of("a")) -> dict[str, Any]:
    """A manifest of an image for several processors, as buildx pushes it: with attestations, for a processor of none.

    Each has a digest of its own; the first image has `image`.
    """
    digests = [image, *(digest_of(character) for character in "bcd")]
    images = [
        {"mediaType": MANIFEST, "digest": digest, "platform": {"architecture": name, "os": "linux"}}
        for name, digest in zip(architectures, digests, strict=False)
    ]
    attestations = [
        {
            "mediaType": MANIFEST,
            "digest": digest_of("e"),
            "platform": {"architecture": "unknown", "os": "unknown"},
            "annotations": {
                "vnd.docker.reference.digest": each["digest"],
                "vnd.docker.reference.type": "attestation-manifest",
            },
        }
        for each in images
    ]
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*attestations, *images]}


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One of the service's deployments, with its tasks; task `n` has the address 10.0.0.<n>."""

    id: str
    tasks: tuple[int, ...] = ()
    desired: int = 1
    status: str = "PRIMARY"
    rollout: str = "COMPLETED"
    failed: tuple[tuple[int, dict[str, Any]], ...] = ()  # stopped tasks, and what ECS says of them


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The service as ECS describes it at one moment."""

    deployments: tuple[Deployment, ...] = (Deployment(id="ecs-svc/1", tasks=(1,)),)
    unhealthy: tuple[int, ...] = ()  # tasks, at the load balancers
    protected: tuple[int, ...] = ()
    desired: int = 1
    event: str = "(service live-commerce-rtmp-dev) has reached a steady state."

    def describe(self) -> dict[str, Any]:
        return {
            "serviceName": DEV.service_name,
            "status": "ACTIVE",
            "desiredCount": self.desired,
            "loadBalancers": [{"targetGroupArn": "arn:ingest"}, {"targetGroupArn": "arn:playback"}],
            "events": [{"id": "1", "message": self.event}],
            "deployments": [
                {
                    "id": each.id,
                    "status": each.status,
                    "runningCount": len(each.tasks),
                    "desiredCount": each.desired,
                    "rolloutState": each.rollout,
                }
                for each in self.deployments
            ],
        }

    def tasks(self) -> dict[str, dict[str, Any]]:
        """By ARN; those that stopped have a `stoppedReason`."""
        described = {}
        for deployment in self.deployments:
            for number in deployment.tasks:
                address = {"name": "privateIPv4Address", "value": f"10.0.0.{number}"}
                described[task_arn(number)] = {
                    "taskArn": task_arn(number),
                    "startedBy": deployment.id,
                    "healthStatus": "HEALTHY",
                    "attachments": [{"details": [address]}],
                }
            for number, said in deployment.failed:
                described[task_arn(number)] = {"taskArn": task_arn(number), "startedBy": deployment.id, **said}
        return described


def task_arn(number: int) -> str:
    return f"arn:aws:ecs:{REGION}:123456789012:task/{DEV.cluster_name}/{number:032x}"


@dataclass
class Account:
    """What a test sets; `reset` makes it a new account in which a deploy goes well."""

    moto: str
    zones: dict[str, str] = field(default_factory=zones_that_do)
    quotas: dict[str, float] = field(default_factory=dict)  # by code; others are ample
    applied: bool = True  # False: a quota was never changed, and AWS knows its default only
    vcpus_in_use: float = 0.0
    image: dict[str, Any] | None = field(default_factory=lambda: index_of("arm64", "amd64"))
    image_configuration: bytes = b"{}"
    scans: list[dict[str, Any]] = field(default_factory=list)  # one for each look, the last one stays; none: moto's
    moments: list[Moment] = field(default_factory=lambda: [Moment()])  # one for each look; the last one stays
    retirement_days: str = "14"
    certificate: dict[str, Any] = field(default_factory=dict)  # Status and DomainName of any that is asked for
    hosted_zones: dict[str, str] = field(default_factory=dict)  # id to name
    refused: dict[str, str] = field(default_factory=dict)  # operation to an error's code; "" hangs up
    asked: list[str] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)  # of the service
    looked_at: Moment | None = None  # the last look at the service: its tasks are asked for one by one afterwards

    def show(self, moment: Moment) -> None:
        """From now on the service is like this, also to who asks about its tasks alone."""
        self.moments, self.looked_at = [moment], moment

    def reset(self) -> None:
        self.__init__(self.moto)  # type: ignore[misc] # nobody derives from it

    def __enter__(self) -> Self:
        account = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                account._handle(self)

            do_GET = do_PUT = do_DELETE = do_HEAD = do_POST  # noqa: N815 - http.server looks for these names

            def log_message(self, *_arguments: object) -> None:
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def environment(self) -> dict[str, str]:
        """Over that of the local AWS."""
        return {"AWS_ENDPOINT_URL": self.endpoint}

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        if handler.path == "/image-configuration":
            self._send(handler, 200, self.image_configuration, _JSON)
            return
        target = handler.headers.get("X-Amz-Target", "")
        form = dict(urllib.parse.parse_qsl(body.decode(errors="replace"))) if not target else {}
        operation = target.rpartition(".")[2] or form.get("Action") or f"{handler.command} {handler.path}"
        self.asked.append(operation)
        if operation in self.refused:
            self._refuse(handler, self.refused[operation], xml=not target)
        elif target and (answer := self._answer(operation, json.loads(body or b"{}"))) is not None:
            self._send(handler, 200, json.dumps(answer).encode(), _JSON)
        elif not target and (xml := self._answer_in_xml(operation)):
            self._send(handler, 200, xml.encode(), _XML)
        else:
            self._forward(handler, body)

    def _refuse(self, handler: BaseHTTPRequestHandler, code: str, *, xml: bool) -> None:
        if not code:
            handler.close_connection = True
        elif xml:
            error = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
            text = f"<Response><Errors>{error}</Errors>{error}</Response>"
            self._send(handler, 403, text.encode(), _XML)
        else:
            text = json.dumps({"__type": code, "message": "no"})
            self._send(handler, 400, text.encode(), _JSON)

    def _answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        match operation:
            case "GetServiceQuota" | "GetAWSDefaultServiceQuota" if self.applied or "Default" in operation:
                return self._quota(request["QuotaCode"])  # else moto: no such resource, for all but the VPC's
            case "BatchGetImage" | "GetDownloadUrlForLayer" | "DescribeImageScanFindings":
                return self._answer_about_image(operation, request)
            case "DescribeServices":
                moment = self.moments.pop(0) if len(self.moments) > 1 else self.moments[0]
                self.looked_at = moment
                return {"services": [moment.describe()] if moment.deployments else []}
            case "ListTasks" | "DescribeTasks" | "GetTaskProtection" | "UpdateService":
                return self._answer_about_tasks(operation, request)
            case "ListAccountSettings":
                return {"settings": [{"name": request["name"], "value": self.retirement_days}]}
        return {"Certificate": self.certificate} if operation == "DescribeCertificate" and self.certificate else None

    def _answer_about_image(self, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        if operation == "DescribeImageScanFindings":
            return (self.scans.pop(0) if len(self.scans) > 1 else self.scans[0]) if self.scans else None
        if operation == "GetDownloadUrlForLayer":
            return {"downloadUrl": f"{self.endpoint}/image-configuration"}
        if not self.image:
            return {"images": [], "failures": []}
        image_id = {"imageDigest": digest_of("f"), **request["imageIds"][0]}
        return {"images": [{"imageId": image_id, "imageManifest": json.dumps(self.image)}], "failures": []}

    def _answer_about_tasks(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """As of the last look at the service."""
        moment = self.looked_at or self.moments[0]
        if operation == "UpdateService":
            self.updates.append(request)
            return {"service": moment.describe()}
        known = moment.tasks()
        if operation == "ListTasks":
            stopped = request["desiredStatus"] == "STOPPED"
            return {"taskArns": [arn for arn, task in known.items() if ("stoppedReason" in task) == stopped]}
        if operation == "DescribeTasks":
            return {"tasks": [known[arn] for arn in request["tasks"] if arn in known]}
        protected = {task_arn(number) for number in moment.protected}
        return {"protectedTasks": [{"taskArn": arn, "protectionEnabled": arn in protected} for arn in request["tasks"]]}

    def _quota(self, code: str) -> dict[str, Any]:
        quota: dict[str, Any] = {"QuotaCode": code, "Value": self.quotas.get(code, 1000.0)}
        if self.vcpus_in_use:
            quota["UsageMetric"] = {
                "MetricNamespace": "AWS/Usage",
                "MetricName": "ResourceCount",
                "MetricDimensions": {"Service": "Fargate", "Resource": "vCPU"},
            }
        return {"Quota": quota}

    def _answer_in_xml(self, operation: str) -> str:
        match operation:
            case "DescribeAvailabilityZones":
                zones = "".join(
                    f"<item><zoneName>{REGION}{letter}</zoneName><zoneId>{id_}</zoneId><zoneState>available</zoneState>"
                    "<zoneType>availability-zone</zoneType></item>"
                    for letter, id_ in sorted(self.zones.items())
                )
                return f"<Response><availabilityZoneInfo>{zones}</availabilityZoneInfo></Response>"
            case "DescribeTargetHealth":
                return self._target_health()
            case "GetMetricStatistics" if self.vcpus_in_use:
                point = f"<member><Maximum>{self.vcpus_in_use}</Maximum></member>"
                return _result("GetMetricStatistics", f"<Datapoints>{point}</Datapoints>")
        if match := re.match(r"GET /2020-05-31/(cache|response-headers)-policy\?", operation):
            element = {"cache": "CachePolicyList", "response-headers": "ResponseHeadersPolicyList"}[match[1]]
            return f"<{element}><MaxItems>100</MaxItems><Quantity>0</Quantity></{element}>"
        if operation.rpartition("/")[0] == "GET /2013-04-01/hostedzone" and (
            name := self.hosted_zones.get(operation.rpartition("/")[2])
        ):
            zone = f"<HostedZone><Id>/hostedzone/Z1</Id><Name>{name}.</Name></HostedZone>"
            return f"<GetHostedZoneResponse>{zone}</GetHostedZoneResponse>"
        return ""

    def _target_health(self) -> str:
        moment = self.looked_at or self.moments[0]
        numbers = [number for deployment in moment.deployments for number in deployment.tasks]
        members = "".join(
            f"<member><Target><Id>10.0.0.{number}</Id></Target>"
            f"<TargetHealth><State>{'unhealthy' if number in moment.unhealthy else 'healthy'}</State></TargetHealth>"
            "</member>"
            for number in numbers
        )
        return _result("DescribeTargetHealth", f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>")

    def _forward(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        connection = http.client.HTTPConnection(self.moto.removeprefix("http://"), timeout=30)
        try:
            left_out = ("connection", "expect", "transfer-encoding")
            headers = {name: value for name, value in handler.headers.items() if name.lower() not in left_out}
            connection.request(handler.command, handler.path, body, headers)
            response = connection.getresponse()
            self._send(handler, response.status, response.read(), response.headers.items())
        finally:
            connection.close()

    def _send(
        self, handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: Iterable[tuple[str, str]]
    ) -> None:
        handler.send_response(status)
        for name, value in headers:
            if name.lower() not in ("connection", "content-length", "date", "server", "transfer-encoding"):
                handler.send_header(name, value)
        length = dict(headers).get("Content-Length", "0") if handler.command == "HEAD" else str(len(body))
        handler.send_header("Content-Length", length)
        handler.end_headers()
        handler.wfile.write(body)


def _result(operation: str, content: str) -> str:
    return f"<{operation}Response><{operation}Result>{content}</{operation}Result></{operation}Response>"
