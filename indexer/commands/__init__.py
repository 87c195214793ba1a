"""The commands of this room, one a file."""
