"""How a publisher gets in: nginx, its hooks, the backend's word, and RTMP as it comes."""
