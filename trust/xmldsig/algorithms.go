package xmldsig

import (
	"crypto"
	_ "crypto/md5" // the hashes register themselves, RIPEMD-160 by package pki
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"
	"hash"
	"slices"
	"sync"

	"filippo.io/mldsa"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
)

// Digest methods [XMLDSIG 6.2, RFC 9231 2.1].
const (
	MD5       = "http://www.w3.org/2001/04/xmldsig-more#md5"
	SHA1      = "http://www.w3.org/2000/09/xmldsig#sha1"
	RIPEMD160 = "http://www.w3.org/2001/04/xmlenc#ripemd160"
	SHA224    = "http://www.w3.org/2001/04/xmldsig-more#sha224"
	SHA256    = "http://www.w3.org/2001/04/xmlenc#sha256"
	SHA384    = "http://www.w3.org/2001/04/xmldsig-more#sha384"
	SHA512    = "http://www.w3.org/2001/04/xmlenc#sha512"
	SHA3224   = "http://www.w3.org/2007/05/xmldsig-more#sha3-224"
	SHA3256   = "http://www.w3.org/2007/05/xmldsig-more#sha3-256"
	SHA3384   = "http://www.w3.org/2007/05/xmldsig-more#sha3-384"
	SHA3512   = "http://www.w3.org/2007/05/xmldsig-more#sha3-512"
)

// Signature methods [XMLDSIG 6.3, 6.4, RFC 9231 2.2, 2.3].
const (
	RSAMD5       = "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"
	RSASHA1      = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
	RSARIPEMD160 = "http://www.w3.org/2001/04/xmldsig-more#rsa-ripemd160"
	RSASHA224    = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha224"
	RSASHA256    = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
	RSASHA384    = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384"
	RSASHA512    = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"

	RSAPSS        = "http://www.w3.org/2007/05/xmldsig-more#rsa-pss" // with pss:RSAPSSParams, or SHA-256 and salt 32
	RSAPSSSHA1    = "http://www.w3.org/2007/05/xmldsig-more#sha1-rsa-MGF1"
	RSAPSSSHA224  = "http://www.w3.org/2007/05/xmldsig-more#sha224-rsa-MGF1"
	RSAPSSSHA256  = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"
	RSAPSSSHA384  = "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1"
	RSAPSSSHA512  = "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1"
	RSAPSSSHA3224 = "http://www.w3.org/2007/05/xmldsig-more#sha3-224-rsa-MGF1"
	RSAPSSSHA3256 = "http://www.w3.org/2007/05/xmldsig-more#sha3-256-rsa-MGF1"
	RSAPSSSHA3384 = "http://www.w3.org/2007/05/xmldsig-more#sha3-384-rsa-MGF1"
	RSAPSSSHA3512 = "http://www.w3.org/2007/05/xmldsig-more#sha3-512-rsa-MGF1"

	ECDSASHA1      = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"
	ECDSARIPEMD160 = "http://www.w3.org/2007/05/xmldsig-more#ecdsa-ripemd160"
	ECDSASHA224    = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha224"
	ECDSASHA256    = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
	ECDSASHA384    = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
	ECDSASHA512    = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"
	ECDSASHA3224   = "http://www.w3.org/2021/04/xmldsig-more#ecdsa-sha3-224"
	ECDSASHA3256   = "http://www.w3.org/2021/04/xmldsig-more#ecdsa-sha3-256"
	ECDSASHA3384   = "http://www.w3.org/2021/04/xmldsig-more#ecdsa-sha3-384"
	ECDSASHA3512   = "http://www.w3.org/2021/04/xmldsig-more#ecdsa-sha3-512"

	Ed25519 = "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519"

	// ML-DSA is never accepted unless its URI is listed, and never chosen unless it is named: the identifiers are those of experiments
	// and drafts. The first three are xmlsec's, the others of draft-eastlake-rfc9231bis-xmlsec-uris.
	MLDSA44      = mldsaNS + "ml-dsa-44"
	MLDSA65      = mldsaNS + "ml-dsa-65"
	MLDSA87      = mldsaNS + "ml-dsa-87"
	MLDSA44Draft = "http://www.w3.org/2026/08/xmldsig-more#ml-dsa-44"
	MLDSA65Draft = "http://www.w3.org/2026/08/xmldsig-more#ml-dsa-65"
	MLDSA87Draft = "http://www.w3.org/2026/08/xmldsig-more#ml-dsa-87"

	DSASHA1   = "http://www.w3.org/2000/09/xmldsig#dsa-sha1"
	DSASHA256 = "http://www.w3.org/2009/xmldsig11#dsa-sha256"

	HMACMD5       = "http://www.w3.org/2001/04/xmldsig-more#hmac-md5"
	HMACSHA1      = "http://www.w3.org/2000/09/xmldsig#hmac-sha1"
	HMACRIPEMD160 = "http://www.w3.org/2001/04/xmldsig-more#hmac-ripemd160"
	HMACSHA224    = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha224"
	HMACSHA256    = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
	HMACSHA384    = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha384"
	HMACSHA512    = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512"
)

