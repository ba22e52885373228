package pdf

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"io"
)

// method is how strings or streams are encrypted.
type method byte

const (
	identity method = iota
	rc4Method
	aes128
	aes256
)

// crypt is the standard security handler with the key of the empty user password [ISO 32000-1 7.6.3], [ISO 32000-2 7.6.4].
type crypt struct {
	key              []byte
	strings, streams method
	metadata         bool // the metadata stream is encrypted like others
}

// passwordPad stands for the octets that a password lacks.
const passwordPad = "\x28\xbf\x4e\x5e\x4e\x75\x8a\x41\x64\x00\x4e\x56\xff\xfa\x01\x08\x2e\x2e\x00\xb6\xd0\x68\x3e\x80\x2f\x0c\xa9\xfe\x64\x53\x69\x7a"

// unlock reads the encryption dictionary of the trailer, where there is one.
func (d *Document) unlock() error {
	if d.Trailer["Encrypt"] == nil {
		return nil
	}
	dict, ok := Get[Dict](d, d.Trailer["Encrypt"])
	if !ok {
		return fmt.Errorf("%w: its encryption dictionary cannot be read", ErrEncrypted)
	}
	number := func(key Name, otherwise int) int {
		if n, ok := Get[int](d, dict[key]); ok {
			return n
		}
		return otherwise
	}
	octets := func(key Name) []byte {
		s, _ := Get[String](d, dict[key])
		return []byte(s)
	}
	if filter, _ := Get[Name](d, dict["Filter"]); filter != "Standard" {
		return fmt.Errorf("%w: by the handler %s", ErrEncrypted, filter)
	}
	v, r := number("V", 0), number("R", 0)
	c := &crypt{metadata: true}
	if all, ok := Get[bool](d, dict["EncryptMetadata"]); ok {
		c.metadata = all
	}
	bits := number("Length", 40)
	switch v {
	case 1, 2:
		c.strings, c.streams = rc4Method, rc4Method
		if v == 1 {
			bits = 40
		}
	case 4, 5:
		bits = 128
		c.strings, c.streams = d.cryptFilter(dict, "StrF"), d.cryptFilter(dict, "StmF")
	default:
		return fmt.Errorf("%w: in version %d", ErrEncrypted, v)
	}
	if bits < 40 || bits > 128 || bits%8 != 0 || (v == 5) != (r >= 5) {
		return fmt.Errorf("%w: with keys of %d bits in revision %d", ErrEncrypted, bits, r)
	}
	var id String
	if list, ok := Get[Array](d, d.Trailer["ID"]); ok && len(list) > 0 {
		id, _ = Get[String](d, list[0])
	}
	d.Permissions = int(int32(number("P", 0)))
	if v == 5 {
		c.key = newKey(octets("U"), octets("UE"), r)
	} else {
		c.key = oldKey(octets("O"), octets("U"), id, uint32(d.Permissions), r, bits/8, c.metadata)
	}
	if c.key == nil {
		return fmt.Errorf("%w: a password is needed to open it", ErrEncrypted)
	}
	d.Encrypted, d.crypt = true, c
	clear(d.cache)
	clear(d.streams)
	return nil
}

func (d *Document) cryptFilter(dict Dict, use Name) method {
	name, ok := Get[Name](d, dict[use])
	if !ok || name == "Identity" {
		return identity
	}
	filters, _ := Get[Dict](d, dict["CF"])
	filter, _ := Get[Dict](d, filters[name])
	switch how, _ := Get[Name](d, filter["CFM"]); how {
	case "V2":
		return rc4Method
	case "AESV2":
		return aes128
	case "AESV3":
		return aes256
	}
	return identity
}

