# SPDX-License-Identifier: EUPL-1.2
"""mldsa.py LEVEL KEY.pem OCTETS SIGNATURE: verifies with a public key, and signs with a private one, by OpenSSL's ML-DSA."""
import sys
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import mldsa

level, key, octets, signature = sys.argv[1:]
pem, data = open(key, "rb").read(), open(octets, "rb").read()
if b"PRIVATE" in pem:
    k = serialization.load_pem_private_key(pem, None)
    assert isinstance(k, getattr(mldsa, f"MLDSA{level}PrivateKey"))
    open(signature, "wb").write(k.sign(data))
else:
    k = serialization.load_pem_public_key(pem)
    assert isinstance(k, getattr(mldsa, f"MLDSA{level}PublicKey"))
    k.verify(open(signature, "rb").read(), data)
