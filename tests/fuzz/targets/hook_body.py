"""The bodies of nginx-rtmp's hooks, which have strangers' bytes in them."""

import re

from origin.ingest import hooks

GOOD = b"app=live&flashver=x&addr=192.0.2.7&clientid=7&call=publish&name=abc&type=live"

SEEDS = [
    GOOD,
    GOOD + b"&\xff&name=other&app=%ff",
    b"app=live&name=%61%62%zz%&name==&&=&+",
    b"addr=2001:db8::1&addr=x&clientid=-1&clientid=" + b"9" * 50,
    b"&" * 2000,
    b"%25" * 4000,
    b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nabc\r\n--x--\r\n',
]


def run(data: bytes) -> None:
    found = hooks.publisher(data)
    assert all(len(field) <= 256 for field in found if isinstance(field, str))
    assert re.fullmatch(r"[0-9a-fA-F:.%\w]*", found.addr)
    assert re.fullmatch(r"[0-9]{0,20}", found.client)
