"""Which groups are near a place: a view of the groups that have told a cell, which was moved before (shared.place)."""

from services.recommend.core.profiles import GroupProfile
from shared.place import fence, is_cell, number


class Places:
    """Groups by cell. Scores of nobody depend on it but of those who ask from somewhere."""

    def __init__(self) -> None:
        # By number, as the fence has them.
        self._at: dict[int, set[str]] = {}
        self._cells: dict[str, int] = {}
        self._versions: dict[str, int] = {}

    def put(self, profile: GroupProfile) -> None:
        """Take up where a group is; an older version than the one held is ignored, and so is a cell that is none."""
        if profile.v < self._versions.get(profile.id, profile.v):
            return
        self.remove(profile.id)
        self._versions[profile.id] = profile.v
        if profile.cell and is_cell(profile.cell):
            cell = self._cells[profile.id] = number(profile.cell)
            self._at.setdefault(cell, set()).add(profile.id)

    def remove(self, group_id: str) -> None:
        """Forget a group; one that is not held is no error."""
        self._versions.pop(group_id, None)
        if cell := self._cells.pop(group_id, None):
            self._at[cell].discard(group_id)
            if not self._at[cell]:
                del self._at[cell]

    def near(self, cell: str) -> list[str]:
        """The groups within the fence, the nearest first, equals in the order of their ids. Raises ValueError."""
        if not is_cell(cell):
            raise ValueError("not a cell of resolution 9")
        found = fence(cell, self._at)
        return [group for _, group in sorted((km, group) for at, km in found.items() for group in self._at[at])]
