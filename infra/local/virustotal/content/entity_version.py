"""The input of a line's writer: an entity, and the version that was seen."""

from dataclasses import dataclass

from infra.local.virustotal.content.draw import Draw
from infra.local.virustotal.content.entity import Entity

Json = dict[str, object]

API = "https://www.virustotal.com/api/v3"


@dataclass(frozen=True)
class EntityVersion:
    """One version of one entity; equal versions make equal lines."""

    entity: Entity
    analysed: int
    modified: int

    def entity_draw(self) -> Draw:
        """Return the draw for values that are the same in all versions of the entity."""
        return self.entity.draw()

    def analysis_draw(self) -> Draw:
        """Return the draw for values that differ in each analysis."""
        return self.entity.draw(f"analysis at {self.analysed}")


def line_object(kind: str, collection: str, name: str, attributes: Json, relationships: Json) -> Json:
    """Return an object with the top level that all types share."""
    return {
        "id": name,
        "type": kind,
        "links": {"self": f"{API}/{collection}/{name}"},
        "attributes": attributes,
        "relationships": relationships,
    }
