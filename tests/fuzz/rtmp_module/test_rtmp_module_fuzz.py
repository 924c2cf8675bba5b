"""A short turn of each fuzzer of the RTMP module: what was found once is not there again."""

from pathlib import Path

import pytest

from tests.fuzz.rtmp_module import __main__ as fuzz
from tests.fuzz.rtmp_module import programs

pytestmark = pytest.mark.slow
_SECONDS = 15


@pytest.mark.parametrize("fuzzer", [fuzz.NETWORK, *programs.TARGETS])
@pytest.mark.timeout(3600)  # the first one builds nginx with sanitizers
def test_nothing_is_found_in_a_short_turn(fuzzer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = fuzz.fuzz(_SECONDS, tmp_path, [fuzzer])
    assert code == 0, capsys.readouterr().out
