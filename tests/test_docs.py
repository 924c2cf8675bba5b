"""What the documents point at is there: files and headings of links, targets of `make`, commands of `python -m ops`."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader

from tests.shipped import shipped_configs

ROOT = Path(__file__).resolve().parent.parent
README, RUNBOOK = ROOT / "README.md", ROOT / "docs" / "runbook.md"
PAGES = {
    str(page.relative_to(ROOT)): page.read_text()
    for page in [
        *sorted(ROOT.glob("*.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
        *ROOT.glob("offline_terraform/*.md"),
    ]
}
MAKEFILE = (ROOT / "Makefile").read_text()
OURS = "bench|cdk_terrain|config|constructs_lib|container|docs|environments|ops|origin|policy|scripts|stacks|tests"
LONGEST_LINE = 120
LOADER = Loader(include_default_search_paths=True)


def found(pattern: str) -> list[tuple[str, str]]:
    """Page and text, for each place where the pattern fits."""
    return [(page, text) for page, whole in PAGES.items() for text in re.findall(pattern, whole, re.MULTILINE)]


def anchors(page: Path) -> set[str]:
    """A page's headings as GitHub links to them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_somewhere(page: str, target: str) -> bool:
    path, _, anchor = target.partition("#")
    linked = (ROOT / page).parent / path if path else ROOT / page
    return linked.exists() and (not anchor or anchor in anchors(linked))


def test_relative_links_lead_somewhere() -> None:
    """To a file or folder of the repository, and to a heading where one is named."""
    links = [(page, target) for page, target in found(r"\]\(([^)\s]+)\)") if not re.match(r"[a-z]+:", target)]

    assert links
    assert [link for link in links if not leads_somewhere(*link)] == []


MADE_BY_USERS = {"policy/accepted_vulnerabilities.toml"}


def test_files_that_are_named_by_their_path_are_there() -> None:
    """Whatever is in code style and begins like a path of ours; `origin/…` is short for `container/origin/…`."""
    paths = found(rf"`((?:{OURS})/[\w./-]*\w/?)`")

    assert paths
    paths = [each for each in paths if each[1] not in MADE_BY_USERS and not each[1].startswith("environments/")]
    assert [each for each in paths if not any((root / each[1]).exists() for root in (ROOT, ROOT / "container"))] == []


def test_tests_that_are_named_without_a_folder_are_there() -> None:
    tests = {path.name for path in (ROOT / "tests").rglob("test_*.py")}

    assert [each for each in found(r"`(test_\w+\.py)`") if each[1] not in tests] == []


def test_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", MAKEFILE, re.MULTILINE))

    assert [each for each in found(r"(?:`|^)make\s+([a-z][a-z0-9-]*)") if each[1] not in targets] == []


def test_commands_of_ops_exist() -> None:
    source = (ROOT / "ops" / "__main__.py").read_text()
    commands = re.findall(r'^(?:    |_PLAN_REVIEW = )"([a-z-]+)"(?:: "|$)', source, re.MULTILINE)

    assert [each for each in found(r"python -m ops ([a-z-]+)") if each[1] not in commands] == []


def test_rules_of_ours_exist() -> None:
    """Where the page about AWS's limits names one after the word policy."""
    rules = re.findall(r'^    "([a-z-]+)": ', (ROOT / "policy" / "rules.py").read_text(), re.MULTILINE)
    named = re.findall(r"policy \(`([a-z-]+)`", PAGES["docs/aws-limits.md"])

    assert named
    assert [rule for rule in named if rule not in rules] == []


def test_the_readme_lists_every_target_with_a_help_text() -> None:
    targets = re.findall(r"^([a-z][a-z0-9-]*):.*## ", MAKEFILE, re.MULTILINE)

    assert [target for target in targets if not re.search(rf"`make {target}[ `]", PAGES["README.md"])] == []


def test_every_reason_for_a_refusal_is_in_the_runbook() -> None:
    source = (ROOT / "container" / "origin" / "ingest" / "door.py").read_text()
    reasons = re.findall(r'"(\w+)"', source.partition("Reason = Literal[")[2].partition("]")[0])

    assert reasons
    assert [reason for reason in reasons if f"`{reason}`" not in RUNBOOK.read_text()] == []


