"""The page that `matinee evaluate --report` writes: one HTML file that asks for nothing else."""
