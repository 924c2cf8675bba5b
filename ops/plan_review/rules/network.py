"""VPC, subnets, routes, addresses: the ground under everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.plan_review.change import Action
from ops.plan_review.effect import Broadcasts, Effect, Urls, Verdict
from ops.plan_review.rule import Look, rule
from ops.plan_review.rules.parts import BETWEEN_SHOWS, COMES_OR_GOES, either, named, vpc_goes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.plan_review.plan import Plan


@rule(
    "vpc-goes",
    Look(
        types=("aws_vpc",),
        actions=COMES_OR_GOES,
        attributes=("cidr_block", "instance_tenancy", "enable_dns_hostnames", "enable_dns_support", "region"),
    ),
)
def the_vpc_goes(plan: Plan) -> Iterator[Effect]:
    """Everything is in it: both balancers, all tasks, the addresses of the NAT gateways."""
    for change in plan.of_type("aws_vpc"):
        if change.goes:
            yield Effect(
                rule="vpc-goes",
                changes=(change,),
                title=(
                    f"The VPC is {'replaced' if change.replaced else 'deleted'}, and with it everything that is in it"
                ),
                verdict=Verdict.NEEDS_APPROVAL,
                broadcasts=Broadcasts.ALL_CUT,
                urls=frozenset({Urls.STREAMERS}),
                streamers=(
                    "All are cut. The ingest balancer gets another address, which each has to type, unless "
                    "ingest.domain_name is set."
                ),
                viewers="All shows end. Nothing plays until the new tasks are behind CloudFront: half an hour.",
                safe_way=(
                    "Make a second environment with the new network, move streamers and viewers, destroy the old one."
                ),
                shows=change.replace_paths,
            )
        elif change.action is Action.UPDATE and change.changed_any(("enable_dns_hostnames", "enable_dns_support")):
            yield Effect(
                rule="vpc-goes",
                changes=(change,),
                title="Names are resolved in another way in the VPC",
                verdict=Verdict.NEEDS_APPROVAL,
                streamers="Tasks that cannot resolve the backend's name, or DynamoDB's, let nobody in.",
                safe_way="Leave both switched on.",
            )


@rule(
    "subnet-goes",
    Look(
        types=("aws_subnet",),
        actions=COMES_OR_GOES,
        attributes=("cidr_block", "availability_zone", "vpc_id", "map_public_ip_on_launch", "region"),
    ),
)
def subnet_goes(plan: Plan) -> Iterator[Effect]:
    """Load balancers and tasks are in it: AWS refuses to delete it while they are, and Terraform moves them first."""
    gone = tuple(change for change in plan.of_type("aws_subnet") if change.goes)
    if gone and not vpc_goes(plan):
        yield Effect(
            rule="subnet-goes",
            changes=gone,
            title=f"{len(gone)} subnet{'s' if len(gone) > 1 else ''} go: {named(gone)}",
            verdict=Verdict.NEEDS_APPROVAL,
            broadcasts=Broadcasts.ALL_CUT,
            streamers="Whoever came in by that zone is cut, and whoever is live on a task there as well.",
            viewers="These shows end, or stall until their streamer is back by another zone.",
            safe_way=(
                f"Put new zones at the end of the list, and leave the old ones (docs/environments.md). {BETWEEN_SHOWS}"
            ),
            shows=gone[0].replace_paths,
        )


@rule(
    "way-out",
    Look(
        types=("aws_nat_gateway", "aws_eip"),
        actions=COMES_OR_GOES,
        attributes=("allocation_id", "subnet_id", "connectivity_type", "domain", "public_ipv4_pool", "region"),
    ),
)
def way_out(plan: Plan) -> Iterator[Effect]:
    """Tasks ask the backend through it, and pull their image. Backends may admit its address alone."""
    gone = tuple(change for change in plan.of_type("aws_eip", "aws_nat_gateway") if change.goes)
    if gone and not vpc_goes(plan):
        yield Effect(
            rule="way-out",
            changes=gone,
            title=f"Tasks get other addresses to the outside: {named(gone)}",
            verdict=Verdict.NEEDS_APPROVAL,
            streamers=(
                "Shows go on. Until the new way is there, minutes, nobody can begin: the backend is "
                "not reached. A backend "
                "that admits addresses has to admit the new ones first."
            ),
            safe_way=f"Add a NAT gateway first (network.nat_gateways), tell the backend its address. {BETWEEN_SHOWS}",
            shows=gone[0].replace_paths,
        )


@rule(
    "routes",
    Look(
        types=("aws_route", "aws_route_table", "aws_route_table_association", "aws_internet_gateway"),
        actions=COMES_OR_GOES,
        attributes=(
            "route_table_id",
            "subnet_id",
            "destination_cidr_block",
            "nat_gateway_id",
            "gateway_id",
            "vpc_id",
            "route",
            "region",
        ),
    ),
)
def routes(plan: Plan) -> Iterator[Effect]:
    """A route that is replaced is gone for a moment; an internet gateway is the way to the ingest balancer."""
    if vpc_goes(plan):
        return
    gateways = tuple(change for change in plan.of_type("aws_internet_gateway") if change.goes)
    if gateways:
        yield Effect(
            rule="routes",
            changes=gateways,
            title="The internet gateway goes",
            verdict=Verdict.NEEDS_APPROVAL,
            broadcasts=Broadcasts.ALL_CUT,
            streamers="All are cut: it is the way to the ingest balancer.",
            viewers="All shows end.",
            safe_way=f"Take the change back. If it has to be: {BETWEEN_SHOWS}",
            shows=gateways[0].replace_paths,
        )
    moved = tuple(
        change
        for change in plan.of_type("aws_route", "aws_route_table", "aws_route_table_association")
        if change.goes or (change.action is Action.UPDATE and change.changed_any(("nat_gateway_id", "gateway_id")))
    )
    private = tuple(change for change in moved if either(change, "nat_gateway_id") is not None)
    public = tuple(change for change in moved if change not in private)
    if private:
        yield Effect(
            rule="routes",
            changes=private,
            title=f"Tasks take another way out: {named(private)}",
            verdict=Verdict.WAIT,
            streamers="Live shows go on. For a moment the backend is not reached, and its answer is no.",
            safe_way=f"A backend that admits addresses has to admit the new one first. {BETWEEN_SHOWS}",
            shows=(("nat_gateway_id",),),
        )
    if public:
        yield Effect(
            rule="routes",
            changes=public,
            title=f"Ways of subnets change: {named(public)}",
            verdict=Verdict.WAIT,
            broadcasts=Broadcasts.CUT_ONCE,
            streamers="While a public subnet has no route, packets of publishers are lost; a longer gap cuts them.",
            viewers="These shows stall for as long.",
            safe_way=BETWEEN_SHOWS,
            shows=public[0].replace_paths,
        )


@rule(
    "endpoint-goes",
    Look(
        types=("aws_vpc_endpoint",),
        actions=COMES_OR_GOES,
        attributes=("service_name", "vpc_endpoint_type", "route_table_ids", "vpc_id", "policy", "region"),
    ),
)
def endpoint_goes(plan: Plan) -> Iterator[Effect]:
    """Leases and logs take it. Without it they take the NAT gateway, which is paid by the gigabyte."""
    gone = tuple(
        change
        for change in plan.of_type("aws_vpc_endpoint")
        if change.goes or (change.action is Action.UPDATE and change.changed_any(("route_table_ids", "policy")))
    )
    if gone and not vpc_goes(plan):
        yield Effect(
            rule="endpoint-goes",
            changes=gone,
            title=f"The way to AWS inside the VPC changes: {named(gone)}",
            verdict=Verdict.WAIT,
            streamers="Shows go on. For as long as DynamoDB is not reached nobody new gets in.",
            viewers="Whoever asks a task that does not have the show may get no answer for as long.",
            safe_way=BETWEEN_SHOWS,
            shows=gone[0].replace_paths,
        )


RULES = (the_vpc_goes, subnet_goes, way_out, routes, endpoint_goes)
