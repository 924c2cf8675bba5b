"""Names that people and URLs use: the stream key that a publisher sends, and the playback id that viewers ask for."""

import re

# Both are taken from the same characters: without an id from the backend, the key is the id.
NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
