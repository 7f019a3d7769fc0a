"""CloudWatch Synthetics with boto3, on an account without canaries."""

import unittest

from coalmine_client import ClientTest


class Canaries(ClientTest):
    def test_an_account_without_canaries_has_none(self):
        synthetics = self.client("synthetics")
        self.assertEqual(synthetics.describe_canaries()["Canaries"], [])
        self.assertEqual(synthetics.describe_canaries_last_run()["CanariesLastRun"], [])
        for call in (synthetics.get_canary, synthetics.get_canary_runs):
            code, message, status = self.refused(call, Name="none")
            self.assertEqual((code, status), ("ResourceNotFoundException", 404))
            self.assertIn(f"arn:aws:synthetics:us-east-1:{self.account}:canary:none", message)
        code, message, _ = self.refused(synthetics.describe_canaries, MaxResults=21)
        self.assertEqual(code, "ValidationException")
        self.assertIn("less than or equal to 20", message)


if __name__ == "__main__":
    unittest.main()
