"""CloudWatch metrics by name, for dashboard, alarms and autoscaling alike: one factory for each service.

Plain data. The origin writes its own metrics in embedded metric format; `OriginMetrics` is the other end of that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ORIGIN_NAMESPACE = "LiveCommerce"
CLOUDFRONT_METRICS_REGION = "us-east-1"  # where CloudFront reports, wherever it is configured from


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One metric and how to look at it."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistic: str
    label: str
    region: str | None = None  # None: the stack's

    def with_statistic(self, statistic: str, label: str) -> Metric:
        """Return the same metric, looked at another way."""
        return replace(self, statistic=statistic, label=label)


@dataclass(frozen=True, slots=True)
class OriginMetrics:
    """What our origin reports about broadcasts."""

    cluster_name: str
    service_name: str

    def active_streams(self) -> Metric:
        """Broadcasts live on a task, on average; times the running tasks it is the broadcasts of the service."""
        return self._metric("ActiveStreams", "Average", "broadcasts per task")

    def streams_per_task(self) -> Metric:
        """Capacity in use on a task; a broadcast that has to be encoded counts twice."""
        return self._metric("StreamsPerTask", "Average", "streams per task")

    def overcommitted_units(self) -> Metric:
        """What live broadcasts take beyond a task's capacity, because they became dearer than they were at the door."""
        return self._metric("OvercommittedUnits", "Maximum", "beyond a task's capacity")

    def busy_tasks(self) -> Metric:
        """Tasks that are protected or want to be; each says so once in every minute."""
        return self._metric("BusyTasks", "Sum", "busy tasks")

    def rejected_publishes(self) -> Metric:
        """Publishers turned away, for whatever reason."""
        return self._metric("RejectedPublish", "Sum", "rejected publishes")

    def rejected_for(self, reason: str) -> Metric:
        """Publishers turned away for one reason."""
        metric = self._metric("RejectedPublish", "Sum", reason)
        return replace(metric, dimensions={**metric.dimensions, "Reason": reason})

    def encoder_speed(self) -> Metric:
        """Media time over wall time of the slowest encoder: below 1 it falls behind."""
        return self._metric("EncoderSpeed", "Minimum", "slowest encoder")

    def encoders_behind(self) -> Metric:
        """Encoders that did not keep up: their broadcasts go on with fewer renditions."""
        return self._metric("EncoderBehind", "Sum", "encoders behind")

    def encoder_failures(self) -> Metric:
        """Encoders that crashed."""
        return self._metric("EncoderFailures", "Sum", "encoder failures")

    def ingest_crashes(self) -> Metric:
        """Times that an nginx died, and with it all broadcasts that it had."""
        return self._metric("IngestCrashes", "Sum", "ingest crashes")

    def time_to_first_segment(self) -> Metric:
        """Seconds from publish to the first segment that a viewer can play."""
        return self._metric("TimeToFirstSegment", "p95", "publish to first segment (s, p95)")

    def lease_failures(self) -> Metric:
        """Renewals of leases that DynamoDB did not answer."""
        return self._metric("LeaseFailures", "Sum", "lease failures")

    def peer_failures(self) -> Metric:
        """Requests of one task to another without an answer: viewers got 404 for them."""
        return self._metric("PeerFailures", "Sum", "failures between tasks")

    def refused_lookups(self) -> Metric:
        """Viewers' requests that got 503 because too many ids were to be looked up."""
        return self._metric("RefusedLookups", "Sum", "refused look-ups")

    def protection_failures(self) -> Metric:
        """Requests for ECS task protection that failed: deploys and scaling in may cut that task's broadcasts."""
        return self._metric("ProtectionFailures", "Sum", "protection failures")

    def _metric(self, name: str, statistic: str, label: str) -> Metric:
        return Metric(
            namespace=ORIGIN_NAMESPACE,
            name=name,
            dimensions={"ClusterName": self.cluster_name, "ServiceName": self.service_name},
            statistic=statistic,
            label=label,
        )


@dataclass(frozen=True, slots=True)
class EcsMetrics:
    """What ECS reports about the service."""

    cluster_name: str
    service_name: str

    def cpu_utilization(self) -> Metric:
        """Percent of the tasks' CPU in use."""
        return self._metric("AWS/ECS", "CPUUtilization", "Average", "CPU % (average)")

    def memory_utilization(self) -> Metric:
        """Percent of the tasks' memory in use."""
        return self._metric("AWS/ECS", "MemoryUtilization", "Average", "memory % (average)")

    def running_tasks(self) -> Metric:
        """Tasks in RUNNING. Needs Container Insights on the cluster."""
        return self._metric("ECS/ContainerInsights", "RunningTaskCount", "Minimum", "running tasks")

    def desired_tasks(self) -> Metric:
        """Tasks that the service wants. Needs Container Insights on the cluster."""
        return self._metric("ECS/ContainerInsights", "DesiredTaskCount", "Maximum", "desired tasks")

    def _metric(self, namespace: str, name: str, statistic: str, label: str) -> Metric:
        return Metric(
            namespace=namespace,
            name=name,
            dimensions={"ClusterName": self.cluster_name, "ServiceName": self.service_name},
            statistic=statistic,
            label=label,
        )


