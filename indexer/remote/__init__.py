"""Stores in a bucket: published there from one machine, followed from there by servers on others."""
