"""`.env`, as it comes from any editor."""

from config.errors import ConfigurationError
from config.variables import parse

SEEDS = [
    b"# AWS\nCDK_DEFAULT_ACCOUNT=123456789012\nexport BACKEND_URL = 'https://a.example' # x\n",
    b'\xef\xbb\xbfBACKEND_URL="https://a\\n"\r\nCERTIFICATE_ARN_DEV=arn:aws\r\n',
    b"BACKEND_URL=https://${HOST:-x}/\nBACKEND_URL=$(id)\nBACKEND_URL\n'A'=b\n",
    b'A="open\n\nB=\0\n=\n: y\n',
    b"\xff\xfeA\0=\0",
    b"A=\\'" * 2000,
    b"\n" * 5000 + b'"' * 5000,
]


def run(data: bytes) -> None:
    mistakes: list[str] = []
    try:
        assert "$" not in parse(data).get("BACKEND_URL", "")
    except ConfigurationError as error:
        mistakes = str(error).split("\n")
    assert all(line.startswith(".env") and len(line) < 500 for line in mistakes), mistakes
