#!/usr/bin/env python3
"""The S3 servers of the tests, each in the same cases: that they work here, and that ours answers as the real ones do."""

import base64
import datetime
import hashlib
import os
import subprocess
import sys
import unittest
import urllib.parse

import servers
from signed_http import Client, Credentials

REAL_SERVERS_MIN = 2
PLAIN_CLIENT = os.environ.get("PLAIN_CLIENT", "")


def checksum(body):
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def with_credentials(server, access_key=None, secret_key=None, **options):
    given = server.credentials
    return Client(server.url, Credentials(access_key or given.access_key, secret_key or given.secret_key), **options)


def bad_md5(server):
    md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    return server.client().put("bucket", "bad-md5", b"body", headers={"content-md5": md5})


def put_twice(server):
    server.client().put("bucket", "once", b"first", headers={"if-none-match": "*"})
    return server.client().put("bucket", "once", b"second", headers={"if-none-match": "*"})


def not_signed(server):
    return server.client().request("GET", "/bucket/present", sign=False)


def wrong_region(server):
    client = with_credentials(server)
    client.credentials.region = "eu-west-1"
    return client.get("bucket", "present")


# What is asked, and what S3 answers: status and code.
CASES = {
    "wrong key": (lambda s: with_credentials(s, access_key="nobody").get("bucket", "present"), (403, "InvalidAccessKeyId")),
    "wrong secret": (lambda s: with_credentials(s, secret_key="wrong").get("bucket", "present"),
                     (403, "SignatureDoesNotMatch")),
    "clock an hour late": (lambda s: s.client(skew=datetime.timedelta(hours=-1)).get("bucket", "present"),
                           (403, "RequestTimeTooSkewed")),
    "clock an hour early": (lambda s: s.client(skew=datetime.timedelta(hours=1)).get("bucket", "present"),
                            (403, "RequestTimeTooSkewed")),
    "no signature": (not_signed, (403, "AccessDenied")),
    "wrong region": (wrong_region, (400, "AuthorizationHeaderMalformed")),
    "bucket absent": (lambda s: s.client().get("no-such-bucket", "present"), (404, "NoSuchBucket")),
    "list of an absent bucket": (lambda s: s.client().list("no-such-bucket"), (404, "NoSuchBucket")),
    "put into an absent bucket": (lambda s: s.client().put("no-such-bucket", "key", b"body"), (404, "NoSuchBucket")),
    "object absent": (lambda s: s.client().get("bucket", "no-such-object"), (404, "NoSuchKey")),
    "head of an absent object": (lambda s: s.client().request("HEAD", "/bucket/no-such-object"), (404, None)),
    "remove of an absent object": (lambda s: s.client().request("DELETE", "/bucket/no-such-object"), (204, None)),
    "head of the bucket": (lambda s: s.client().request("HEAD", "/bucket"), (200, None)),
    "head of an absent bucket": (lambda s: s.client().request("HEAD", "/no-such-bucket"), (404, None)),
    "body is not its x-amz-content-sha256": (
        lambda s: s.client().put("bucket", "bad", b"body", payload=hashlib.sha256(b"other").hexdigest()),
        (400, "XAmzContentSHA256Mismatch")),
    "body is not its checksum": (
        lambda s: s.client().put("bucket", "bad", b"body", headers={"x-amz-checksum-sha256": checksum(b"other")}),
        (400, "BadDigest")),
    "body is its checksum": (
        lambda s: s.client().put("bucket", "good", b"body", headers={"x-amz-checksum-sha256": checksum(b"body")}), (200, None)),
    "body is not its Content-MD5": (bad_md5, (400, "BadDigest")),
    "range behind the end": (lambda s: s.client().get("bucket", "present", headers={"range": "bytes=100-200"}),
                             (416, "InvalidRange")),
    "put where there is one, only if absent": (put_twice, (412, "PreconditionFailed")),
}

# How real servers differ from S3, and so from ours: a client has to live with either.
DIFFERENT = {
    ("versitygw", "wrong key"): (404, "XAdminUserNotFound"),
    ("radosgw", "wrong region"): (200, None),
    ("seaweedfs", "wrong region"): (200, None),
    ("radosgw", "body is not its checksum"): (200, None),
    ("seaweedfs", "body is not its x-amz-content-sha256"): (200, None),
}


