"""Measurements that anyone can run; each ends with one JSON line."""
