"""X-Ray with boto3."""

import json
import os
import time
import unittest

from coalmine_client import ClientTest


class Traces(ClientTest):
    def setUp(self):
        super().setUp()
        self.xray = self.client("xray")

    def segment(self, **members):
        now = time.time()
        trace = f"1-{int(now):08x}-{os.urandom(12).hex()}"
        return {"name": "shop", "id": os.urandom(8).hex(), "trace_id": trace,
                "start_time": now - 2, "end_time": now, **members}

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
        found = self.xray.get_trace_summaries(
            StartTime=time.time() - 60, EndTime=time.time() + 60)["TraceSummaries"]
        self.assertEqual([summary["Id"] for summary in found], [segment["trace_id"]])
        self.assertTrue(found[0]["HasFault"])


if __name__ == "__main__":
    unittest.main()
