"""The version: in the image's tag, in `/health` and beside the metrics. CHANGELOG.md says what is new in it."""

VERSION = "0.2.0"
