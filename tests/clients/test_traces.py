"""X-Ray with boto3."""

import datetime
import json
import os
import time
import unittest

from coalmine_client import ClientTest


def hex_id(size=8):
    return os.urandom(size).hex()


class Traces(ClientTest):
    def setUp(self):
        super().setUp()
        self.xray = self.client("xray")

    def segment(self, **members):
        now = time.time()
        return {"name": "shop", "id": hex_id(), "trace_id": f"1-{int(now):08x}-{hex_id(12)}",
                "start_time": now - 2, "end_time": now, **members}

    def put(self, *documents):
        answer = self.xray.put_trace_segments(
            TraceSegmentDocuments=[json.dumps(document) for document in documents])
        self.assertEqual(answer["UnprocessedTraceSegments"], [])

    def window(self, back=60):
        now = time.time()
        return {"StartTime": now - back, "EndTime": now + 60}

    def found(self, expression="", **options):
        answer = self.xray.get_trace_summaries(
            **self.window(), FilterExpression=expression, **options)
        return [summary["Id"] for summary in answer["TraceSummaries"]]

    def sample(self):
        """The published sample: an application that calls a table and a topic."""
        segment = self.segment(
            origin="AWS::EC2::Instance", user="ann", error=True,
            http={"request": {"method": "POST", "url": "http://shop/api/cart",
                              "client_ip": "10.0.0.1", "user_agent": "curl"},
                  "response": {"status": 404}},
            annotations={"page": "home", "items": 3, "vip": True, "a.b": "dotted"},
            metadata={"default": {"hidden": "treasure"}})
        start = segment["start_time"]
        segment["subsegments"] = [
            {"id": hex_id(), "name": "DynamoDB", "namespace": "aws", "start_time": start + 0.1,
             "end_time": start + 0.16, "aws": {"table_name": "carts", "operation": "GetItem"}},
            {"id": hex_id(), "name": "SNS", "namespace": "aws", "start_time": start + 0.2,
             "end_time": start + 0.3, "fault": True}]
        return segment

    def test_segments_are_read_back_as_they_were_sent(self):
        segment = self.segment(annotations={"page": "home"}, fault=True)
        answer = self.xray.put_trace_segments(
            TraceSegmentDocuments=[json.dumps(segment), "{", json.dumps({"name": "x"})])
        codes = [refused["ErrorCode"] for refused in answer["UnprocessedTraceSegments"]]
        self.assertEqual(codes, ["ParseError", "MissingId"])
        unknown = "1-00000000-000000000000000000000000"
        answer = self.xray.batch_get_traces(TraceIds=[segment["trace_id"], unknown])
        self.assertEqual(answer["UnprocessedTraceIds"], [unknown])
        trace = answer["Traces"][0]
        self.assertAlmostEqual(trace["Duration"], 2.0, places=3)
        self.assertEqual(json.loads(trace["Segments"][0]["Document"]), segment)
        found = self.xray.get_trace_summaries(**self.window())["TraceSummaries"]
        self.assertEqual([summary["Id"] for summary in found], [segment["trace_id"]])
        self.assertTrue(found[0]["HasFault"])

    def test_every_wrong_document_is_named_and_the_right_ones_are_taken(self):
        good = self.segment()
        wrong = [({"id": "xyz"}, "InvalidId"), ({"trace_id": "1-2-3"}, "InvalidTraceId"),
                 ({"name": "a?b"}, "InvalidName"), ({"name": ""}, "MissingName"),
                 ({"start_time": None}, "MissingStartTime"), ({"end_time": None}, "MissingEndTime"),
                 ({"type": "subsegment"}, "MissingParentId"),
                 ({"metadata": "x" * 65_536}, "SegmentTooLarge")]
        documents = [json.dumps({**good, **change}) for change, _ in wrong] + [json.dumps(good)]
        refused = self.xray.put_trace_segments(
            TraceSegmentDocuments=documents)["UnprocessedTraceSegments"]
        self.assertEqual([one["ErrorCode"] for one in refused], [code for _, code in wrong])
        self.assertEqual(refused[2]["Id"], good["id"])
        self.assertEqual(self.found(), [good["trace_id"]])

    def test_a_segment_in_progress_is_replaced_when_it_ends(self):
        done = self.segment()
        started = {**done, "in_progress": True}
        del started["end_time"]
        self.put(started)
        self.assertEqual(self.found("partial"), [done["trace_id"]])
        self.put(done)
        self.put(started)
        self.assertEqual(self.found("partial"), [])
        self.assertEqual(self.found("ok !partial duration < 3"), [done["trace_id"]])

    def test_subsegments_sent_alone_are_given_inside_their_segment(self):
        segment = self.segment()
        call = {"id": hex_id(), "name": "jobs", "type": "subsegment", "namespace": "remote",
                "trace_id": segment["trace_id"], "parent_id": segment["id"],
                "start_time": segment["start_time"], "end_time": segment["end_time"]}
        self.put(call)
        self.put(segment)
        trace = self.xray.batch_get_traces(TraceIds=[segment["trace_id"]])["Traces"][0]
        own, inferred = [json.loads(one["Document"]) for one in trace["Segments"]]
        self.assertEqual([one["name"] for one in own["subsegments"]], ["jobs"])
        self.assertTrue(inferred["inferred"])
        self.assertEqual(inferred["parent_id"], call["id"])

    def test_a_summary_tells_what_the_trace_is_about(self):
        segment = self.sample()
        self.put(segment)
        summary = self.xray.get_trace_summaries(**self.window())["TraceSummaries"][0]
        self.assertAlmostEqual(summary["ResponseTime"], 2, places=3)
        self.assertEqual((summary["HasFault"], summary["HasError"], summary["IsPartial"]),
                         (False, True, False))
        self.assertEqual(summary["Http"], {
            "HttpURL": "http://shop/api/cart", "HttpStatus": 404, "HttpMethod": "POST",
            "UserAgent": "curl", "ClientIp": "10.0.0.1"})
        self.assertEqual(summary["Annotations"]["items"][0]["AnnotationValue"],
                         {"NumberValue": 3.0})
        self.assertEqual(summary["Users"][0]["UserName"], "ann")
        names = sorted(service["Name"] for service in summary["ServiceIds"])
        self.assertEqual(names, ["SNS", "carts", "shop"])
        self.assertEqual(summary["EntryPoint"]["Type"], "AWS::EC2::Instance")
        self.assertEqual(summary["ErrorRootCauses"][0]["ClientImpacting"], True)
        self.assertEqual(summary["FaultRootCauses"][0]["ClientImpacting"], False)

    def test_filters_search_annotations_and_not_metadata(self):
        segment = self.sample()
        self.put(segment, self.segment(name="other"))
        mine = [segment["trace_id"]]
        for expression, expected in [
                ('annotation.page = "home"', mine), ('annotation[items] >= 3', mine),
                ('annotation[a.b] = "dotted"', mine), ("annotation.vip = true", mine),
                ('annotation.hidden = "treasure"', []), ("http.status = 404", mine),
                ('http.url CONTAINS "/api/" AND user = "ann"', mine),
                ('service("SNS") { fault }', mine), ('edge("shop", "carts")', mine),
                ('service(id(type: "AWS::DynamoDB::Table"))', mine), ("fault", []),
                ('rootcause.error.service { name = "shop" }', mine),
                ('!annotation.page AND service("other")', None)]:
            found = self.found(expression)
            if expected is None:
                self.assertEqual(len(found), 1, expression)
                self.assertNotEqual(found, mine, expression)
            else:
                self.assertEqual(found, expected, expression)
        code, message, status = self.refused(
            self.xray.get_trace_summaries, **self.window(), FilterExpression='service("a") {')
        self.assertEqual((code, status), ("InvalidRequestException", 400))
        self.assertIn("byte", message)

    def test_summaries_come_in_pages_newest_first(self):
        now = time.time()
        segments = [self.segment(start_time=now - n / 10, end_time=now) for n in range(230)]
        for at in range(0, len(segments), 50):
            self.put(*segments[at:at + 50])
        pages = list(self.xray.get_paginator("get_trace_summaries").paginate(**self.window()))
        self.assertEqual([len(page["TraceSummaries"]) for page in pages], [100, 100, 30])
        self.assertEqual(sum(page["TracesProcessedCount"] for page in pages), 230)
        ids = [summary["Id"] for page in pages for summary in page["TraceSummaries"]]
        self.assertEqual(len(set(ids)), 230)
        self.assertEqual(ids[0], segments[0]["trace_id"])
        some = self.found(Sampling=True, SamplingStrategy={"Name": "FixedRate", "Value": 0.2})
        self.assertTrue(10 < len(some) < 90, len(some))

    def test_ranges_by_id_by_event_and_by_end(self):
        now = time.time()
        long = self.segment(start_time=now - 1800, end_time=now - 5,
                            trace_id=f"1-{int(now - 1800):08x}-{hex_id(12)}")
        self.put(long)
        recent = {"StartTime": now - 60, "EndTime": now}
        kinds = {kind: len(self.xray.get_trace_summaries(
            **recent, TimeRangeType=kind)["TraceSummaries"])
            for kind in ("TraceId", "Event", "Service")}
        self.assertEqual(kinds, {"TraceId": 0, "Event": 1, "Service": 1})
        code, _, _ = self.refused(self.xray.get_trace_summaries, StartTime=now, EndTime=now - 1)
        self.assertEqual(code, "InvalidRequestException")

    def test_the_service_graph_counts_nodes_edges_and_clients(self):
        segment = self.sample()
        self.put(segment)
        for services in [
                self.xray.get_service_graph(**self.window())["Services"],
                self.xray.get_trace_graph(TraceIds=[segment["trace_id"]])["Services"]]:
            nodes = {(node["Name"], node.get("Type")): node for node in services}
            shop = nodes["shop", "AWS::EC2::Instance"]
            client = nodes["shop", "client"]
            self.assertTrue(shop["Root"])
            self.assertEqual(shop["SummaryStatistics"]["ErrorStatistics"],
                             {"ThrottleCount": 0, "OtherCount": 1, "TotalCount": 1})
            self.assertNotIn("SummaryStatistics", client)
            self.assertEqual(client["State"], "unknown")
            self.assertEqual(client["Edges"][0]["ReferenceId"], shop["ReferenceId"])
            self.assertEqual(client["Edges"][0]["SummaryStatistics"], shop["SummaryStatistics"])
            edges = {services[edge["ReferenceId"]]["Name"]: edge for edge in shop["Edges"]}
            self.assertEqual(edges["SNS"]["SummaryStatistics"]["FaultStatistics"]["TotalCount"], 1)
            histogram = edges["carts"]["ResponseTimeHistogram"]
            self.assertEqual([entry["Count"] for entry in histogram], [1])
            self.assertAlmostEqual(histogram[0]["Value"], 0.06, places=2)

    def test_time_series_are_of_entries_services_or_edges(self):
        self.put(self.sample())
        def totals(**options):
            points = self.xray.get_time_series_service_statistics(
                **self.window(), **options)["TimeSeriesServiceStatistics"]
            return [(name, point[name]["TotalCount"]) for point in points
                    for name in point if name.endswith("SummaryStatistics")]
        self.assertEqual(totals(), [("EdgeSummaryStatistics", 1)])
        self.assertEqual(totals(EntitySelectorExpression='service("carts")'),
                         [("ServiceSummaryStatistics", 1)])
        self.assertEqual(totals(EntitySelectorExpression='edge("shop", "SNS")', Period=300),
                         [("EdgeSummaryStatistics", 1)])
        code, _, _ = self.refused(self.xray.get_time_series_service_statistics,
                                  **self.window(), Period=61)
        self.assertEqual(code, "InvalidRequestException")

    def test_groups_hold_traces_by_their_expression(self):
        segment = self.sample()
        self.put(segment, self.segment(name="other"))
        made = self.xray.create_group(GroupName="shop", FilterExpression='service("shop")',
                                      Tags=[{"Key": "team", "Value": "a"}])["Group"]
        self.assertRegex(made["GroupARN"], rf"^arn:aws:xray:us-east-1:{self.account}:group/shop/")
        listed = [group["GroupName"] for group in self.xray.get_groups()["Groups"]]
        self.assertEqual(listed, ["Default", "shop"])
        self.assertEqual(self.found('group.name = "shop"'), [segment["trace_id"]])
        graph = self.xray.get_service_graph(**self.window(), GroupARN=made["GroupARN"])
        self.assertNotIn("other", [node["Name"] for node in graph["Services"]])
        self.xray.update_group(GroupName="shop", FilterExpression='service("other")')
        self.assertNotEqual(self.found('group.name = "shop"'), [segment["trace_id"]])
        tags = self.xray.list_tags_for_resource(ResourceARN=made["GroupARN"])["Tags"]
        self.assertEqual(tags, [{"Key": "team", "Value": "a"}])
        code, _, _ = self.refused(self.xray.create_group, GroupName="shop")
        self.assertEqual(code, "InvalidRequestException")
        self.xray.delete_group(GroupARN=made["GroupARN"])
        code, message, _ = self.refused(self.xray.get_group, GroupName="shop")
        self.assertEqual((code, message), ("InvalidRequestException", "Group shop not found"))
        code, _, status = self.refused(self.xray.list_tags_for_resource,
                                       ResourceARN=made["GroupARN"])
        self.assertEqual((code, status), ("ResourceNotFoundException", 404))
        self.refused(self.xray.delete_group, GroupName="Default")

    def rule(self, name="checkout", **members):
        return {"RuleName": name, "ResourceARN": "*", "Priority": 10, "FixedRate": 0.5,
                "ReservoirSize": 10, "ServiceName": "shop", "ServiceType": "*", "Host": "*",
                "HTTPMethod": "POST", "URLPath": "/api/*", "Version": 1, **members}

    def test_sampling_rules_are_made_changed_and_deleted(self):
        default = self.xray.get_sampling_rules()["SamplingRuleRecords"]
        self.assertEqual([(record["SamplingRule"]["RuleName"],
                           record["SamplingRule"]["FixedRate"]) for record in default],
                         [("Default", 0.05)])
        made = self.xray.create_sampling_rule(SamplingRule=self.rule())["SamplingRuleRecord"]
        arn = f"arn:aws:xray:us-east-1:{self.account}:sampling-rule/checkout"
        self.assertEqual(made["SamplingRule"]["RuleARN"], arn)
        changed = self.xray.update_sampling_rule(
            SamplingRuleUpdate={"RuleARN": arn, "FixedRate": 0.25})["SamplingRuleRecord"]
        self.assertEqual((changed["SamplingRule"]["FixedRate"],
                          changed["SamplingRule"]["ReservoirSize"]), (0.25, 10))
        names = [record["SamplingRule"]["RuleName"]
                 for record in self.xray.get_sampling_rules()["SamplingRuleRecords"]]
        self.assertEqual(names, ["checkout", "Default"])
        for wrong in ({"Priority": 10_000}, {"FixedRate": 1.5}, {"Version": 2}, {"URLPath": "x" * 129},
                      {"Attributes": {str(n): "x" for n in range(6)}}):
            code, _, _ = self.refused(self.xray.create_sampling_rule,
                                      SamplingRule=self.rule("wrong", **wrong))
            self.assertIn(code, ("InvalidRequestException",), wrong)
        self.refused(self.xray.create_sampling_rule, SamplingRule=self.rule())
        self.refused(self.xray.update_sampling_rule,
                     SamplingRuleUpdate={"RuleName": "Default", "Host": "x"})
        self.xray.update_sampling_rule(
            SamplingRuleUpdate={"RuleName": "Default", "ReservoirSize": 5})
        self.xray.delete_sampling_rule(RuleName="checkout")
        self.refused(self.xray.delete_sampling_rule, RuleName="checkout")
        self.refused(self.xray.delete_sampling_rule, RuleName="Default")
        for n in range(25):
            self.xray.create_sampling_rule(SamplingRule=self.rule(f"r{n}"))
        code, _, _ = self.refused(self.xray.create_sampling_rule, SamplingRule=self.rule())
        self.assertEqual(code, "RuleLimitExceededException")

    def report(self, client, requests, rule="checkout"):
        return {"RuleName": rule, "ClientID": client, "Timestamp": time.time(),
                "RequestCount": requests, "SampledCount": 1, "BorrowCount": 1}

    def test_clients_share_a_reservoir_by_their_load(self):
        self.xray.create_sampling_rule(SamplingRule=self.rule())
        busy, idle = hex_id(12), hex_id(12)
        def quota(client, requests):
            answer = self.xray.get_sampling_targets(
                SamplingStatisticsDocuments=[self.report(client, requests)])
            self.assertEqual(answer["UnprocessedStatistics"], [])
            return answer["SamplingTargetDocuments"][0]
        first = quota(busy, 400)
        self.assertEqual((first["ReservoirQuota"], first["FixedRate"], first["Interval"]),
                         (10, 0.5, 10))
        self.assertGreater(first["ReservoirQuotaTTL"],
                           datetime.datetime.now(datetime.timezone.utc))
        self.assertEqual(quota(idle, 100)["ReservoirQuota"], 2)
        self.assertEqual(quota(busy, 400)["ReservoirQuota"], 8)
        summaries = self.xray.get_sampling_statistic_summaries()["SamplingStatisticSummaries"]
        self.assertEqual(sum(one["RequestCount"] for one in summaries), 900)

    def test_a_rule_that_is_gone_and_a_rule_that_changed_are_told(self):
        before = self.xray.get_sampling_targets(
            SamplingStatisticsDocuments=[self.report(hex_id(12), 1, "gone")])
        refused = before["UnprocessedStatistics"][0]
        self.assertEqual((refused["RuleName"], refused["ErrorCode"][0]), ("gone", "4"))
        self.xray.create_sampling_rule(SamplingRule=self.rule())
        after = self.xray.get_sampling_targets(SamplingStatisticsDocuments=[])
        self.assertGreater(after["LastRuleModification"], before["LastRuleModification"])

    def test_settings_policies_and_what_is_not_supported(self):
        self.assertEqual(self.xray.get_encryption_config()["EncryptionConfig"],
                         {"Status": "ACTIVE", "Type": "NONE"})
        self.refused(self.xray.put_encryption_config, Type="KMS")
        put = self.xray.put_encryption_config(Type="KMS", KeyId="alias/x")["EncryptionConfig"]
        self.assertEqual(put, self.xray.get_encryption_config()["EncryptionConfig"])
        policy = json.dumps({"Version": "2012-10-17", "Statement": []})
        made = self.xray.put_resource_policy(PolicyName="p", PolicyDocument=policy)
        revision = made["ResourcePolicy"]["PolicyRevisionId"]
        code, _, _ = self.refused(self.xray.put_resource_policy, PolicyName="p",
                                  PolicyDocument=policy, PolicyRevisionId="other")
        self.assertEqual(code, "InvalidPolicyRevisionIdException")
        code, _, _ = self.refused(self.xray.put_resource_policy, PolicyName="q",
                                  PolicyDocument="{")
        self.assertEqual(code, "MalformedPolicyDocumentException")
        self.xray.delete_resource_policy(PolicyName="p", PolicyRevisionId=revision)
        self.assertEqual(self.xray.list_resource_policies()["ResourcePolicies"], [])
        self.xray.put_telemetry_records(TelemetryRecords=[
            {"Timestamp": time.time(), "SegmentsReceivedCount": 7}], Hostname="here")
        metrics = self.client("cloudwatch").list_metrics(Namespace="AWS/X-Ray")["Metrics"]
        self.assertEqual([metric["MetricName"] for metric in metrics], ["SegmentsReceivedCount"])
        window = self.window()
        self.assertEqual(self.xray.get_insight_summaries(**window)["InsightSummaries"], [])
        self.xray.create_group(GroupName="watched",
                               InsightsConfiguration={"InsightsEnabled": True})
        _, message, _ = self.refused(self.xray.get_insight_summaries, **window)
        self.assertIn("watched", message)
        self.refused(self.xray.update_trace_segment_destination, Destination="CloudWatchLogs")


if __name__ == "__main__":
    unittest.main()
