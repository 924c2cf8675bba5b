"""One publisher's show: what arrives, what is made of it, and whether FFmpeg keeps up."""
