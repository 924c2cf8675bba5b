"""The ports that the parts agree on. 1935 and 8080 are contracts (DESIGN section 4)."""

RTMP_PORT = 1935
RTMPS_PORT = 443
HLS_PORT = 8080
HTTPS_PORT = 443
HEALTH_PATH = "/health"
