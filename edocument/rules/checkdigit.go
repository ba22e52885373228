package rules

import (
	"regexp"
	"strconv"
	"strings"
)

// Check digits of identifier schemes. Each takes the identifier without white space around it.

func digits(s string, from, to int) bool {
	if len(s) < from || len(s) > to {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// weighted adds up the digits before the last, from the right, each times its weight.
func weighted(s string, weight func(i int) int) int {
	sum := 0
	for i := range len(s) - 1 {
		sum += int(s[len(s)-2-i]-'0') * weight(i)
	}
	return sum
}

// gln is the check digit of GS1 numbers.
func gln(s string) bool {
	if !digits(s, 1, 1<<10) {
		return false
	}
	sum := weighted(s, func(i int) int { return 3 - 2*(i%2) })
	return (10-sum%10)%10 == int(s[len(s)-1]-'0')
}

// mod11 is the check digit of Norwegian organisation numbers.
func mod11(s string) bool {
	if !digits(s, 9, 9) || strings.Trim(s, "0") == "" {
		return false
	}
	sum := weighted(s, func(i int) int { return i%6 + 2 })
	return (11-sum%11)%11 == int(s[len(s)-1]-'0')
}

// belgian is the enterprise number: the last two digits are 97 less the rest of the others by 97.
func belgian(s string) bool {
	if !digits(s, 10, 10) {
		return false
	}
	n, _ := strconv.Atoi(s[:8])
	check, _ := strconv.Atoi(s[8:])
	return 97-n%97 == check
}

// danish is DK and eight digits, or the digits alone.
func danish(s string) bool {
	return danishVAT(s) || digits(s, 8, 8)
}

func danishVAT(s string) bool { return len(s) == 10 && s[:2] == "DK" && digits(s[2:], 8, 8) }

// swedish is the Luhn digit of the organisation number.
func swedish(s string) bool {
	if !digits(s, 10, max(10, len(s))) {
		return false
	}
	sum := 0
	for i := range 9 {
		d := int(s[8-i] - '0')
		if i%2 == 0 {
			d *= 2
			d = d%10 + d/10
		}
		sum += d
	}
	return (10-sum%10)%10 == int(s[9]-'0')
}

// australian is the business number, modulo 89.
func australian(s string) bool {
	if len(s) < 11 {
		return false
	}
	sum := (int(s[0]) - '1') * 10
	for i := 1; i < 11; i++ {
		sum += (int(s[i]) - '0') * (2*i - 1)
	}
	return sum%89 == 0
}

var (
	letters      = regexp.MustCompile(`^[A-Za-z]*$`)
	alphanumeric = regexp.MustCompile(`^[A-Za-z0-9]*$`)
	integer      = regexp.MustCompile(`^\s*[-+]?[0-9]+\s*$`)
)

// italianOffice is the code of the index of public administrations.
func italianOffice(s string) bool { return len(s) == 6 && alphanumeric.MatchString(s) }

// italianTaxCode is the codice fiscale of persons or of companies, by its form.
func italianTaxCode(s string) bool {
	switch len(s) {
	case 11:
		return integer.MatchString(s)
	case 16:
		return letters.MatchString(s[:6]) && integer.MatchString(s[6:8]) && letters.MatchString(s[8:9]) &&
			integer.MatchString(s[9:11]) && integer.MatchString(s[14:15]) && letters.MatchString(s[15:])
	}
	return false
}

// italianVAT is the partita IVA; a number of another country passes.
func italianVAT(s string) bool {
	if !strings.HasPrefix(s, "IT") && !strings.HasPrefix(s, "it") {
		return true
	}
	s = s[2:]
	if !digits(s, 11, 11) {
		return false
	}
	sum := 0
	for i := range 11 {
		d := int(s[i] - '0')
		if i%2 == 1 {
			d = int("0246813579"[d] - '0')
		}
		sum += d
	}
	return sum%10 == 0
}

// greek is the tax number: nine digits, the last a check digit.
func greek(s string) bool {
	if len(s) < 9 || !digits(s[:9], 9, 9) {
		return false
	}
	sum := 0
	for i := range 8 {
		sum += int(s[i]-'0') << (8 - i)
	}
	return sum%11%10 == int(s[8]-'0')
}

// iban checks form and check digits of a bank account number, white space left out.
func iban(s string) bool {
	s = strings.Join(strings.FieldsFunc(s, space), "")
	if len(s) < 4 || len(s) > 34 || !alphanumeric.MatchString(s) || s[0] < 'A' || s[0] > 'Z' || s[1] < 'A' || s[1] > 'Z' || !digits(s[2:4], 2, 2) {
		return false
	}
	rest := 0
	for _, c := range []byte(s[4:] + s[:4]) {
		v := int(c) - '0'
		if c > 64 {
			v = int(c) - 55
		}
		if v >= 10 { // two digits
			rest *= 10
		}
		rest = (rest*10 + v) % 97
	}
	return rest == 1
}
