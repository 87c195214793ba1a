"""What other programs trained → embeddings: the notebook's export, or any model's arrays."""
