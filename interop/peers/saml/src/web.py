# Licence: EUPL-1.2
"""A small HTTP server for the peers: routes by method and path, forms and queries as dicts."""
import html, json, ssl, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

_out = threading.Lock()


def emit(obj):
    """One JSON object a line on standard output."""
    with _out:
        print(json.dumps(obj, ensure_ascii=False), flush=True)


def post_form(url, fields, method="post"):
    """A page that submits itself; HTTP-only clients read the form from it."""
    inputs = "".join(f'<input type="hidden" name="{html.escape(k)}" value="{html.escape(v, quote=True)}"/>' for k, v in fields.items() if v is not None)
    return (200, "text/html; charset=utf-8", f'<!DOCTYPE html><html><body onload="document.forms[0].submit()"><form method="{method}" '
            f'action="{html.escape(url, quote=True)}">{inputs}<noscript><button>continue</button></noscript></form></body></html>')


def answer(obj, code=200):
    return (code, "application/json", json.dumps(obj, ensure_ascii=False, indent=1))


def listen(port):
    """Takes the port, any free one for 0; connections wait until serve."""
    return ThreadingHTTPServer(("127.0.0.1", port), BaseHTTPRequestHandler)


def serve(server, routes, tls=None, announce=None):
    """routes: {(method, path): f(params) -> (status, type, body[, headers])}; returns at once."""
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self, method):
            url = urlsplit(self.path)
            params = dict(parse_qsl(url.query, keep_blank_values=True))
            n = int(self.headers.get("Content-Length") or 0)
            if method == "POST":
                params |= dict(parse_qsl(self.rfile.read(n).decode("utf-8", "replace"), keep_blank_values=True))
            f = routes.get((method, url.path))
            try:
                code, kind, body, *more = f(params) if f else (404, "text/plain", "not found")
            except Exception as e:  # a peer must show what went wrong, not hide it
                import traceback
                traceback.print_exc(file=sys.stderr)
                code, kind, body, more = 500, "application/json", json.dumps({"error": f"{type(e).__name__}: {e}"}), []
            data = body if isinstance(body, bytes) else body.encode()
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            for k, v in (more[0] if more else {}).items():
                self.send_header(k, v)
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self):
            self._do("GET")

        def do_POST(self):
            self._do("POST")

        def log_message(self, *a):
            pass
    server.RequestHandlerClass = Handler
    server.daemon_threads = True
    if tls:
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(*tls)
        server.socket = ctx.wrap_socket(server.socket, server_side=True)
    if announce:
        emit(announce)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
