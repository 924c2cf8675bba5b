"""`.env`, as people and their editors write it."""

import os
from pathlib import Path

import pytest

from config.errors import ConfigurationError
from config.loader import load_environment
from config.variables import operator_variables, parse, unknown_names
from tests.config.test_environment_files import DEV

URL = "https://api.example.com"


@pytest.mark.parametrize(
    "line",
    [
        f"BACKEND_URL={URL}",
        f"BACKEND_URL = {URL}",
        f"export BACKEND_URL={URL}",
        f'BACKEND_URL="{URL}"',
        f"BACKEND_URL='{URL}'  # the one in Seoul",
        f"BACKEND_URL={URL} # the one in Seoul",
        f"  BACKEND_URL={URL}  ",
        f"# BACKEND_URL=x\n\nBACKEND_URL={URL}\nEMPTY=",
        f"\ufeffBACKEND_URL={URL}",
        f"BACKEND_URL={URL}\r\nOTHER=x\r\n",
        f"OTHER=${{HOME}}\nOTHER=$x\nBACKEND_URL={URL}",
    ],
)
def test_usual_ways_to_write_a_variable(line: str) -> None:
    """Blanks, quotes, export, comments, Windows's line ends and its mark; other programs' variables are theirs."""
    assert parse(line.encode())["BACKEND_URL"] == URL


def test_hash_within_a_value_is_no_comment() -> None:
    assert parse(b"BACKEND_URL=https://a#b")["BACKEND_URL"] == "https://a#b"


MISTAKES = {
    "braces": (b"A=1\nBACKEND_URL=https://${HOST}/x", ".env, line 2: BACKEND_URL has a $ in it: nothing is expanded"),
    "quoted braces": (b"BACKEND_URL='https://${HOST}'", ".env, line 1: BACKEND_URL has a $ in it: nothing is expanded"),
    "no braces": (b"BACKEND_URL_PROD=https://$HOST", ".env, line 1: BACKEND_URL_PROD has a $ in it"),
    "a command": (b"CDK_DEFAULT_ACCOUNT=$(id)", ".env, line 1: CDK_DEFAULT_ACCOUNT has a $ in it"),
    "twice": (
        b"BACKEND_URL=https://a.example\n\nBACKEND_URL=https://b.example",
        ".env, line 3: BACKEND_URL stands in line 1 already; leave one of them",
    ),
    "open quote": (b'A=1\nBACKEND_URL="https://secret', ".env, line 2: is no NAME=value; a quote that was opened must"),
    "YAML": (b"BACKEND_URL: https://secret", ".env, line 1: is no NAME=value"),
    "no value": (b"BACKEND_URL", ".env, line 1: BACKEND_URL has no value: must be BACKEND_URL=value, or left out"),
    "Latin-1": (b"A=1\nNOTE=\xfcber", ".env, line 2: is not in UTF-8; save the file as UTF-8"),
    "UTF-16": ("BACKEND_URL=https://secret".encode("utf-16"), ".env, line 1: is not in UTF-8"),
    "NUL": (b"A=1\nBACKEND_URL=https://a\0b", ".env, line 2: is no NAME=value"),
    "too long": (b"A=" + b"x" * 100_000, ".env: has 100002 bytes, must have at most 65536"),
}


@pytest.mark.parametrize(("raw", "said"), MISTAKES.values(), ids=MISTAKES)
def test_fails_when_a_line_could_be_taken_for_something_else(raw: bytes, said: str) -> None:
    """One line that names the place and the variable, and no value: it may be a secret."""
    with pytest.raises(ConfigurationError) as error:
        parse(raw)
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


def test_fails_when_several_lines_are_wrong_naming_each() -> None:
    with pytest.raises(ConfigurationError) as error:
        parse(b"BACKEND_URL=${A}\nBACKEND_URL_PROD=${B}\n")
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == [".env, line 1", ".env, line 2"]


def test_fails_when_the_file_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    with pytest.raises(ConfigurationError, match=r"\.env: cannot be read: Is a directory"):
        operator_variables(tmp_path)


def test_process_comes_first_and_empty_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("BACKEND_URL=https://file\nCDK_DEFAULT_REGION=eu-west-1\n")
    monkeypatch.setenv("BACKEND_URL", "https://process")
    monkeypatch.setenv("CDK_DEFAULT_REGION", "")
    variables = operator_variables(tmp_path)
    assert variables["BACKEND_URL"] == "https://process"
    assert "CDK_DEFAULT_REGION" not in variables


def test_no_file_is_no_mistake(tmp_path: Path) -> None:
    assert operator_variables(tmp_path) == {name: value for name, value in os.environ.items() if value}


