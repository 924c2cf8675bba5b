"""What an operator sees for a mistake of theirs."""


class ConfigurationError(ValueError):
    """A mistake in the configuration: each line names the file, the key, the value and what is allowed."""
