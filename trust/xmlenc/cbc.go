package xmlenc

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
)

// openCBC decrypts IV || ciphertext of AES-CBC. Of the padding only the last octet has a meaning, the number of octets to drop;
// the others are arbitrary and not looked at [XMLENC11 5.2.1].
func openCBC(key, sealed []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("xmlenc: %w", err)
	}
	if len(sealed) < 2*aes.BlockSize || len(sealed)%aes.BlockSize != 0 {
		return nil, ErrDecrypt
	}
	plain := make([]byte, len(sealed)-aes.BlockSize)
	cipher.NewCBCDecrypter(block, sealed[:aes.BlockSize]).CryptBlocks(plain, sealed[aes.BlockSize:])
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > aes.BlockSize {
		return nil, ErrDecrypt
	}
	return plain[:len(plain)-pad], nil
}