// Transforms besides the canonicalisations of package c14n [XMLDSIG 6.6, WSS-SwA 5.2].
const (
	Enveloped          = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
	Base64             = "http://www.w3.org/2000/09/xmldsig#base64"
	AttachmentContent  = "http://docs.oasis-open.org/wss/oasis-wss-SwAProfile-1.1#Attachment-Content-Signature-Transform"
	AttachmentComplete = "http://docs.oasis-open.org/wss/oasis-wss-SwAProfile-1.1#Attachment-Complete-Signature-Transform"
)

const mgf1 = moreNS + "MGF1"

// digestAlg is one digest method. Hashes are pooled: a signature of an AS4 message needs four.
type digestAlg struct {
	uri  string
	hash crypto.Hash
	old  bool
	pool sync.Pool
}

func (d *digestAlg) get() hash.Hash {
	if h, ok := d.pool.Get().(hash.Hash); ok {
		h.Reset()
		return h
	}
	return d.hash.New()
}

func (d *digestAlg) put(h hash.Hash) { d.pool.Put(h) }

type keyKind uint8

const (
	kindRSA keyKind = iota
	kindPSS
	kindECDSA
	kindEd25519
	kindDSA
	kindHMAC
	kindMLDSA
)

const mldsaNS = "http://www.aleksey.com/xmlsec/2025/12/xmldsig-more#"

// signatureAlg is one signature method. Ed25519 and ML-DSA have no digest: they sign the canonical octets themselves.
type signatureAlg struct {
	uri    string
	kind   keyKind
	digest *digestAlg
	old    bool
	mldsa  mldsa.Parameters
}

var digests = func() map[string]*digestAlg {
	m := map[string]*digestAlg{}
	for _, d := range []*digestAlg{
		{uri: MD5, hash: crypto.MD5, old: true}, {uri: SHA1, hash: crypto.SHA1, old: true}, {uri: RIPEMD160, hash: crypto.RIPEMD160, old: true},
		{uri: SHA224, hash: crypto.SHA224}, {uri: SHA256, hash: crypto.SHA256},
		{uri: SHA384, hash: crypto.SHA384}, {uri: SHA512, hash: crypto.SHA512},
		{uri: SHA3224, hash: crypto.SHA3_224}, {uri: SHA3256, hash: crypto.SHA3_256},
		{uri: SHA3384, hash: crypto.SHA3_384}, {uri: SHA3512, hash: crypto.SHA3_512},
	} {
		m[d.uri] = d
	}
	return m
}()

