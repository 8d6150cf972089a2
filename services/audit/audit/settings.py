"""Settings of the audit service."""

from pydantic import Field

from warren.settings import Settings


class AuditSettings(Settings):
    """What is kept of a body, and how long events may gather before they are written."""

    service: str = "audit"
    port: int = 8083

    batch_size: int = Field(default=500, ge=1)
    """Larger than elsewhere: a batch is one document, and a larger one costs less per event."""
    prefetch: int = Field(default=200, ge=1)
    """What a crash brings back is worked event by event, so less than elsewhere is asked for ahead."""

    audit_body_limit: int = Field(default=65_536, ge=0, le=4 * 1024 * 1024)
    """Bytes kept of a body; of a longer one its full size and SHA-256 are kept beside its beginning."""

    audit_gather: float = Field(default=0.1, ge=0, le=5)
    """Seconds between two small documents under steady load; a lone event never waits."""

    audit_seal_interval: float = Field(default=1.0, gt=0)
    """Seconds between two `audit.sealed` facts of one chain, at the least."""
