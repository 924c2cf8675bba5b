"""What keeps things: leases, images, states, logs, keys; and what keeps these from being deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.plan_review.change import Action
from ops.plan_review.effect import Broadcasts, Effect, Verdict
from ops.plan_review.rule import Look, rule
from ops.plan_review.rules.parts import BETWEEN_SHOWS, COMES_OR_GOES, lowered, named, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.plan_review.change import Change
    from ops.plan_review.plan import Plan


@rule(
    "leases-table",
    Look(
        types=("aws_dynamodb_table",),
        actions=COMES_OR_GOES,
        attributes=(
            "name",
            "hash_key",
            "range_key",
            "attribute",
            "billing_mode",
            "ttl",
            "read_capacity",
            "write_capacity",
            "table_class",
            "server_side_encryption",
            "point_in_time_recovery",
            "stream_enabled",
            "region",
        ),
    ),
)
def leases_table(plan: Plan) -> Iterator[Effect]:
    """Who has which show (docs/adr/0008). Without it shows go on where they are, and nobody new gets in.

    Source: DynamoDB developer guide, "Considerations when changing capacity modes", "Time to live".
    """
    for change in plan.of_type("aws_dynamodb_table"):
        if change.goes:
            yield Effect(
                rule="leases-table",
                changes=(change,),
                title=f"The table of leases is {'replaced' if change.replaced else 'deleted'}, and is empty then",
                verdict=Verdict.NEEDS_APPROVAL,
                broadcasts=Broadcasts.CUT_ONCE,
                streamers=(
                    "Nobody gets in until the new table is there. Shows go on, but a streamer who "
                    "reconnects may become "
                    "live twice: no lease says who is."
                ),
                viewers="Whoever asks a task that does not have the show gets no answer for as long.",
                safe_way=BETWEEN_SHOWS,
                shows=change.replace_paths,
            )
        elif change.action is Action.UPDATE and change.changed_any(("billing_mode", "write_capacity", "read_capacity")):
            yield Effect(
                rule="leases-table",
                changes=(change,),
                title="The table of leases gets another capacity",
                verdict=Verdict.NEEDS_APPROVAL,
                streamers="Renewals that are throttled are tried again; many of them, and nobody new gets in.",
                safe_way="On demand takes what comes: leave it.",
                shows=(("billing_mode",), ("write_capacity",), ("read_capacity",)),
            )
        elif change.action is Action.UPDATE and change.changed("ttl"):
            yield Effect(
                rule="leases-table",
                changes=(change,),
                title="Old leases are deleted by another rule, or never",
                verdict=Verdict.NEEDS_APPROVAL,
                safe_way="Leave ttl on the attribute that origin writes (docs/adr/0008-leases.md).",
                shows=(("ttl",),),
            )


@rule(
    "images",
    Look(
        types=("aws_ecr_repository",),
        actions=COMES_OR_GOES,
        attributes=(
            "name",
            "image_tag_mutability",
            "image_scanning_configuration",
            "encryption_configuration",
            "force_delete",
            "region",
        ),
    ),
    Look(types=("aws_ecr_lifecycle_policy",), actions=COMES_OR_GOES, attributes=("policy", "repository")),
)
def images(plan: Plan) -> Iterator[Effect]:
    """A task that starts pulls its image; one whose image is gone does not start. Source: ECR user guide."""
    for change in plan.of_type("aws_ecr_repository"):
        if change.goes:
            yield Effect(
                rule="images",
                changes=(change,),
                title=f"The image repository is {'replaced' if change.replaced else 'deleted'}, with all its images",
                verdict=Verdict.NEEDS_APPROVAL,
                streamers=(
                    "Shows go on, but no task can start: none is added, and one that fails is not "
                    "replaced. Then nobody "
                    "gets in."
                ),
                safe_way="Push the image to the new repository and deploy it, before the old one goes.",
                shows=change.replace_paths,
            )
            continue
        if change.action is not Action.UPDATE:
            continue
        if change.changed("image_tag_mutability") and change.after_at("image_tag_mutability") == "MUTABLE":
            yield Effect(
                rule="images",
                changes=(change,),
                title="A tag may be moved to another image",
                verdict=Verdict.NEEDS_APPROVAL,
                streamers="Nothing changes now. Later, a task that starts by itself may run what nobody reviewed.",
                safe_way="Leave tags immutable, or deploy by digest (task.image_digest).",
                shows=(("image_tag_mutability",),),
            )
        if change.changed("force_delete") and change.after_at("force_delete") is True:
            yield Effect(
                rule="images",
                changes=(change,),
                title="The repository may be deleted with images in it",
                verdict=Verdict.NEEDS_APPROVAL,
                safe_way="Turn it on just before the environment is torn down.",
                shows=(("force_delete",),),
            )
    for change in plan.of_type("aws_ecr_lifecycle_policy"):
        if change.action is not Action.NO_OP and change.before is not None and change.changed("policy"):
            yield Effect(
                rule="images",
                changes=(change,),
                title="Other images expire" if change.after is not None else "No image expires any more",
                verdict=Verdict.NEEDS_APPROVAL if change.after is not None else Verdict.SAFE_NOW,
                streamers="Nothing changes now. A rule that takes an image in use keeps tasks from starting, in a day.",
                safe_way="Keep at least the images of the last 30 pushes (docs/adr/0021).",
                shows=(("policy",),),
            )


_PROTECTIONS = {"aws_lb": "enable_deletion_protection", "aws_dynamodb_table": "deletion_protection_enabled"}


@rule(
    "protection-from-deletion",
    *(Look(types=(type_,), attributes=(path,)) for type_, path in _PROTECTIONS.items()),
)
def protection_from_deletion(plan: Plan) -> Iterator[Effect]:
    """What AWS refuses to delete while it is on."""
    lost = tuple(
        change
        for type_, path in (
            ("aws_lb", "enable_deletion_protection"),
            ("aws_dynamodb_table", "deletion_protection_enabled"),
        )
        for change in plan.of_type(type_)
        if change.before_at(path) is True and change.after is not None and change.after_at(path) is not True
    )
    if lost:
        yield Effect(
            rule="protection-from-deletion",
            changes=lost,
            title=f"AWS would delete them from now on: {named(lost)}",
            verdict=Verdict.NEEDS_APPROVAL,
            streamers="Nothing changes now. The next mistake can take the ingest address away for good.",
            safe_way="Turn it off just before the environment is torn down, and in no other change.",
            shows=tuple((path,) for path in _PROTECTIONS.values()),
        )


@rule(
    "logs",
    Look(
        types=("aws_cloudwatch_log_group",),
        actions=COMES_OR_GOES,
        attributes=("name", "retention_in_days", "kms_key_id", "log_group_class", "skip_destroy", "region"),
    ),
    Look(
        types=(
            "aws_flow_log",
            "aws_cloudwatch_log_delivery",
            "aws_cloudwatch_log_delivery_source",
            "aws_cloudwatch_log_delivery_destination",
        ),
        actions=COMES_OR_GOES,
        attributes=("*",),
    ),
    Look(types=("aws_lb",), attributes=("access_logs", "connection_logs")),
)
def logs(plan: Plan) -> Iterator[Effect]:
    """What is needed when something went wrong, and cannot be had later."""
    groups = tuple(change for change in plan.of_type("aws_cloudwatch_log_group") if change.goes)
    if groups:
        yield Effect(
            rule="logs",
            changes=groups,
            title=f"Logs go, with all that was written: {named(groups)}",
            verdict=Verdict.NEEDS_APPROVAL,
            streamers="Shows go on. A task whose log group is missing does not start.",
            safe_way="Export what has to be kept first.",
            shows=groups[0].replace_paths,
        )
    shorter = tuple(change for change in plan.of_type("aws_cloudwatch_log_group") if _forgets_sooner(change))
    if shorter:
        yield Effect(
            rule="logs",
            changes=shorter,
            title=f"Lines are kept for {shorter[0].after_at('retention_in_days')} days only: {named(shorter)}",
            verdict=Verdict.NEEDS_APPROVAL,
            safe_way="What is older is deleted within days, and cannot be had back: export it first.",
            shows=(("retention_in_days",),),
        )
    ended = tuple(
        change
        for change in plan.of_type("aws_flow_log", "aws_cloudwatch_log_delivery")
        if change.action is Action.DELETE
    )
    ended += tuple(
        change
        for change in plan.of_type("aws_lb")
        if change.before_at("access_logs.0.enabled") is True and change.after_at("access_logs.0.enabled") is not True
        if not change.goes
    )
    if ended:
        yield Effect(
            rule="logs",
            changes=ended,
            title=f"Accesses are not logged any more: {named(ended)}",
            verdict=Verdict.NEEDS_APPROVAL,
            safe_way="Say what else tells who came, or leave it on.",
        )


def _forgets_sooner(change: Change) -> bool:
    """Nothing, and 0, is for ever."""
    before, after = number(change.before_at("retention_in_days")), number(change.after_at("retention_in_days"))
    return change.action is Action.UPDATE and bool(after) and (not before or lowered(change, "retention_in_days"))


_BUCKET_SETTINGS = (
    "aws_s3_bucket_versioning",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_lifecycle_configuration",
)


@rule(
    "buckets-and-keys",
    Look(types=("aws_s3_bucket", "aws_kms_key"), actions=COMES_OR_GOES, attributes=("*",)),
    Look(types=_BUCKET_SETTINGS, actions=COMES_OR_GOES, attributes=("*",)),
    Look(types=("aws_kms_alias",), actions=COMES_OR_GOES, attributes=("name", "target_key_id", "region")),
)
def buckets_and_keys(plan: Plan) -> Iterator[Effect]:
    """States, logs, and the keys without which they are noise."""
    if plan.is_new:
        return
    gone = tuple(change for change in plan.of_type("aws_s3_bucket", "aws_kms_key") if change.goes)
    if gone:
        yield Effect(
            rule="buckets-and-keys",
            changes=gone,
            title=f"Buckets or keys go: {named(gone)}",
            verdict=Verdict.NEEDS_APPROVAL,
            streamers="Shows go on. Without its key a log cannot be written, and a task does not start.",
            safe_way="What is in them cannot be read again: copy what has to be kept, and look who uses the key.",
            shows=gone[0].replace_paths,
        )
    changed = tuple(
        change
        for change in plan.of_type("aws_s3_bucket", "aws_kms_key", *_BUCKET_SETTINGS)
        if change not in gone
        and change.before is not None
        and not change.goes
        and change.action not in (Action.NO_OP, Action.READ)
        and any(difference.path[0] not in ("tags", "tags_all", "policy") for difference in change.differences)
    )
    if changed:
        yield Effect(
            rule="buckets-and-keys",
            changes=changed,
            title=f"Buckets or keys get other settings: {named(changed)}",
            verdict=Verdict.NEEDS_APPROVAL,
            safe_way="The state of Terraform has every secret of the infrastructure: versioned, encrypted, private.",
        )


RULES = (leases_table, images, protection_from_deletion, logs, buckets_and_keys)
