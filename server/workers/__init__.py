"""Several server processes at one port, kept alive by one that serves nothing itself."""
