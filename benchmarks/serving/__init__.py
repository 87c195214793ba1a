"""What the serving benchmarks share: stores to serve, processes that serve them, clients that ask, and figures."""
