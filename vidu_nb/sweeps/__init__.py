"""Going wide: a grid of requests planned with its price, then run under a budget, on threads or on a cluster."""
