"""Lines of nginx's error log, which have strangers' names in them."""

from origin.ingest import nginx_log

SEEDS = [
    b"2026/11/26 00:43:58 [error] 12#12: *3 play: bad name 'KEY', client: 1.2.3.4, server: 0.0.0.0:1935\n",
    b"2026/11/26 00:43:58 [warn] 12#12: *3 connect: no application, client: 1.2.3.4, server: 0.0.0.0:1935\n",
    b"nginx: [emerg] bind() to 0.0.0.0:1935 failed (98: Address already in use)\n",
    b"KEY', client: 1.2.3.4\xff\n",
    b"2026/11/26 00:43:58 [crit] 12#12: " + b"'\"" * 2000,
]


def run(data: bytes) -> None:
    for line in (data, b"2026/11/26 00:43:58 [error] 12#12: *3 name '" + data):
        if refused := nginx_log.refused(line):
            assert set(refused.addr) <= set("0123456789abcdefABCDEF.:")
        _, text = nginx_log.entry(line)
        assert len(text) <= len(line) + 100
    assert text.endswith("'…'") or text.startswith(f"{len(line)} bytes") or "'…'" in text
