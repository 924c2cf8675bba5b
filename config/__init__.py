"""An environment's numbers: from `environments/<name>.toml` and `.env` to one checked, frozen `EnvironmentConfig`."""