class Cases:
    """Mixed into one class a server."""

    kind = None

    @classmethod
    def setUpClass(cls):
        cls.server = cls.kind().start()
        print(f"servers: started {cls.server.describe()}", flush=True)
        cls.server.client().put("bucket", "present", b"0123456789")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def test_errors_are_those_of_s3(self):
        for name, (ask, expected) in CASES.items():
            with self.subTest(name):
                answer = ask(self.server)
                found = (answer.status, answer.code())
                allowed = (expected, DIFFERENT.get((self.server.name, name), expected))
                self.assertIn(found, allowed, answer.body[:400])

    def test_bytes_come_back(self):
        for key in ("plain", "chunks/aa/a b+c%d=&é~.1"):
            with self.subTest(key):
                body = os.urandom(300_000)
                self.assertEqual(self.server.client().put("bucket", key, body).status, 200)
                self.assertEqual(self.server.client().get("bucket", key).body, body)
                head = self.server.client().request("HEAD", f"/bucket/{key}")
                self.assertEqual((head.status, head.headers["content-length"]), (200, "300000"))
                self.assertEqual(self.server.client().request("DELETE", f"/bucket/{key}").status, 204)
                self.assertEqual(self.server.client().get("bucket", key).status, 404)

    def test_ranges(self):
        for asked, body, told in (("bytes=2-4", b"234", "bytes 2-4/10"), ("bytes=7-", b"789", "bytes 7-9/10"),
                                  ("bytes=-2", b"89", "bytes 8-9/10"), ("bytes=8-100", b"89", "bytes 8-9/10")):
            with self.subTest(asked):
                answer = self.server.client().get("bucket", "present", headers={"range": asked})
                self.assertEqual((answer.status, answer.body, answer.headers["content-range"]), (206, body, told))

    def test_list_by_pages(self):
        keys = [f"list/{name}" for name in ("a", "a b", "b", "c/1", "c/2", "é")]
        for key in keys:
            self.server.client().put("bucket", key, b"x" * len(key))
        listed, sizes, token, pages = [], [], {}, 0
        while pages < 10:
            answer = self.server.client().list("bucket", prefix="list/", max_keys=4, **token)
            self.assertEqual(answer.status, 200, answer.body)
            listed += [self.unquoted(key) for key in answer.texts("Key")]
            sizes += [int(size) for size in answer.texts("Size")]
            pages += 1
            if answer.texts("IsTruncated") == ["false"]:
                break
            token = {"continuation_token": answer.texts("NextContinuationToken")[0]}
        self.assertEqual((listed, pages), (keys, 2))
        self.assertEqual(sizes, [len(key) for key in keys])
        after = self.server.client().list("bucket", prefix="list/", start_after="list/b")
        self.assertEqual([self.unquoted(key) for key in after.texts("Key")], keys[3:])
        self.assertEqual(self.server.client().list("bucket", prefix="nothing/").texts("Key"), [])

    def test_delete_many(self):
        for key in ("many/1", "many/2", "many/3"):
            self.server.client().put("bucket", key, b"x")
        answer = self.server.client().delete_many("bucket", ["many/1", "many/3", "many/absent"])
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.texts("Code"), [])
        left = self.server.client().list("bucket", prefix="many/").texts("Key")
        self.assertEqual([self.unquoted(key) for key in left], ["many/2"])

    def test_the_plain_client_of_the_benchmarks_gets_what_it_put(self):
        if not PLAIN_CLIENT:
            self.skipTest("PLAIN_CLIENT is not set")
        keys = {"AWS_ACCESS_KEY_ID": self.server.credentials.access_key,
                "AWS_SECRET_ACCESS_KEY": self.server.credentials.secret_key}
        file = self.server.path("got")
        done = subprocess.run((PLAIN_CLIENT, self.server.url, "bucket", "--objects", "5", "--object-bytes", "3000000",
                               "--parallel", "2", "--rounds", "1", "--file", file),
                              env={**os.environ, **keys}, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(os.path.getsize(file), 15_000_000)

    @staticmethod
    def unquoted(key):
        return urllib.parse.unquote_plus(key)  # S3 says '+' for a blank there


def classes():
    kinds = servers.available(servers.ALL)
    return {f"{kind.__name__}Test": type(f"{kind.__name__}Test", (Cases, unittest.TestCase), {"kind": kind})
            for kind in kinds}


class EnoughTest(unittest.TestCase):
    def test_at_least_two_real_servers_and_ours_are_here(self):
        self.assertGreaterEqual(len(servers.available()), REAL_SERVERS_MIN)
        self.assertIsNone(servers.FaultServer.why_not())


globals().update(classes())

if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
