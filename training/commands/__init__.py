"""The commands of this room, one a module."""
