"""Made-up TLS certificates, and TLS server fingerprints."""

from infra.local.virustotal.content.draw import Draw, written
from infra.local.virustotal.content.entity_version import Json

_DAY = 86_400


def jarm(draw: Draw) -> str:
    """Return a fingerprint of a TLS server."""
    return f"{draw.hex(2)}d{'2ad000' * 4}{draw.hex(3)}{draw.hex(32)}"


def domain_certificate(draw: Draw, hosts: list[str], created: int) -> Json:
    """Return a certificate for one or several hosts in the form of a public authority's."""
    certificate = _certificate(draw, created - 15 * _DAY, created + 75 * _DAY)
    authority = draw.domain()
    return certificate | {
        "issuer": {"C": "ZZ", "O": "Made-up Trust", "CN": f"T{draw.randint(1, 20)}"},
        "subject": {"CN": f"*.{hosts[0]}"},
        "extensions": _usage(draw)
        | {
            "CA": False,
            "authority_key_identifier": {"keyid": draw.hex(40)},
            "ca_information_access": {"CA Issuers": f"http://i.{authority}/"},
            "subject_alternative_name": [name for host in hosts for name in (f"*.{host}", host)],
            "certificate_policies": ["2.23.140.1.2.1"],
            "crl_distribution_points": [f"http://c.{authority}/{draw.randint(1, 99)}.crl"],
            "1.3.6.1.4.1.11129.2.4.2": f"0481f100ef007500{draw.hex(48)}",
        },
    }


def self_signed_certificate(draw: Draw, created: int) -> Json:
    """Return the self-signed certificate that a host sends without SNI."""
    party = {"OU": "Simulated host without a name", "CN": "nobody.invalid"}
    certificate = _certificate(draw, created - 900 * _DAY, created + 2000 * _DAY)
    extensions = _usage(draw) | {"CA": True}
    return certificate | {"issuer": party, "subject": party, "extensions": extensions}


def _usage(draw: Draw) -> Json:
    return {
        "key_usage": ["digitalSignature", "keyEncipherment"],
        "extended_key_usage": ["serverAuth", "clientAuth"],
        "subject_key_identifier": draw.hex(40),
    }


def _certificate(draw: Draw, first: int, last: int) -> Json:
    rsa = {"modulus": draw.hex(512), "exponent": "10001", "key_size": 2048}
    return {
        "cert_signature": {"signature_algorithm": "sha256RSA", "signature": draw.hex(512)},
        "validity": {"not_before": written(first), "not_after": written(last)},
        "size": draw.randint(800, 1700),
        "version": "V3",
        "public_key": {"algorithm": "RSA", "rsa": rsa},
        "thumbprint_sha256": draw.hex(64),
        "thumbprint": draw.hex(40),
        "serial_number": draw.hex(35),
    }
