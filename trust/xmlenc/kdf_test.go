package xmlenc

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"
)

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestKeyWrapVectors(t *testing.T) { // RFC 3394 section 4
	t.Parallel()
	const (
		kek128 = "000102030405060708090a0b0c0d0e0f"
		kek192 = kek128 + "1011121314151617"
		kek256 = kek192 + "18191a1b1c1d1e1f"
		key128 = "00112233445566778899aabbccddeeff"
		key192 = key128 + "0001020304050607"
		key256 = key192 + "08090a0b0c0d0e0f"
	)
	for _, v := range []struct{ name, kek, key, want string }{
		{"4.1", kek128, key128, "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"},
		{"4.2", kek192, key128, "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d"},
		{"4.3", kek256, key128, "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7"},
		{"4.4", kek192, key192, "031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2"},
		{"4.5", kek256, key192, "a8f9bc1612c68b3ff6e6f4fbe30e71e4769c8b80a32cb8958cd5d17d6b254da1"},
		{"4.6", kek256, key256, "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			kek, key, want := unhex(t, v.kek), unhex(t, v.key), unhex(t, v.want)
			got, err := wrap(kek, key)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("wrap: %x, %v", got, err)
			}
			back, ok, err := unwrap(kek, want)
			if err != nil || ok != 1 || !bytes.Equal(back, key) {
				t.Errorf("unwrap: %x, %d, %v", back, ok, err)
			}
			for i := range want {
				bad := bytes.Clone(want)
				bad[i] ^= 1
				if _, ok, err := unwrap(kek, bad); ok != 0 || err != nil {
					t.Errorf("octet %d flipped: %d, %v", i, ok, err)
				}
			}
		})
	}
}

func TestKeyWrapRefusesOddLengths(t *testing.T) {
	t.Parallel()
	kek := noise(16, 20)
	for _, n := range []int{0, 1, 8, 15, 17} {
		if _, err := wrap(kek, make([]byte, n)); err == nil {
			t.Errorf("wrapped %d octets", n)
		}
		if _, ok, err := unwrap(kek, make([]byte, n)); ok != 0 || err != nil {
			t.Errorf("unwrapped %d octets: %d, %v", n, ok, err)
		}
	}
	if _, err := wrap(make([]byte, 17), make([]byte, 16)); err == nil {
		t.Error("wrapped under 17 octets")
	}
	if _, _, err := unwrap(make([]byte, 17), make([]byte, 24)); err == nil {
		t.Error("unwrapped under 17 octets")
	}
}

