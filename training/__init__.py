"""Ratings → embeddings: the only room with TensorFlow."""
