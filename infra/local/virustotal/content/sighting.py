"""What a kind needs to write one line: an entity, and the version of it that was seen."""

from dataclasses import dataclass

from infra.local.virustotal.content.draw import Draw

Json = dict[str, object]

API = "https://www.virustotal.com/api/v3"


@dataclass(frozen=True)
class Sighting:
    """One version of one entity; equal sightings make equal lines."""

    entity: str
    analysed: int
    modified: int

    def entity_draw(self) -> Draw:
        """Return the draw for what belongs to the entity and is the same in all its versions."""
        return Draw(self.entity)

    def analysis_draw(self) -> Draw:
        """Return the draw for what each analysis finds anew."""
        return Draw(f"{self.entity}@{self.analysed}")


def line_object(kind: str, collection: str, name: str, attributes: Json, relationships: Json) -> Json:
    """Return an object with the top level that every kind has."""
    return {
        "id": name,
        "type": kind,
        "links": {"self": f"{API}/{collection}/{name}"},
        "attributes": attributes,
        "relationships": relationships,
    }
