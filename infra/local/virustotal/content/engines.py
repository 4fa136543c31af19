"""Verdicts of made-up engines, with names as irregular as those of real ones."""

from infra.local.virustotal.content.draw import Draw
from infra.local.virustotal.content.entity_version import Json

_ODD_NAMES = (
    "0xLANTERN_b7d",
    "alphaHarbor.ai",
    "Copper Gate (SENTRYLIST)",
    "Dr.Probe",
    "G-Lens",
    "hushwire.cc",
    "Night Watch Threat Intelligence",
    "OWLFEED.org",
    "Pebble.Ai ForeSight",
    "quietscan.example URL checker",
    "Slow Fox SiteCheck",
    "unmasker.me",
    "Ring IP sample list",
)
_STEMS = (
    *("Aegis", "Beacon", "Cinder", "Delta", "Ember", "Falcon", "Granite", "Harbor", "Ivory", "Jetty", "Kestrel"),
    *("Lumen", "Marlin", "Nimbus", "Orchid", "Pioneer", "Quartz", "Raven", "Summit", "Tundra", "Umbra"),
)
_ENDINGS = ("AV", " Labs", "-Scan", "Verdict Cloud")

_NAMES = (*_ODD_NAMES, *(stem + ending for ending in _ENDINGS for stem in _STEMS))
WEB_ENGINES = _NAMES[:95]
FILE_ENGINES = _NAMES[5:82]

_THREATS = ("malicious", "malware", "phishing")


def web_verdicts(draw: Draw, detections: int) -> tuple[Json, dict[str, int]]:
    """Return last_analysis_results and last_analysis_stats of domains, addresses and URLs."""
    stats = dict.fromkeys(("malicious", "suspicious", "undetected", "harmless", "timeout"), 0)
    detecting = set(draw.sample(range(len(WEB_ENGINES)), detections))
    results: Json = {}
    for index, engine in enumerate(WEB_ENGINES):
        category, result = _web_opinion(draw, index, index in detecting)
        stats[category] += 1
        results[engine] = {
            "method": "blacklist",
            "engine_name": engine,
            "category": category,
            "result": result,
        }
    return results, stats


def _web_opinion(draw: Draw, index: int, detects: bool) -> tuple[str, str]:
    if detects:
        return ("suspicious", "suspicious") if draw.chance(0.1) else ("malicious", draw.choice(_THREATS))
    return ("undetected", "unrated") if _leans(draw, index, every=3) else ("harmless", "clean")


def file_verdicts(draw: Draw, detections: int, updated: str) -> tuple[Json, dict[str, int]]:
    """Return last_analysis_results and last_analysis_stats of files."""
    kinds = "malicious suspicious undetected harmless timeout confirmed-timeout failure type-unsupported"
    stats = dict.fromkeys(kinds.split(), 0)
    detecting = set(draw.sample(range(len(FILE_ENGINES)), detections))
    results: Json = {}
    for index, engine in enumerate(FILE_ENGINES):
        category, result = _file_opinion(draw, index, index in detecting)
        stats[category] += 1
        results[engine] = {
            "method": "blacklist",
            "engine_name": engine,
            "engine_version": f"{1 + index % 9}.{index}.{index * 7 % 400}",
            "engine_update": updated,
            "category": category,
            "result": result,
        }
    return results, stats


def _file_opinion(draw: Draw, index: int, detects: bool) -> tuple[str, str | None]:
    if detects:
        return "malicious", f"Trojan.{draw.word().capitalize()}.{draw.hex(4)}"
    return ("type-unsupported" if _leans(draw, index, every=6) else "undetected"), None


def _leans(draw: Draw, index: int, every: int) -> bool:
    # Most engines nearly always give the same result, which makes real packages compress well.
    return (index % every == 0) != draw.chance(0.1)


def draw_detections(draw: Draw, *, bad: bool = False) -> int:
    """Return how many engines detect an entity: mostly none, sometimes many; for a bad one mostly many."""
    return draw.choices((0, draw.randint(1, 4), draw.randint(5, 30)), (15, 25, 60) if bad else (75, 17, 8))[0]
