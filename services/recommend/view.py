"""The in-memory views of all groups: what lanes of this process commit at once, others' within moments."""

from services.recommend.core import Circle, Circles, GroupProfile, Places, Profiles, Pulse, Pulses, circles, placement
from shared.flow.ports import Database
from shared.flow.view import CollectionView


class ProfilesView(CollectionView[GroupProfile]):
    """What every group talks about, and whether it takes somebody."""

    def __init__(self, database: Database, seconds: float) -> None:
        super().__init__(database, GroupProfile, seconds)
        self.profiles = Profiles()
        self.places = Places()

    @property
    def model(self) -> str:
        """What decides: the method, and by which state of the profiles."""
        return f"{placement.METHOD}+{self.version}"

    def put(self, document: GroupProfile) -> None:
        """A profile that is new or newer."""
        self.profiles.put(document)
        self.places.put(document)

    def drop(self, id_: str) -> None:
        """A group that is gone."""
        self.profiles.remove(id_)
        self.places.remove(id_)

    def loaded(self) -> None:
        """The first search should not have to weigh all terms."""
        self.profiles.settle()


class CirclesView(CollectionView[Circle]):
    """Which groups share people."""

    def __init__(self, database: Database, seconds: float) -> None:
        super().__init__(database, Circle, seconds)
        self.circles = Circles()

    @property
    def model(self) -> str:
        """What decides: the method, and by which state of the circles."""
        return f"{circles.METHOD}+{self.version}"

    def put(self, document: Circle) -> None:
        """A circle that is new or newer."""
        self.circles.put(document)

    def drop(self, id_: str) -> None:
        """A group that is gone."""
        self.circles.remove(id_)


class PulsesView(CollectionView[Pulse]):
    """Which groups are alive. One that is behind takes nobody for alive who is dead: news only ever puts that off."""

    def __init__(self, database: Database, seconds: float) -> None:
        super().__init__(database, Pulse, seconds)
        self.pulses = Pulses()

    def put(self, document: Pulse) -> None:
        """A pulse that is new or newer."""
        self.pulses.put(document)

    def drop(self, id_: str) -> None:
        """A group that is gone."""
        self.pulses.remove(id_)
