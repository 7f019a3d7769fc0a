"""Writes vectors.json: requests signed by botocore, and copies of them with one thing wrong.

Run by hand when a case is added: python tests/sigv4/generate.py (needs botocore).
Each case: what the request is, when it is checked, and `expect`: the account it is accepted for,
or the AWS error code it is refused with.
"""

import copy
import datetime
import json
import pathlib
from unittest import mock

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
KEY = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SESSION = ("ASIASESSION", "sessionsecret", "session/token+==")
ENDED = ("ASIAENDED", "endedsecret", "ended-token")
HOST = "127.0.0.1:4566"
FORM = "Action=DeleteAlarms&Version=2010-08-01&AlarmNames.member.1=cpu"

cases = []


def sign(method="POST", path="/", body=FORM, headers=None, key=KEY, service="monitoring",
         region="us-east-1", presign=None, at=NOW):
    request = AWSRequest(method=method, url=f"http://{HOST}{path}", data=body.encode())
    request.headers["Host"] = HOST
    for name, value in (headers or {}).items():
        request.headers[name] = value
    credentials = Credentials(*key)
    signer = (SigV4Auth(credentials, service, region) if presign is None
              else SigV4QueryAuth(credentials, service, region, expires=presign))
    with mock.patch("botocore.auth.get_current_datetime", return_value=at.replace(tzinfo=None)), \
         mock.patch("botocore.compat.get_current_datetime", return_value=at.replace(tzinfo=None)):
        signer.add_auth(request)
    uri = request.url.removeprefix(f"http://{HOST}")
    return {
        "method": method,
        "uri": uri,
        "headers": [[name.lower(), value] for name, value in request.headers.items()],
        "body": body if presign is None or not isinstance(request.data, bytes) else body,
    }


def case(name, request, expect="123456789012", seconds=0, service="monitoring"):
    cases.append({"name": name, "seconds_later": seconds, "service": service,
                  **request, "expect": expect})


def edited(request, **changes):
    request = copy.deepcopy(request)
    for name, value in changes.items():
        request[name] = value
    return request


def header(request, name, value):
    request = copy.deepcopy(request)
    request["headers"] = [[n, v] for n, v in request["headers"] if n != name]
    if value is not None:
        request["headers"].append([name, value])
    return request


def added(request, name, value):
    request = copy.deepcopy(request)
    request["headers"].append([name, value])
    return request


def authorization(request, old, new):
    request = copy.deepcopy(request)
    for pair in request["headers"]:
        if pair[0] == "authorization":
            assert old in pair[1], (old, pair[1])
            pair[1] = pair[1].replace(old, new)
    return request


MISMATCH = "InvalidSignatureException"
UNKNOWN = "UnrecognizedClientException"
INCOMPLETE = "IncompleteSignatureException"

json_headers = {"Content-Type": "application/x-amz-json-1.0",
                "X-Amz-Target": "GraniteServiceVersion20100801.DeleteAlarms"}
good = sign()
good_json = sign(body='{"AlarmNames":["cpu"]}', headers=json_headers)
session = sign(key=SESSION)

# Accepted.
case("form", good)
case("json with target", good_json)
case("empty body", sign(body=""))
case("get without body", sign("GET", "/canary/home", body="", service="synthetics"),
     service="synthetics")
case("query string", sign("GET", "/canary/home?dryRunId=b&a=1", "", service="synthetics"),
     service="synthetics")
case("query needs sorting", sign("GET", "/tags/x?tagKeys=b&tagKeys=a&Z=1", "",
                                 service="synthetics"), service="synthetics")
case("query with encoded signs", sign("GET", "/tags/x?tagKeys=a%20b%2Bc%2Fd%3De", "",
                                      service="synthetics"), service="synthetics")
case("query without value", sign("GET", "/tags/x?flag=", "", service="synthetics"),
     service="synthetics")
case("encoded path", sign("GET", "/tags/arn%3Aaws%3Asynthetics%3Aus-east-1%3A1%3Acanary%3Ahome",
                          "", service="synthetics"), service="synthetics")
case("unreserved path", sign("GET", "/canary/a-b_c.d~e", "", service="synthetics"),
     service="synthetics")
case("trailing slash", sign("GET", "/canary/home/", "", service="synthetics"),
     service="synthetics")
case("cbor path", sign(path="/service/GraniteServiceVersion20100801/operation/DeleteAlarms",
                       body="xyz", headers={"Content-Type": "application/cbor",
                                            "smithy-protocol": "rpc-v2-cbor"}))
case("other region", sign(region="eu-central-1"))
case("china region", sign(region="cn-north-1"))
case("header with inner spaces", sign(headers={"X-Amz-Meta": "  a   b  "}))
case("header in other letters", sign(body="é世界"))
case("other headers unsigned", added(good, "user-agent", "anything"))
case("traceparent added by a proxy", added(good, "traceparent", "00-1-2-3"))
case("session", session)
case("payload hash header", sign(headers={
    "X-Amz-Content-SHA256":
        "2f2d5bd2ce3c3bcb1d9e5ed6c8b9d6f4ed04b5bd6a9bd1d1e1a1f7f8c9d0e1f2"}), MISMATCH)
case("four fifty-nine later", good, seconds=299)
case("five minutes later", good, seconds=300)
case("five minutes earlier", good, seconds=-300)
case("presigned", sign("GET", "/canary/home", "", service="synthetics", presign=60),
     service="synthetics")
case("presigned near its end", sign("GET", "/canary/home", "", service="synthetics",
                                    presign=3600), seconds=3599, service="synthetics")
