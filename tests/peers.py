"""The other sides of sinks: real servers on the loopback, and what they took."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import boto3
import nats
import paramiko
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from confluent_kafka import Consumer, Producer
from moto.server import ThreadedMotoServer

from tests.brokers import RunningBroker, free_port, until

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine, Sequence
    from email.message import EmailMessage

SFTP_SERVER = "/usr/lib/openssh/sftp-server"


@dataclass
class HttpServer:
    """A real HTTP server that answers as told, and remembers what it took."""

    port: int
    answers: list[int] = field(default_factory=list)  # then 204 for ever
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def taken(self) -> list[int]:
        return [json.loads(body)["seq"] for path, _, body in self.requests if path == "204"]

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if len(body) < int(self.headers["Content-Length"]):  # the client died in the middle of it
                    return
                code = outer.answers.pop(0) if outer.answers else 204
                outer.requests.append((str(code), {k.lower(): v for k, v in self.headers.items()}, body))
                if code == 0:  # hang up without a word
                    self.close_connection = True
                    return
                self.send_response(code)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None: ...

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, request: Any, address: Any) -> None: ...  # clients may hang up

        self._server = Quiet(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Inbox:
    """What a real SMTP server takes, and what it answers instead, one by one."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answers: list[str] = []
        self.from_to: list[tuple[str, list[str]]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd asks for it
        if self.answers:
            return self.answers.pop(0)
        self.from_to.append((envelope.mail_from, envelope.rcpt_tos))
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append(mail)
        return "250 taken"


class SmtpServer(Controller):
    """STARTTLS and a password are asked for, as real servers do."""

    def __init__(self, inbox: Inbox, port: int, context: ssl.SSLContext | None) -> None:
        self._tls = context
        super().__init__(inbox, hostname="127.0.0.1", port=port)

    def factory(self) -> SMTP:
        secure = self._tls is not None
        return SMTP(
            self.handler,
            tls_context=self._tls,
            require_starttls=secure,
            auth_required=secure,
            authenticator=self._check if secure else None,
            loop=self.loop,
        )

    def _check(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data == LoginPassword(b"line3", b"secret"), handled=False)


class Rsyslog:
    """A real syslog server that writes what it took into a file, field by field."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("rsyslogd", path="/usr/sbin:/sbin:/usr/bin")
        if program is None:
            pytest.fail("these tests need rsyslog: apt install rsyslog")
        self.port, self.out, self._folder = free_port(), folder / "log", folder
        config = folder / "rsyslog.conf"
        config.write_text(
            f"""
            global(workDirectory="{folder}")
            module(load="imtcp") module(load="imudp")
            input(type="imtcp" port="{self.port}" address="127.0.0.1")
            input(type="imudp" port="{self.port}" address="127.0.0.1")
            template(name="t" type="string" string="%PRI% %app-name% %msgid% %structured-data% %msg%\\n")
            action(type="omfile" file="{self.out}" template="t")
            """,
            encoding="utf-8",
        )
        self._command = [program, "-n", "-f", str(config), "-i", str(folder / "pid")]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        until(self._listens, "for rsyslog")
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def lines(self) -> list[str]:
        return self.out.read_text(encoding="utf-8").splitlines() if self.out.exists() else []


class Storage:
    """A server that speaks S3, and a look into its bucket with AWS's own client."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)

    def start(self, *buckets: str) -> None:
        self._server.start()
        self._client = boto3.client(
            "s3", endpoint_url=self.url, aws_access_key_id="k", aws_secret_access_key="s", region_name="us-east-1"
        )
        for bucket in buckets:
            self._client.create_bucket(Bucket=bucket)

    def stop(self) -> None:
        self._server.stop()

    def objects(self, bucket: str) -> dict[str, bytes]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        listed = [one for page in pages for one in page.get("Contents", [])]
        return {one["Key"]: self._client.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed}


class NatsServer(RunningBroker):
    """A real server with JetStream, kept in a folder over restarts."""

    def __init__(self, folder: Path, *more: str) -> None:
        super().__init__()
        program = shutil.which("nats-server", path="/usr/sbin:/usr/bin:/usr/local/bin")
        if program is None:
            pytest.fail("these tests need nats-server: apt install nats-server")
        self._command = [program, "-js", "-sd", str(folder), "-a", "127.0.0.1", "-p", str(self.port), *more]
        self.more = more

    def command(self) -> Sequence[str]:
        return self._command

    def stream(self) -> None:
        """Add a stream that takes our subject."""
        self.ask(lambda js: js.add_stream(name="alerts", subjects=["edgeloupe.>"]))

    def messages(self) -> list[dict[str, Any]]:
        async def read(js: Any) -> list[dict[str, Any]]:
            info = await js.stream_info("alerts")
            return [json.loads((await js.get_msg("alerts", n)).data) for n in range(1, info.state.messages + 1)]

        told: list[dict[str, Any]] = self.ask(read)
        return told

    def ask(self, action: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        async def run() -> Any:
            token = {"token": "secret"} if "--auth" in self.more else {}
            client = await nats.connect(f"nats://127.0.0.1:{self.port}", **token)
            try:
                return await action(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(run())


class Sshd(RunningBroker):
    """A real OpenSSH server that lets one key in; `subsystem` is what it runs for SFTP."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        program = shutil.which("sshd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if program is None:
            pytest.fail("these tests need OpenSSH's server: apt install openssh-server")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where it leaves its rights, if it has any
        folder.mkdir()
        self.key, self._host_key = (ssh_key(folder / name) for name in ("client", "host"))
        self.known_hosts = folder / "known_hosts"
        self.trust(self._host_key)
        self._config = folder / "sshd_config"
        self._command = [program, "-D", "-e", "-f", str(self._config)]
        self.configure()

    def trust(self, key: Path) -> None:
        """Write down which key the server is to have."""
        _trust(self.known_hosts, self.port, key)

    def configure(self, subsystem: str = SFTP_SERVER) -> None:
        """Write the configuration for the next start."""
        told = f"""
            Port {self.port}
            ListenAddress 127.0.0.1
            HostKey {self._host_key}
            AuthorizedKeysFile {self.key.with_suffix(".pub")}
            PidFile none
            StrictModes no
            Subsystem sftp {subsystem}
            """
        self._config.write_text(told, encoding="utf-8")

    def settings(self) -> dict[str, Any]:
        """Give what a sink needs to come in."""
        who = {"username": getpass.getuser(), "key_file": self.key, "known_hosts": self.known_hosts}
        return {"kind": "sftp", "host": "127.0.0.1", "port": self.port, **who}

    def command(self) -> Sequence[str]:
        return self._command

    def kill(self) -> None:
        """End it with everything that it serves."""
        for pid in _below(self._process.pid) if self._process else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        super().kill()


class PasswordSshd(paramiko.ServerInterface):  # type: ignore[misc]
    """Lets one password in, to OpenSSH's own SFTP: sshd itself would ask for that of a user of this system."""

    def __init__(self, folder: Path, password: str) -> None:
        folder.mkdir()
        self._password = password
        self._host_key = ssh_key(folder / "host")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.known_hosts = folder / "known_hosts"
        _trust(self.known_hosts, self.port, self._host_key)
        self._transports: list[paramiko.Transport] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for transport in self._transports:
            transport.close()

    def settings(self) -> dict[str, Any]:
        """Give what a sink needs to come in, but for the password."""
        who = {"username": "line3", "known_hosts": self.known_hosts}
        return {"kind": "sftp", "host": "127.0.0.1", "port": self.port, **who}

    def get_allowed_auths(self, username: str) -> str:
        del username
        return "password"

    def check_auth_password(self, username: str, password: str) -> int:
        right = (username, password) == ("line3", self._password)
        return int(paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED)

    def check_channel_request(self, kind: str, chanid: int) -> int:
        del kind, chanid
        return int(paramiko.OPEN_SUCCEEDED)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                transport = paramiko.Transport(self._listener.accept()[0])
                transport.add_server_key(paramiko.PKey.from_path(self._host_key))
                transport.set_subsystem_handler("sftp", _OpenSshSftp)
                self._transports.append(transport)
                transport.start_server(threading.Event(), self)


class _OpenSshSftp(paramiko.SubsystemHandler):  # type: ignore[misc]
    def start_subsystem(self, name: str, transport: paramiko.Transport, channel: paramiko.Channel) -> None:
        del name, transport
        with subprocess.Popen([SFTP_SERVER], bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as served:
            assert served.stdin is not None
            assert served.stdout is not None
            threading.Thread(target=_relay, args=(served.stdout.read, channel.sendall)).start()
            _relay(channel.recv, served.stdin.write)
            served.stdin.close()


def _relay(read: Callable[[int], bytes], write: Callable[[bytes], object]) -> None:
    for told in iter(lambda: read(1 << 15), b""):
        write(told)


def ssh_key(path: Path) -> Path:
    """Make a pair of keys."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


def _trust(known_hosts: Path, port: int, key: Path) -> None:
    public = key.with_suffix(".pub").read_text(encoding="ascii")
    known_hosts.write_text(f"[127.0.0.1]:{port} {public}", encoding="ascii")


def _below(pid: int) -> list[int]:
    """List all processes that come from one."""
    told = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [one for child in map(int, told) for one in (*_below(child), child)]


class KafkaCluster:
    """The cluster that Kafka's C library brings along: it speaks the real protocol on real sockets."""

    def __init__(self) -> None:
        self._owner = Producer({"test.mock.num.brokers": 3, "bootstrap.servers": "x"})
        brokers = self._owner.list_topics(timeout=10).brokers.values()
        self.brokers = [f"{broker.host}:{broker.port}" for broker in brokers]

    def messages(self, count: int) -> list[Any]:
        consumer = Consumer({"bootstrap.servers": self.brokers[0], "group.id": "test", "auto.offset.reset": "earliest"})
        consumer.subscribe(["alerts"])
        found: list[Any] = []
        try:
            until(lambda: _poll(consumer, found) >= count)
        finally:
            consumer.close()
        return found


def _poll(consumer: Consumer, found: list[Any]) -> int:
    message = consumer.poll(0.2)
    if message is not None and message.error() is None:
        found.append(message)
    return len(found)
