"""Settings of alerts: who is told, and how patient they are."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator, model_validator

from dlq_monitor.alerting.book import Patience
from dlq_monitor.alerting.channels.mail import Server
from dlq_monitor.alerting.channels.sentry import Dsn
from warren.settings import Settings


class AlertSettings(Settings):
    """A channel is there when its address is set; log and event always are."""

    alert_reminder: float = Field(default=4 * 3600, gt=0)
    """Seconds after which what still fires is told again."""

    alert_quiet: float = Field(default=30, ge=0)
    """Seconds after a start in which nothing is told; then all at once."""

    alert_settle: float = Field(default=15, ge=0)
    """Seconds for which a condition must be gone before its alert is cleared."""

    alert_retry: float = Field(default=3600, ge=0)
    """Seconds for which a notice is tried again on a channel that fails."""

    alert_webhook_url: SecretStr = SecretStr("")
    alert_webhook_token: SecretStr = SecretStr("")
    alert_slack_url: SecretStr = SecretStr("")
    alert_smtp_url: SecretStr = SecretStr("")
    alert_smtp_ca: str = ""
    alert_mail_from: str = ""
    alert_mail_to: str = ""
    alert_sentry_dsn: SecretStr = SecretStr("")
    alert_alertmanager_url: SecretStr = SecretStr("")

    @property
    def patience(self) -> Patience:
        """Return the times as the book of alerts takes them."""
        return Patience(self.alert_reminder, self.alert_quiet, self.alert_settle)

    @property
    def mail_recipients(self) -> tuple[str, ...]:
        """Return the addresses in `alert_mail_to`."""
        return tuple(a.strip() for a in self.alert_mail_to.split(",") if a.strip())

    @field_validator("alert_webhook_url", "alert_slack_url", "alert_alertmanager_url")
    @classmethod
    def _over_http(cls, value: SecretStr) -> SecretStr:
        if (url := value.get_secret_value()) and not url.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value

    @field_validator("alert_smtp_url")
    @classmethod
    def _smtp(cls, value: SecretStr) -> SecretStr:
        if url := value.get_secret_value():
            Server.of(url)
        return value

    @field_validator("alert_sentry_dsn")
    @classmethod
    def _dsn(cls, value: SecretStr) -> SecretStr:
        if text := value.get_secret_value():
            Dsn.of(text)
        return value

    @model_validator(mode="after")
    def _mail_is_whole(self) -> AlertSettings:
        if self.alert_smtp_url.get_secret_value() and not (self.alert_mail_from and self.mail_recipients):
            raise ValueError("mail needs WARREN_ALERT_MAIL_FROM and WARREN_ALERT_MAIL_TO beside WARREN_ALERT_SMTP_URL")
        return self
