"""A small HTTP server that remembers what it was sent."""

import http.server
import json
import queue
import threading


class Receiver:
    """Answers by `answers` (status codes, the last one for good); `requests` holds what came."""

    def __init__(self, *answers):
        self.requests = queue.Queue()
        answers = list(answers or (200,))
        requests = self.requests

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle_any(self):
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length).decode()
                requests.put((self.command, self.path, dict(self.headers.items()), body))
                status = answers.pop(0) if len(answers) > 1 else answers[0]
                text = json.dumps({"access_token": "t-1", "expires_in": 300}).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = handle_any

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self):
        """(method, path, headers by lower-case name, body) of the next request."""
        method, path, headers, body = self.requests.get(timeout=20)
        return method, path, {name.lower(): value for name, value in headers.items()}, body

    def close(self):
        self.server.shutdown()
        self.server.server_close()