def one_line(tmp_path: Path, text: str, env: dict[str, str]) -> str:
    folder = tmp_path / "environments"
    folder.mkdir(exist_ok=True)
    (folder / "dev.toml").write_text(text)
    with pytest.raises(ConfigurationError) as error:
        load_environment(folder / "dev.toml", env)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://${aws_s3_bucket.x.id}/", "must have no ${ or %{ in it: nothing is expanded here"),
        ("https://a.example/%{ if true }", "must have no ${ or %{ in it"),
        ("https://name:secret@a.example", "must have no user or password in it"),
        ("https://secret@a.example/x", "must have no user or password in it"),
        ("https://a.example?x=secret", "must be an http:// or https:// URL, with no query"),
        ("https://a.example/#x", "must be an http:// or https:// URL, with no query"),
        ("https://a.example/a b", "must be an http:// or https:// URL, with no query"),
        (" https://a.example", "must be an http:// or https:// URL, with no query"),
        ("https://a.example\n", "must be an http:// or https:// URL, with no query"),
        ("https:///x", "must be an http:// or https:// URL, with no query"),
        ("https://-", "must be an http:// or https:// URL, with no query"),
        ("https://a.example:0", "must have a port from 1 to 65535"),
        ("https://a.example:99999/x", "must have a port from 1 to 65535"),
    ],
)
def test_fails_when_the_backends_url_has_more_in_it_than_an_address(tmp_path: Path, url: str, said: str) -> None:
    """Named by its variable; a password is not shown."""
    line = one_line(tmp_path, DEV, {"BACKEND_URL": url})
    assert line.startswith(".env (or the environment): BACKEND_URL = ")
    assert said in line
    assert "secret@" not in line


ARN = "arn:aws:secretsmanager:ap-northeast-2:123456789012:secret:t"


def test_fails_when_a_token_would_go_in_clear(tmp_path: Path) -> None:
    """Also by the variable, which fills the file's section."""
    text = f'{DEV}\n[backend]\nurl = "http://a.example"\ntoken_secret_arn = "{ARN}"\n'
    assert 'backend.url = "http://a.example": must be https:// with token_secret_arn' in one_line(tmp_path, text, {})
    text = f'{DEV}\n[backend]\ntoken_secret_arn = "{ARN}"\n'
    line = one_line(tmp_path, text, {"BACKEND_URL": "http://127.0.0.1.a.example"})
    assert line.startswith('.env (or the environment): BACKEND_URL = "http://127.0.0.1.a.example": must be https://')


@pytest.mark.parametrize("section", ['[observability]\nlog_retention_days = 30\nalarm_email = "a${x}@b.c"'])
def test_fails_when_any_text_is_an_expression_of_terraform(tmp_path: Path, section: str) -> None:
    """What is written into Terraform's JSON would be evaluated there."""
    text = DEV.replace("[observability]\nlog_retention_days = 30", section)
    assert text != DEV
    assert "observability.alarm_email = " in one_line(tmp_path, text, {})


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"a = " + b"[" * 5000, "is no valid TOML"),
        (b"a = " + b"9" * 5000, "is no valid TOML"),
        (b"\xff", "is no valid TOML"),
        (b'"a\\nb" = 1\n', "a?b = 1: unknown key"),
        (b"#\n" * 50_000, "is no valid TOML: 100000 bytes, must have at most 65536"),
        (b"a" + b".a" * 30_000 + b" = 1", "is no valid TOML: a line of more than 4096 bytes"),
        (b"a" + b".a" * 2000 + b" = 1", "is no valid TOML: nested too deep"),
    ],
)
def test_fails_when_a_file_is_odd_with_lines_of_bounded_length(tmp_path: Path, raw: bytes, said: str) -> None:
    (tmp_path / "dev.toml").write_bytes(raw)
    with pytest.raises(ConfigurationError) as error:
        load_environment(tmp_path / "dev.toml", {})
    lines = str(error.value).splitlines()
    assert any(said in line for line in lines), lines
    assert all("dev.toml: " in line and len(line) < 500 for line in lines)


def test_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    """Windows's editors write one."""
    (tmp_path / "dev.toml").write_text(f"\ufeff{DEV}")
    assert load_environment(tmp_path / "dev.toml", {}).config.name == "dev"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("BACKEND_ULR", "did you mean BACKEND_URL?"),
        ("backend_url", "did you mean BACKEND_URL?"),
        ("CDK_DEFAULT_ACOUNT", "did you mean CDK_DEFAULT_ACCOUNT?"),
        ("BACKEND_URL_PRDO", "did you mean BACKEND_URL_PROD?"),
        ("CERTIFICATE_ARN", "did you mean CERTIFICATE_ARN_"),
        ("BACKEND_URL_SOMETHING_ELSE", "there are BACKEND_URL, BACKEND_URL_DEV"),
    ],
)
def test_a_name_that_nothing_reads_is_told(tmp_path: Path, name: str, said: str) -> None:
    """With the one that was probably meant, and without its value."""
    (tmp_path / ".env").write_text(f"{name}=hush\n")

    (note,) = unknown_names(tmp_path, ["dev", "prod"])

    assert note.startswith(f".env: nothing reads {name}; ")
    assert said in note
    assert "hush" not in note


@pytest.mark.parametrize("name", ["AWS_PROFILE", "EDITOR", "BACKEND_URL", "BACKEND_URL_PROD", "CERTIFICATE_ARN_DEV"])
def test_what_is_read_or_somebody_elses_is_not_told(tmp_path: Path, name: str) -> None:
    (tmp_path / ".env").write_text(f"{name}=x\n")

    assert unknown_names(tmp_path, ["dev", "prod"]) == []
