"""Who reaches whom: security groups and their rules.

Source: Amazon VPC user guide, "Security group connection tracking": a connection that is admitted from and to
everywhere is not tracked, and breaks with the rule that admitted it; others may go on until they end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.plan_review.change import Action
from ops.plan_review.effect import Broadcasts, Effect, Verdict
from ops.plan_review.rule import Look, rule
from ops.plan_review.rules.parts import BETWEEN_SHOWS, COMES_OR_GOES, guards, vpc_goes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.plan_review.change import Change
    from ops.plan_review.plan import Plan

_INGRESS, _EGRESS = "aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule"
_PEERS = ("cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id")
_WHAT = ("from_port", "to_port", "ip_protocol")


def _whose(plan: Plan, change: Change) -> str:
    """The group that a rule is of: "ingest", "playback", "task"; "" for one that is new or in no use."""
    for side in (change.before_at("security_group_id"), change.after_at("security_group_id")):
        if found := guards(plan, side):
            return found
    return ""


def _group_goes(plan: Plan, change: Change) -> bool:
    """Whether the rule moves with its group, which is made anew first."""
    group = change.before_at("security_group_id")
    return any(each.goes and each.before_at("id") == group for each in plan.of_type("aws_security_group"))


def _peer(change: Change, *, after: bool) -> str:
    at = change.after_at if after else change.before_at
    peer = next((str(at(path)) for path in _PEERS if at(path) is not None), "nobody")
    ports = f"{at('from_port')}" if at("from_port") == at("to_port") else f"{at('from_port')} to {at('to_port')}"
    return f"{peer} on {ports}"


@rule(
    "security-group-rule-goes",
    Look(types=(_INGRESS, _EGRESS), actions=COMES_OR_GOES, attributes=(*_PEERS, *_WHAT, "security_group_id", "region")),
)
def rule_goes(plan: Plan) -> Iterator[Effect]:
    """Somebody who was admitted is not any more."""
    if vpc_goes(plan):
        return
    publishers: list[Change] = []
    for change in plan.of_type(_INGRESS, _EGRESS):
        narrowed = change.goes or (change.action is Action.UPDATE and change.changed_any((*_PEERS, *_WHAT)))
        whose = _whose(plan, change)
        if not narrowed or not whose or _group_goes(plan, change):
            continue
        if change.type == _EGRESS and whose == "task" and change.before_at("cidr_ipv4") is not None:
            yield _way_out_closed(change)
            continue
        if change.type == _INGRESS and whose == "ingest":
            publishers.append(change)
            continue
        yield Effect(
            rule="security-group-rule-goes",
            changes=(change,),
            title=f"{change.construct_path}: {_peer(change, after=False)} is not admitted any more",
            verdict=Verdict.NEEDS_APPROVAL,
            broadcasts=Broadcasts.ALL_CUT,
            streamers=(
                "What passed by this rule stops: RTMP and health checks from the balancer, or tasks among each other."
            ),
            viewers="Shows that are cut end. Without a way between balancer and tasks nobody sees anything.",
            safe_way=f"Admit what is needed by another rule first. {BETWEEN_SHOWS}",
            shows=tuple((path,) for path in (*_PEERS, *_WHAT) if change.before_at(path) is not None),
        )
    if publishers:
        yield _publishers_shut_out(tuple(publishers))


def _publishers_shut_out(changes: tuple[Change, ...]) -> Effect:
    peers = list(dict.fromkeys(_peer(change, after=False) for change in changes))
    return Effect(
        rule="security-group-rule-goes",
        changes=changes,
        title=f"Publishers are not admitted any more from {', '.join(peers[:6])}{' and more' if peers[6:] else ''}",
        verdict=Verdict.NEEDS_APPROVAL,
        broadcasts=Broadcasts.ALL_CUT,
        streamers="Those who publish from there are cut, and cannot come back; those whom another rule admits go on.",
        viewers="Their shows end.",
        safe_way=f"Admit where streamers really are first. {BETWEEN_SHOWS}",
        shows=tuple((path,) for path in _PEERS if changes[0].before_at(path) is not None),
    )


def _way_out_closed(change: Change) -> Effect:
    return Effect(
        rule="security-group-rule-goes",
        changes=(change,),
        title=f"Tasks do not reach {_peer(change, after=False)} any more ({change.construct_path})",
        verdict=Verdict.NEEDS_APPROVAL,
        streamers=(
            "Live shows go on. If the backend, DynamoDB or AWS's other APIs are behind it, nobody can "
            "begin, and shows are "
            "no longer protected from deployments."
        ),
        safe_way="Admit what tasks need by another rule first; deploy what needs it no longer before it goes.",
        shows=tuple((path,) for path in (*_PEERS, *_WHAT) if change.before_at(path) is not None),
    )


@rule("security-group-widened", Look(types=(_INGRESS, _EGRESS)))
def widened(plan: Plan) -> Iterator[Effect]:
    """Tasks are reached by balancers and tasks alone, the playback balancer by CloudFront (docs/security.md)."""
    if plan.is_new or vpc_goes(plan):
        return
    for change in plan.of_type(_INGRESS):
        comes = change.action is Action.CREATE or change.replaced or change.action is Action.UPDATE
        whose = _whose(plan, change)
        if not comes or not whose or _group_goes(plan, change) or not change.changed_any((*_PEERS, *_WHAT)):
            continue
        if whose == "ingest":
            yield Effect(
                rule="security-group-widened",
                changes=(change,),
                title=f"Publishers may come from {_peer(change, after=True)}",
                verdict=Verdict.SAFE_NOW,
                streamers="More may try; the backend still says whose key is good.",
                safe_way="Now.",
            )
            continue
        yield Effect(
            rule="security-group-widened",
            changes=(change,),
            title=(
                f"{_peer(change, after=True)} is admitted to the {'tasks' if whose == 'task' else 'playback balancer'}"
            ),
            verdict=Verdict.NEEDS_APPROVAL,
            streamers=(
                "Nobody is cut. Who reaches a task can pose as another one, and take a ghost's place away."
                if whose == "task"
                else "Nothing changes."
            ),
            viewers="Nothing changes. Who comes past CloudFront is not counted and not limited by it.",
            safe_way="Admit a security group of ours and not an address, or say why not.",
        )


@rule(
    "security-group-goes",
    Look(
        types=("aws_security_group",),
        actions=COMES_OR_GOES,
        attributes=("name", "name_prefix", "vpc_id", "ingress", "egress", "region", "revoke_rules_on_delete"),
    ),
    Look(types=("aws_default_security_group",), actions=COMES_OR_GOES, attributes=("ingress", "egress", "vpc_id")),
)
def group_goes(plan: Plan) -> Iterator[Effect]:
    """A group is made anew before the old one goes (create_before_destroy); AWS keeps one that is in use."""
    if vpc_goes(plan):
        return
    for change in plan.of_type("aws_security_group"):
        whose = guards(plan, change.before_at("id"))
        if change.goes and whose:
            yield Effect(
                rule="security-group-goes",
                changes=(change,),
                title=f"The security group of the {whose if whose == 'task' else whose + ' balancer'} "
                f"is {'replaced' if change.replaced else 'deleted'}",
                verdict=Verdict.WAIT if change.replaced else Verdict.NEEDS_APPROVAL,
                broadcasts=Broadcasts.CUT_ONCE if whose != "playback" else Broadcasts.NONE,
                streamers=(
                    "New tasks get the new group; the rules of the old one go while old tasks still "
                    "run in it, and with "
                    "them their shows."
                    if whose == "task"
                    else "Connections that the old group admitted may break once."
                ),
                viewers="Shows stall until their streamer is back.",
                safe_way=BETWEEN_SHOWS,
                shows=change.replace_paths,
            )
        elif change.action is Action.UPDATE and change.changed_any(("ingress", "egress")):
            yield Effect(
                rule="security-group-goes",
                changes=(change,),
                title="Rules inside a security group take over from rules of their own",
                verdict=Verdict.NEEDS_APPROVAL,
                broadcasts=Broadcasts.ALL_CUT,
                streamers="Inline rules remove all others of the group, and with them what admits RTMP.",
                viewers="Shows that are cut end.",
                safe_way="Use aws_vpc_security_group_ingress_rule and its sister, as the other groups do.",
            )
    for change in plan.of_type("aws_default_security_group"):
        if change.action is Action.UPDATE and (change.after_at("ingress") or change.after_at("egress")):
            yield Effect(
                rule="security-group-goes",
                changes=(change,),
                title="The VPC's default security group admits something",
                verdict=Verdict.NEEDS_APPROVAL,
                safe_way=(
                    "Leave it empty: nothing of ours is in it, and what lands there by mistake should reach nobody."
                ),
            )


RULES = (rule_goes, widened, group_goes)
