package audit

const readmeText = `THE CASE OF ONE ELECTRONIC MESSAGE

This file holds what proves the fate of one message that was %s the access
point "%s".

  message id   %s
  from         %s
  to           %s
  service      %s
  action       %s
  state        %s
  made         %s

WHAT IS IN IT

  case.json          the cover sheet: a list of all files with their SHA-256
  case.sig           the access point's signature over the cover sheet
  message/           the message as it was signed, a SOAP envelope (XML), without its payloads
  payload/           the payloads
  evidence/          receipts and errors, as they were sent and signed by who gave them
  log/N.txt          entry number N of the access point's log: what happened, and when
  log/N.proof        the path of that entry to the head of the log
  log/head.txt       the head of the log: its size and the hash over all of its entries, signed
  log/first-head.txt the first head that was signed after the first of these entries was written
  log/consistency.proof  shows that the later head continues the earlier
  log/stamped-head.*  where an authority outside time-stamped the log: the head that it saw, its evidence record
                     (RFC 4998, over the octets of the head), and the proof that log/head.txt continues that head
  certificates/      the certificates of who signed, and of their authorities

HOW TO CHECK IT

With the program (no network is needed, and no access point):

  viadukt evidence verify case.zip --trust authority.pem

It names every step and its result; the exit status is 0 when all hold. authority.pem is the certificate of the
authority, or of the access point itself, as you got it from somebody you trust and not from this file. Without --trust
everything is checked but the question whether the certificates are those of who they name. Who vouches for the time in
time-stamps is named by --trust-time in the same way.

By hand, with any tool that knows SHA-256 and signatures:

  1. The SHA-256 of each file is the one in case.json, and that of case.json is in case.sig.
  2. case.sig and log/head.txt end in the line "signature". It signs the octets before that line, with the certificate
     whose SHA-256 stands above it (in certificates/node.pem), by the algorithm named there:
       rsa-pss-sha256   RSA-PSS, SHA-256, MGF1 with SHA-256, salt of 32 octets
       ecdsa-sha256     ECDSA over that hash, signature as DER; likewise ecdsa-sha384, ecdsa-sha512
       ed25519          Ed25519
     The certificate of this case's signer has the SHA-256
       %s
  3. The hash of an entry is SHA-256(00 | file); the hash of two hashes is SHA-256(01 | left | right). With the hashes of
     the path, in the order of RFC 9162, section 2.1.3.2, it leads to "root" in log/head.txt.
  4. The signatures in message/ and evidence/ are XML Signatures of OASIS Web Services Security. The digests in the
     receipt are those in the signature of the message: who signed the receipt had received exactly this message.
  5. The digest of each payload is in the signature of the message. A payload that is marked "expanded" in case.json was
     signed in compressed form; that the access point found it so is recorded in its log by the SHA-256.

WHAT IT PROVES

The signature of a partner (on a message, a receipt, an error) proves what the partner said. The log is the access
point's own record: the signed head binds it, and no entry can be changed, added before it or removed later without
showing. When an entry was written is said by the access point's clock.
`
