"""The assessments of most types: gti_assessment, threat_severity and votes."""

from infra.local.virustotal.content.draw import Draw
from infra.local.virustotal.content.entity_version import EntityVersion, Json

_MALICIOUS = 8
_SUSPICIOUS = 3


def analysis(version: EntityVersion, draw: Draw, detections: int, verdicts: tuple[Json, dict[str, int]]) -> Json:
    """Return the attributes of the last analysis; verdicts are the results and their statistics."""
    results, stats = verdicts
    return {
        "last_analysis_date": version.analysed,
        "last_modification_date": version.modified,
        "last_analysis_results": results,
        "last_analysis_stats": stats,
        "reputation": -detections,
        "total_votes": votes(draw),
    }


def votes(draw: Draw) -> Json:
    """Return total_votes."""
    return {"harmless": draw.choice((0, 0, 0, 1)), "malicious": draw.choice((0, 0, 0, 0, 2))}


def gti_assessment(draw: Draw, detections: int, factors: Json) -> Json:
    """Return an assessment for a number of detections; factors are specific to the type."""
    verdict, severity, score = _judge(draw, detections)
    return {
        "verdict": {"value": f"VERDICT_{verdict}"},
        "severity": {"value": f"SEVERITY_{severity}"},
        "threat_score": {"value": score},
        "contributing_factors": {"gti_confidence_score": draw.randint(0, 99), **factors},
        "description": f"Made-up assessment: {detections} simulated engines out of all gave a detection.",
    }


def _judge(draw: Draw, detections: int) -> tuple[str, str, int]:
    if detections >= _MALICIOUS:
        return "MALICIOUS", draw.choice(("MEDIUM", "HIGH")), draw.randint(60, 100)
    if detections >= _SUSPICIOUS:
        return "SUSPICIOUS", "LOW", draw.randint(20, 59)
    return "UNDETECTED", "NONE", 1


def web_factors(detections: int) -> Json:
    """Return the contributing factors of domains, addresses and URLs."""
    return {
        "safebrowsing_verdict": "malicious" if detections >= _MALICIOUS else "harmless",
        "malicious_sandbox_verdict": False,
    }


def threat_severity(version: str | int, analysed: int, findings: Json) -> Json:
    """Return the older severity block; its date is text, as in real lines."""
    return {
        "version": version,
        "threat_severity_level": "SEVERITY_LOW" if findings else "SEVERITY_NONE",
        "threat_severity_data": findings,
        "last_analysis_date": str(analysed - 33_600),
        "level_description": "Made-up severity, because of findings." if findings else "No findings.",
    }
