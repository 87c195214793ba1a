"""Bundle → answers over gRPC."""
