"""The checkout's folder, and the folder of real samples next to it that some machines have."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
# Third-party data, never part of the project; tests that read it are skipped where it is missing.
SAMPLES = REPOSITORY.parent / "shared" / "samples"
