"""In-memory views of the text model and its bar, in every process: what its own lane commits at once, the rest soon."""

from services.moderation.core import Bar, ModelState, TextModel, model_of, state_id
from shared.flow.ports import Database
from shared.flow.view import CollectionView


class ModelView(CollectionView[ModelState]):
    """The text model as it is now: the one that this process began with, and what was learned since."""

    def __init__(self, database: Database, seconds: float, origin: TextModel) -> None:
        super().__init__(database, ModelState, seconds)
        self.origin = origin
        self.model = origin

    def keeps(self, document: ModelState) -> bool:
        """Only what began as this process did: in a rollout two origins live side by side."""
        return document.id == state_id(self.origin)

    def put(self, document: ModelState) -> None:
        """Take up what was learned."""
        self.model = model_of(document)

    def drop(self, id_: str) -> None:
        """Begin anew: somebody has taken the state away."""
        self.model = self.origin


class BarView(CollectionView[Bar]):
    """The bar of that model; until enough texts of the community were watched there is none."""

    def __init__(self, database: Database, seconds: float, origin: TextModel) -> None:
        super().__init__(database, Bar, seconds)
        self._none = Bar(id=state_id(origin))
        self.bar = self._none

    def keeps(self, document: Bar) -> bool:
        """Only the bar of this model."""
        return document.id == self._none.id

    def put(self, document: Bar) -> None:
        """Take up the newer bar."""
        self.bar = document

    def drop(self, id_: str) -> None:
        """No bar any more."""
        self.bar = self._none
