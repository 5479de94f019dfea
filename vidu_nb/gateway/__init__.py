"""A gateway: one key for a class, behind the service's own HTTP API, with a budget for each person."""