@dataclass(frozen=True, slots=True)
class NetworkLoadBalancerMetrics:
    """What the ingest load balancer reports."""

    load_balancer_suffix: str
    target_group_suffix: str

    def healthy_targets(self) -> Metric:
        """Tasks that answer its health check, as the node sees them that sees most.

        Each node of the balancer reports, one or more in each zone: the minimum is 0 as soon as one sees no task.
        """
        metric = self._metric("HealthyHostCount", "Maximum", "healthy ingest targets")
        return replace(metric, dimensions={**metric.dimensions, "TargetGroup": self.target_group_suffix})

    def active_flows(self) -> Metric:
        """Connections open now: publishers."""
        return self._metric("ActiveFlowCount", "Maximum", "active flows")

    def new_flows(self) -> Metric:
        """Connections made."""
        return self._metric("NewFlowCount", "Sum", "new flows")

    def resets(self) -> list[Metric]:
        """Connections cut, by whom."""
        return [
            self._metric("TCP_Client_Reset_Count", "Sum", "reset by publishers"),
            self._metric("TCP_Target_Reset_Count", "Sum", "reset by tasks"),
            self._metric("TCP_ELB_Reset_Count", "Sum", "reset by the balancer"),
        ]

    def _metric(self, name: str, statistic: str, label: str) -> Metric:
        return Metric(
            namespace="AWS/NetworkELB",
            name=name,
            dimensions={"LoadBalancer": self.load_balancer_suffix},
            statistic=statistic,
            label=label,
        )


@dataclass(frozen=True, slots=True)
class ApplicationLoadBalancerMetrics:
    """What the playback load balancer reports."""

    load_balancer_suffix: str
    target_group_suffix: str

    def healthy_targets(self) -> Metric:
        """Tasks that answer its health check, as the node sees them that sees most.

        Each node of the balancer reports, one or more in each zone: the minimum is 0 as soon as one sees no task.
        """
        metric = self._metric("HealthyHostCount", "Maximum", "healthy playback targets")
        return replace(metric, dimensions={**metric.dimensions, "TargetGroup": self.target_group_suffix})

    def requests(self) -> Metric:
        """Requests from CloudFront."""
        return self._metric("RequestCount", "Sum", "requests")

    def server_errors(self) -> list[Metric]:
        """Answers of 5xx, by the tasks and by the balancer itself."""
        return [
            self._metric("HTTPCode_Target_5XX_Count", "Sum", "5xx of tasks"),
            self._metric("HTTPCode_ELB_5XX_Count", "Sum", "5xx of the balancer"),
        ]

    def response_time(self) -> Metric:
        """Seconds until a task answers; blocking playlist requests are meant to take up to a part's duration."""
        return self._metric("TargetResponseTime", "p95", "response time (s, p95)")

    def _metric(self, name: str, statistic: str, label: str) -> Metric:
        return Metric(
            namespace="AWS/ApplicationELB",
            name=name,
            dimensions={"LoadBalancer": self.load_balancer_suffix},
            statistic=statistic,
            label=label,
        )


@dataclass(frozen=True, slots=True)
class CloudfrontMetrics:
    """What CloudFront reports about viewers."""

    distribution_id: str

    def requests(self) -> Metric:
        """Requests of viewers."""
        return self._metric("Requests", "Sum", "requests")

    def bytes_downloaded(self) -> Metric:
        """Bytes sent to viewers."""
        return self._metric("BytesDownloaded", "Sum", "bytes to viewers")

    def error_rates(self) -> list[Metric]:
        """Percent of requests answered with 4xx and with 5xx."""
        return [self._metric("4xxErrorRate", "Average", "4xx %"), self.server_error_rate()]

    def server_error_rate(self) -> Metric:
        """Percent of requests answered with 5xx."""
        return self._metric("5xxErrorRate", "Average", "5xx %")

    def _metric(self, name: str, statistic: str, label: str) -> Metric:
        return Metric(
            namespace="AWS/CloudFront",
            name=name,
            dimensions={"DistributionId": self.distribution_id, "Region": "Global"},
            statistic=statistic,
            label=label,
            region=CLOUDFRONT_METRICS_REGION,
        )
