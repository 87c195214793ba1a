"""Embeddings → bundle, and the store of published bundles."""
