"""EventBridge Schemas with boto3."""

import json
import unittest

from coalmine_client import ClientTest

OPEN_API = json.dumps({"openapi": "3.0.0", "info": {"version": "1", "title": "T"}, "paths": {},
                       "components": {"schemas": {"T": {"type": "object"}}}})


class SchemaTest(ClientTest):
    def setUp(self):
        super().setUp()
        self.schemas = self.client("schemas")
        self.events = self.client("events")
        self.arn = f"arn:aws:schemas:us-east-1:{self.account}"
        self.bus = f"arn:aws:events:us-east-1:{self.account}:event-bus/default"

    def put(self, detail, source="my.app", detail_type="Order Shipped"):
        entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail)}
        self.assertEqual(self.events.put_events(Entries=[entry])["FailedEntryCount"], 0)

    def schema(self, name, registry="mine", **arguments):
        return self.schemas.create_schema(**{"RegistryName": registry, "SchemaName": name,
                                             "Content": OPEN_API, "Type": "OpenApi3",
                                             **arguments})


class Registries(SchemaTest):
    def test_a_registry_is_made_changed_listed_and_deleted(self):
        made = self.schemas.create_registry(RegistryName="mine", Description="d",
                                            Tags={"a": "1"})
        self.assertEqual(made["RegistryArn"], self.arn + ":registry/mine")
        self.assertEqual((made["Description"], made["Tags"]), ("d", {"a": "1"}))
        self.assertEqual(made["ResponseMetadata"]["HTTPStatusCode"], 201)
        self.schemas.update_registry(RegistryName="mine", Description="e")
        self.assertEqual(self.schemas.describe_registry(RegistryName="mine")["Description"], "e")
        names = lambda **scope: [r["RegistryName"] for r in
                                 self.schemas.list_registries(**scope)["Registries"]]
        self.assertEqual(names(), ["aws.events", "mine"])
        self.assertEqual(names(Scope="LOCAL"), ["mine"])
        self.assertEqual(names(Scope="AWS"), ["aws.events"])
        self.assertEqual(names(RegistryNamePrefix="mi"), ["mine"])
        self.assertEqual(self.refused(self.schemas.create_registry, RegistryName="mine"),
                         ("ConflictException", "Registry with name mine already exists.", 409))
        self.schema("s")
        self.assertEqual(self.refused(self.schemas.delete_registry, RegistryName="mine")[0],
                         "BadRequestException")
        self.schemas.delete_schema(RegistryName="mine", SchemaName="s")
        gone = self.schemas.delete_registry(RegistryName="mine")
        self.assertEqual(gone["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(self.refused(self.schemas.describe_registry, RegistryName="mine"),
                         ("NotFoundException", "Registry with name mine does not exist.", 404))

    def test_the_registry_of_services_is_read_only_and_tells_what_canaries_send(self):
        names = [s["SchemaName"] for page in self.schemas.get_paginator("list_schemas")
                 .paginate(RegistryName="aws.events", PaginationConfig={"PageSize": 2})
                 for s in page["Schemas"]]
        self.assertIn("aws.synthetics@SyntheticsCanaryTestRunFailure", names)
        found = self.schemas.describe_schema(RegistryName="aws.events", SchemaName=names[0])
        self.assertEqual(found["SchemaArn"],
                         f"arn:aws:schemas:us-east-1::schema/aws.events/{names[0]}")
        self.assertEqual(self.refused(self.schema, name="x", registry="aws.events")[::2],
                         ("ForbiddenException", 403))
        self.assertEqual(self.refused(self.schemas.create_registry, RegistryName="aws.mine")[0],
                         "BadRequestException")

    def test_tags_of_registries_schemas_and_discoverers(self):
        self.schemas.create_registry(RegistryName="mine")
        schema = self.schema("s")["SchemaArn"]
        discoverer = self.schemas.create_discoverer(SourceArn=self.bus)["DiscovererArn"]
        for arn in [self.arn + ":registry/mine", schema, discoverer]:
            self.schemas.tag_resource(ResourceArn=arn, Tags={"a": "1", "b": "2", "c": "3"})
            self.schemas.untag_resource(ResourceArn=arn, TagKeys=["a"])
            self.schemas.untag_resource(ResourceArn=arn, TagKeys=["b", "x"])
            self.assertEqual(self.schemas.list_tags_for_resource(ResourceArn=arn)["Tags"],
                             {"c": "3"})
        self.assertEqual(self.refused(self.schemas.list_tags_for_resource,
                                      ResourceArn=self.arn + ":registry/none")[0],
                         "NotFoundException")

    def test_a_policy_is_kept_by_revision(self):
        self.schemas.create_registry(RegistryName="mine")
        self.assertEqual(self.refused(self.schemas.get_resource_policy,
                                      RegistryName="mine")[0], "NotFoundException")
        policy = json.dumps({"Version": "2012-10-17", "Statement": []})
        put = self.schemas.put_resource_policy(RegistryName="mine", Policy=policy)
        found = self.schemas.get_resource_policy(RegistryName="mine")
        self.assertEqual(json.loads(found["Policy"]), json.loads(policy))
        self.assertEqual(found["RevisionId"], put["RevisionId"])
        self.assertEqual(self.refused(self.schemas.put_resource_policy, RegistryName="mine",
                                      Policy=policy, RevisionId="other")[::2],
                         ("PreconditionFailedException", 412))
        self.schemas.delete_resource_policy(RegistryName="mine")
        self.assertEqual(self.refused(self.schemas.get_resource_policy,
                                      RegistryName="mine")[0], "NotFoundException")


class Versions(SchemaTest):
    def setUp(self):
        super().setUp()
        self.schemas.create_registry(RegistryName="mine")
        self.named = {"RegistryName": "mine", "SchemaName": "s"}

    def test_other_content_is_another_version_and_the_same_is_not(self):
        made = self.schema("s", Description="d")
        self.assertEqual((made["SchemaVersion"], made["Type"]), ("1", "OpenApi3"))
        self.assertEqual(self.schemas.update_schema(**self.named, Content=OPEN_API,
                                                    Type="OpenApi3")["SchemaVersion"], "1")
        other = OPEN_API.replace("object", "string")
        self.assertEqual(self.schemas.update_schema(**self.named, Content=other)["SchemaVersion"],
                         "2")
        self.assertEqual(self.schemas.describe_schema(**self.named)["Content"], other)
        old = self.schemas.describe_schema(**self.named, SchemaVersion="1")
        self.assertEqual((old["Content"], old["Description"]), (OPEN_API, "d"))
        listed = self.schemas.list_schema_versions(**self.named)["SchemaVersions"]
        self.assertEqual([v["SchemaVersion"] for v in listed], ["1", "2"])
        self.assertEqual(self.schemas.list_schemas(RegistryName="mine")["Schemas"][0]
                         ["VersionCount"], 2)
        self.schemas.delete_schema_version(**self.named, SchemaVersion="2")
        self.assertEqual(self.schemas.describe_schema(**self.named)["SchemaVersion"], "1")
        self.assertEqual(self.schemas.update_schema(**self.named, Content=other)["SchemaVersion"],
                         "3")
        self.schemas.delete_schema(**self.named)
        self.assertEqual(self.refused(self.schemas.describe_schema, **self.named)[::2],
                         ("NotFoundException", 404))

    def test_what_is_no_schema_is_refused(self):
        for content, kind in [("{", "OpenApi3"), ("[]", "OpenApi3"), ("{}", "OpenApi3"),
                              ('{"$schema": "http://json-schema.org/draft-07/schema#"}',
                               "JSONSchemaDraft4")]:
            self.assertEqual(self.refused(self.schema, name="s", Content=content, Type=kind)[::2],
                             ("BadRequestException", 400), content)
        self.assertEqual(self.refused(self.schema, name="s", registry="none")[0],
                         "NotFoundException")
        self.schema("s")
        self.assertEqual(self.refused(self.schema, name="s")[0], "ConflictException")

    def test_a_schema_is_exported_as_json_schema(self):
        self.schema("s")
        exported = self.schemas.export_schema(**self.named, Type="JSONSchemaDraft4")
        self.assertEqual(json.loads(exported["Content"])["type"], "object")
        self.assertEqual(self.refused(self.schemas.export_schema, **self.named,
                                      Type="OpenApi3")[0], "BadRequestException")

    def test_schemas_are_found_by_words(self):
        self.schema("s", Description="about parcels")
        self.schema("t")
        found = self.schemas.search_schemas(RegistryName="mine", Keywords="PARCELS object")
        self.assertEqual([s["SchemaName"] for s in found["Schemas"]], ["s"])
        self.assertEqual(found["Schemas"][0]["SchemaVersions"][0]["SchemaVersion"], "1")

    def test_code_bindings_are_refused_by_their_path(self):
        self.schema("s")
        code, message, status = self.refused(self.schemas.put_code_binding, **self.named,
                                             Language="Python36")
        self.assertIn("language/Python36 is no operation of EventBridge Schemas", message)
        self.assertEqual(status, 404)


class Discovery(SchemaTest):
    def test_a_schema_is_made_of_events_and_another_version_when_they_change(self):
        found = self.schemas.create_discoverer(SourceArn=self.bus, Description="d")
        self.assertEqual((found["State"], found["SourceArn"], found["CrossAccount"]),
                         ("STARTED", self.bus, True))
        self.assertEqual(self.refused(self.schemas.create_discoverer, SourceArn=self.bus)[::2],
                         ("ConflictException", 409))
        named = {"RegistryName": "discovered-schemas", "SchemaName": "my.app@OrderShipped"}
        self.put({"order": 1, "at": "2026-01-01T10:00:00Z"})
        self.put({"order": 2, "at": "2026-01-01T10:00:01Z"})
        first = self.schemas.describe_schema(**named)
        self.assertEqual((first["SchemaVersion"], first["Type"]), ("1", "OpenApi3"))
        detail = json.loads(first["Content"])["components"]["schemas"]["OrderShipped"]
        self.assertEqual(detail["properties"]["at"], {"type": "string", "format": "date-time"})
        self.assertEqual(detail["required"], ["at", "order"])
        self.put({"order": 3, "note": "x"})
        second = self.schemas.describe_schema(**named)
        self.assertEqual(second["SchemaVersion"], "2")
        detail = json.loads(second["Content"])["components"]["schemas"]["OrderShipped"]
        self.assertEqual(sorted(detail["properties"]), ["at", "note", "order"])
        self.assertEqual(detail["required"], ["order"])
        # A stopped discoverer looks at nothing.
        stopped = self.schemas.stop_discoverer(DiscovererId=found["DiscovererId"])
        self.assertEqual(stopped["State"], "STOPPED")
        self.put({"other": 1})
        self.assertEqual(self.schemas.describe_schema(**named)["SchemaVersion"], "2")
        self.schemas.start_discoverer(DiscovererId=found["DiscovererId"])
        self.put({"other": 1})
        self.assertEqual(self.schemas.describe_schema(**named)["SchemaVersion"], "3")
        self.schemas.delete_discoverer(DiscovererId=found["DiscovererId"])
        self.assertEqual(self.schemas.list_discoverers()["Discoverers"], [])

    def test_rules_hear_of_new_schemas(self):
        sqs = self.client("sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        self.events.put_rule(Name="r", EventPattern='{"source": ["aws.schemas"]}')
        self.events.put_targets(Rule="r", Targets=[
            {"Id": "1", "Arn": f"arn:aws:sqs:us-east-1:{self.account}:q"}])
        self.schemas.create_discoverer(SourceArn=self.bus)
        self.put({"n": 1})
        message = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"][0]
        event = json.loads(message["Body"])
        self.assertEqual(event["detail-type"], "Schema Created")
        self.assertEqual(event["detail"]["SchemaName"], "my.app@OrderShipped")
        names = [s["SchemaName"] for s in
                 self.schemas.list_schemas(RegistryName="discovered-schemas")["Schemas"]]
        self.assertEqual(names, ["my.app@OrderShipped"])

    def test_the_schema_of_shown_events_fits_them_all(self):
        events = [json.dumps({"detail-type": "T", "source": "s", "detail": detail})
                  for detail in [{"a": 1}, {"a": 1.5, "b": None}]]
        found = self.schemas.get_discovered_schema(Events=events, Type="OpenApi3")
        document = json.loads(found["Content"])
        self.assertEqual(document["components"]["schemas"]["T"]["properties"]["a"],
                         {"type": "number", "format": "double"})
        plain = self.schemas.get_discovered_schema(Events=['{"x": [1]}'],
                                                   Type="JSONSchemaDraft4")
        self.assertEqual(json.loads(plain["Content"])["properties"]["x"]["type"], "array")
        self.assertEqual(self.refused(self.schemas.get_discovered_schema, Events=["{"],
                                      Type="OpenApi3")[0], "BadRequestException")


if __name__ == "__main__":
    unittest.main()
