"""Canaries against servers that other people wrote: each protocol of the runner meets a real one."""

import datetime
import ipaddress
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from dnslib import QTYPE, RR
from dnslib.server import DNSServer
from websockets.sync.server import serve as serve_websocket

PROGRAM = os.environ["COALMINE_PROGRAM"]
os.environ["PATH"] += ":/usr/sbin"


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Authority:
    """A certificate authority that lives as long as a test."""

    def __init__(self, folder):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")])
        certificate = self.sign("Test Authority", self.key, authority=True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def sign(self, name, key, authority=False, days=90):
        now = datetime.datetime.now(datetime.timezone.utc)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def issue(self, name, days=90):
        """Files of a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        files = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate = self.sign(name, key, days=days)
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files


class RealServers(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="coalmine-real-"))
        self.folder.chmod(0o755)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def server(self, command, port):
        """Starts a server, and waits until it listens."""
        if shutil.which(command[0]) is None:
            self.skipTest(f"{command[0]} is not installed")
        log = open(self.folder / "server.log", "wb")
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        self.addCleanup(log.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            if process.poll() is not None:
                break
            time.sleep(0.05)
        self.fail((self.folder / "server.log").read_text())

    def run_canary(self, steps, trusted=None):
        """The steps' reports of one run: name to outcome, failure and exchanges."""
        canary = self.folder / "real.yaml"
        canary.write_text("canary: real\ntimeout: 20s\nsteps:\n" + steps)
        environment = {"PATH": os.environ["PATH"]}
        if trusted is not None:
            environment["SSL_CERT_FILE"] = str(trusted)
        done = subprocess.run(
            [PROGRAM, "run", canary, "--report", "json"],
            capture_output=True, text=True, env=environment, cwd=self.folder, timeout=60,
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        run = next((line for line in lines if line["type"] == "run"), None)
        self.assertIsNotNone(run, done.stdout + done.stderr)
        steps = run["attempts"][-1]["steps"]
        self.assertNotEqual(steps, [], done.stderr)
        return {step["name"]: step for step in steps}

    def passes(self, steps, trusted=None):
        ran = self.run_canary(steps, trusted)
        failed = {name: step["outcome"] for name, step in ran.items()
                  if step["outcome"]["status"] != "passed"}
        self.assertEqual(failed, {})
        return ran

    def message(self, steps, trusted=None):
        """What the one step says that fails."""
        ran = self.run_canary(steps, trusted)
        failures = [step["outcome"]["message"] for step in ran.values()
                    if step["outcome"]["status"] == "failed"]
        self.assertEqual(len(failures), 1, ran)
        return failures[0]


class Nginx(RealServers):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        certificate, key = self.authority.issue("localhost")
        site = self.folder / "site"
        site.mkdir()
        (site / "index.html").write_text("<title>real</title>" + "<p>lamp</p>" * 2000)
        self.port, self.tls_port, self.client_port = free_port(), free_port(), free_port()
        user = "user root;" if os.geteuid() == 0 else ""
        (self.folder / "nginx.conf").write_text(f"""
{user} daemon off; pid nginx.pid; error_log stderr; worker_processes 1;
events {{}}
http {{
  access_log off; types {{ text/html html; }} gzip on; gzip_types text/html; root site;
  server {{
    listen 127.0.0.1:{self.port};
    location /old {{ return 301 /; }}
    location /auth {{ return 401; }}
    location /cookie {{ add_header Set-Cookie "session=abc; Path=/"; return 204; }}
    location /seen {{ return 200 $cookie_session; }}
  }}
  server {{
    listen 127.0.0.1:{self.tls_port} ssl http2;
    ssl_certificate {certificate}; ssl_certificate_key {key};
  }}
  server {{
    listen 127.0.0.1:{self.client_port} ssl;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    ssl_client_certificate {self.authority.file}; ssl_verify_client on;
    location / {{ return 200 $ssl_client_s_dn; }}
  }}
}}
""")
        self.server(["nginx", "-p", str(self.folder), "-c", "nginx.conf"], self.port)

    def test_http_1_1_with_compression_redirects_and_cookies(self):
        base = f"http://127.0.0.1:{self.port}"
        ran = self.passes(f"""
  - step: page
    http: "{base}/"
    expect:
      version: HTTP/1.1
      header: {{ server: starts with nginx, content-encoding: gzip }}
      css: {{ title: real, "p": {{ count: 2000 }} }}
      bytes: between 20000 and 30000
  - step: redirect
    http: "{base}/old"
    expect: {{ status: 200, redirects: 1 }}
  - step: cookie
    http: "{base}/cookie"
    expect: {{ status: 204, cookie: {{ session: abc }} }}
  - step: cookie comes back
    http: "{base}/seen"
    expect: {{ body: abc }}
  - step: refused
    http: "{base}/auth"
    expect: {{ status: 401 }}
""")
        phases = ran["page"]["exchanges"][0]["timings"]
        self.assertGreater(phases["wait_ms"], 0)

    def test_http_2_over_tls_and_the_days_that_a_certificate_has_left(self):
        base = f"https://localhost:{self.tls_port}"
        ran = self.passes(f"""
  - step: page
    http: {{ get: "{base}/", version: "2" }}
    expect:
      version: HTTP/2
      expires: between 88d and 91d
      certificate: {{ issuer: contains Test Authority, names: contains localhost, trusted: true }}
  - step: handshake
    tls: {{ host: localhost, port: {self.tls_port} }}
    expect: {{ version: "matches /TLSv1.[23]/", expires: over 30d }}
""", trusted=self.authority.file)
        exchange = ran["page"]["exchanges"][0]
        self.assertIn("Test Authority", exchange["certificate"]["issuer"])
        self.assertGreater(exchange["timings"]["tls_ms"], 0)
        self.assertIn("issuer is not trusted", self.message(f"""
  - step: page
    http: "{base}/"
"""))

    def test_a_client_certificate_opens_what_is_shut_without_one(self):
        self.authority.issue("client")
        base = f"https://localhost:{self.client_port}"
        self.passes(f"""
  - step: shut
    http: "{base}/"
    expect: {{ status: 400, body: contains No required SSL certificate }}
  - step: open
    http: {{ get: "{base}/", certificate: {{ cert: client.pem, key: client.key }} }}
    expect: {{ status: 200, body: CN=client }}
""", trusted=self.authority.file)
        other = Authority(pathlib.Path(tempfile.mkdtemp(dir=self.folder)))
        other.issue("stranger")
        said = self.message(f"""
  - step: stranger
    http:
      get: "{base}/"
      certificate: {{ cert: {other.folder.name}/stranger.pem, key: {other.folder.name}/stranger.key }}
""", trusted=self.authority.file)
        self.assertEqual(said, "status is 400, expected under 400, unless the canary says otherwise")


class Redis(RealServers):
    def test_a_dialogue_with_redis(self):
        port = free_port()
        self.server(["redis-server", "--port", str(port), "--save", "", "--requirepass", "pw"], port)
        self.passes(f"""
  - step: redis
    tcp:
      host: 127.0.0.1
      port: {port}
      dialogue:
        - {{ send: "PING\\r\\n", expect: starts with -NOAUTH }}
        - {{ send: "AUTH pw\\r\\n", expect: contains +OK }}
        - {{ send: "PING\\r\\n", expect: contains +PONG }}
        - {{ send: "SET lamp 7\\r\\nGET lamp\\r\\n", expect: "matches /\\\\$1\\r\\n7/" }}
        - {{ send: "INFO server\\r\\n", expect: "matches /redis_version:7/" }}
    expect: {{ latency: {{ connect: under 1s }} }}
""")


class Ssh(RealServers):
    def test_the_banner_of_an_ssh_server(self):
        if shutil.which("sshd") is None:
            self.skipTest("sshd is not installed")
        port, key = free_port(), self.folder / "host"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        os.makedirs("/run/sshd", exist_ok=True)
        config = self.folder / "sshd_config"
        config.write_text(f"Port {port}\nListenAddress 127.0.0.1\nHostKey {key}\nPidFile none\n")
        self.server([shutil.which("sshd"), "-D", "-e", "-f", str(config)], port)
        self.passes(f"""
  - step: banner
    tcp: {{ host: 127.0.0.1, port: {port}, dialogue: [ {{ expect: starts with SSH-2.0-OpenSSH }} ] }}
    expect: {{ received: contains Debian }}
""")


class Imap(RealServers):
    def test_imap_goes_on_over_tls(self):
        if shutil.which("dovecot") is None:
            self.skipTest("dovecot is not installed")
        port, authority = free_port(), Authority(self.folder)
        certificate, key = authority.issue("imap")
        if os.geteuid() != 0:
            self.skipTest("dovecot wants to be started by root")
        (self.folder / "users").write_text("ann:{PLAIN}lamp:1000:1000::/tmp\n")
        config = self.folder / "dovecot.conf"
        config.write_text(f"""
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.folder}/server.log
protocols = imap
ssl = required
ssl_cert = <{certificate}
ssl_key = <{key}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
passdb {{
  driver = passwd-file
  args = {self.folder}/users
}}
userdb {{
  driver = passwd-file
  args = {self.folder}/users
}}
""")
        self.server(["dovecot", "-F", "-c", str(config)], port)
        ran = self.passes(f"""
  - step: imap
    tcp:
      host: localhost
      port: {port}
      dialogue:
        - {{ expect: "matches /\\\\* OK .*STARTTLS/" }}
        - {{ send: "a1 STARTTLS\\r\\n", expect: contains a1 OK }}
        - starttls
        - {{ send: "a2 CAPABILITY\\r\\n", expect: contains a2 OK }}
        - {{ send: "a3 LOGOUT\\r\\n", expect: contains BYE }}
    expect:
      expires: over 80d
      certificate: {{ subject: contains imap, trusted: true }}
""", trusted=authority.file)
        self.assertIn("imap", ran["imap"]["exchanges"][0]["certificate"]["subject"])


class Smtp(RealServers):
    def test_smtp_before_and_after_starttls(self):
        import ssl
        authority = Authority(self.folder)
        certificate, key = authority.issue("mail")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        port = free_port()
        server = Controller(object(), hostname="127.0.0.1", port=port, tls_context=context)
        server.start()
        self.addCleanup(server.stop)
        self.passes(f"""
  - step: mail
    tcp:
      host: localhost
      port: {port}
      dialogue:
        - {{ expect: starts with 220 }}
        - {{ send: "EHLO canary.example\\r\\n", expect: contains STARTTLS }}
        - {{ send: "STARTTLS\\r\\n", expect: contains "220 Ready" }}
        - starttls
        - {{ send: "EHLO canary.example\\r\\n", expect: contains 250 HELP }}
        - {{ send: "MAIL FROM:<a@b.example>\\r\\n", expect: contains 250 OK }}
        - {{ send: "QUIT\\r\\n", expect: contains 221 }}
    expect: {{ expires: over 80d }}
""", trusted=authority.file)
        said = self.message(f"""
  - step: mail
    timeout: 1s
    tcp:
      host: localhost
      port: {port}
      dialogue:
        - {{ expect: starts with 220 }}
        - {{ send: "NONSENSE\\r\\n", expect: contains "250 OK" }}
""")
        self.assertIn("500", said)


ZONE = """
lamp.example.       60 IN A     127.0.0.9
lamp.example.       60 IN AAAA  ::9
www.lamp.example.   60 IN CNAME lamp.example.
lamp.example.      300 IN MX    10 mail.lamp.example.
lamp.example.       60 IN TXT   "v=spf1 -all"
lamp.example.       60 IN NS    ns1.lamp.example.
_sip._tcp.lamp.example. 60 IN SRV 5 10 5060 sip.lamp.example.
lamp.example.       60 IN CAA   0 issue "ca.example"
9.0.0.127.in-addr.arpa. 60 IN PTR lamp.example.
lamp.example.       60 IN SOA   ns1.lamp.example. root.lamp.example. 7 3600 600 86400 60
"""


class Zone:
    def resolve(self, request, _handler):
        reply = request.reply()
        asked = request.q
        for record in RR.fromZone(ZONE):
            wanted = asked.qtype in (record.rtype, QTYPE.ANY) or record.rtype == QTYPE.CNAME
            if record.rname == asked.qname and wanted:
                reply.add_answer(record)
        if not reply.rr and "nowhere" in str(asked.qname):
            reply.header.rcode = 3
        return reply


class Dns(RealServers):
    def test_every_type_of_record(self):
        ports = []
        for tcp in (False, True):
            server = DNSServer(Zone(), address="127.0.0.1", port=0, tcp=tcp)
            ports.append(server.server.server_address[1])
            server.start_thread()
            self.addCleanup(server.stop)
        steps = ""
        for kind, name, record in [
            ("A", "lamp.example", "127.0.0.9"),
            ("AAAA", "lamp.example", "::9"),
            ("CNAME", "www.lamp.example", "lamp.example"),
            ("MX", "lamp.example", "10 mail.lamp.example"),
            ("TXT", "lamp.example", "v=spf1 -all"),
            ("NS", "lamp.example", "ns1.lamp.example"),
            ("SRV", "_sip._tcp.lamp.example", "5 10 5060 sip.lamp.example"),
            ("CAA", "lamp.example", '0 issue "ca.example"'),
            ("PTR", "9.0.0.127.in-addr.arpa", "lamp.example"),
            ("SOA", "lamp.example", "ns1.lamp.example root.lamp.example 7 3600 600 86400 60"),
        ]:
            steps += f"""
  - step: "{kind}"
    dns: {{ name: {name}, type: {kind}, resolver: "127.0.0.1:{ports[0]}" }}
    expect: {{ response_code: NOERROR, records: {{ contains: '{record}' }}, ttl: over 1 }}
"""
        steps += f"""
  - step: over tcp
    dns: {{ name: lamp.example, type: MX, resolver: "127.0.0.1:{ports[1]}", tcp: true }}
    expect: {{ records: {{ contains: 10 mail.lamp.example }}, ttl: 300 }}
  - step: nowhere
    dns: {{ name: nowhere.example, resolver: "127.0.0.1:{ports[0]}" }}
    expect: {{ response_code: NXDOMAIN, records: {{ count: 0 }} }}
"""
        self.passes(steps)


class WebSocket(RealServers):
    def test_a_dialogue_with_a_websocket_server(self):
        def shop(connection):
            connection.send('{"hello": true}')
            for message in connection:
                connection.send(json.dumps({"echo": message}))

        server = serve_websocket(shop, "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        port = server.socket.getsockname()[1]
        self.passes(f"""
  - step: talk
    websocket:
      url: ws://127.0.0.1:{port}/
      dialogue:
        - {{ expect: contains hello }}
        - {{ send: lamp, expect: contains echo }}
    expect: {{ received: contains lamp, latency: {{ connect: under 1s }} }}
""")


if __name__ == "__main__":
    unittest.main()