// oldKey is the key of revisions 2 to 4 where the user password is empty [ISO 32000-1 7.6.3.3, 7.6.3.4].
func oldKey(o, u []byte, id String, permissions uint32, r, n int, metadata bool) []byte {
	if len(o) < 32 || len(u) < 32 {
		return nil
	}
	h := md5.New()
	io.WriteString(h, passwordPad)
	h.Write(o[:32])
	binary.Write(h, binary.LittleEndian, permissions)
	io.WriteString(h, string(id))
	if r >= 4 && !metadata {
		h.Write([]byte{0xff, 0xff, 0xff, 0xff})
	}
	key := h.Sum(nil)[:n]
	if r >= 3 {
		for range 50 {
			sum := md5.Sum(key)
			key = sum[:n]
		}
	}
	check := []byte(passwordPad)
	if r >= 3 {
		sum := md5.Sum([]byte(passwordPad + string(id)))
		check = sum[:]
		u = u[:16]
	}
	turns := 1
	if r >= 3 {
		turns = 20
	}
	for i := range turns {
		k := bytes.Clone(key)
		for j := range k {
			k[j] ^= byte(i)
		}
		stream, _ := rc4.NewCipher(k)
		stream.XORKeyStream(check, check)
	}
	if !bytes.Equal(check, u[:len(check)]) {
		return nil
	}
	return key
}

// newKey is the key of revisions 5 and 6 where the user password is empty [ISO 32000-2 7.6.4.3.3].
func newKey(u, ue []byte, r int) []byte {
	if len(u) < 48 || len(ue) < 32 {
		return nil
	}
	hash := func(salt []byte) []byte {
		sum := sha256.Sum256(salt)
		if r < 6 {
			return sum[:]
		}
		return hardened(sum[:])
	}
	if !bytes.Equal(hash(u[32:40]), u[:32]) {
		return nil
	}
	block, _ := aes.NewCipher(hash(u[40:48]))
	key := make([]byte, 32)
	cipher.NewCBCDecrypter(block, make([]byte, 16)).CryptBlocks(key, ue[:32])
	return key
}

// hardened goes on with a hash for 64 rounds and more, for the empty password [ISO 32000-2 7.6.4.3.4].
func hardened(k []byte) []byte {
	for i := 0; ; i++ {
		round := bytes.Repeat(k, 64)
		block, _ := aes.NewCipher(k[:16])
		cipher.NewCBCEncrypter(block, k[16:32]).CryptBlocks(round, round)
		rest := 0
		for _, c := range round[:16] {
			rest += int(c)
		}
		switch rest % 3 {
		case 0:
			sum := sha256.Sum256(round)
			k = sum[:]
		case 1:
			sum := sha512.Sum384(round)
			k = sum[:]
		default:
			sum := sha512.Sum512(round)
			k = sum[:]
		}
		if i >= 63 && int(round[len(round)-1]) <= i-31 {
			return k[:32]
		}
	}
}

// keyFor is the key of one object [ISO 32000-1 7.6.2].
func (c *crypt) keyFor(m method, r Ref) []byte {
	if m == aes256 {
		return c.key
	}
	b := append(bytes.Clone(c.key), byte(r.Number), byte(r.Number>>8), byte(r.Number>>16), byte(r.Generation), byte(r.Generation>>8))
	if m == aes128 {
		b = append(b, "sAlT"...)
	}
	sum := md5.Sum(b)
	return sum[:min(len(c.key)+5, 16)]
}

func (c *crypt) decrypt(m method, r Ref, b []byte) ([]byte, error) {
	switch m {
	case identity:
		return b, nil
	case rc4Method:
		s, err := rc4.NewCipher(c.keyFor(m, r))
		if err != nil {
			return nil, err
		}
		out := make([]byte, len(b))
		s.XORKeyStream(out, b)
		return out, nil
	}
	if len(b) == 0 {
		return b, nil
	}
	return io.ReadAll(c.reader(m, r, bytes.NewReader(b)))
}

