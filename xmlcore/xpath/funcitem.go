package xpath

// function is a function item.
type function struct {
	name   QName
	arity  int
	params []*SequenceType // nil: anything
	result *SequenceType
	call   func(m *machine, args []Sequence) // puts the value on the stack
}

type mapping struct {
	entries []entry
	index   map[string]int
}

type entry struct {
	key   Item
	value Sequence
}

type array struct{ members []Sequence }

func (x *mapping) get(key Item) (Sequence, bool) { return nil, false }
func itemValues(it Item) []Sequence              { return nil }
func coerce(it Item, s *SequenceType) Item       { return it }
func (c *compiler) functionRef(e *expr) *code    { panic(errorf("XPST0003", "not yet")) }
func (c *compiler) inline(e *expr) *code         { panic(errorf("XPST0003", "not yet")) }
func (c *compiler) dynamicCall(e *expr) *code    { panic(errorf("XPST0003", "not yet")) }
func (c *compiler) mapMake(e *expr) *code        { panic(errorf("XPST0003", "not yet")) }
func (c *compiler) arrayMake(e *expr) *code      { panic(errorf("XPST0003", "not yet")) }
func (c *compiler) lookup(e *expr) *code         { panic(errorf("XPST0003", "not yet")) }
