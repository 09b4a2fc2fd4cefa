"""Notices as MQTT messages to devices that say or show them."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from gridloop.sdk.channels import ChannelError, Message, Receipt

TOPICS = {"control": "gridloop/v1/{to}/down/do"}  # by kind of notice; what is said goes to …/say
TOPIC = "gridloop/v1/{to}/down/say"
SECONDS = 5.0


def build(address: str, folder: Path) -> MqttChannel:
    """``mqtt://user:password@host:port?topic=…``; ValueError for what is none."""
    parts = urlsplit(address)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ValueError(f"GRIDLOOP_CHANNEL_SPEAKER: {parts.scheme or 'no'} address such as mqtt:mqtt://token:TOKEN@127.0.0.1:1883")
    topic = parse_qs(parts.query).get("topic", [""])[0]
    if topic and "{to}" not in topic:
        raise ValueError("GRIDLOOP_CHANNEL_SPEAKER: the topic must hold {to}, the device's code")
    port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
    login = (unquote(parts.username or ""), unquote(parts.password or ""))
    return MqttChannel(parts.hostname, port, login, topic, encrypted=parts.scheme == "mqtts")


class MqttChannel:
    """One connection, kept; what the broker has not acknowledged was not sent."""

    def __init__(self, host: str, port: int, login: tuple[str, str], topic: str = "", *, encrypted: bool = False) -> None:
        self._host, self._port, self._topic = host, port, topic
        self._login, self._encrypted = login, encrypted
        self._lock = threading.Lock()
        self._client: mqtt.Client | None = None
        self._ready = threading.Event()
        self._refused = ""

    def send(self, message: Message) -> Receipt:
        if any(character in message.to for character in "+#/") or not message.to:
            raise ChannelError(f"{message.to!r} is no device code", permanent=True)
        word = "do" if message.kind == "control" else "say"
        said = {"id": message.id, word: message.text, "lang": message.lang, "case": message.case, "at": message.at.isoformat()}
        topic = (self._topic or TOPICS.get(message.kind, TOPIC)).replace("{to}", message.to)
        with self._lock:
            client = self._connected()
            told = client.publish(topic, json.dumps(said, ensure_ascii=False).encode(), qos=1)
            try:
                told.wait_for_publish(SECONDS)
            except (ValueError, RuntimeError) as fault:
                self._drop()
                raise ChannelError(str(fault)) from fault
            if not told.is_published():
                self._drop()
                raise ChannelError(f"{self._host}:{self._port} did not acknowledge")
        return Receipt(topic)

    def _connected(self) -> mqtt.Client:
        if self._client is not None and self._client.is_connected():
            return self._client
        self._drop()
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311, reconnect_on_failure=False)
        client.on_connect = self._answered
        if self._login[0]:
            client.username_pw_set(*self._login)
        if self._encrypted:
            client.tls_set()
        self._ready.clear()
        try:
            client.connect(self._host, self._port, keepalive=30)
        except OSError as fault:
            raise ChannelError(f"{self._host}:{self._port}: {fault}") from fault
        if client.loop_start() != MQTTErrorCode.MQTT_ERR_SUCCESS or not self._ready.wait(SECONDS) or self._refused:
            client.loop_stop()
            raise ChannelError(f"{self._host}:{self._port}: {self._refused or 'no answer'}")
        self._client = client
        return client

    def _answered(self, client: mqtt.Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._refused = str(reason) if reason.is_failure else ""
        self._ready.set()

    def _drop(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None
