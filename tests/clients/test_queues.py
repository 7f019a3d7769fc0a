"""SQS with boto3, in JSON and as forms."""

import json
import re
import unittest
import urllib.error
import urllib.parse
import urllib.request
from xml.etree import ElementTree

from coalmine_client import ENDPOINT, ClientTest


class Queues(ClientTest):
    def setUp(self):
        super().setUp()
        self.sqs = self.client("sqs")

    def queue(self, name="jobs", **attributes):
        return self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def receive(self, url, **arguments):
        return self.sqs.receive_message(QueueUrl=url, **arguments).get("Messages", [])

    def test_a_queue_is_made_found_described_and_deleted(self):
        self.assertNotIn("QueueUrls", self.sqs.list_queues())
        url = self.queue(VisibilityTimeout="5")
        self.assertTrue(url.endswith(f"/{self.account}/jobs"), url)
        self.assertEqual(self.queue(VisibilityTimeout="5"), url)
        code, _, status = self.refused(self.sqs.create_queue, QueueName="jobs",
                                       Attributes={"VisibilityTimeout": "6"})
        self.assertEqual((code, status), ("QueueAlreadyExists", 400))
        self.assertEqual(self.sqs.get_queue_url(QueueName="jobs")["QueueUrl"], url)
        self.queue("other")
        self.assertEqual(len(self.sqs.list_queues()["QueueUrls"]), 2)
        self.assertEqual(self.sqs.list_queues(QueueNamePrefix="jo")["QueueUrls"], [url])
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        self.assertEqual(found["QueueArn"], f"arn:aws:sqs:us-east-1:{self.account}:jobs")
        self.assertEqual(found["VisibilityTimeout"], "5")
        self.assertEqual(found["MessageRetentionPeriod"], "345600")
        self.assertEqual(found["ApproximateNumberOfMessages"], "0")
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "1"})
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])
        self.assertEqual(found["Attributes"], {"DelaySeconds": "1"})
        self.sqs.tag_queue(QueueUrl=url, Tags={"team": "shop", "x": "y"})
        self.sqs.untag_queue(QueueUrl=url, TagKeys=["x"])
        self.assertEqual(self.sqs.list_queue_tags(QueueUrl=url)["Tags"], {"team": "shop"})
        self.sqs.delete_queue(QueueUrl=url)
        code, message, status = self.refused(self.sqs.get_queue_url, QueueName="jobs")
        self.assertEqual(code, "AWS.SimpleQueueService.NonExistentQueue")
        self.assertEqual((message, status), ("The specified queue does not exist.", 400))

    def test_a_message_is_hidden_while_in_flight_and_gone_once_deleted(self):
        url = self.queue()
        sent = self.sqs.send_message(QueueUrl=url, MessageBody="hello", MessageAttributes={
            "n": {"DataType": "Number", "StringValue": "1"},
            "b": {"DataType": "Binary", "BinaryValue": b"\x00\x01"}})
        [got] = self.receive(url, AttributeNames=["All"], MessageAttributeNames=["All"])
        self.assertEqual(got["Body"], "hello")
        self.assertEqual(got["MessageId"], sent["MessageId"])
        self.assertEqual(got["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"])
        self.assertEqual(got["MessageAttributes"]["n"]["StringValue"], "1")
        self.assertEqual(got["MessageAttributes"]["b"]["BinaryValue"], b"\x00\x01")
        self.assertEqual(got["Attributes"]["ApproximateReceiveCount"], "1")
        self.assertEqual(self.receive(url), [])
        counts = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        self.assertEqual(counts["ApproximateNumberOfMessagesNotVisible"], "1")
        self.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"],
                                           VisibilityTimeout=0)
        [again] = self.receive(url, AttributeNames=["ApproximateReceiveCount"])
        self.assertEqual(again["Attributes"], {"ApproximateReceiveCount": "2"})
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
        counts = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        self.assertEqual(counts["ApproximateNumberOfMessagesNotVisible"], "0")
        code, _, _ = self.refused(self.sqs.delete_message, QueueUrl=url, ReceiptHandle="x")
        self.assertEqual(code, "ReceiptHandleIsInvalid")

    def test_batches_answer_entry_by_entry(self):
        url = self.queue()
        answer = self.sqs.send_message_batch(QueueUrl=url, Entries=[
            {"Id": "a", "MessageBody": "1"}, {"Id": "b", "MessageBody": "2"},
            {"Id": "c", "MessageBody": "3", "DelaySeconds": 901}])
        self.assertEqual([done["Id"] for done in answer["Successful"]], ["a", "b"])
        self.assertEqual([(f["Id"], f["Code"], f["SenderFault"]) for f in answer["Failed"]],
                         [("c", "InvalidParameterValue", True)])
        got = self.receive(url, MaxNumberOfMessages=10)
        self.assertEqual(sorted(message["Body"] for message in got), ["1", "2"])
        entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
                   for n, message in enumerate(got)]
        done = self.sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        self.assertEqual(len(done["Successful"]), 2)
        for entries, code in [
                ([{"Id": "a", "MessageBody": "1"}] * 2,
                 "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
                ([{"Id": str(n), "MessageBody": "1"} for n in range(11)],
                 "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"),
                ([{"Id": "a b", "MessageBody": "1"}],
                 "AWS.SimpleQueueService.InvalidBatchEntryId")]:
            refused = self.refused(self.sqs.send_message_batch, QueueUrl=url, Entries=entries)
            self.assertEqual(refused[0], code)

    def test_a_receive_waits_for_a_message_that_is_delayed(self):
        url = self.queue()
        self.sqs.send_message(QueueUrl=url, MessageBody="late", DelaySeconds=1)
        self.assertEqual(self.receive(url), [])
        [got] = self.receive(url, WaitTimeSeconds=10)
        self.assertEqual(got["Body"], "late")

    def test_a_message_received_too_often_goes_to_the_dead_letters(self):
        dead = self.queue("dead")
        policy = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{self.account}:dead",
                  "maxReceiveCount": 1}
        url = self.queue(RedrivePolicy=json.dumps(policy), VisibilityTimeout="0")
        self.sqs.send_message(QueueUrl=url, MessageBody="poison")
        self.assertEqual(len(self.receive(url)), 1)
        self.assertEqual(self.receive(url), [])
        [got] = self.receive(dead, AttributeNames=["All"])
        self.assertEqual(got["Body"], "poison")
        self.assertEqual(got["Attributes"]["DeadLetterQueueSourceArn"],
                         f"arn:aws:sqs:us-east-1:{self.account}:jobs")
        sources = self.sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"]
        self.assertEqual(sources, [url])

    def test_a_fifo_queue_keeps_order_by_group_and_drops_repeats(self):
        url = self.queue("jobs.fifo", FifoQueue="true", ContentBasedDeduplication="true")
        for body, group in [("1", "a"), ("2", "a"), ("3", "b"), ("1", "a")]:
            self.sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group)
        first = self.receive(url, AttributeNames=["All"])
        self.assertEqual([message["Body"] for message in first], ["1"])
        self.assertEqual(first[0]["Attributes"]["MessageGroupId"], "a")
        # Group a waits for its first message.
        self.assertEqual([m["Body"] for m in self.receive(url, MaxNumberOfMessages=10)], ["3"])
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=first[0]["ReceiptHandle"])
        self.assertEqual([m["Body"] for m in self.receive(url, MaxNumberOfMessages=10)], ["2"])
        code, _, _ = self.refused(self.sqs.send_message, QueueUrl=url, MessageBody="x")
        self.assertEqual(code, "MissingParameter")

    def test_a_purge_leaves_nothing(self):
        url = self.queue()
        self.sqs.send_message(QueueUrl=url, MessageBody="x")
        self.sqs.purge_queue(QueueUrl=url)
        self.assertEqual(self.receive(url), [])
        code, _, _ = self.refused(self.sqs.purge_queue, QueueUrl=url)
        self.assertEqual(code, "AWS.SimpleQueueService.PurgeQueueInProgress")


