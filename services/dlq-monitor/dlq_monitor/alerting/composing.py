"""The channels that the settings ask for."""

from __future__ import annotations

import httpx

from dlq_monitor.alerting.channels.alertmanager import AlertmanagerChannel
from dlq_monitor.alerting.channels.base import Channel
from dlq_monitor.alerting.channels.event import EventChannel, Facts
from dlq_monitor.alerting.channels.log import LogChannel
from dlq_monitor.alerting.channels.mail import MailChannel, Server
from dlq_monitor.alerting.channels.sentry import Dsn, SentryChannel
from dlq_monitor.alerting.channels.webhook import SlackChannel, WebhookChannel
from dlq_monitor.alerting.settings import AlertSettings


def channels(settings: AlertSettings, facts: Facts, http: httpx.AsyncClient) -> list[Channel]:
    """Return log, event, and every channel whose address is set; `http` is closed by the caller."""
    found: list[Channel] = [LogChannel(), EventChannel(facts)]
    if url := settings.alert_webhook_url.get_secret_value():
        found.append(WebhookChannel(http, url, settings.alert_webhook_token.get_secret_value()))
    if url := settings.alert_slack_url.get_secret_value():
        found.append(SlackChannel(http, url))
    if url := settings.alert_smtp_url.get_secret_value():
        to = settings.mail_recipients
        found.append(MailChannel(Server.of(url), settings.alert_mail_from, to, settings.alert_smtp_ca))
    if dsn := settings.alert_sentry_dsn.get_secret_value():
        found.append(SentryChannel(http, Dsn.of(dsn)))
    if url := settings.alert_alertmanager_url.get_secret_value():
        found.append(AlertmanagerChannel(http, url))
    return found
