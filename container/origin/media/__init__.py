"""Bytes in, data out: H.264, AAC, FLV, fragmented MP4."""