class Forms(ClientTest):
    """The Query protocol, which the model of today's boto3 cannot speak any more."""

    def call(self, **parameters):
        scope = f"{self.account}/20260101/us-east-1/sqs/aws4_request"
        request = urllib.request.Request(ENDPOINT, headers={
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, "
                             "Signature=00",
            "X-Amz-Date": "20260101T000000Z"},
            data=urllib.parse.urlencode({"Version": "2012-11-05", **parameters}).encode())
        try:
            with urllib.request.urlopen(request) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            text = error.read().decode()
        return ElementTree.fromstring(re.sub(' xmlns="[^"]+"', "", text))

    def test_queues_speak_forms_too(self):
        made = self.call(**{"Action": "CreateQueue", "QueueName": "old",
                            "Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "7",
                            "Tag.1.Key": "team", "Tag.1.Value": "shop"})
        url = made.findtext("CreateQueueResult/QueueUrl")
        self.assertTrue(url.endswith("/old"), url)
        listed = self.call(Action="ListQueues")
        self.assertEqual(listed.findtext("ListQueuesResult/QueueUrl"), url)
        found = self.call(**{"Action": "GetQueueAttributes", "QueueUrl": url,
                             "AttributeName.1": "VisibilityTimeout"})
        self.assertEqual(found.findtext("GetQueueAttributesResult/Attribute/Name"),
                         "VisibilityTimeout")
        self.assertEqual(found.findtext("GetQueueAttributesResult/Attribute/Value"), "7")
        self.call(**{"Action": "SendMessage", "QueueUrl": url, "MessageBody": "hello",
                     "DelaySeconds": "0", "MessageAttribute.1.Name": "n",
                     "MessageAttribute.1.Value.DataType": "Number",
                     "MessageAttribute.1.Value.StringValue": "1"})
        got = self.call(**{"Action": "ReceiveMessage", "QueueUrl": url, "AttributeName.1": "All",
                           "MessageAttributeName.1": "All", "MaxNumberOfMessages": "10"})
        message = got.find("ReceiveMessageResult/Message")
        self.assertEqual(message.findtext("Body"), "hello")
        self.assertEqual(message.findtext("MessageAttribute/Name"), "n")
        self.assertEqual(message.findtext("MessageAttribute/Value/StringValue"), "1")
        gone = self.call(Action="GetQueueUrl", QueueName="none")
        self.assertEqual(gone.findtext("Error/Code"), "AWS.SimpleQueueService.NonExistentQueue")


if __name__ == "__main__":
    unittest.main()
