"""Unmodified AWS clients for the server at COALMINE_ENDPOINT, one account a test.

In anonymous mode a 12-digit access key id is an account of its own, so tests share a server and
nothing else.
"""

import os
import random
import unittest

import boto3
import botocore.loaders
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = os.environ["COALMINE_ENDPOINT"]
CONFIG = Config(retries={"max_attempts": 1, "mode": "standard"}, inject_host_prefix=False)


def client(service, account, region="us-east-1", protocol=None):
    """A boto3 client; `protocol` forces one of those that the service's model offers."""
    session = boto3.Session(aws_access_key_id=account, aws_secret_access_key="any",
                            region_name=region)
    if protocol is not None:
        _force_protocol(session, protocol)
    return session.client(service, endpoint_url=ENDPOINT, config=CONFIG)


def _force_protocol(session, protocol):
    loader = session._session.get_component("data_loader")
    original = loader.load_service_model

    def load(service_name, type_name, api_version=None):
        model = original(service_name, type_name, api_version)
        if type_name == "service-2":
            model["metadata"]["protocol"] = protocol
            model["metadata"]["protocols"] = [protocol]
        return model

    loader.load_service_model = load


class ClientTest(unittest.TestCase):
    """A test with an account of its own."""

    maxDiff = None

    def setUp(self):
        self.account = f"{random.randrange(10**12):012d}"

    def client(self, service, **options):
        return client(service, self.account, **options)

    def refused(self, call, **arguments):
        """The error that `call` is refused with: (code, message, HTTP status)."""
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        error = caught.exception.response
        return (error["Error"]["Code"], error["Error"]["Message"],
                error["ResponseMetadata"]["HTTPStatusCode"])
