package xmlenc

// agreedKey is an EncryptedKey by key agreement, with the content of OriginatorKeyInfo and of HKDFParams chosen.
func agreedKey(method, originator, params string) string {
	return `<x:EncryptedKey xmlns:x="` + nsXenc + `" xmlns:ds="` + nsDS + `" Id="EK-1"><x:EncryptionMethod Algorithm="` + KWAES128 + `"/>` +
		`<ds:KeyInfo><x:AgreementMethod Algorithm="` + method + `">` +
		`<y:KeyDerivationMethod xmlns:y="` + nsXenc11 + `" Algorithm="` + HKDF + `"><m:HKDFParams xmlns:m="` + nsDSigMore + `">` + params + `</m:HKDFParams></y:KeyDerivationMethod>` +
		`<x:OriginatorKeyInfo>` + originator + `</x:OriginatorKeyInfo></x:AgreementMethod></ds:KeyInfo>` +
		`<x:CipherData><x:CipherValue>AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA</x:CipherValue></x:CipherData></x:EncryptedKey>`
}
