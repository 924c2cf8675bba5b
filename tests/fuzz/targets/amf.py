"""The AMF0 reader: what nginx-rtmp passes on of a publisher's metadata and commands."""

from origin.ingest import rtmp

SEEDS = [
    rtmp.amf_encode("connect", 1, {"app": "live", "tcUrl": "rtmp://a/live", "fpad": False}),
    rtmp.amf_encode("@setDataFrame", "onMetaData", {"width": 1280.0, "stereo": True, "encoder": "obs"}),
    b"\x02\x00\x01a\x08\x00\x00\x00\x01\x00\x01b\x00\x40\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09",
    b"\x03\x00\x01a" * 2000,
    b"\x0c\x00\x00\xff\xff" + b"x" * 100,
]


def run(data: bytes) -> None:
    values = rtmp.amf_decode(data)
    assert len(values) <= len(data)
