"""The cdktf command line, from npm, with the commands of the README, against local S3 and the stand-in for AWS."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from offline_terraform.engine import OfflineTerraform
from tests.ops.harness import OPERATOR, copy_repository
from tests.shipped import ROOT, shipped_configs
from tests.test_synth_command import NODE_FOLDER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local_aws import LocalAws

pytestmark = pytest.mark.slow

# bin/npx of the wheel does not find its library.
NPX = NODE_FOLDER.parent / "lib" / "node_modules" / "npm" / "bin" / "npx-cli.js"
DEV = shipped_configs()[0]
STACK = DEV.streaming_stack_name


def test_diff_deploy_output_and_destroy(tmp_path: Path, aws: LocalAws) -> None:
    """`npx cdktf deploy LiveCommerceStreamingStack-dev` and its sisters: real synthesis, plugin and remote state."""
    copy_repository(tmp_path, synthesized=None)
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    with OfflineTerraform(way="mirror") as engine:
        aws.make_state_buckets()
        environment = {**engine.environment, **aws.environment, **OPERATOR, "CI": "1"}
        environment["PATH"] = f"{NODE_FOLDER}:/usr/bin:/bin"

        def cdktf(*arguments: str) -> str:
            run = subprocess.run(
                [str(NODE_FOLDER / "node"), str(NPX), "--no-install", "cdktf", *arguments],
                cwd=tmp_path,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
            )
            assert run.returncode == 0, f"cdktf {' '.join(arguments)}:\n{run.stdout}{run.stderr}"
            return run.stdout + run.stderr

        assert "to add, 0 to change, 0 to destroy." in cdktf("diff", STACK)

        cdktf("deploy", STACK, "--auto-approve")
        assert aws.objects()[DEV.state_bucket_name] == [DEV.state_key(STACK)]

        assert "found no differences, so no changes are needed." in cdktf("diff", STACK)

        outputs = tmp_path / "outputs.json"
        cdktf("output", STACK, "--outputs-file", str(outputs))
        told = json.loads(outputs.read_text())[STACK]
        assert told["RTMPServerURL"].startswith("rtmp://rtmp-nlb-dev-")
        assert told["CloudFrontURL"].endswith(".cloudfront.net")

        cdktf("destroy", STACK, "--auto-approve")
        body = aws.client("s3").get_object(Bucket=DEV.state_bucket_name, Key=DEV.state_key(STACK))["Body"].read()
        assert json.loads(body)["resources"] == []
