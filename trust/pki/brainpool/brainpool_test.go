package brainpool

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"math/big"
	"testing"
)

var curves = []*Curve{P256r1(), P384r1(), P512r1()}

func mustHex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// TestAgreementOfRFC7027 computes both sides of the published exchanges [RFC 7027 A.1, A.2, A.3].
func TestAgreementOfRFC7027(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		c                          *Curve
		dA, xA, yA, dB, xB, yB, xZ string
	}{
		{
			P256r1(),
			"81DB1EE100150FF2EA338D708271BE38300CB54241D79950F77B063039804F1D",
			"44106E913F92BC02A1705D9953A8414DB95E1AAA49E81D9E85F929A8E3100BE5",
			"8AB4846F11CACCB73CE49CBDD120F5A900A69FD32C272223F789EF10EB089BDC",
			"55E40BC41E37E3E2AD25C3C6654511FFA8474A91A0032087593852D3E7D76BD3",
			"8D2D688C6CF93E1160AD04CC4429117DC2C41825E1E9FCA0ADDD34E6F1B39F7B",
			"990C57520812BE512641E47034832106BC7D3E8DD0E4C7F1136D7006547CEC6A",
			"89AFC39D41D3B327814B80940B042590F96556EC91E6AE7939BCE31F3A18BF2B",
		},
		{
			P384r1(),
			"1E20F5E048A5886F1F157C74E91BDE2B98C8B52D58E5003D57053FC4B0BD65D6F15EB5D1EE1610DF870795143627D042",
			"68B665DD91C195800650CDD363C625F4E742E8134667B767B1B476793588F885AB698C852D4A6E77A252D6380FCAF068",
			"55BC91A39C9EC01DEE36017B7D673A931236D2F1F5C83942D049E3FA20607493E0D038FF2FD30C2AB67D15C85F7FAA59",
			"032640BC6003C59260F7250C3DB58CE647F98E1260ACCE4ACDA3DD869F74E01F8BA5E0324309DB6A9831497ABAC96670",
			"4D44326F269A597A5B58BBA565DA5556ED7FD9A8A9EB76C25F46DB69D19DC8CE6AD18E404B15738B2086DF37E71D1EB4",
			"62D692136DE56CBE93BF5FA3188EF58BC8A3A0EC6C1E151A21038A42E9185329B5B275903D192F8D4E1F32FE9CC78C48",
			"0BD9D3A7EA0B3D519D09D8E48D0785FB744A6B355E6304BC51C229FBBCE239BBADF6403715C35D4FB2A5444F575D4F42",
		},
		{
			P512r1(),
			"16302FF0DBBB5A8D733DAB7141C1B45ACBC8715939677F6A56850A38BD87BD59B09E80279609FF333EB9D4C061231FB26F92EEB04982A5F1D1764CAD57665422",
			"0A420517E406AAC0ACDCE90FCD71487718D3B953EFD7FBEC5F7F27E28C6149999397E91E029E06457DB2D3E640668B392C2A7E737A7F0BF04436D11640FD09FD",
			"72E6882E8DB28AAD36237CD25D580DB23783961C8DC52DFA2EC138AD472A0FCEF3887CF62B623B2A87DE5C588301EA3E5FC269B373B60724F5E82A6AD147FDE7",
			"230E18E1BCC88A362FA54E4EA3902009292F7F8033624FD471B5D8ACE49D12CFABBC19963DAB8E2F1EBA00BFFB29E4D72D13F2224562F405CB80503666B25429",
			"9D45F66DE5D67E2E6DB6E93A59CE0BB48106097FF78A081DE781CDB31FCE8CCBAAEA8DD4320C4119F1E9CD437A2EAB3731FA9668AB268D871DEDA55A5473199F",
			"2FDC313095BCDD5FB3A91636F07A959C8E86B5636A1E930E8396049CB481961D365CC11453A06C719835475B12CB52FC3C383BCE35E27EF194512B71876285FA",
			"A7927098655F1F9976FA50A9D566865DC530331846381C87256BAF3226244B76D36403C024D7BBF0AA0803EAFF405D3D24F11A9B5C0BEF679FE1454B21C4CD1F",
		},
	} {
		t.Run(v.c.params.Name, func(t *testing.T) {
			t.Parallel()
			a := v.c.privateKey(mustHex(t, v.dA))
			b := v.c.privateKey(mustHex(t, v.dB))
			for _, k := range []struct {
				key  *ecdsa.PrivateKey
				x, y string
			}{{a, v.xA, v.yA}, {b, v.xB, v.yB}} {
				if want := append(append([]byte{4}, mustHex(t, k.x)...), mustHex(t, k.y)...); !bytes.Equal(v.c.AppendPoint(nil, &k.key.PublicKey), want) {
					t.Errorf("public key %x, want %x", v.c.AppendPoint(nil, &k.key.PublicKey), want)
				}
			}
			for _, pair := range [][2]*ecdsa.PrivateKey{{a, b}, {b, a}} {
				z, err := ECDH(pair[0], &pair[1].PublicKey)
				if err != nil || !bytes.Equal(z, mustHex(t, v.xZ)) {
					t.Errorf("secret %x (%v), want %s", z, err, v.xZ)
				}
			}
		})
	}
}

