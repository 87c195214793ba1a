"""What a power cut would take from a folder: what was written and renamed in it, and not synced since."""

import os
from pathlib import Path

from tests.indexer.calls import Call


class Unsynced:
    """Follows the calls of a process; then `lose_bytes` or `lose_rename` does what the disk may do."""

    def __init__(self, folder: Path, aside: Path) -> None:
        """`aside`: a folder on the same disk, for what is replaced by renaming."""
        self.folder, self.aside = folder, aside
        self._bytes_on_disk: dict[int, int] = {}
        self._renames: list[tuple[Path, Path, Path | None]] = []

    def see(self, call: Call) -> None:
        """This call is about to be made."""
        path = Path(call.path)
        if call.target:
            self._rename(path, Path(call.target))
        elif path.exists() and call.is_sync:
            self._bytes_on_disk.pop(path.stat().st_ino, None)
            self._renames = [rename for rename in self._renames if rename[1].parent != path]
        elif path.is_file() and (call.writes or call.empties):
            self._bytes_on_disk.setdefault(path.stat().st_ino, 0 if call.empties else path.stat().st_size)

    def _rename(self, source: Path, target: Path) -> None:
        replaced = None
        if target.is_file():
            replaced = self.aside / f"replaced{len(self._renames)}"
            replaced.unlink(missing_ok=True)
            replaced.hardlink_to(target)
        self._renames.append((source, target, replaced))

    def lose_bytes(self) -> None:
        """Every file is as long as it was when it was last synced."""
        for path in self.folder.glob("**/*"):
            on_disk = self._bytes_on_disk.get(path.stat().st_ino)
            if on_disk is not None and path.stat().st_size > on_disk:
                os.truncate(path, on_disk)

    def lose_rename(self) -> None:
        """The oldest rename whose folder was not synced since did not happen; later ones did."""
        for source, target, replaced in self._renames[:1]:
            if target.exists():
                target.rename(source)
            if replaced:
                replaced.rename(target)