case("presigned session", sign("GET", "/canary/home", "", service="synthetics", presign=60,
                               key=SESSION), service="synthetics")

# Refused: time.
case("too late", good, MISMATCH, seconds=301)
case("too early", good, MISMATCH, seconds=-301)
case("a day later", good, MISMATCH, seconds=86_400)
case("date swapped", header(good, "x-amz-date", "20260102T030406Z"), MISMATCH)
case("date of another day", header(good, "x-amz-date", "20260103T030405Z"), MISMATCH)
case("scope of another day", authorization(good, "/20260102/", "/20260101/"), MISMATCH)
case("date unreadable", header(good, "x-amz-date", "yesterday"), INCOMPLETE)
case("date in extended form", header(good, "x-amz-date", "2026-01-02T03:04:05Z"), INCOMPLETE)
case("date missing", header(good, "x-amz-date", None), INCOMPLETE)
case("date twice", added(good, "x-amz-date", "20260102T030405Z"), INCOMPLETE)
case("presigned expired", sign("GET", "/canary/home", "", service="synthetics", presign=60),
     MISMATCH, seconds=61, service="synthetics")

# Refused: scope and key.
case("region swapped", authorization(good, "/us-east-1/", "/eu-west-1/"), MISMATCH)
case("service swapped", authorization(good, "/monitoring/", "/logs/"), MISMATCH, service="logs")
case("signed for another service", sign(service="logs"), MISMATCH)
case("unknown key", sign(key=("AKIDNOBODY", "x")), UNKNOWN)
case("wrong secret", sign(key=("AKIDEXAMPLE", "wrong")), MISMATCH)
case("key swapped", authorization(good, "AKIDEXAMPLE", "ASIASESSION"), MISMATCH)
case("terminator missing", authorization(good, "/aws4_request", ""), INCOMPLETE)
case("terminator wrong", authorization(good, "aws4_request", "aws5_request"), INCOMPLETE)
case("region with a slash", authorization(good, "us-east-1", "us/east-1"), INCOMPLETE)
case("region with a newline escaped", authorization(good, "us-east-1", "us%0aeast"), INCOMPLETE)

# Refused: session.
case("session without its token", sign(key=SESSION[:2]), UNKNOWN)
case("session with another token", sign(key=(*SESSION[:2], "forged")), UNKNOWN)
case("token on a key without session", sign(key=(*KEY, "token")), UNKNOWN)
case("token swapped after signing", header(session, "x-amz-security-token", "forged"), MISMATCH)
case("session ended", sign(key=ENDED), "ExpiredTokenException")

# Refused: what the signature covers.
case("body swapped", edited(good, body=FORM.replace("cpu", "disk")), MISMATCH)
case("body emptied", edited(good, body=""), MISMATCH)
case("method swapped", edited(good, method="GET"), MISMATCH)
case("path swapped", edited(good, uri="/x"), MISMATCH)
case("query added", edited(good, uri="/?Action=DeleteAlarms"), MISMATCH)
case("target swapped", header(good_json, "x-amz-target",
                              "GraniteServiceVersion20100801.PutMetricData"), MISMATCH)
case("target added", added(good, "x-amz-target",
                           "GraniteServiceVersion20100801.DeleteAlarms"), MISMATCH)
case("target twice", added(good_json, "x-amz-target", "Logs_20140328.DeleteLogGroup"), INCOMPLETE)
case("other x-amz header added", added(good, "x-amz-meta", "x"), MISMATCH)
case("host swapped", header(good, "host", "evil.example"), MISMATCH)
case("host twice", added(good, "host", "evil.example"), INCOMPLETE)
case("host unsigned", authorization(good, "host;", ""), MISMATCH)
case("signed header dropped", header(good_json, "content-type", None), MISMATCH)
case("unsigned payload", header(good, "x-amz-content-sha256", "UNSIGNED-PAYLOAD"), MISMATCH)

# Refused: form of the header.
case("no signature", header(good, "authorization", None), "MissingAuthenticationTokenException")
case("bearer token", header(good, "authorization", "Bearer abc"), INCOMPLETE)
case("authorization twice", added(good, "authorization", "AWS4-HMAC-SHA256 x"), INCOMPLETE)
case("signature missing", authorization(good, "Signature=", "Sig="), INCOMPLETE)
case("signature not hex", authorization(good, "Signature=", "Signature=zz"), MISMATCH)
case("signature cut", edited(good, headers=[[n, v[:-2] if n == "authorization" else v]
                                            for n, v in good["headers"]]), MISMATCH)
case("credential twice", authorization(good, "Credential=", "Credential=a/b/c/d/e, Credential="),
     INCOMPLETE)
case("sigv4a", authorization(good, "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), INCOMPLETE)
case("headers out of order",
     authorization(good, "host;x-amz-date", "x-amz-date;host"), INCOMPLETE)
case("presigned and header", edited(good, uri="/?X-Amz-Signature=00"), INCOMPLETE)
presigned = sign("GET", "/canary/home", "", service="synthetics", presign=60)
case("presigned for too long",
     edited(presigned, uri=presigned["uri"].replace("Expires=60", "Expires=604801")),
     INCOMPLETE, service="synthetics")
case("presigned expiry stretched",
     edited(presigned, uri=presigned["uri"].replace("Expires=60", "Expires=61")),
     MISMATCH, service="synthetics")

lines = ",\n".join("  " + json.dumps(case, ensure_ascii=False) for case in cases)
pathlib.Path(__file__).with_name("vectors.json").write_text(f"[\n{lines}\n]\n")
print(len(cases), "cases")
