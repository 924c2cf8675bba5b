"""CDK Terrain, the successor of CDKTF: an environment of its own, and proof that the stacks are the same there."""
