"""A seeded source of made-up names, addresses and dates: the same seed always gives the same values."""

from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from random import Random

_ONSETS = (*"bcdfghjklmnprstvwz", "br", "ch", "dr", "fl", "gr", "kl", "pl", "sh", "st", "tr")
_VOWELS = (*"aeiou", "ai", "ea", "ou")
_CODAS = ("", "", "", "l", "n", "r", "s", "th")

# Names that RFC 2606 and RFC 6761 reserve.
_SUFFIXES = ("example", "example", "test", "invalid", "example.com", "example.net", "example.org")

# 240.0.0.0/4 is reserved and, unlike the documentation ranges, wide enough for a week of distinct addresses.
_FIRST_IPV4 = int(IPv4Address("240.0.0.0"))
_FIRST_IPV6 = int(IPv6Address("2001:db8::"))


class Draw(Random):
    """Draws made-up values; seed it with text."""

    def chance(self, share: float) -> bool:
        """Return True in this share of draws."""
        return self.random() < share

    def hex(self, digits: int) -> str:
        """Return this many random hexadecimal digits."""
        return f"{self.getrandbits(4 * digits):0{digits}x}"

    def word(self) -> str:
        """Return a made-up word of two or three syllables."""
        syllables = range(self.randint(2, 3))
        return "".join(self.choice(_ONSETS) + self.choice(_VOWELS) + self.choice(_CODAS) for _ in syllables)

    def words(self, count: int) -> str:
        """Return made-up words separated by spaces."""
        return " ".join(self.word() for _ in range(count))

    def company(self) -> str:
        """Return a made-up company name."""
        return f"{self.word().capitalize()} {self.choice(('Networks', 'Hosting', 'Names', 'Cloud'))}, Inc."

    def domain(self) -> str:
        """Return a domain name that cannot be registered."""
        return f"{self.word()}-{self.word()}{self.randint(1, 999)}.{self.choice(_SUFFIXES)}"

    def ipv4(self) -> str:
        """Return an address from a reserved range."""
        return str(IPv4Address(_FIRST_IPV4 + self.getrandbits(28)))

    def ipv6(self) -> str:
        """Return an address from the documentation range."""
        return str(IPv6Address(_FIRST_IPV6 + self.getrandbits(64)))

    def url(self, host: str) -> str:
        """Return a URL on this host."""
        path = "/".join(self.word() for _ in range(self.randint(1, 3)))
        return f"{self.choice(('https', 'https', 'http'))}://{host}/{path}"


def written(epoch: int) -> str:
    """Format epoch seconds as in certificates and archives."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M:%S")


def domain_of(host: str) -> str:
    """Return the registered domain of a drawn host name."""
    labels = host.split(".")
    return ".".join(labels[-3:] if labels[-2] == "example" else labels[-2:])
