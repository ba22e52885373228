# Licence: EUPL-1.2
"""Service provider / eIDAS-Connector side."""
import base64, os, threading, time
from urllib.parse import urlencode
from lxml import etree
import crypto, misbehave, second
from crypto import Bad
from eidas import *
from messages import *
from web import answer, emit, listen, post_form, serve


def run(o):
    listener = listen(o.port)
    o.port = listener.server_address[1]
    base = o.base_url or f"{'https' if o.tls else 'http'}://127.0.0.1:{o.port}"
    me_id, acs = o.entity_id or base + "/metadata", base + "/acs"
    keys = crypto.load_or_make(o.dir, o.country, o.sign_key, o.enc_key)
    md = crypto.serialise(metadata("connector", me_id, o.country, keys, acs=acs,
                                   sp_type=o.sp_type if o.sp_type_in == "metadata" or "sptype-twice" in o.bad else None))
    if o.metadata_out:
        with open(o.metadata_out, "wb") as f:
            f.write(md)
    wanted, loa = requested(o.attributes), (o.comparison, [l if ":" in l else LOA + l for l in o.loa.split(",")])
    pending, seen, results, state, done = {}, set(), [], {}, threading.Event()

    def peer():
        return read_metadata(load(o.peer_metadata))

    def start(params):
        p, bad = peer(), set(o.bad) | set(filter(None, (params.get("bad") or "").split(",")))
        dest = p["sso"].get(POST) or next(iter(p["sso"].values()))
        if o.sso:
            dest = o.sso
        attrs = list(wanted)
        if "missing-mds" in bad:
            attrs = [a for a in attrs if not a[0].endswith(("DateOfBirth", "LegalName"))]
        if "representative" in bad:
            attrs.append((REP_NATURAL + "/PersonIdentifier", "RepresentativePersonIdentifier", True))
        if "unknown-required" in bad:
            attrs.append((NATURAL + "/ShoeSize", "ShoeSize", True))
        level = (params.get("comparison") or loa[0], [l if ":" in l else LOA + l for l in params["loa"].split(",")] if params.get("loa") else loa[1])
        for name, value in (("loa-none", None), ("loa-better", ("better", level[1])), ("loa-exact-notified", ("exact", [LOA + "low"]))):
            level = value if name in bad else level
        in_request = (o.sp_type_in == "request" or "sptype-twice" in bad) and "sptype-missing" not in bad
        fmt = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress" if "nameid-format" in bad else o.nameid_format
        if "replay" in bad and state.get("last"):
            root = None
        else:
            root = request(me_id, "https://other.example/x" if "wrong-destination" in bad else dest, attrs, level, o.sp_type if in_request else None, o.name,
                           o.requester_id, fmt, "https://evil.example/acs" if "wrong-acs" in bad else acs if o.acs_in_request else None,
                           None if "no-forceauthn" in bad else "true", "true" if "passive" in bad else "false", POST if o.acs_in_request else None)
            if "unknown-extension" in bad:
                etree.SubElement(find(root, "p:Extensions"), "{urn:x}Foo").text = "bar"
            if "stale" in bad:
                root.set("IssueInstant", stamp(now(-3600)))
            if "unsigned" not in bad:
                signer = crypto.new_pair(o.sign_key, "stranger", o.country) if "untrusted-key" in bad else keys["sign"]
                ecdsa = o.sign_key[:3] != "rsa"
                alg = ("ecdsa1" if ecdsa else "rsa1") if "sha1" in bad else "rsa256" if "rsa15-signature" in bad and not ecdsa else o.sig_alg
                crypto.sign(root, signer, alg)
            if "modified" in bad:
                root.set("ProviderName", "Changed after signing")
            if "wrap" in bad:
                root = misbehave.wrap_request(root)
            pending[root.get("ID")] = {"loa": level or ("minimum", LEVELS[:1]), "attrs": wanted, "nameid": fmt, "at": time.time()}
        data = state["last"] if root is None else crypto.serialise(root)
        state["last"] = data
        data = misbehave.with_doctype(data) if "doctype" in bad else data
        emit({"event": "request", "id": crypto.parse(state["last"]).get("ID"), "destination": dest, "bad": sorted(bad)})
        if o.save:
            open(os.path.join(o.save, f"request-{len(pending)}.xml"), "wb").write(data)
        relay = params.get("relay") or o.relay_state
        fields = {"SAMLRequest": base64.b64encode(data).decode(), "RelayState": relay} | {k: v for k, v in (x.split("=", 1) for x in o.field)}
        if params.get("country"):
            fields["country"] = params["country"]
        if o.binding == "post":
            return post_form(dest, fields)
        if o.binding == "eidas-get":  # as the reference node: GET with plain base64
            return post_form(dest, fields, "get")
        c = zlib.compressobj(9, zlib.DEFLATED, -15)
        fields["SAMLRequest"] = base64.b64encode(c.compress(data) + c.flush()).decode()
        return 302, "text/plain", "", {"Location": dest + ("&" if "?" in dest else "?") + urlencode({k: v for k, v in fields.items() if v is not None})}

    def consume(params):
        p, me = peer(), {"entity_id": me_id, "acs": acs, "enc": keys["enc"], "country": o.country}
        b64 = params.get("SAMLResponse", "")
        try:
            raw = decode(b64)
            if o.save:
                open(os.path.join(o.save, f"response-{len(results) + 1}.xml"), "wb").write(raw)
            root = crypto.parse(raw)
            findings, info = check_response(root, me, p, pending, seen, o.profile)
        except Bad as e:
            findings, info = [str(e)], {}
        except Exception as e:
            findings, info = [f"cannot read the message: {type(e).__name__}: {e}"], {}
        out = {"event": "response", "accepted": not findings and info.get("status", [""])[0] == "Success", "findings": findings, "relay_state": params.get("RelayState"),
               **info}
        if not o.no_second:
            out["pysaml2"] = second.opinion_on_response(o.dir, keys, me_id, acs, load(o.peer_metadata).decode(), b64, pending)
        if info.get("in_response_to") in pending:
            pending.pop(info["in_response_to"])
        results.append(out)
        emit(out)
        done.set()
        return answer(out, 200 if out["accepted"] else 403)

    routes = {("GET", "/"): start, ("GET", "/start"): start, ("GET", "/login"): start, ("POST", "/acs"): consume, ("GET", "/results"): lambda p: answer(results),
              ("GET", "/metadata"): lambda p: (200, "application/samlmetadata+xml", crypto.serialise(metadata(
                  "connector", me_id, o.country, keys, acs=acs, sp_type=o.sp_type if o.sp_type_in == "metadata" or "sptype-twice" in o.bad else None)))}
    server = serve(listener, routes, o.tls, {"event": "ready", "role": "sp", "start": base + "/start", "metadata": base + "/metadata", "acs": acs, "entity_id": me_id,
                                           "anchor": os.path.join(o.dir, "anchor.crt")})
    try:
        done.wait() if o.once else threading.Event().wait()
        time.sleep(0.3)
    except KeyboardInterrupt:
        pass
    server.shutdown()
    return 0 if not o.once or results[-1]["accepted"] else 1


def load(where):
    """A file or URL as bytes."""
    if "://" in where:
        import requests
        return requests.get(where, timeout=20, verify=False).content
    with open(where, "rb") as f:
        return f.read()
