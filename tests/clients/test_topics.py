"""SNS with boto3: topics, subscriptions, filters, HTTP receivers."""

import json
import unittest
import urllib.request

from receiver import Receiver
from test_rules import RuleTest


class Topics(RuleTest):
    def setUp(self):
        super().setUp()
        self.sns = self.client("sns")

    def topic(self, name="news", **arguments):
        return self.sns.create_topic(Name=name, **arguments)["TopicArn"]

    def subscribe(self, topic, endpoint, protocol="sqs", **attributes):
        return self.sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint,
                                  Attributes=attributes,
                                  ReturnSubscriptionArn=True)["SubscriptionArn"]

    def test_a_topic_is_made_described_changed_and_deleted(self):
        arn = self.topic(Tags=[{"Key": "team", "Value": "shop"}])
        self.assertEqual(arn, f"arn:aws:sns:us-east-1:{self.account}:news")
        self.assertEqual(self.topic(), arn)
        self.sns.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName",
                                      AttributeValue="News")
        found = self.sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        self.assertEqual((found["DisplayName"], found["Owner"]), ("News", self.account))
        self.assertEqual(found["SubscriptionsConfirmed"], "0")
        self.assertEqual(self.sns.list_topics()["Topics"], [{"TopicArn": arn}])
        self.sns.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
        self.sns.untag_resource(ResourceArn=arn, TagKeys=["team"])
        self.assertEqual(self.sns.list_tags_for_resource(ResourceArn=arn)["Tags"],
                         [{"Key": "a", "Value": "b"}])
        self.sns.delete_topic(TopicArn=arn)
        self.sns.delete_topic(TopicArn=arn)
        self.assertEqual(self.refused(self.sns.get_topic_attributes, TopicArn=arn),
                         ("NotFound", "Topic does not exist", 404))
        self.assertEqual(self.refused(self.sns.create_topic, Name="a b")[:2],
                         ("InvalidParameter", "Invalid parameter: Topic Name"))

    def test_a_message_comes_to_a_queue_in_its_envelope_or_raw(self):
        arn = self.topic()
        whole, whole_arn = self.queue("whole")
        raw, raw_arn = self.queue("raw")
        subscription = self.subscribe(arn, whole_arn)
        self.subscribe(arn, raw_arn, RawMessageDelivery="true")
        sent = self.sns.publish(TopicArn=arn, Message="hello", Subject="greeting",
                                MessageAttributes={"n": {"DataType": "Number",
                                                         "StringValue": "1"}})
        envelope = json.loads(self.received(whole)[0]["Body"])
        self.assertEqual((envelope["Type"], envelope["MessageId"], envelope["TopicArn"],
                          envelope["Subject"], envelope["Message"]),
                         ("Notification", sent["MessageId"], arn, "greeting", "hello"))
        self.assertEqual(envelope["MessageAttributes"], {"n": {"Type": "Number", "Value": "1"}})
        [message] = self.received(raw)
        self.assertEqual(message["Body"], "hello")
        self.assertEqual(message["MessageAttributes"]["n"]["StringValue"], "1")
        self.assertEqual(len(self.sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]),
                         2)
        found = self.sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
        self.assertEqual((found["Protocol"], found["PendingConfirmation"]), ("sqs", "false"))
        self.sns.unsubscribe(SubscriptionArn=subscription)
        self.assertEqual(len(self.sns.list_subscriptions()["Subscriptions"]), 1)

    def test_filters_look_at_attributes_or_at_the_body(self):
        arn = self.topic()
        large, large_arn = self.queue("large")
        lamps, lamps_arn = self.queue("lamps")
        self.subscribe(arn, large_arn, RawMessageDelivery="true",
                       FilterPolicy=json.dumps({"total": [{"numeric": [">", 9]}]}))
        self.subscribe(arn, lamps_arn, RawMessageDelivery="true", FilterPolicyScope="MessageBody",
                       FilterPolicy=json.dumps({"item": [{"prefix": "lamp"}]}))
        for total, item in [("5", "lamp-1"), ("10", "chair")]:
            self.sns.publish(TopicArn=arn, Message=json.dumps({"item": item}), MessageAttributes={
                "total": {"DataType": "Number", "StringValue": total}})
        self.assertEqual(json.loads(self.received(large)[0]["Body"]), {"item": "chair"})
        self.assertEqual(json.loads(self.received(lamps)[0]["Body"]), {"item": "lamp-1"})
        refused = self.refused(self.sns.subscribe, TopicArn=arn, Protocol="sqs", Endpoint=large_arn
                               + "2", Attributes={"FilterPolicy": "{"})
        self.assertEqual(refused[0], "InvalidParameter")

    def test_an_http_receiver_confirms_and_is_tried_again(self):
        receiver = Receiver(200, 500, 200)
        self.addCleanup(receiver.close)
        arn = self.topic()
        answer = self.sns.subscribe(TopicArn=arn, Protocol="http", Endpoint=receiver.url)
        self.assertEqual(answer["SubscriptionArn"], "pending confirmation")
        _, _, headers, body = receiver.next()
        self.assertEqual(headers["x-amz-sns-message-type"], "SubscriptionConfirmation")
        asked = json.loads(body)
        self.sns.publish(TopicArn=arn, Message="too early")
        with urllib.request.urlopen(asked["SubscribeURL"]) as confirmed:
            self.assertIn("SubscriptionArn", confirmed.read().decode())
        self.sns.publish(TopicArn=arn, Message="now")
        for _ in range(2):
            _, _, headers, body = receiver.next()
            self.assertEqual(headers["x-amz-sns-message-type"], "Notification")
            self.assertEqual(json.loads(body)["Message"], "now")

    def test_batches_and_rules_publish_too(self):
        arn = self.topic()
        url, queue_arn = self.queue("jobs")
        self.subscribe(arn, queue_arn, RawMessageDelivery="true")
        answer = self.sns.publish_batch(TopicArn=arn, PublishBatchRequestEntries=[
            {"Id": "a", "Message": "1"}, {"Id": "b", "Message": "x", "Subject": ""}])
        self.assertEqual([done["Id"] for done in answer["Successful"]], ["a"])
        self.assertEqual([failed["Code"] for failed in answer["Failed"]], ["InvalidParameter"])
        self.assertEqual(self.received(url)[0]["Body"], "1")
        self.events.put_rule(Name="r", EventPattern='{"source": ["shop"]}')
        self.events.put_targets(Rule="r", Targets=[
            {"Id": "1", "Arn": arn, "InputPath": "$.detail"}])
        self.put({"n": 1})
        bodies = [message["Body"] for message in self.received(url)]
        self.assertIn('{"n":1}', bodies)

    def test_what_cannot_be_reached_is_refused_by_name(self):
        arn = self.topic()
        for protocol, endpoint in [("sms", "+1"), ("firehose", "arn:x"), ("email", "a@b.c")]:
            code, message, _ = self.refused(self.sns.subscribe, TopicArn=arn, Protocol=protocol,
                                            Endpoint=endpoint)
            self.assertEqual(code, "InvalidParameter")
            self.assertIn("here", message)