// TestParameters proves the constants by the properties RFC 5639 2 demands of them.
func TestParameters(t *testing.T) {
	t.Parallel()
	for _, c := range curves {
		p := &c.params
		if !p.P.ProbablyPrime(20) || !p.N.ProbablyPrime(20) || p.P.BitLen() != p.BitSize || p.N.BitLen() != p.BitSize {
			t.Errorf("%s: p and q must be primes of %d bits", p.Name, p.BitSize)
		}
		if p.P.Bit(0) != 1 || p.P.Bit(1) != 1 {
			t.Errorf("%s: p is not 3 mod 4", p.Name)
		}
		if !c.IsOnCurve(p.Gx, p.Gy) {
			t.Errorf("%s: generator is off the curve", p.Name)
		}
		if x, y := c.ScalarBaseMult(new(big.Int).Sub(p.N, big.NewInt(1)).Bytes()); x.Cmp(p.Gx) != 0 || new(big.Int).Add(y, p.Gy).Cmp(p.P) != 0 {
			t.Errorf("%s: (q-1)G is not -G", p.Name)
		}
		if x, y := c.ScalarBaseMult(p.N.Bytes()); x.Sign() != 0 || y.Sign() != 0 {
			t.Errorf("%s: qG is not infinity", p.Name)
		}
	}
}

// slowCurve is textbook affine arithmetic on math/big, to hold the fast one against.
type slowCurve struct{ *Curve }

func (s slowCurve) add(x1, y1, x2, y2 *big.Int) (*big.Int, *big.Int) {
	p := s.params.P
	switch {
	case x1.Sign() == 0 && y1.Sign() == 0:
		return x2, y2
	case x2.Sign() == 0 && y2.Sign() == 0:
		return x1, y1
	}
	l := new(big.Int)
	if x1.Cmp(x2) == 0 {
		if new(big.Int).Mod(new(big.Int).Add(y1, y2), p).Sign() == 0 {
			return new(big.Int), new(big.Int)
		}
		l.Mul(x1, x1).Mul(l, big.NewInt(3)).Add(l, s.a)
		l.Mul(l, new(big.Int).ModInverse(new(big.Int).Lsh(y1, 1), p))
	} else {
		d := new(big.Int).Mod(new(big.Int).Sub(x2, x1), p)
		l.Sub(y2, y1).Mul(l, d.ModInverse(d, p))
	}
	l.Mod(l, p)
	x := new(big.Int).Mul(l, l)
	x.Sub(x, x1).Sub(x, x2).Mod(x, p)
	y := new(big.Int).Sub(x1, x)
	y.Mul(y, l).Sub(y, y1).Mod(y, p)
	return x, y
}

