"""Many tasks: who this one is, who has which stream, and that ECS lets it live."""
