"""The devices' door with a certificate: devices that know its authority send, nobody speaks in plain, and old protocols are refused."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import aiomqtt
import click
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gridloop.doors.cli.database import Urls
from gridloop.doors.cli.deployment import Deployment
from gridloop.doors.cli.examining import certificates
from gridloop.doors.cli.services import mqtt_certificate, write_nats_config
from tests.house.test_tls import spoken
from tests.signals.doors import Doors, opened
from tests.signals.servers import run_async, until

CONNECT = bytes.fromhex("100c00044d5154540402003c0000")  # MQTT 3.1.1, without a name


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "devices")])
    now, hour = datetime.now(UTC), timedelta(hours=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - hour, now + 9 * 24 * hour)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, secret = folder / "devices.pem", folder / "devices.key"
    cert.write_bytes(made.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return cert, secret


@pytest.fixture
def secured(database_urls: Urls, transactional_db: None, tmp_path: Path) -> Iterator[Doors]:
    with opened(tmp_path, database_urls, certificate(tmp_path)) as doors:
        yield doors


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_devices_send_over_tls_and_nobody_in_plain(secured: Doors) -> None:
    secured.publish("gridloop/v1/cam-1/rain", "7")
    until(lambda: secured.values() == {("cam-1", "rain"): 7.0})
    with pytest.raises(aiomqtt.MqttError):
        secured.publish("gridloop/v1/cam-1/rain", "8", secret="wrong")
    with socket.create_connection(("127.0.0.1", secured.mqtt), 10) as line:
        line.sendall(CONNECT)
        answer = b""
        while more := _heard(line):
            answer += more
        assert b"\x20\x02" not in answer, "no CONNACK in plain"
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            spoken(secured.mqtt, version)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        assert spoken(secured.mqtt, version, "DEFAULT")[1]


def _heard(line: socket.socket) -> bytes:
    line.settimeout(5)
    try:
        return line.recv(1000)
    except OSError:
        return b""


def test_a_device_that_does_not_know_the_authority_sends_nothing(secured: Doors) -> None:
    secured.trusted = ssl.create_default_context()

    async def send() -> None:
        async with secured.client() as client:
            await client.publish("gridloop/v1/cam-1/rain", "1", qos=1)

    with pytest.raises((aiomqtt.MqttError, ssl.SSLError)):
        run_async(send())
    assert secured.values() == {}


def test_the_setting_reaches_the_broker_and_the_doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, key = certificate(tmp_path)
    deployment = Deployment(tmp_path / "d")
    deployment.make_folders()
    write_nats_config(deployment, 4222, "127.0.0.1:1883", "x")
    assert "tls" not in (deployment.nats / "nats.conf").read_text()
    monkeypatch.setenv("GRIDLOOP_MQTT_CERT", str(cert))
    with pytest.raises(click.ClickException, match="go together"):
        mqtt_certificate()
    monkeypatch.setenv("GRIDLOOP_MQTT_KEY", str(cert))
    with pytest.raises(click.ClickException):
        mqtt_certificate()
    monkeypatch.setenv("GRIDLOOP_MQTT_KEY", str(key))
    write_nats_config(deployment, 4222, "127.0.0.1:1883", "x")
    assert f'cert_file: "{cert}", key_file: "{key}", min_version: "1.2"' in (deployment.nats / "nats.conf").read_text()
    deployment.write("run.json", {"environment": {"GRIDLOOP_MQTT_CERT": str(cert)}})
    assert [(level, name) for level, name, _, _ in certificates(deployment)] == [("warn", "certificate devices")], "soon over"
