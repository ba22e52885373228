// Package invoice holds an invoice as EN 16931-1 describes it, apart from any syntax: its business terms (BT) and groups
// of terms (BG), read from and written to UBL 2.1 and UN/CEFACT CII D16B.
//
// [Read] takes either syntax; [Invoice.UBL] and [Invoice.CII] write either one. What the standard calls the core of an
// invoice survives the way from one syntax to the other and back; what lies outside is not carried, and [Invoice.Terms]
// shows what is. Every term that was read knows its node in the document, so that a complaint about it has a place.
//
// The struct tags are the numbers of the standard.
package invoice

import (
	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Text is a text, a code or a reference; "" means that the term is absent.
type Text struct {
	Value string
	Node  dom.Node // where it was read, the zero Node when it was not
}

// Identifier is a text with the scheme that it belongs to, or a class with its list.
type Identifier struct {
	Value   string
	Scheme  string
	Version string // of the list, for classes only
	Node    dom.Node
}

// Date is a calendar day, written YYYY-MM-DD; "" means that the term is absent.
type Date struct {
	Value string
	Node  dom.Node
}

// Number is an amount, a quantity or a percentage.
type Number struct {
	Value decimal.Decimal // NaN for what stands there and is no number
	Given bool            // the term is present
	Node  dom.Node
}

// Num makes a Number that was not read.
func Num(v decimal.Decimal) Number { return Number{Value: v, Given: true} }

// Txt makes a Text that was not read.
func Txt(s string) Text { return Text{Value: s} }

// Binary is an attached document. Content is base64 as it was read.
type Binary struct {
	Content  string
	MimeCode string
	Filename string
	Node     dom.Node
}

// Syntax is one of the two that the standard binds the model to.
type Syntax string

// The syntaxes.
const (
	UBL Syntax = "UBL 2.1"
	CII Syntax = "CII D16B"
)

// Invoice is one invoice or credit note.
type Invoice struct {
	Syntax Syntax // where it was read from, "" when it was made here

	Number            Text        `bt:"BT-1"`
	IssueDate         Date        `bt:"BT-2"`
	TypeCode          Text        `bt:"BT-3"`
	Currency          Text        `bt:"BT-5"`
	TaxCurrency       Text        `bt:"BT-6"`
	TaxPointDate      Date        `bt:"BT-7"`
	TaxPointCode      Text        `bt:"BT-8"` // of UNTDID 2005: 3, 35 or 432
	DueDate           Date        `bt:"BT-9"`
	BuyerReference    Text        `bt:"BT-10"`
	Project           Text        `bt:"BT-11"`
	Contract          Text        `bt:"BT-12"`
	PurchaseOrder     Text        `bt:"BT-13"`
	SalesOrder        Text        `bt:"BT-14"`
	ReceivingAdvice   Text        `bt:"BT-15"`
	DespatchAdvice    Text        `bt:"BT-16"`
	Tender            Text        `bt:"BT-17"`
	Object            Identifier  `bt:"BT-18"`
	BuyerAccounting   Text        `bt:"BT-19"`
	PaymentTerms      Text        `bt:"BT-20"`
	Notes             []Note      `bt:"BG-1"`
	Process           Text        `bt:"BT-23"`
	Specification     Text        `bt:"BT-24"`
	Preceding         []Preceding `bt:"BG-3"`
	Seller            Party       `bt:"BG-4"`
	Buyer             Party       `bt:"BG-7"`
	Payee             *Party      `bt:"BG-10"`
	TaxRepresentative *Party      `bt:"BG-11"`
	Delivery          *Delivery   `bt:"BG-13"`
	Period            *Period     `bt:"BG-14"`
	Payment           *Payment    `bt:"BG-16"`
	Allowances        []Charge    `bt:"BG-20"`
	Charges           []Charge    `bt:"BG-21"`
	Totals            Totals      `bt:"BG-22"`
	Breakdown         []TaxEntry  `bt:"BG-23"`
	Documents         []Document  `bt:"BG-24"`
	Lines             []Line      `bt:"BG-25"`

	// Problems are what could not be read as the term it is.
	Problems []Problem
}

// Problem is a term that stands in the document and cannot be used.
type Problem struct {
	Term string // "BT-2"
	Text string
	Node dom.Node
}

// Note is BG-1.
type Note struct {
	Subject Text `bt:"BT-21"`
	Text    Text `bt:"BT-22"`
}

// Preceding is BG-3.
type Preceding struct {
	Number    Text `bt:"BT-25"`
	IssueDate Date `bt:"BT-26"`
}

// Party is BG-4, BG-7, BG-10 or BG-11; the numbers are the seller's. A payee has name, one identifier and registration,
// a representative name, VAT identifier and address.
type Party struct {
	Name             Text         `bt:"BT-27"`
	TradingName      Text         `bt:"BT-28"`
	IDs              []Identifier `bt:"BT-29"` // those without scheme first
	Registration     Identifier   `bt:"BT-30"`
	VAT              Text         `bt:"BT-31"`
	TaxRegistration  Text         `bt:"BT-32"`
	LegalInformation Text         `bt:"BT-33"`
	Endpoint         Identifier   `bt:"BT-34"`
	Address          *Address     `bt:"BG-5"`
	Contact          *Contact     `bt:"BG-6"`
	Node             dom.Node
}

// Address is BG-5, BG-8, BG-12 or BG-15.
type Address struct {
	Line1       Text `bt:"BT-35"`
	Line2       Text `bt:"BT-36"`
	Line3       Text `bt:"BT-162"`
	City        Text `bt:"BT-37"`
	PostCode    Text `bt:"BT-38"`
	Subdivision Text `bt:"BT-39"`
	Country     Text `bt:"BT-40"`
}

// Contact is BG-6 or BG-9.
type Contact struct {
	Name      Text `bt:"BT-41"`
	Telephone Text `bt:"BT-42"`
	Email     Text `bt:"BT-43"`
}

// Delivery is BG-13 with BG-15.
type Delivery struct {
	Name     Text       `bt:"BT-70"`
	Location Identifier `bt:"BT-71"`
	Date     Date       `bt:"BT-72"`
	Address  *Address   `bt:"BG-15"`
}

// Period is BG-14 or BG-26.
type Period struct {
	Start Date `bt:"BT-73"`
	End   Date `bt:"BT-74"`
}

// Payment is BG-16.
type Payment struct {
	Means       Text       `bt:"BT-81"`
	MeansText   Text       `bt:"BT-82"`
	Remittance  Text       `bt:"BT-83"`
	Transfers   []Transfer `bt:"BG-17"`
	Card        *Card      `bt:"BG-18"`
	DirectDebit *Debit     `bt:"BG-19"`
}

// Transfer is BG-17.
type Transfer struct {
	Account Text `bt:"BT-84"`
	Name    Text `bt:"BT-85"`
	Bank    Text `bt:"BT-86"`
}

// Card is BG-18.
type Card struct {
	Number Text `bt:"BT-87"`
	Holder Text `bt:"BT-88"`
}

// Debit is BG-19.
type Debit struct {
	Mandate  Text `bt:"BT-89"`
	Creditor Text `bt:"BT-90"`
	Account  Text `bt:"BT-91"`
}

// Charge is an allowance or a charge: BG-20, BG-21, BG-27 or BG-28. Those of lines have no VAT of their own.
type Charge struct {
	Amount     Number `bt:"BT-92"`
	Base       Number `bt:"BT-93"`
	Percent    Number `bt:"BT-94"`
	Category   Text   `bt:"BT-95"`
	Rate       Number `bt:"BT-96"`
	Reason     Text   `bt:"BT-97"`
	ReasonCode Text   `bt:"BT-98"`
	Node       dom.Node
}

// Totals is BG-22.
type Totals struct {
	Lines         Number `bt:"BT-106"`
	Allowances    Number `bt:"BT-107"`
	Charges       Number `bt:"BT-108"`
	WithoutTax    Number `bt:"BT-109"`
	Tax           Number `bt:"BT-110"`
	TaxAccounting Number `bt:"BT-111"`
	WithTax       Number `bt:"BT-112"`
	Paid          Number `bt:"BT-113"`
	Rounding      Number `bt:"BT-114"`
	Due           Number `bt:"BT-115"`
	Node          dom.Node
}

// TaxEntry is BG-23.
type TaxEntry struct {
	Base       Number `bt:"BT-116"`
	Tax        Number `bt:"BT-117"`
	Category   Text   `bt:"BT-118"`
	Rate       Number `bt:"BT-119"`
	Reason     Text   `bt:"BT-120"`
	ReasonCode Text   `bt:"BT-121"`
	Node       dom.Node
}

// Document is BG-24.
type Document struct {
	Reference   Text    `bt:"BT-122"`
	Description Text    `bt:"BT-123"`
	Location    Text    `bt:"BT-124"`
	Attachment  *Binary `bt:"BT-125"`
}

// Line is BG-25 with BG-26 to BG-32.
type Line struct {
	ID              Text         `bt:"BT-126"`
	Note            Text         `bt:"BT-127"`
	Object          Identifier   `bt:"BT-128"`
	Quantity        Number       `bt:"BT-129"`
	Unit            Text         `bt:"BT-130"`
	Net             Number       `bt:"BT-131"`
	OrderLine       Text         `bt:"BT-132"`
	BuyerAccounting Text         `bt:"BT-133"`
	Period          *Period      `bt:"BG-26"`
	Allowances      []Charge     `bt:"BG-27"`
	Charges         []Charge     `bt:"BG-28"`
	Price           Number       `bt:"BT-146"`
	Discount        Number       `bt:"BT-147"`
	GrossPrice      Number       `bt:"BT-148"`
	PriceBase       Number       `bt:"BT-149"`
	PriceBaseUnit   Text         `bt:"BT-150"`
	Category        Text         `bt:"BT-151"`
	Rate            Number       `bt:"BT-152"`
	Name            Text         `bt:"BT-153"`
	Description     Text         `bt:"BT-154"`
	SellerItem      Text         `bt:"BT-155"`
	BuyerItem       Text         `bt:"BT-156"`
	StandardItem    Identifier   `bt:"BT-157"`
	Classes         []Identifier `bt:"BT-158"`
	Origin          Text         `bt:"BT-159"`
	Attributes      []Attribute  `bt:"BG-32"`
	Node            dom.Node
}

// Attribute is BG-32.
type Attribute struct {
	Name  Text `bt:"BT-160"`
	Value Text `bt:"BT-161"`
}

// creditTypes are the codes of BT-3 that UBL writes as a credit note.
var creditTypes = map[string]bool{
	"81": true, "83": true, "261": true, "262": true, "296": true, "308": true, "381": true, "396": true, "420": true, "458": true, "502": true, "503": true, "532": true,
}

// IsCredit reports whether the type code names a credit note.
func (i *Invoice) IsCredit() bool { return creditTypes[i.TypeCode.Value] }