func (s slowCurve) mul(x, y *big.Int, k []byte) (*big.Int, *big.Int) {
	rx, ry := new(big.Int), new(big.Int)
	for _, b := range k {
		for bit := range 8 {
			rx, ry = s.add(rx, ry, rx, ry)
			if b&(0x80>>bit) != 0 {
				rx, ry = s.add(rx, ry, x, y)
			}
		}
	}
	return rx, ry
}

func TestPointsAgreeWithTextbookArithmetic(t *testing.T) {
	t.Parallel()
	for _, c := range curves {
		slow := slowCurve{c}
		n1 := new(big.Int).Sub(c.params.N, big.NewInt(1))
		scalars := [][]byte{{1}, {2}, {3}, {0x0f}, {0x10}, {0x11}, {1, 0}, n1.Bytes(), new(big.Int).Rsh(n1, 1).Bytes()}
		for range 3 {
			k := make([]byte, c.size)
			rand.Read(k)
			scalars = append(scalars, k)
		}
		px, py := slow.mul(c.params.Gx, c.params.Gy, []byte{7})
		for _, k := range scalars {
			x, y := c.ScalarBaseMult(k)
			if wx, wy := slow.mul(c.params.Gx, c.params.Gy, k); x.Cmp(wx) != 0 || y.Cmp(wy) != 0 {
				t.Errorf("%s: %x*G is wrong", c.params.Name, k)
			}
			x2, y2 := c.ScalarMult(px, py, k)
			if wx, wy := slow.mul(px, py, k); x2.Cmp(wx) != 0 || y2.Cmp(wy) != 0 {
				t.Errorf("%s: %x*7G is wrong", c.params.Name, k)
			}
			sx, sy := c.Add(x, y, x2, y2)
			if wx, wy := slow.add(x, y, x2, y2); sx.Cmp(wx) != 0 || sy.Cmp(wy) != 0 {
				t.Errorf("%s: sum is wrong for %x", c.params.Name, k)
			}
			dx, dy := c.Double(x, y)
			if wx, wy := slow.add(x, y, x, y); dx.Cmp(wx) != 0 || dy.Cmp(wy) != 0 {
				t.Errorf("%s: double is wrong for %x", c.params.Name, k)
			}
			ix, iy := c.Add(x, y, new(big.Int), new(big.Int))
			if ix.Cmp(x) != 0 || iy.Cmp(y) != 0 {
				t.Errorf("%s: P + infinity is not P", c.params.Name)
			}
			ox, oy := c.Add(x, y, x, new(big.Int).Sub(c.params.P, y))
			if ox.Sign() != 0 || oy.Sign() != 0 {
				t.Errorf("%s: P - P is not infinity", c.params.Name)
			}
		}
	}
}

func TestFieldEdges(t *testing.T) {
	t.Parallel()
	for _, c := range curves {
		for _, f := range []*field{c.p, c.n} {
			m := new(big.Int).SetBytes(limbBytes(f.m, f.n))
			values := []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(2), new(big.Int).Sub(m, big.NewInt(1)), new(big.Int).Rsh(m, 1)}
			for range 20 {
				v, err := rand.Int(rand.Reader, m)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, v)
			}
			for _, a := range values {
				ea := f.fromBig(a)
				if f.big(&ea).Cmp(a) != 0 {
					t.Fatalf("%x does not survive", a)
				}
				for _, b := range values {
					eb := f.fromBig(b)
					var r, rn element
					f.mul(&r, &ea, &eb)
					f.mulN(&rn, &ea, &eb)
					if want := new(big.Int).Mod(new(big.Int).Mul(a, b), m); f.big(&r).Cmp(want) != 0 || r != rn {
						t.Errorf("%x * %x mod %x", a, b, m)
					}
					f.add(&r, &ea, &eb)
					if want := new(big.Int).Mod(new(big.Int).Add(a, b), m); f.big(&r).Cmp(want) != 0 {
						t.Errorf("%x + %x mod %x", a, b, m)
					}
					f.sub(&r, &ea, &eb)
					if want := new(big.Int).Mod(new(big.Int).Sub(a, b), m); f.big(&r).Cmp(want) != 0 {
						t.Errorf("%x - %x mod %x", a, b, m)
					}
				}
				var inv element
				f.inverse(&inv, &ea)
				want := new(big.Int).ModInverse(a, m)
				if want == nil {
					want = new(big.Int)
				}
				if f.big(&inv).Cmp(want) != 0 {
					t.Errorf("1/%x mod %x", a, m)
				}
			}
			high := bytes.Repeat([]byte{0xff}, c.size)
			e := f.fromBytes(high)
			if want := new(big.Int).Mod(new(big.Int).SetBytes(high), m); f.big(&e).Cmp(want) != 0 {
				t.Errorf("octets above the modulus are not reduced")
			}
			if f.less(high) || f.less(m.Bytes()) || !f.less(new(big.Int).Sub(m, big.NewInt(1)).FillBytes(make([]byte, c.size))) {
				t.Errorf("comparison with the modulus %x", m)
			}
		}
	}
}

