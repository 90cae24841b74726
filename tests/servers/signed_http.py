"""A plain S3 client for tests: requests over http.client, signed by an implementation of AWS Signature Version 4 of its own."""

import base64
import datetime
import hashlib
import hmac
import http.client
import ssl
import urllib.parse
import xml.etree.ElementTree
from dataclasses import dataclass, field


@dataclass
class Credentials:
    access_key: str
    secret_key: str
    session_token: str = ""
    region: str = "us-east-1"


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    def code(self):
        """The error's code, or None when the body is no error document."""
        found = None
        if b"<Code>" in self.body:
            found = xml.etree.ElementTree.fromstring(self.body).find("Code")
        return None if found is None else found.text

    def texts(self, name):
        """The texts of all elements of that name, whatever their namespace."""
        root = xml.etree.ElementTree.fromstring(self.body)
        return [element.text or "" for element in root.iter() if element.tag.split("}")[-1] == name]


def encode(text, safe=""):
    return urllib.parse.quote(text, safe=safe + "-._~")


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature(method, path, query, headers, payload, credentials, time):
    """The Authorization header's value; `headers` are all signed, `path` is not yet encoded."""
    names = sorted(name.lower() for name in headers)
    lower = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    canonical = "\n".join([
        method,
        encode(path, "/"),
        "&".join(f"{encode(name)}={encode(value)}" for name, value in sorted(query.items())),
        "".join(f"{name}:{lower[name]}\n" for name in names),
        ";".join(names),
        payload,
    ])
    scope = f"{time[:8]}/{credentials.region}/s3/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + credentials.secret_key).encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return (f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope},SignedHeaders={';'.join(names)},"
            f"Signature={_hmac(key, to_sign).hex()}")


@dataclass
class Client:
    """`url` is scheme, host and port. Every request has a connection of its own. `ca_file`: whom TLS trusts."""

    url: str
    credentials: Credentials
    timeout: float = 30
    skew: datetime.timedelta = field(default_factory=datetime.timedelta)
    ca_file: str = ""

    def request(self, method, path, query=None, body=b"", headers=None, payload=None, sign=True):
        """`headers` are signed too; `payload` stands for x-amz-content-sha256 where it shall be wrong."""
        address = urllib.parse.urlsplit(self.url)
        query = query or {}
        payload = payload or hashlib.sha256(body).hexdigest()
        now = datetime.datetime.now(datetime.timezone.utc) + self.skew
        time = now.strftime("%Y%m%dT%H%M%SZ")
        signed = {"host": address.netloc, "x-amz-date": time, "x-amz-content-sha256": payload, **(headers or {})}
        if self.credentials.session_token:
            signed["x-amz-security-token"] = self.credentials.session_token
        if sign:
            signed["Authorization"] = signature(method, path, query, signed, payload, self.credentials, time)
        target = encode(path, "/")
        if query:
            target += "?" + "&".join(f"{encode(name)}={encode(value)}" for name, value in query.items())
        connection = self.connect(address)
        try:
            connection.request(method, target, body=body or (b"" if method in ("PUT", "POST") else None), headers=signed)
            reply = connection.getresponse()
            return Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def connect(self, address):
        if address.scheme == "http":
            return http.client.HTTPConnection(address.hostname, address.port, timeout=self.timeout)
        context = ssl.create_default_context(cafile=self.ca_file)
        return http.client.HTTPSConnection(address.hostname, address.port, timeout=self.timeout, context=context)

    def put(self, bucket, key, body, **options):
        return self.request("PUT", f"/{bucket}/{key}", body=body, **options)

    def get(self, bucket, key, **options):
        return self.request("GET", f"/{bucket}/{key}", **options)

    def list(self, bucket, **query):
        """Keys are percent-encoded in the answer."""
        names = {name.replace("_", "-"): str(value) for name, value in query.items()}
        return self.request("GET", f"/{bucket}", {"list-type": "2", "encoding-type": "url", **names})

    def delete_many(self, bucket, keys):
        body = "<Delete>" + "".join(f"<Object><Key>{key}</Key></Object>" for key in keys) + "</Delete>"
        digest = base64.b64encode(hashlib.md5(body.encode()).digest()).decode()
        return self.request("POST", f"/{bucket}", {"delete": ""}, body.encode(), {"content-md5": digest})
