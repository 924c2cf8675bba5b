"""The constructs: one per file, one AWS concern each.

Importing this package first makes the AWS bindings cheap to import (see `bindings.py`), so nothing outside of it
imports `cdktf_cdktf_provider_aws`.
"""

from constructs_lib.terraform.bindings import prepare_bindings

prepare_bindings()
