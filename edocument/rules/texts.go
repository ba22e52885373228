package rules

import (
	_ "embed" // the words of the rules are a file
	"strings"
	"sync"
)

//go:embed data/texts.txt
var textsText string

type words struct{ text, remedy string }

// texts reads the words of the rules; the shorthand is explained in the file.
var texts = sync.OnceValue(func() map[string]words {
	out := map[string]words{}
	for line := range strings.Lines(textsText) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) < 2 || line[0] == '#' {
			continue
		}
		w := words{text: f[1]}
		if len(f) > 2 {
			w.remedy = f[2]
		} else {
			w = spell(f[1])
		}
		for id := range strings.FieldsSeq(f[0]) {
			out[id] = w
		}
	}
	for _, c := range categories {
		for n, w := range categoryWords(c.code) {
			if id := "BR-" + c.family + "-" + n; out[id].text == "" {
				out[id] = w
			}
		}
	}
	return out
})

func spell(s string) words {
	kind, what := s[0], s[2:]
	first, second, _ := strings.Cut(what, " | ")
	switch kind {
	case '!':
		return words{"The invoice states " + what + ".", "Add " + what + "."}
	case '1':
		return words{"There is at most one " + what + ".", "Keep one and remove the others."}
	case '.':
		return words{upper(what) + " has at most two decimals.", "Round it to two decimals; zeros at the end count too."}
	case '#':
		return words{upper(first) + " is a code of " + second + ".", "Use a code of " + second + "."}
	}
	return words{upper(first) + " is used only with " + second + ".", "Leave it out here."}
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

var categoryNames = map[string]string{
	"S": "standard rate (S)", "Z": "zero rate (Z)", "E": "exempt (E)", "AE": "reverse charge (AE)", "K": "intra-community supply (K)",
	"G": "export (G)", "O": "outside the scope of VAT (O)", "L": "IGIC of the Canary Islands (L)", "M": "IPSI of Ceuta and Melilla (M)",
}

// categoryWords words the ten rules that every VAT category has.
func categoryWords(code string) map[string]words {
	name := categoryNames[code]
	ids := "the seller's VAT identifier (BT-31) or tax registration (BT-32), or the tax representative's VAT identifier (BT-63)"
	switch code {
	case "AE":
		ids += ", and the buyer's VAT identifier (BT-48) or legal registration (BT-47)"
	case "G":
		ids = "the seller's VAT identifier (BT-31), or the tax representative's (BT-63)"
	case "K":
		ids = "the seller's VAT identifier (BT-31), or the tax representative's (BT-63), and the buyer's (BT-48)"
	}
	parties := func(where string) words {
		if code == "O" {
			return words{"With " + where + " of category " + name + " no party has a VAT identifier (BT-31, BT-48, BT-63).", "Remove the VAT identifiers, or correct the category."}
		}
		return words{"With " + where + " of category " + name + " the invoice states " + ids + ".", "Add the missing identifier, or correct the category."}
	}
	rate := func(where string) words {
		switch code {
		case "S":
			return words{"The VAT rate of " + where + " of category " + name + " is above zero.", "Give the rate, or correct the category."}
		case "L", "M":
			return words{"The rate of " + where + " of category " + name + " is zero or above.", "Correct the rate."}
		case "O":
			return words{where + " of category " + name + " has no VAT rate.", "Remove the rate."}
		}
		return words{"The VAT rate of " + where + " of category " + name + " is zero.", "Set the rate to 0, or correct the category."}
	}
	entry := "exactly one entry"
	if code == "S" || code == "L" || code == "M" {
		entry = "an entry for each rate"
	}
	out := map[string]words{
		"01": {"An invoice that uses category " + name + " has " + entry + " of it in the VAT breakdown (BG-23).", "Correct the breakdown or the categories."},
		"02": parties("a line"), "03": parties("an allowance"), "04": parties("a charge"),
		"05": rate("a line"), "06": rate("an allowance"), "07": rate("a charge"),
		"08": {"The taxable amount (BT-116) of category " + name + " is the sum of its lines, less its allowances, plus its charges.", "Correct BT-116."},
		"09": {"The tax amount (BT-117) of category " + name + " is zero.", "Set BT-117 to 0."},
		"10": {"Category " + name + " in the VAT breakdown has a reason for exemption, as text (BT-120) or code (BT-121).", "Add the reason."},
	}
	switch code {
	case "S", "L", "M":
		out["09"] = words{"The tax amount (BT-117) of category " + name + " is its taxable amount (BT-116) times its rate (BT-119).", "Correct BT-117."}
		fallthrough
	case "Z":
		out["10"] = words{"Category " + name + " in the VAT breakdown has no reason for exemption (BT-120, BT-121).", "Remove the reason, or correct the category."}
	}
	for k, w := range out {
		out[k] = words{upper(w.text), w.remedy}
	}
	return out
}

func text(id string) string   { return texts()[id].text }
func remedy(id string) string { return texts()[id].remedy }
