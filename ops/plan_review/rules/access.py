"""Who may do what: roles, and the policies of roles, keys, buckets and topics.

Sources: IAM user guide, "Policy evaluation logic"; IAM API reference, UpdateAssumeRolePolicy, PutRolePolicy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.plan_review.change import Action
from ops.plan_review.effect import Effect, Verdict
from ops.plan_review.policy_documents import UnreadablePolicyError, difference, document_of
from ops.plan_review.rule import Look, rule
from ops.plan_review.rules.parts import BETWEEN_SHOWS, COMES_OR_GOES, named
from ops.plan_review.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.plan_review.change import Change
    from ops.plan_review.plan import Plan
    from ops.plan_review.policy_documents import Difference, Grant

# The argument that holds the policy, by type.
_POLICIES = {
    "aws_iam_role": "assume_role_policy",
    "aws_iam_role_policy": "policy",
    "aws_kms_key": "policy",
    "aws_s3_bucket_policy": "policy",
    "aws_sns_topic_policy": "policy",
}
_NAMED_GRANTS = 4


def _document(side: object, argument: str) -> str | None:
    text = side.get(argument) if isinstance(side, dict) else None
    return text if isinstance(text, str) else None


def _told(grants: tuple[Grant, ...]) -> str:
    more = f" and {len(grants) - _NAMED_GRANTS} more" if len(grants) > _NAMED_GRANTS else ""
    return "; ".join(str(grant) for grant in grants[:_NAMED_GRANTS]) + more


def _is_tasks(change: Change) -> bool:
    """Whether it is what the tasks hold (constructs_lib/compute/task_roles.py)."""
    return change.name.startswith("Roles_")


@rule(
    "permissions",
    *(Look(types=(type_,), actions=COMES_OR_GOES, attributes=(argument,)) for type_, argument in _POLICIES.items()),
    Look(types=("aws_s3_bucket_policy", "aws_sns_topic_policy"), attributes=("bucket", "arn", "region")),
)
def permissions(plan: Plan) -> Iterator[Effect]:
    """More than before, less than before, or not to be read before the apply. The same in other words is nothing."""
    if plan.is_new:
        return
    unreadable: list[Change] = []
    for type_, argument in _POLICIES.items():
        for change in plan.of_type(type_):
            if change.action is Action.NO_OP or not change.changed(argument) or _goes_with_its_owner(plan, change):
                continue
            try:
                found = difference(_document(change.before, argument), _wanted(plan, change, argument))
            except UnreadablePolicyError:
                unreadable.append(change)
                continue
            if found.gained:
                yield _gained(change, argument, found)
            elif found.lost:
                yield _lost(change, argument, found.lost)
    if unreadable:
        yield _unreadable(tuple(unreadable))


def _wanted(plan: Plan, change: Change, argument: str) -> str | None:
    """The policy after the apply.

    Terraform reads a policy's document in the apply only when something that it names is about to change in whatever
    way. Then what it will say follows from its statements, as far as these are known.

    Raises:
        UnreadablePolicyError: They are not.
    """
    if change.after_at(argument) is not UNKNOWN:
        return _document(change.after, argument)
    named_by = {".".join(reference.split(".")[:3]) for reference in (change.configured or {}).get(argument, ())}
    documents = [each for each in plan.of_type("aws_iam_policy_document") if each.address in named_by]
    if len(documents) != 1:
        raise UnreadablePolicyError("made of more than one document, or of none")
    return document_of(documents[0].after, documents[0].after_unknown)


def _goes_with_its_owner(plan: Plan, change: Change) -> bool:
    """Whether what the policy is about goes as well, which is told of by itself."""
    if change.type == "aws_kms_key":
        return change.action is Action.DELETE
    owner = {"aws_s3_bucket_policy": "aws_s3_bucket", "aws_sns_topic_policy": "aws_sns_topic"}.get(change.type, "")
    return change.goes and any(each.goes for each in plan.of_type(owner))


def _unreadable(changes: tuple[Change, ...]) -> Effect:
    return Effect(
        rule="permissions",
        changes=changes,
        title=f"What these allow is not known before the apply: {named(changes)}",
        verdict=Verdict.NEEDS_APPROVAL,
        safe_way=(
            "They name things that change too, so Terraform reads them last. Read the code that makes the policies, or "
            "apply what they depend on first and plan again."
        ),
        shows=tuple((argument,) for argument in dict.fromkeys(_POLICIES.values())),
    )


def _gained(change: Change, argument: str, found: Difference) -> Effect:
    less = f"; and less: {_told(found.lost)}" if found.lost else ""
    return Effect(
        rule="permissions",
        changes=(change,),
        title=f"{change.construct_path} allows more: {_told(found.gained)}{less}",
        verdict=Verdict.NEEDS_APPROVAL,
        safe_way="Narrow it to the actions and resources that are called (tests/test_permissions.py), or say why not.",
        shows=((argument,),),
    )


def _lost(change: Change, argument: str, grants: tuple[Grant, ...]) -> Effect:
    tasks = _is_tasks(change)
    return Effect(
        rule="permissions",
        changes=(change,),
        title=f"{change.construct_path} allows less: {_told(grants)}",
        verdict=Verdict.NEEDS_APPROVAL if tasks else Verdict.SAFE_NOW,
        streamers=(
            "Counts for tasks that run, at once. Without their leases nobody new gets in; without "
            "protection a deployment "
            "may stop a show."
            if tasks
            else "Nothing changes."
        ),
        safe_way=(
            "Deploy the image that needs less first; take the permission away when no older task runs."
            if tasks
            else "Whoever loses it has to do without."
        ),
        shows=((argument,),),
    )


@rule(
    "role-goes",
    Look(
        types=("aws_iam_role",),
        attributes=("name", "name_prefix", "path", "permissions_boundary", "managed_policy_arns", "inline_policy"),
    ),
    Look(types=("aws_iam_role",), attributes=("max_session_duration", "force_detach_policies")),
    Look(types=("aws_iam_role_policy",), attributes=("name", "name_prefix", "role")),
)
def role_goes(plan: Plan) -> Iterator[Effect]:
    """Credentials of a role that is gone are refused at once, also those that tasks hold."""
    for change in plan.of_type("aws_iam_role"):
        if change.goes and _is_tasks(change):
            yield Effect(
                rule="role-goes",
                changes=(change,),
                title=f"The role {change.construct_path} is {'replaced' if change.replaced else 'deleted'}",
                verdict=Verdict.WAIT,
                streamers=(
                    "Tasks that run lose their credentials. Their shows go on, but are no longer protected from "
                    "deployments, and nobody new gets in until new tasks are there."
                ),
                viewers="Whoever asks a task that does not have the show may get no answer.",
                safe_way=BETWEEN_SHOWS,
                shows=change.replace_paths,
            )
        bound = change.action is Action.UPDATE and any(
            change.changed(path) for path in ("permissions_boundary", "managed_policy_arns", "inline_policy")
        )
        if bound:
            yield Effect(
                rule="role-goes",
                changes=(change,),
                title=f"The role {change.construct_path} gets other policies",
                verdict=Verdict.NEEDS_APPROVAL,
                safe_way="Read which actions are in them; this review reads inline policies of their own only.",
            )


@rule(
    "deploy-trust",
    Look(
        types=("aws_iam_openid_connect_provider",),
        actions=COMES_OR_GOES,
        attributes=("url", "client_id_list", "thumbprint_list"),
    ),
)
def deploy_trust(plan: Plan) -> Iterator[Effect]:
    """Whom the account believes that it is a workflow. One for each account and issuer (docs/deploy.md)."""
    for change in plan.of_type("aws_iam_openid_connect_provider"):
        if change.action in (Action.NO_OP, Action.READ) or plan.is_new:
            continue
        yield Effect(
            rule="deploy-trust",
            changes=(change,),
            title=f"The account's trust in its identity provider: {change.action}",
            verdict=Verdict.NEEDS_APPROVAL,
            safe_way="Others in the account may use the same provider: ask before it changes or goes.",
        )


RULES = (permissions, role_goes, deploy_trust)
