"""The judgements that most kinds carry: gti_assessment, threat_severity and votes."""

from infra.local.virustotal.content.draw import Draw
from infra.local.virustotal.content.sighting import Json

_MALICIOUS = 8
_SUSPICIOUS = 3


def votes(draw: Draw) -> Json:
    """Return total_votes."""
    return {"harmless": draw.choice((0, 0, 0, 1)), "malicious": draw.choice((0, 0, 0, 0, 2))}


def gti_assessment(draw: Draw, detections: int, factors: Json) -> Json:
    """Return an assessment that fits the number of detections; factors are what the kind adds."""
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
    """Return the older severity block; its date is text in real lines too."""
    return {
        "version": version,
        "threat_severity_level": "SEVERITY_LOW" if findings else "SEVERITY_NONE",
        "threat_severity_data": findings,
        "last_analysis_date": str(analysed - 33_600),
        "level_description": "Made-up severity, because of findings." if findings else "No findings.",
    }