// reader decrypts a stream.
func (c *crypt) reader(m method, r Ref, in io.Reader) io.Reader {
	switch m {
	case identity:
		return in
	case rc4Method:
		s, err := rc4.NewCipher(c.keyFor(m, r))
		if err != nil {
			return failing{err}
		}
		return cipher.StreamReader{S: s, R: in}
	}
	block, err := aes.NewCipher(c.keyFor(m, r))
	if err != nil {
		return failing{err}
	}
	return &cbcReader{in: in, block: block}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// cbcReader decrypts AES in CBC with the initialisation vector before it, and takes the padding away.
type cbcReader struct {
	in    io.Reader
	block cipher.Block
	mode  cipher.BlockMode
	ahead []byte // decrypted, whose end may be padding
	out   []byte
	err   error
}

func (c *cbcReader) Read(p []byte) (int, error) {
	for len(c.out) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		c.fill()
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	return n, nil
}

func (c *cbcReader) fill() {
	if c.mode == nil {
		iv := make([]byte, aes.BlockSize)
		if _, err := io.ReadFull(c.in, iv); err != nil {
			c.err = io.EOF // nothing was encrypted
			return
		}
		c.mode = cipher.NewCBCDecrypter(c.block, iv)
	}
	b := make([]byte, 32<<10)
	n, err := io.ReadFull(c.in, b)
	b = b[:n-n%aes.BlockSize]
	c.mode.CryptBlocks(b, b)
	c.out, c.ahead = c.ahead, b
	switch {
	case err == nil:
		return
	case err != io.EOF && err != io.ErrUnexpectedEOF:
		c.err = err
		return
	}
	c.err = io.EOF
	last := append(bytes.Clone(c.out), c.ahead...)
	if k := len(last); k > 0 {
		if pad := int(last[k-1]); pad >= 1 && pad <= aes.BlockSize && pad <= k {
			last = last[:k-pad]
		}
	}
	c.out = last
}

// unseal decrypts the strings of an object that was read, all but the signature of a signature dictionary [ISO 32000-1 7.6.1].
func (c *crypt) unseal(o Object, r Ref) (Object, error) {
	return c.walk(o, func(s String) (Object, error) {
		b, err := c.decrypt(c.strings, r, []byte(s))
		return String(b), err
	})
}

func (c *crypt) walk(o Object, each func(String) (Object, error)) (Object, error) {
	var err error
	switch o := o.(type) {
	case String:
		return each(o)
	case Hex:
		s, err := each(String(o))
		if s, ok := s.(String); ok {
			return Hex(s), err
		}
		return s, err
	case Array:
		out := make(Array, len(o))
		for i := range o {
			if out[i], err = c.walk(o[i], each); err != nil {
				return nil, err
			}
		}
		return out, nil
	case Dict:
		out := make(Dict, len(o))
		for k, v := range o {
			if k == "Contents" && o["ByteRange"] != nil {
				out[k] = v
			} else if out[k], err = c.walk(v, each); err != nil {
				return nil, err
			}
		}
		return out, nil
	case *Stream:
		dict, err := c.walk(o.Dict, each)
		if err != nil {
			return nil, err
		}
		copied := *o
		copied.Dict = dict.(Dict)
		return &copied, nil
	}
	return o, nil
}

// method is that of one stream.
func (c *crypt) method(s *Stream) method {
	kind := s.Dict["Type"]
	if kind == Name("XRef") || kind == Name("Metadata") && !c.metadata {
		return identity
	}
	return c.streams
}

// seal encrypts an object that is to be written. The same object gives the same octets: what must differ each time is taken from what
// is encrypted.
func (c *crypt) seal(o Object, r Ref) (Object, error) {
	sealed, err := c.walk(o, func(s String) (Object, error) {
		b, err := c.encrypt(c.strings, r, []byte(s))
		return Hex(b), err
	})
	if s, ok := sealed.(*Stream); ok && err == nil && s.raw == nil {
		s.Data, err = c.encrypt(c.method(s), r, s.Data)
	}
	return sealed, err
}

func (c *crypt) encrypt(m method, r Ref, b []byte) ([]byte, error) {
	if m == identity || m == rc4Method {
		return c.decrypt(m, r, b)
	}
	block, err := aes.NewCipher(c.keyFor(m, r))
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	h.Write(c.key)
	fmt.Fprint(h, r)
	h.Write(b)
	pad := aes.BlockSize - len(b)%aes.BlockSize
	out := append(h.Sum(nil)[:aes.BlockSize:aes.BlockSize], b...)
	out = append(out, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, out[:aes.BlockSize]).CryptBlocks(out[aes.BlockSize:], out[aes.BlockSize:])
	return out, nil
}
