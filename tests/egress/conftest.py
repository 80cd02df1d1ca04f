from egress_world import sandboxes, world  # noqa: F401  fixtures