func TestHKDFVectors(t *testing.T) { // RFC 5869 appendix A.1 to A.3
	t.Parallel()
	seq := func(from, n int) (b []byte) {
		for i := range n {
			b = append(b, byte(from+i))
		}
		return b
	}
	for _, v := range []struct {
		name   string
		secret []byte
		params HKDFParams
		want   string
	}{
		{"A.1", bytes.Repeat([]byte{0x0b}, 22), HKDFParams{Salt: seq(0, 13), Info: seq(0xf0, 10)},
			"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
		{"A.2", seq(0, 80), HKDFParams{PRF: HMACSHA256, Salt: seq(0x60, 80), Info: seq(0xb0, 80)},
			"b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
		{"A.3 without salt and info", bytes.Repeat([]byte{0x0b}, 22), HKDFParams{KeyLength: 42},
			"8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
	} {
		want := unhex(t, v.want)
		if got, err := v.params.derive(v.secret, len(want)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, %v", v.name, got, err)
		}
	}
}

func TestHKDFAbsentSaltIsZeroOctets(t *testing.T) {
	t.Parallel()
	secret := noise(32, 21)
	got, err := HKDFParams{}.derive(secret, 16)
	if err != nil {
		t.Fatal(err)
	}
	want, err := hkdf.Key(sha256.New, secret, make([]byte, 32), "", 16)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, want %x (%v)", got, want, err)
	}
}

func TestHKDFRefuses(t *testing.T) {
	t.Parallel()
	if _, err := (HKDFParams{PRF: "urn:other"}).derive(nil, 16); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("unknown PRF: %v", err)
	}
	if _, err := (HKDFParams{KeyLength: 128}).derive(nil, 16); !errors.Is(err, ErrStructure) {
		t.Errorf("KeyLength in bits: %v", err)
	}
}

func TestConcatKDF(t *testing.T) {
	t.Parallel()
	// RFC 7518 appendix C derives by the same function; its info is put here in one attribute.
	z := []byte{158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156,
		251, 49, 110, 163, 218, 128, 106, 72, 246, 218, 167, 121, 140, 254, 144, 196}
	info := "00" + hex.EncodeToString(append([]byte{0, 0, 0, 7}, "A128GCM"...))
	u := "00" + hex.EncodeToString(append([]byte{0, 0, 0, 5}, "Alice"...))
	v := "00" + hex.EncodeToString(append([]byte{0, 0, 0, 3}, "Bob"...))
	p := ConcatParams{AlgorithmID: info, PartyUInfo: u, PartyVInfo: v, SuppPubInfo: "0000000080"}
	got, err := p.derive(z, 16)
	if want := unhex(t, "56aa8deaf8236d205c2228cd71a7101a"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("RFC 7518 C: %x, %v", got, err)
	}

	// More than one hash: the counter goes up, big-endian.
	long := concatKDF(crypto.SHA256, z, nil, 40)
	one := sha256.Sum256(append([]byte{0, 0, 0, 1}, z...))
	two := sha256.Sum256(append([]byte{0, 0, 0, 2}, z...))
	if want := append(one[:], two[:8]...); !bytes.Equal(long, want) {
		t.Errorf("two rounds: %x", long)
	}
}

func TestConcatKDFAttributes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		p    ConcatParams
		want string // of otherInfo
		err  error
	}{
		{"empty attributes contribute nothing", ConcatParams{}, "", nil},
		{"the octet of padding bits is dropped", ConcatParams{AlgorithmID: "00a1", PartyUInfo: "00b2b3", SuppPrivInfo: "00C4"}, "a1b2b3c4", nil},
		{"the default of WSS4J contributes a zero octet", ConcatParams{AlgorithmID: "0000"}, "00", nil},
		{"padding alone contributes nothing", ConcatParams{AlgorithmID: "00"}, "", nil},
		{"padding bits are refused", ConcatParams{PartyVInfo: "03a8"}, "", ErrStructure},
		{"half an octet is refused", ConcatParams{PartyVInfo: "00a"}, "", ErrStructure},
		{"what is not hexadecimal is refused", ConcatParams{AlgorithmID: "00xy"}, "", ErrStructure},
		{"an unknown digest is refused", ConcatParams{Digest: "urn:other"}, "", ErrAlgorithm},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := tt.p.derive([]byte{1}, 16)
			if !errors.Is(err, tt.err) {
				t.Fatalf("got %v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			if info, err := tt.p.otherInfo(); err != nil || hex.EncodeToString(info) != tt.want {
				t.Errorf("got %x, %v", info, err)
			}
		})
	}
}

func sealCBC(tb testing.TB, key, padded []byte) []byte {
	tb.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		tb.Fatal(err)
	}
	out := noise(16, 23)
	cipher.NewCBCEncrypter(block, out).CryptBlocks(padded, bytes.Clone(padded))
	return append(out, padded...)
}

func TestCBCDropsThePaddingUnseen(t *testing.T) {
	t.Parallel()
	key := noise(16, 22)
	for pad := 0; pad <= 17; pad++ {
		text := bytes.Repeat([]byte{0xee}, 32)
		text[31] = byte(pad)
		sealed := sealCBC(t, key, bytes.Clone(text))
		got, err := openCBC(key, sealed)
		if pad < 1 || pad > 16 {
			if !errors.Is(err, ErrDecrypt) {
				t.Errorf("pad %d: %v", pad, err)
			}
			continue
		}
		if err != nil || !bytes.Equal(got, text[:32-pad]) {
			t.Errorf("pad %d: %x, %v", pad, got, err)
		}
	}
	for _, n := range []int{0, 15, 16, 31, 33} {
		if _, err := openCBC(key, make([]byte, n)); !errors.Is(err, ErrDecrypt) {
			t.Errorf("%d octets: %v", n, err)
		}
	}
}
