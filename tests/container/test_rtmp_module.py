"""How the RTMP module is built."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import rtmp_module

from tests.container.support import CONTAINER


def test_is_built_once() -> None:
    module = rtmp_module.build()
    built = module.stat().st_mtime_ns
    assert rtmp_module.build() == module
    assert module.stat().st_mtime_ns == built


@pytest.mark.parametrize("script", ["container/nginx/module/build.sh", "tests/fuzz/rtmp_module/build.sh"])
def test_folder_of_a_build_has_no_dot_in_its_name(script: str) -> None:
    """`mktemp` alone gives `tmp.S…` once in 62 times, and nginx's makefile has no rule for what it makes of that."""
    assert re.findall(r"mktemp.*?XXX", (CONTAINER.parent / script).read_text()) == [
        'mktemp -d "${TMPDIR:-/tmp}/rtmp-module-XXX'
    ]


@pytest.mark.slow
def test_fails_when_a_patch_does_not_apply(tmp_path: Path) -> None:
    """One line says which, and where it is written what to do: Debian has a new release."""
    recipe = tmp_path / "module"
    shutil.copytree(CONTAINER / "nginx" / "module", recipe)
    patch = "--- a/config\n+++ b/config\n@@ -1,1 +1,1 @@\n-what was never there\n+nothing\n"
    (recipe / "patches" / "9999-of-another-release.patch").write_text(patch)
    done = subprocess.run([recipe / "source.sh", tmp_path / "work"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "build: 9999-of-another-release.patch does not apply to libnginx-mod-rtmp 1:1.2.2" in done.stderr
    assert "docs/adr/0013" in done.stderr


def test_fails_when_nginx_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(rtmp_module.BuildError, match=r"nginx is missing: apt-get install .*nginx-light"):
        rtmp_module.build()
