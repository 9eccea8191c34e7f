"""What is expected of the model: of each claim, and of each mutant (a check weakened -> the claims it loses and keeps).

A mutant's `weaken` are replacements in ondemand.pv, `without` labels whose line goes. `parts` are the optional processes
that take part: local (fetching in a session of one's own), share (adding readers), cert (sending by the user's key); none
unless told.
"""
EVERY = frozenset({"local", "share", "cert"})
PLAIN = frozenset()
LOCAL = frozenset({"local"})
SHARE = frozenset({"share"})

# claim: (expected, parts)
CLAIMS = {
    "Q0": ("broken", PLAIN),
    "Q0l": ("broken", LOCAL),
    "Q1": ("holds", EVERY),
    "Q1l": ("holds", EVERY),
    "Q1i": ("holds", EVERY),
    "Q2": ("holds", EVERY),
    "Q3": ("holds", EVERY),
    "Q4": ("holds", EVERY),
    "Q4d": ("holds", EVERY),
    "Q5": ("holds", EVERY),
    "Q6": ("holds", EVERY),
    "Q7": ("holds", EVERY),
    "Q8": ("holds", EVERY),
}

AUDIENCE = [("let assertion(who: address, =S, hk: vkey) = checksign(t, vR)",
             "let assertion(who: address, aud: host, hk: vkey) = checksign(t, vR)")]
ISSUER = [("let addr(u: uname, =R) = who in ", "let addr(u: uname, home: host) = who in ")]
ORIGIN = [("let addr(uf: uname, =X) = from in ", "let addr(uf: uname, home: host) = from in ")]
SUBMISSION_NONCE = [("let q_send(=sn, from", "let q_send(n: nonce, from")]
CHALLENGE = [("  if n = sn then                                                        (*@ nonce *)\n", "")]
GRANT = [("  get meta(=S, =g, =login, l, h) in ", "  get meta(=S, =g, owner, l, h) in "),
         ("insert grants(S, g, r, login, h)", "insert grants(S, g, r, owner, h)")]
TICKET_SECRET = [("new t[who, g]: ticket;", "new t[who, g]: ticket; out(c, t);")]
TICKET_ANY = [("get tickets(=S, =g, =t, who, owner, h) in", "get tickets(=S, =g, t', who, owner, h) in")]
TICKET_GUID = [("get tickets(=S, =g, =t, who, owner, h) in",
                "get tickets(=S, g', =t, who, o', h') in get meta(=S, =g, owner, l, h) in")]
OWNER = [("get files(=S, =owner, =h, a) in", "get files(=S, o, =h, a) in")]
TLS_GET = [("    out(c, senc(a_get(t, sign(facts(g, from, who, h, cn, t), skS)), k)) ",
            "    out(c, a_get(t, sign(facts(g, from, who, h, cn, t), skS))) "),
           ("let a_get(tk: ticket, rs: bitstring) = sdec(w, k2) in", "let a_get(tk: ticket, rs: bitstring) = w in")]
TLS_DOWNLOAD = [("out(c, senc(a_download(a), k)).", "out(c, a_download(a))."),
                ("let a_download(a: att) = sdec(v, k3) in", "let a_download(a: att) = v in")]

MUTANTS = {
    "no-digest": {"without": ["digest"], "claims": {"Q1": "broken", "Q8": "holds"}},
    "no-origin": {"weaken": ORIGIN, "claims": {"Q8": "broken"}},
    "no-from": {"without": ["from"], "claims": {"Q2": "broken"}},
    "no-submission-nonce": {"weaken": SUBMISSION_NONCE, "claims": {"Q2": "broken"}},
    "no-challenge": {"weaken": CHALLENGE, "claims": {"Q5": "broken"}},
    "no-acl": {"without": ["acl"], "claims": {"Q4": "broken", "Q6": "broken"}},
    "no-issuer": {"weaken": ISSUER, "claims": {"Q5": "broken", "Q6": "broken"}},
    "bearer": {"without": ["holder"], "claims": {"Q5": "broken", "Q6": "holds"}},
    "bearer-no-audience": {"weaken": AUDIENCE, "without": ["holder"], "claims": {"Q6": "broken"}},
    # ProVerif derives the attack (RS, taken over, vouches for another reader) but does not rebuild it as a trace.
    "no-respsig": {"without": ["respsig"], "claims": {"Q3": "unknown"}},
    "grant-by-anyone": {"weaken": GRANT, "parts": SHARE, "claims": {"Q4": "broken", "Q6": "broken"}},
    "ticket-not-secret": {"weaken": TICKET_SECRET, "claims": {"Q1": "holds", "Q6": "broken"}},
    "no-ticket": {"weaken": TICKET_ANY, "claims": {"Q1": "holds", "Q6": "broken"}},
    "ticket-for-any-guid": {"weaken": TICKET_GUID, "claims": {"Q4d": "broken", "Q6": "broken"}},
    "file-of-any-owner": {"weaken": OWNER, "claims": {"Q1": "holds", "Q6": "broken"}},
    "no-tls-download": {"weaken": TLS_DOWNLOAD, "claims": {"Q1": "holds", "Q6": "broken"}},
    "no-tls-get": {"weaken": TLS_GET, "claims": {"Q1": "holds", "Q6": "broken"}},
    "no-upload-digest": {"without": ["upload"], "claims": {"Q1": "holds"}},
    "2005": {"model": "shape2005.pv", "claims": {"P1": "holds", "P5": "broken", "P6": "broken"}},
    "2005-no-digest": {
        "model": "shape2005.pv",
        "weaken": [("  let (=resp(g, h)) = checksign(rs, vX) in\n  if hash(a) = h then\n", "")],
        "claims": {"P1": "broken"},
    },
}
