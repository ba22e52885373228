# Licence: EUPL-1.2
"""Identity provider / eIDAS-Proxy-Service side."""
import base64, copy, os, threading
import crypto, misbehave, second
from crypto import Bad
from eidas import *
from messages import *
from sp import load
from web import answer, emit, listen, post_form, serve


def run(o):
    listener = listen(o.port)
    o.port = listener.server_address[1]
    base = o.base_url or f"{'https' if o.tls else 'http'}://127.0.0.1:{o.port}"
    me_id, sso = o.entity_id or base + "/metadata", base + "/sso"
    keys = crypto.load_or_make(o.dir, o.country, o.sign_key, o.enc_key)
    loas = [LOA + l for l in o.loas.split(",")]
    supported = requested("natural+,legal+")
    make_md = lambda: crypto.serialise(metadata("proxy", me_id, o.country, keys, sso=sso, loas=loas, attrs=supported, requester=o.requester_id))
    if o.metadata_out:
        with open(o.metadata_out, "wb") as f:
            f.write(make_md())
    seen, state, log = set(), {}, []

    def accept(params):
        b64, relay = params.get("SAMLRequest", ""), params.get("RelayState")
        bad = set(o.bad) | set(filter(None, (params.get("bad") or "").split(",")))
        if "wrap" in params:  # a form field in place of the options; one login after the other
            o.wrap, o.resign = params["wrap"] or None, "resign" in bad
        p = None
        try:
            p = read_metadata(load(o.peer_metadata))
            raw = decode(b64)
            if o.save:
                open(os.path.join(o.save, f"idp-request-{len(log) + 1}.xml"), "wb").write(raw)
            root = crypto.parse(raw)
            findings, info = check_request(root, {"destination": sso, "loas": loas, "wants_requester_id": o.requester_id}, p, seen)
        except Bad as e:
            findings, info = [str(e)], {}
        except Exception as e:
            findings, info = [f"cannot read the message: {type(e).__name__}: {e}"], {}
        if o.profile == "plain" and info.get("authenticated"):
            findings = []
            info.setdefault("answer_loa", loas[0])
        out = {"event": "request", "accepted": not findings, "findings": findings, **info}
        if not o.no_second and p:
            out["pysaml2"] = second.opinion_on_request(o.dir, me_id, sso, load(o.peer_metadata).decode(), base64.b64encode(raw).decode() if info else b64)
        log.append(out)
        emit(out)
        if findings and (not info.get("authenticated") or findings[0].startswith("200006")):
            return answer({"error": "request refused", "findings": findings}, 400)
        return send(p, info, findings, relay, bad)

    def send(p, info, findings, relay, bad):
        loa = info.get("answer_loa") or loas[0]
        if o.answer_loa:
            loa = LOA + o.answer_loa
        if "lower-loa" in bad:
            asked = [l for l in (info.get("loa") or {}).get("levels", []) if l in LEVELS]
            loa = LEVELS[max(0, min(map(LEVELS.index, asked), default=1) - 1)] if asked and asked[0] != LEVELS[0] else LOA + "none"
        attrs = person(o.person, o.country, o.to_country or p.get("country") or "XX")
        for spec in o.attribute:  # NAME=VALUE replaces or adds; NAME= removes
            name, _, value = spec.partition("=")
            uri = name if "://" in name else next((n for n, _ in attrs if n.endswith("/" + name)), NATURAL + "/" + name)
            attrs = [(n, v) for n, v in attrs if n != uri] + ([(uri, [(value, True)])] if value else [])
        if not o.all_attributes and info.get("requested"):
            attrs = [(n, v) for n, v in attrs if n in info["requested"] or "/representative/" in n or attribute(n) is None]
        if "missing-mds" in bad:
            attrs = [(n, v) for n, v in attrs if not n.endswith(("DateOfBirth", "LegalName"))]
        if "bad-identifier" in bad:
            attrs = [(n, [("ZZ" + v[0][0][2:], True)] if n.endswith("Identifier") else v) for n, v in attrs]
        acs, irt, aud = p["acs"], info["id"], info["issuer"]
        if findings:  # an authenticated request that cannot be served: a signed failure
            root, _ = response(me_id, acs, irt, aud, loa, [], status=("Requester",), message=findings[0], assertion=False)
            return finish(crypto.sign(root, keys["sign"], o.sig_alg), acs, relay, bad)
        if "error" in bad:
            root, _ = response(me_id, acs, irt, aud, loa, [], status=("Responder", "AuthnFailed"), message="003002 - authentication failed", assertion=False)
            return finish(crypto.sign(root, keys["sign"], o.sig_alg), acs, relay, bad)
        if "replay" in bad and state.get("first"):
            return finish(state["first"], acs, relay, bad)
        times = (-600, -300) if "expired" in bad else (600, 900) if "not-yet-valid" in bad else (0, 300)
        asked = info.get("nameid_format")
        root, a = response("https://somebody.else/metadata" if "wrong-issuer" in bad else me_id, "https://other.example/acs" if "wrong-destination" in bad else acs,
                           "_" + "0" * 64 if "wrong-inresponseto" in bad else irt, "https://other.example/metadata" if "wrong-audience" in bad else aud, loa, attrs,
                           asked if asked not in (None, UNSPECIFIED) else PERSISTENT, o.nameid, o.address, times,
                           recipient="https://other.example/acs" if "wrong-recipient" in bad else None)
        if "comment-in-nameid" in bad:
            for e in [find(a, "a:Subject/a:NameID")] + [v for at in findall(a, "a:AttributeStatement/a:Attribute") if at.get("Name").endswith("Identifier")
                                                        for v in findall(at, "a:AttributeValue")]:
                t, e.text = e.text, None
                e.text = t[:-3]
                c = etree.Comment(" cut here ")
                e.append(c)
                c.tail = t[-3:]
        ecdsa = o.sign_key[:3] != "rsa"
        alg = ("ecdsa1" if ecdsa else "rsa1") if "sha1" in bad else "rsa256" if "rsa15-signature" in bad and not ecdsa else o.sig_alg
        signer = crypto.new_pair(o.sign_key, "stranger", o.country) if "untrusted-key" in bad else keys["sign"]
        inner = o.sign_assertion or "plain-assertion" in bad or (o.wrap and o.wrap not in ("XSW1", "XSW2"))
        prefixes = "eidas-natural eidas-legal rep-natural rep-legal xs"
        if inner:
            crypto.sign(a, signer, alg, prefixes=prefixes)
        if "two-assertions" in bad:
            b = copy.deepcopy(a)
            b.set("ID", new_id())
            a.addnext(b)
        if o.wrap and o.wrap not in ("XSW1", "XSW2"):
            misbehave.wrap_response(root, a, o.wrap)
        encrypt = not ({"no-encryption", "plain-assertion"} & bad) and o.profile == "eidas" or o.encrypt

        def encrypt_all():
            opts = {}
            if o.oaep == "old":
                opts["transport"] = crypto.OAEP_OLD
            if "rsa15-key-transport" in bad:
                opts["transport"] = crypto.RSA15
            if "cbc" in bad:
                opts["content"] = crypto.XENC + "aes256-cbc"
            for x in findall(root, "a:Assertion"):
                wrap_encrypted(x, p["encryption"][0], **opts)
        sign_response = "unsigned" not in bad and not (o.wrap and o.wrap not in ("XSW1", "XSW2") and not o.resign) and not o.no_response_signature
        if o.wrap in ("XSW1", "XSW2"):
            if encrypt:
                encrypt_all()
            crypto.sign(root, signer, alg)
            # the attacker can encrypt to the public key of the connector, but not sign
            evil_attrs = [(n, [(v[0][0][:6] + "MALLORY", True)] if n.endswith("Identifier") else v) for n, v in attrs]
            misbehave.wrap_response(root, None, o.wrap)
            _, ea = response(me_id, acs, irt, aud, loa, evil_attrs)
            for x in findall(root, "a:EncryptedAssertion") + findall(root, "a:Assertion"):
                root.replace(x, ea)
            if encrypt:
                wrap_encrypted(ea, p["encryption"][0])
        else:
            if encrypt:
                encrypt_all()
            if sign_response:
                crypto.sign(root, signer, alg, prefixes="" if encrypt else prefixes)
            if "extra-transform" in bad:
                misbehave.add_xpath_transform(root, signer)
        state.setdefault("first", root)
        return finish(root, acs, relay, bad)

    def finish(root, acs, relay, bad):
        data = crypto.serialise(root)
        if "doctype" in bad:
            data = misbehave.with_doctype(data)
        if o.save:
            open(os.path.join(o.save, f"idp-response-{len(log)}.xml"), "wb").write(data)
        emit({"event": "answer", "id": root.get("ID"), "acs": acs, "bytes": len(data), "bad": sorted(bad), "wrap": o.wrap})
        return post_form(o.acs or acs, {"SAMLResponse": base64.b64encode(data).decode(), "RelayState": relay})

    def login_page(params):
        """With --interactive: a form, as a person would see it; any user name but 'refuse' logs in."""
        if not o.interactive or "username" in params:
            if params.get("username") == "refuse":
                params = params | {"bad": "error"}
            return accept(params)
        hidden = {k: params[k] for k in ("SAMLRequest", "RelayState") if k in params}
        code, kind, page = post_form(sso, hidden)
        return code, kind, page.replace(' onload="document.forms[0].submit()"', "").replace(
            "<noscript><button>continue</button></noscript>", '<input name="username" value="javier"/><input type="password" name="password" value="secret"/><button>log in</button>')

    routes = {("POST", "/sso"): login_page, ("GET", "/sso"): login_page, ("GET", "/log"): lambda p: answer(log),
              ("GET", "/metadata"): lambda p: (200, "application/samlmetadata+xml", make_md())}
    server = serve(listener, routes, o.tls, {"event": "ready", "role": "idp", "sso": sso, "metadata": base + "/metadata", "entity_id": me_id,
                                           "anchor": os.path.join(o.dir, "anchor.crt"), "bad": sorted(o.bad), "wrap": o.wrap})
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    server.shutdown()
    return 0
