"""What the environment may say."""

import json

import pytest
from origin.settings import ConfigurationError, Settings, load
from pydantic import ValidationError


def configured(**values: object) -> Settings:
    return Settings(backend_url="http://backend", **values)  # type: ignore[arg-type]  # any setting


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of the task definition, JSON for the ladder."""
    monkeypatch.setenv("BACKEND_URL", "https://api.example/")
    monkeypatch.setenv("BACKEND_TOKEN", "hush")
    rungs = [{"name": "480p", "height": 480, "video_kbps": 1000}, {"name": "720p", "height": 720, "video_kbps": 2000}]
    monkeypatch.setenv("LADDER", json.dumps(rungs))
    settings = load()
    assert settings.backend_url == "https://api.example"
    assert "hush" not in repr(settings)
    assert [rung.name for rung in settings.ladder] == ["720p", "480p"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("BACKEND_URL", "backend:3000", "http"),
        ("LADDER", "[]", "at least one rendition"),
        ("LADDER", '[{"name":', 'field "ladder".*must be JSON'),
        ("LADDER", '[{"name":"a b","height":720,"video_kbps":2000}]', "NAME"),
        (
            "LADDER",
            '[{"name":"a","height":720,"video_kbps":900},{"name":"a","height":480,"video_kbps":900}]',
            "differ",
        ),
        ("PART_SECONDS", "1.5", "PART_SECONDS"),
        ("SEGMENT_SECONDS", "0", "SEGMENT_SECONDS"),
        ("MAX_STREAMS", "none", "MAX_STREAMS"),
        ("LOG_LEVEL", "chatty", "LOG_LEVEL"),
        ("HTTP_PORT", "70000", "HTTP_PORT"),
    ],
)
def test_fails_when_a_setting_makes_no_sense(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv("BACKEND_URL", "http://backend")
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=said):
        load()


@pytest.mark.parametrize(
    "url",
    [
        "https://name:secret@api.example",
        "https://secret@api.example/x",
        "https://api.example?key=secret",
        "https://api.example/#secret",
        "https://api.example/a secret",
        "https://api.example/${secret}",
        "https://api.example/secret\n",
        "https://api.example:0/secret",
        "https://api.example:99999/secret",
        "https:///secret",
        "https://[::1/secret",
        "https://",
        "ftp://secret",
    ],
)
def test_fails_when_the_backends_url_has_more_in_it_than_an_address(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """And the value is not shown: it may hold a password."""
    monkeypatch.setenv("BACKEND_URL", url)
    with pytest.raises(ConfigurationError, match="BACKEND_URL: ") as error:
        load()
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example",
        "http://backend:3000",
        "http://10.0.0.7",
        "http://127.0.0.1.api.example",
        "http://localhost.x",
    ],
)
def test_fails_when_a_token_would_go_in_clear(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Also to another container: whoever is on that network would read it."""
    monkeypatch.setenv("BACKEND_URL", url)
    monkeypatch.setenv("BACKEND_TOKEN", "hush")
    with pytest.raises(ConfigurationError, match="BACKEND_URL must be https:// with BACKEND_TOKEN") as error:
        load()
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    "url", ["https://api.example", "http://127.0.0.1:3000", "http://127.9.9.9", "http://[::1]:3000", "http://LOCALHOST"]
)
def test_token_goes_over_tls_or_stays_on_this_machine(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("BACKEND_URL", url)
    monkeypatch.setenv("BACKEND_TOKEN", "hush")
    assert load().backend_url == url


@pytest.mark.parametrize(("value", "token"), [("hush\n", "hush"), (" hush ", "hush"), ("", None), ("\n", None)])
def test_blanks_around_a_token_are_no_part_of_it(
    monkeypatch: pytest.MonkeyPatch, value: str, token: str | None
) -> None:
    """Secrets often end with a line break."""
    monkeypatch.setenv("BACKEND_URL", "https://api.example")
    monkeypatch.setenv("BACKEND_TOKEN", value)
    found = load().backend_token
    assert (found.get_secret_value() if found else None) == token


@pytest.mark.parametrize("token", ["hu\r\nsh: x", "hu sh", "hüsh"])
def test_fails_when_a_token_is_no_token(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("BACKEND_URL", "https://api.example")
    monkeypatch.setenv("BACKEND_TOKEN", token)
    with pytest.raises(ConfigurationError, match="BACKEND_TOKEN: ") as error:
        load()
    assert "sh: x" not in str(error.value)


def test_fails_when_there_is_no_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BACKEND_URL", raising=False)
    with pytest.raises(ConfigurationError, match="BACKEND_URL"):
        load()


def test_fails_when_parts_do_not_fit_segments() -> None:
    with pytest.raises(ValidationError, match="at most half"):
        configured(part_seconds=0.8, segment_seconds=1.2)
