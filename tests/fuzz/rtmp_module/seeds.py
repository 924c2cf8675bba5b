"""Right input for each target to begin with."""

from tests.container import rtmp_client as rtmp

_HEADER = bytes.fromhex(
    "17000000000164001fffe100186764001facd9405005bb016a02020280000003008000001e478c18cb01000568ebecb22c"
)
_WHOLE_READS, _PIECES, _TIMERS, _REFUSALS = b"\xff\0", b"\0\0", b"\x10\1", b"\x10\x0a"


def of(target: str) -> list[bytes]:
    return _SEEDS[target]()


def _sessions() -> list[bytes]:
    begin = rtmp.connect() + rtmp.create_stream() + rtmp.publish("s")
    metadata = rtmp.command("@setDataFrame", "onMetaData", {"width": 1, "videocodecid": "avc1"}, kind=rtmp.DATA)
    media = rtmp.message(rtmp.VIDEO, _HEADER, stream=1, csid=6) + rtmp.message(rtmp.AUDIO, b"\xaf\0\x12\x10", stream=1)
    media += rtmp.message(rtmp.VIDEO, b"\x27\1\0\0\0" + bytes(400), stream=1, csid=6, timestamp=40)
    tag = b"\x08\0\0\4" + bytes(7) + b"\xaf\1\0\0" + (15).to_bytes(4)
    aggregate = rtmp.message(rtmp.AGGREGATE, tag * 2, stream=1)
    abort = rtmp.message(rtmp.VIDEO, bytes(300), csid=6)[:140] + rtmp.message(rtmp.ABORT, (6).to_bytes(4), csid=2)
    control = rtmp.message(rtmp.SET_CHUNK_SIZE, (4096).to_bytes(4), csid=2)
    control += rtmp.message(rtmp.ACK_SIZE, (5000).to_bytes(4), csid=2)
    control += rtmp.message(rtmp.USER, b"\0\6" + bytes(4), csid=2)
    leave = rtmp.command("closeStream", 0, None) + rtmp.command("deleteStream", 0, None, 1)
    play = rtmp.connect() + rtmp.command("play", 0, None, "s", -2000) + rtmp.command("pause", 0, None, True, 0)
    bodies = [begin + metadata + media, control + begin + media + aggregate + leave, begin + abort + media, play]
    return [how + body for how in (_WHOLE_READS, _PIECES, _TIMERS, _REFUSALS) for body in bodies]


def _values() -> list[bytes]:
    values = rtmp.amf(1) + rtmp.amf({"app": "live", "width": 1, "videocodecid": "avc1"}) + rtmp.amf("name")
    values += rtmp.amf(value=True) + rtmp.amf([1, "x"])
    return [b"\xff\0" + values, b"\0\0" + values, b"\7\1" + values[9:], b"\xff\4" + rtmp.amf([{"a": [None]}])]


_SEEDS = {"session_fuzzer": _sessions, "amf_fuzzer": _values}
