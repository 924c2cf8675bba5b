"""Fuzzers of the RTMP module in C (container/nginx/module), built with AddressSanitizer and UBSan."""
