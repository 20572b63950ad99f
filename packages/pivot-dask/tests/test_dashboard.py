"""The pages of a scheduler in the browser."""

import http.server
import threading

from pivot_dask.dashboard import is_missing


class Pages(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(405 if self.path == "/status" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_dashboard_is_missing_if_nothing_answers_or_the_server_has_no_such_page() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        place = f"http://127.0.0.1:{server.server_port}"
        assert not is_missing(f"{place}/status")
        assert not is_missing(f"{place.replace('http', 'https')}/status")  # it may be another's fault
        assert is_missing(f"{place}/other/status")
        server.shutdown()
    assert is_missing(f"{place}/status")
    assert not is_missing("/user/me/proxy/8787/status")