class ApiDestinations(RuleTest):
    def destination(self, receiver, kind, parameters, path="/hook/*"):
        connection = self.events.create_connection(
            Name="c", AuthorizationType=kind, AuthParameters=parameters)["ConnectionArn"]
        arn = self.events.create_api_destination(
            Name="d", ConnectionArn=connection, InvocationEndpoint=receiver.url + path,
            HttpMethod="POST")["ApiDestinationArn"]
        self.events.put_rule(Name="r", EventPattern='{"source": ["shop"]}')
        self.events.put_targets(Rule="r", Targets=[{
            "Id": "1", "Arn": arn, "InputPath": "$.detail",
            "HttpParameters": {"PathParameterValues": ["$.detail.id"],
                               "HeaderParameters": {"X-Own": "a"},
                               "QueryStringParameters": {"q": "1"}}}])

    def test_an_event_is_posted_with_a_key_and_nothing_secret_is_shown(self):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        self.destination(receiver, "API_KEY", {
            "ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "s3cret"},
            "InvocationHttpParameters": {
                "HeaderParameters": [{"Key": "X-Own", "Value": "b", "IsValueSecret": True}],
                "BodyParameters": [{"Key": "extra", "Value": "e"}]}})
        self.put({"id": "a b"})
        method, path, headers, body = receiver.next()
        self.assertEqual((method, path), ("POST", "/hook/a%20b?q=1"))
        self.assertEqual((headers["x-key"], headers["x-own"]), ("s3cret", "b"))
        self.assertEqual(headers["user-agent"], "Amazon/EventBridge/ApiDestinations")
        self.assertEqual(json.loads(body), {"id": "a b", "extra": "e"})
        shown = self.events.describe_connection(Name="c")
        self.assertNotIn("s3cret", str(shown))
        self.assertEqual(shown["ConnectionState"], "AUTHORIZED")
        found = self.events.describe_api_destination(Name="d")
        self.assertEqual((found["ApiDestinationState"], found["InvocationRateLimitPerSecond"]),
                         ("ACTIVE", 300))
        self.assertEqual([d["Name"] for d in self.events.list_connections()["Connections"]], ["c"])
        self.events.delete_api_destination(Name="d")
        self.assertEqual(self.refused(self.events.describe_api_destination, Name="d")[0],
                         "ResourceNotFoundException")

    def test_a_token_is_asked_for_and_used(self):
        receiver, tokens = Receiver(503, 200), Receiver()
        self.addCleanup(receiver.close)
        self.addCleanup(tokens.close)
        self.destination(receiver, "OAUTH_CLIENT_CREDENTIALS", {"OAuthParameters": {
            "ClientParameters": {"ClientID": "me", "ClientSecret": "s"},
            "AuthorizationEndpoint": tokens.url + "/token", "HttpMethod": "POST"}})
        self.put({"id": "1"})
        _, path, _, body = tokens.next()
        self.assertEqual(path, "/token")
        self.assertIn("grant_type=client_credentials&client_id=me&client_secret=s", body)
        for _ in range(2):
            self.assertEqual(receiver.next()[2]["authorization"], "Bearer t-1")

    def test_permissions_open_a_bus_to_an_account(self):
        bus = self.events.create_event_bus(Name="own")["EventBusArn"]
        other = RuleTest("put")
        other.setUp()
        self.events.put_permission(EventBusName="own", Action="events:PutEvents",
                                   Principal=other.account, StatementId="s")
        entry = {"Source": "s", "DetailType": "t", "Detail": "{}", "EventBusName": bus}
        self.assertEqual(other.events.put_events(Entries=[entry])["FailedEntryCount"], 0)
        policy = json.loads(self.events.describe_event_bus(Name="own")["Policy"])
        self.assertEqual(policy["Statement"][0]["Sid"], "s")
        self.events.remove_permission(EventBusName="own", StatementId="s")
        self.assertEqual(other.events.put_events(Entries=[entry])["FailedEntryCount"], 1)
        self.assertEqual(self.refused(self.events.remove_permission, EventBusName="own",
                                      StatementId="s")[0], "ResourceNotFoundException")


if __name__ == "__main__":
    unittest.main()
