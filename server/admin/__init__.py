"""The service for operators, at a listener of its own."""