func limbBytes(e element, n int) []byte {
	out := make([]byte, 8*n)
	for i := range out {
		k := len(out) - 1 - i
		out[i] = byte(e[k/8] >> (8 * (k % 8)))
	}
	return out
}

func TestSignaturesHoldBothWays(t *testing.T) {
	t.Parallel()
	h256, h512 := sha256.Sum256([]byte("viadukt")), sha512.Sum512([]byte("viadukt"))
	for _, c := range curves {
		priv, err := GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for _, digest := range [][]byte{h256[:], h512[:], h256[:20], bytes.Repeat([]byte{0xff}, 64), make([]byte, 32)} {
			raw, err := SignRaw(rand.Reader, priv, digest)
			if err != nil {
				t.Fatal(err)
			}
			r, s := raw[:c.size], raw[c.size:]
			if !Verify(&priv.PublicKey, digest, r, s) {
				t.Errorf("%s: own signature refused", c.params.Name)
			}
			if !ecdsa.Verify(&priv.PublicKey, digest, new(big.Int).SetBytes(r), new(big.Int).SetBytes(s)) {
				t.Errorf("%s: crypto/ecdsa refuses our signature", c.params.Name)
			}
			theirs, err := ecdsa.SignASN1(rand.Reader, priv, digest)
			if err != nil {
				t.Fatal(err)
			}
			if !ecdsa.VerifyASN1(&priv.PublicKey, digest, theirs) {
				t.Errorf("%s: crypto/ecdsa refuses its own signature on our curve", c.params.Name)
			}
			for i := range raw {
				bad := bytes.Clone(raw)
				bad[i] ^= 1
				if i%7 == 0 && Verify(&priv.PublicKey, digest, bad[:c.size], bad[c.size:]) {
					t.Errorf("%s: signature with octet %d changed is taken", c.params.Name, i)
				}
			}
			other := append(bytes.Clone(digest[:len(digest)-1]), digest[len(digest)-1]^1)
			if len(digest) <= c.size && Verify(&priv.PublicKey, other, r, s) {
				t.Errorf("%s: signature holds for another digest", c.params.Name)
			}
		}
	}
}