var signatures = func() map[string]*signatureAlg {
	m := map[string]*signatureAlg{}
	for _, s := range []struct {
		uri    string
		kind   keyKind
		digest string
	}{
		{RSAMD5, kindRSA, MD5}, {RSASHA1, kindRSA, SHA1}, {RSARIPEMD160, kindRSA, RIPEMD160}, {RSASHA224, kindRSA, SHA224}, {RSASHA256, kindRSA, SHA256},
		{RSASHA384, kindRSA, SHA384}, {RSASHA512, kindRSA, SHA512},
		{RSAPSS, kindPSS, SHA256}, {RSAPSSSHA1, kindPSS, SHA1}, {RSAPSSSHA224, kindPSS, SHA224},
		{RSAPSSSHA256, kindPSS, SHA256}, {RSAPSSSHA384, kindPSS, SHA384}, {RSAPSSSHA512, kindPSS, SHA512},
		{RSAPSSSHA3224, kindPSS, SHA3224}, {RSAPSSSHA3256, kindPSS, SHA3256},
		{RSAPSSSHA3384, kindPSS, SHA3384}, {RSAPSSSHA3512, kindPSS, SHA3512},
		{ECDSASHA1, kindECDSA, SHA1}, {ECDSARIPEMD160, kindECDSA, RIPEMD160}, {ECDSASHA224, kindECDSA, SHA224}, {ECDSASHA256, kindECDSA, SHA256},
		{ECDSASHA384, kindECDSA, SHA384}, {ECDSASHA512, kindECDSA, SHA512},
		{ECDSASHA3224, kindECDSA, SHA3224}, {ECDSASHA3256, kindECDSA, SHA3256},
		{ECDSASHA3384, kindECDSA, SHA3384}, {ECDSASHA3512, kindECDSA, SHA3512},
		{DSASHA1, kindDSA, SHA1}, {DSASHA256, kindDSA, SHA256},
		{HMACMD5, kindHMAC, MD5}, {HMACSHA1, kindHMAC, SHA1}, {HMACRIPEMD160, kindHMAC, RIPEMD160}, {HMACSHA224, kindHMAC, SHA224},
		{HMACSHA256, kindHMAC, SHA256}, {HMACSHA384, kindHMAC, SHA384}, {HMACSHA512, kindHMAC, SHA512},
	} {
		d := digests[s.digest]
		m[s.uri] = &signatureAlg{uri: s.uri, kind: s.kind, digest: d, old: d.old || s.kind == kindDSA}
	}
	m[Ed25519] = &signatureAlg{uri: Ed25519, kind: kindEd25519}
	for params, uris := range map[mldsa.Parameters][]string{
		mldsa.MLDSA44(): {MLDSA44, MLDSA44Draft}, mldsa.MLDSA65(): {MLDSA65, MLDSA65Draft}, mldsa.MLDSA87(): {MLDSA87, MLDSA87Draft},
	} {
		for _, uri := range uris {
			m[uri] = &signatureAlg{uri: uri, kind: kindMLDSA, mldsa: params}
		}
	}
	return m
}()

// DigestHash returns the hash function behind a digest method.
func DigestHash(method string) (crypto.Hash, bool) {
	if d := digests[method]; d != nil {
		return d.hash, true
	}
	return 0, false
}

// canonicalization returns the form of the URI that this package holds, and the same form without comments.
func canonicalization(uri []byte) (as, without string, ok bool) {
	switch string(uri) {
	case c14n.Exclusive10:
		return c14n.Exclusive10, c14n.Exclusive10, true
	case c14n.Exclusive10Comments:
		return c14n.Exclusive10Comments, c14n.Exclusive10, true
	case c14n.Inclusive10:
		return c14n.Inclusive10, c14n.Inclusive10, true
	case c14n.Inclusive10Comments:
		return c14n.Inclusive10Comments, c14n.Inclusive10, true
	case c14n.Inclusive11:
		return c14n.Inclusive11, c14n.Inclusive11, true
	case c14n.Inclusive11Comments:
		return c14n.Inclusive11Comments, c14n.Inclusive11, true
	}
	return "", "", false
}

func allowed(list []string, uri string) bool { return list == nil || slices.Contains(list, uri) }