def test_prose_is_no_wider_than_code() -> None:
    """Rows of tables cannot be broken, and code is as wide as it is."""
    prose = {
        page: re.sub(r"^ *(`{3,}).*?^ *\1$", "", text, flags=re.MULTILINE | re.DOTALL) for page, text in PAGES.items()
    }
    lines = [(page, line) for page, text in prose.items() for line in text.splitlines() if not line.startswith("|")]

    assert [line for line in lines if len(line[1]) > LONGEST_LINE] == []


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(page.name[:4]) for page in sorted((ROOT / "docs" / "adr").glob("*.md"))]

    assert numbers == list(range(1, len(numbers) + 1))


GLOBAL_OPTIONS = {"region", "query", "output", "profile", "max-items"}
# Commands of the AWS CLI's own, beside those that are an API's.
CUSTOM = {
    ("logs", "tail"): {"follow", "since", "filter-pattern", "format"},
    ("ecs", "execute-command"): {"cluster", "task", "container", "interactive", "command"},
    ("ecr", "get-login-password"): set[str](),
}


def aws_commands() -> list[tuple[str, str]]:
    """Page and command line, of blocks and of spans; continued lines in one."""
    commands = []
    for page, text in PAGES.items():
        joined = text.replace("\\\n", " ")
        found_here = re.findall(r"^ *(aws [a-z].+)$|`(aws [a-z][^`]+)`", joined, re.MULTILINE)
        commands += [(page, " ".join("".join(either).split())) for either in found_here]
    return commands


def mistake(command: str) -> str | None:
    """What the AWS CLI would refuse of it, by the same descriptions of the APIs that it is made from."""
    words = shlex.split(re.sub(r"<[^>]*>", "X", command))
    service, operation, options = words[1], words[2], {word[2:] for word in words if word.startswith("--")}
    if (service, operation) in CUSTOM:
        unknown = options - CUSTOM[service, operation] - GLOBAL_OPTIONS
        return f"no options {unknown}" if unknown else None
    try:
        model = LOADER.load_service_model(service, "service-2")
    except UnknownServiceError:
        return f"no service {service}"
    operations = {xform_name(name, "-"): each for name, each in model["operations"].items()}
    if operation not in operations:
        return f"no operation {operation}"
    members = (
        model["shapes"][operations[operation]["input"]["shape"]]["members"] if "input" in operations[operation] else {}
    )
    known = {xform_name(name, "-") for name in members}
    known |= {f"no-{xform_name(name, '-')}" for name in members}
    unknown = options - known - GLOBAL_OPTIONS
    return f"no options {unknown}" if unknown else None


def test_commands_for_aws_are_ones_that_it_has() -> None:
    """Service, operation, and the name of each option."""
    commands = aws_commands()

    assert len(commands) > 20
    assert [(page, command, wrong) for page, command in commands if (wrong := mistake(command))] == []


def test_commands_for_aws_in_the_runbook_name_the_region_and_what_is_there() -> None:
    """To be pasted: a shell without a region must not ask another one, nor a name that no construct gives."""
    (dev,) = (config for config in shipped_configs() if config.name == "dev")
    there = {dev.cluster_name, dev.service_name, dev.repository_name, dev.log_group_name, dev.leases_table_name}
    commands = [command for page, command in aws_commands() if page == "docs/runbook.md"]

    assert len(commands) > 10
    assert [command for command in commands if f"--region {dev.aws.region}" not in command] == []
    named = {name for command in commands for name in re.findall(r"/?(?:ecs/)?live-commerce[\w-]*", command)}
    assert named <= there
    assert len(named) >= 4


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("aws ecs list-task --cluster x", "no operation list-task"),
        ("aws ecz list-tasks", "no service ecz"),
        ("aws ecs list-tasks --clusters x", "no options {'clusters'}"),
        ("aws logs tail x --folow", "no options {'folow'}"),
    ],
)
def test_a_command_that_aws_lacks_is_found(command: str, said: str) -> None:
    assert mistake(command) == said


def test_every_section_of_the_original_has_its_place() -> None:
    """A new section there is a new row here: these are what its README had."""
    table = (ROOT / "docs" / "from-the-original.md").read_text()
    sections = ["Overview", "Prerequisites", "Step 1", "Step 2", "Step 3", "Step 4", "Step 5", "Monitoring", "Cost"]
    sections += ["task resources", "segment duration", "auto-scaling", "OBS can't connect", "HLS stream not playing"]
    sections += ["High latency", "keeps restarting", "Security", "Cleanup", "Support"]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")]
    assert [section for section in sections if not any(section in row for row in rows)] == []