func TestSignatureRangeIsChecked(t *testing.T) {
	t.Parallel()
	c := P256r1()
	priv, err := GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(nil)
	raw, err := SignRaw(rand.Reader, priv, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	r, s, n := raw[:32], raw[32:], c.params.N.Bytes()
	sn := new(big.Int).Add(new(big.Int).SetBytes(s), c.params.N).Bytes()
	for name, pair := range map[string][2][]byte{
		"r is zero": {{}, s}, "s is zero": {r, {}}, "r is q": {n, s}, "s is q": {r, n}, "s plus q": {r, sn},
		"both zero": {{0}, {0}}, "r of a thousand octets": {bytes.Repeat([]byte{1}, 1000), s},
	} {
		if Verify(&priv.PublicKey, digest[:], pair[0], pair[1]) {
			t.Errorf("%s: taken", name)
		}
	}
	if !Verify(&priv.PublicKey, digest[:], append([]byte{0, 0}, r...), s) {
		t.Error("leading zeros change no number")
	}
	off := &ecdsa.PublicKey{Curve: c, X: priv.X, Y: new(big.Int).Xor(priv.Y, big.NewInt(1))}
	if Verify(off, digest[:], r, s) {
		t.Error("a key off the curve verifies")
	}
	if Verify(&ecdsa.PublicKey{Curve: c, X: new(big.Int), Y: new(big.Int)}, digest[:], r, s) {
		t.Error("the point at infinity verifies")
	}
}

func TestAgreementRefusesBadPeers(t *testing.T) {
	t.Parallel()
	priv, err := GenerateKey(P256r1(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := GenerateKey(P384r1(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		peer *ecdsa.PublicKey
		want error
	}{
		"another curve":       {&other.PublicKey, ErrCurve},
		"nobody":              {nil, ErrCurve},
		"point off the curve": {&ecdsa.PublicKey{Curve: P256r1(), X: priv.X, Y: priv.X}, ErrPoint},
		"infinity":            {&ecdsa.PublicKey{Curve: P256r1(), X: new(big.Int), Y: new(big.Int)}, ErrPoint},
		"coordinate above p":  {&ecdsa.PublicKey{Curve: P256r1(), X: new(big.Int).Add(priv.X, P256r1().params.P), Y: priv.Y}, ErrPoint},
		"negative coordinate": {&ecdsa.PublicKey{Curve: P256r1(), X: new(big.Int).Neg(priv.X), Y: priv.Y}, ErrPoint},
		"coordinates not set": {&ecdsa.PublicKey{Curve: P256r1()}, ErrPoint},
	} {
		if _, err := ECDH(priv, c.peer); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestEncodedKeysReturn(t *testing.T) {
	t.Parallel()
	for _, c := range curves {
		priv, err := GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := MarshalPKCS8(priv)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParsePKCS8(der)
		if err != nil || !back.Equal(priv) {
			t.Errorf("%s: PKCS #8 does not return: %v", c.params.Name, err)
		}
		for i := range der {
			if k, err := ParsePKCS8(der[:i]); err == nil {
				t.Errorf("%s: %d of %d octets are a key: %v", c.params.Name, i, len(der), k)
			}
		}
		compressed := append([]byte{byte(2 + priv.Y.Bit(0))}, priv.X.FillBytes(make([]byte, c.size))...)
		if pub, err := c.ParsePoint(compressed); err != nil || !pub.Equal(&priv.PublicKey) {
			t.Errorf("%s: compressed point: %v", c.params.Name, err)
		}
		for name, point := range map[string][]byte{
			"empty": {}, "infinity": {0}, "short": c.AppendPoint(nil, &priv.PublicKey)[:c.size], "hybrid": append([]byte{6}, c.AppendPoint(nil, &priv.PublicKey)[1:]...),
			"zeros": append([]byte{4}, make([]byte, 2*c.size)...), "compressed above p": append([]byte{2}, bytes.Repeat([]byte{0xff}, c.size)...),
		} {
			if _, err := c.ParsePoint(point); !errors.Is(err, ErrPoint) {
				t.Errorf("%s: point %s: %v", c.params.Name, name, err)
			}
		}
		if ByOID(c.OID()) != c {
			t.Errorf("%s is not found by its identifier", c.params.Name)
		}
	}
}

func TestPrivateKeyMustFitItsPublicKey(t *testing.T) {
	t.Parallel()
	a, err := GenerateKey(P256r1(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := GenerateKey(P256r1(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	mixed := &ecdsa.PrivateKey{PublicKey: b.PublicKey, D: a.D}
	der, err := MarshalPKCS8(mixed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParsePKCS8(der); !errors.Is(err, ErrPoint) {
		t.Errorf("key with somebody else's public part: %v", err)
	}
}
